// Questions: two samples side by side, those first whose relation helps most.
import {contentOf, make, tileOf} from './parts.js';

export class AskView {
  constructor(host, options) {
    this.options = options;
    this.pair = null;
    this.place = make('div', {class: 'pair'});
    this.said = make('p', {class: 'soft', id: 'answers'});
    const button = (id, text, key, same) => make('button', {type: 'button', id, onclick: event => { event.currentTarget.blur(); this.answer(same); }}, text, make('kbd', {}, key));
    this.title = make('h1', {});
    this.progress = make('p', {class: 'soft', id: 'progress'});
    this.costs = make('details', {class: 'costs', hidden: true});
    this.buttons = make('div', {class: 'answers'}, button('same', 'Same', 'S', true), button('different', 'Different', 'D', false),
      button('skip', 'Skip', 'space', null));
    host.replaceChildren(make('div', {class: 'ask'}, this.title, this.place, this.buttons, this.progress, this.said, this.costs));
    this.load();
  }

  end() { this.ended = true; }

  follow() { return this.load(); }

  retry() { if (!this.pair) this.load(); }

  async load() {
    const found = await this.options.ask('question');
    if (found && !this.ended) this.take(found);
  }

  take({pair, clusters, answers, same, progress, again: [n = 0, differ = 0], costs}) {
    this.pair = pair?.map(sample => sample.row) ?? null;
    const {metadata} = this.options, pictorial = metadata.pictorial;
    const shown = clusters.length ? clusters.map(({name, tiles}) => make('figure', {}, make('div', {class: `strip${pictorial ? '' : ' text'}`},
      ...tiles.map(tile => tileOf(tile, pictorial))), make('figcaption', {}, name)))
      : (pair ?? []).map(sample => make('figure', {}, ...contentOf(sample, metadata), make('figcaption', {}, sample.name)));
    this.title.textContent = clusters.length ? 'Are these two clusters one?' : 'Do these two belong together?';
    const changed = differ ? ` ${differ} of ${n} questions that came back got another answer.` : '';
    this.progress.textContent = progress ? `${progress[0].toUpperCase()}${progress.slice(1)}.${changed}` : '';
    this.place.replaceChildren(...shown, ...(pair ? [] : [make('p', {}, 'Nothing is left to ask. Learn from the answers, then look at the clusters.')]));
    this.buttons.hidden = !pair;
    this.costs.hidden = !costs;
    if (costs) this.showCosts(costs);
    this.said.textContent = answers ? `${answers} ${answers === 1 ? 'answer' : 'answers'} so far, ${same} “same”` : 'Each answer is kept and shown at once.';
  }

  showCosts({rows, calibration}) {
    const percent = share => `${(100 * share).toFixed(1)}%`;
    const line = ([threshold, unassigned, wrong]) => make('tr', {}, ...[threshold.toFixed(2), percent(unassigned), percent(wrong)].map(text => make('td', {}, text)));
    const head = make('tr', {}, ...['--threshold', 'unassigned', 'wrong of the others'].map(text => make('th', {}, text)));
    this.costs.replaceChildren(make('summary', {}, 'What leaving samples unassigned costs'), make('table', {}, head, ...rows.map(line)), make('p', {class: 'small soft'}, calibration));
  }

  async answer(same) {
    if (!this.pair) return;
    const rows = this.pair;
    this.pair = null;  // a second press answers no question that is not seen yet
    if (!await this.options.act(same === null ? {do: 'skip', rows} : {do: 'pair', rows, same})) this.pair = rows;
  }
}
