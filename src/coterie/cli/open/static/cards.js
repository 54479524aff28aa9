// The cards of all clusters: what a card shows is asked for once it comes near to being seen.
import {make, tileOf} from './parts.js';

export class Cards {
  constructor(host, options) {
    this.options = options;
    this.due = new Set();
    this.observer = new IntersectionObserver(entries => {
      for (const {target, isIntersecting} of entries) isIntersecting ? this.due.add(target) : this.due.delete(target);
      this.load();
    }, {rootMargin: '500px'});
    for (const card of host.children) this.observer.observe(card);
  }

  end() { this.ended = true; this.observer.disconnect(); }

  retry() { this.load(); }

  async load() {
    if (this.busy || !this.due.size) return;
    this.busy = true;
    const asked = [...this.due].slice(0, 40);
    const found = await this.options.load(asked.map(card => card.dataset.cluster));
    this.busy = false;
    if (!found || this.ended) return;
    for (const card of asked) {
      this.due.delete(card);
      this.observer.unobserve(card);
      this.fill(card, found.cards[card.dataset.cluster]);
    }
    this.load();
  }

  fill(card, {certain, doubtful}) {
    const {pictorial, open} = this.options, id = Number(card.dataset.cluster);
    const strip = (label, tiles) => tiles.length ? [make('p', {class: 'label'}, label), make('div', {class: `strip${pictorial ? '' : ' text'}`},
      ...tiles.map(sample => tileOf(sample, pictorial, () => open(id, sample))))] : [];
    card.querySelector('.ends').replaceChildren(...strip('most certain', certain), ...strip('most doubtful', doubtful));
  }
}
