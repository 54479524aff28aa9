// A grid of any number of tiles, of which only those in sight exist.
import {fillTile, make} from './parts.js';

const PAGE = 200, GAP = 8;

export class Grid {
  constructor(host, options) {
    this.host = host;
    this.options = options;
    this.known = new Map();
    this.asked = new Map();
    this.shown = new Map();
    this.at = Math.min(options.at ?? 0, Math.max(0, options.size - 1));
    this.size = options.size;
    host.classList.add('grid');
    this.draw = () => this.layout();
    this.observer = new ResizeObserver(this.draw);
    this.observer.observe(host);
    addEventListener('scroll', this.draw, {passive: true});
    this.layout();
  }

  end() {
    this.observer.disconnect();
    removeEventListener('scroll', this.draw);
  }

  retry() { this.layout(); }

  layout() {
    const width = this.host.clientWidth;
    if (!width) return;
    const wanted = this.options.pictorial ? 132 : 230;
    this.columns = Math.max(1, Math.floor((width + GAP) / (wanted + GAP)));
    this.wide = (width + GAP) / this.columns - GAP;
    this.high = this.options.pictorial ? this.wide : 118;
    this.host.style.height = `${Math.ceil(this.size / this.columns) * (this.high + GAP)}px`;
    const top = -this.host.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor((top - 400) / (this.high + GAP)) * this.columns);
    const last = Math.min(this.size, Math.ceil((top + innerHeight + 400) / (this.high + GAP)) * this.columns);
    for (const [place, tile] of this.shown) if (place < first || place >= last) { tile.remove(); this.shown.delete(place); }
    for (let place = first; place < last; place++) this.place(place);
    for (let page = Math.floor(first / PAGE); page * PAGE < last; page++) this.load(page);
  }

  place(place) {
    let tile = this.shown.get(place);
    if (!tile) {
      tile = make('button', {class: 'tile', type: 'button', 'aria-pressed': 'false', tabindex: place === this.at ? '0' : '-1'});
      tile.dataset.place = place;
      this.shown.set(place, tile);
      this.host.append(tile);
      this.fill(place);
    }
    tile.style.width = `${this.wide}px`;
    tile.style.height = `${this.high}px`;
    tile.style.transform = `translate(${(place % this.columns) * (this.wide + GAP)}px, ${Math.floor(place / this.columns) * (this.high + GAP)}px)`;
  }

  fill(place) {
    const tile = this.shown.get(place), sample = this.known.get(place);
    if (!tile || !sample) return;
    fillTile(tile, sample, this.options.pictorial);
    this.press(place);
  }

  press(place) {
    const sample = this.known.get(place);
    if (sample) this.shown.get(place).setAttribute('aria-pressed', String(this.options.selection.has(sample.row)));
  }

  // all samples from one place to another, those that were not seen yet too
  async between(from, to) {
    const pages = [];
    for (let page = Math.floor(from / PAGE); page * PAGE <= to; page++) pages.push(this.load(page));
    await Promise.all(pages);
    const found = [];
    for (let place = from; place <= to; place++) if (this.known.has(place)) found.push(this.known.get(place));
    return found;
  }

  load(page) {
    if (!this.asked.has(page)) this.asked.set(page, this.fetch(page));
    return this.asked.get(page);
  }

  async fetch(page) {
    const found = await this.options.load(page * PAGE, (page + 1) * PAGE);
    if (!found) { this.asked.delete(page); return; }
    found.forEach((sample, number) => { this.known.set(page * PAGE + number, sample); this.fill(page * PAGE + number); });
  }

  refresh() { for (const place of this.shown.keys()) this.press(place); }

  focus(place) {
    if (place < 0 || place >= this.size) return;
    this.shown.get(this.at)?.setAttribute('tabindex', '-1');
    this.at = place;
    const top = this.host.getBoundingClientRect().top + scrollY + Math.floor(place / this.columns) * (this.high + GAP);
    if (top < scrollY + 80) scrollTo(0, top - 80);
    else if (top + this.high > scrollY + innerHeight - 80) scrollTo(0, top + this.high - innerHeight + 80);
    this.layout();
    const tile = this.shown.get(place);
    tile?.setAttribute('tabindex', '0');
    tile?.focus({preventScroll: true});
  }
}
