// Questions: two samples side by side, those first whose relation helps most.
import {contentOf, make} from './parts.js';

export class AskView {
  constructor(host, options) {
    this.options = options;
    this.pair = null;
    this.place = make('div', {class: 'pair'});
    this.said = make('p', {class: 'soft', id: 'answers'});
    const button = (id, text, key, same) => make('button', {type: 'button', id, onclick: event => { event.currentTarget.blur(); this.answer(same); }}, text, make('kbd', {}, key));
    this.buttons = make('div', {class: 'answers'}, button('same', 'Same', 'S', true), button('different', 'Different', 'D', false),
      button('skip', 'Skip', 'space', null));
    host.replaceChildren(make('div', {class: 'ask'}, make('h1', {}, 'Do these two belong together?'), this.place, this.buttons, this.said));
    this.load();
  }

  end() { this.ended = true; }

  follow() { return this.load(); }

  retry() { if (!this.pair) this.load(); }

  async load() {
    const found = await this.options.ask('question');
    if (found && !this.ended) this.take(found);
  }

  take({pair, answers, same}) {
    this.pair = pair?.map(sample => sample.row) ?? null;
    const shown = (pair ?? []).map(sample => make('figure', {}, ...contentOf(sample, this.options.facts), make('figcaption', {}, sample.name)));
    this.place.replaceChildren(...shown, ...(pair ? [] : [make('p', {}, 'Nothing is left to ask. Learn from the answers, then look at the clusters.')]));
    this.buttons.hidden = !pair;
    this.said.textContent = answers ? `${answers} ${answers === 1 ? 'answer' : 'answers'} so far, ${same} “same”` : 'Each answer is kept and shown at once.';
  }

  async answer(same) {
    if (!this.pair) return;
    const rows = this.pair;
    this.pair = null;  // a second press answers no question that is not seen yet
    if (!await this.options.act(same === null ? {do: 'skip', rows} : {do: 'pair', rows, same})) this.pair = rows;
  }
}
