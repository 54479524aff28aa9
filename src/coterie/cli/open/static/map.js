// The map: all samples as marks in the plane, with zoom, hover and a lasso of the mouse.
import {chip, lookOf, make} from './parts.js';

export class MapView {
  constructor(host, options) {
    this.options = options;
    this.scale = 1; this.x = 0; this.y = 0; this.only = null;
    this.canvas = make('canvas', {tabindex: '0', 'aria-label': 'map of all samples'});
    this.hover = make('div', {id: 'hover', hidden: true});
    this.legend = make('div', {class: 'legend'});
    host.replaceChildren(make('div', {class: 'map'},
      make('div', {class: 'stage'}, this.canvas, this.hover,
        make('p', {class: 'small soft'}, 'Wheel or + − zooms, dragging moves, dragging with Shift selects, a click opens.')), this.legend));
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.canvas);
    this.listen();
  }

  end() { this.observer.disconnect(); clearTimeout(this.later); }

  async load() {
    const reply = await fetch('map');
    if (reply.status === 202) { this.note('The map is being drawn ...'); this.later = setTimeout(() => this.load(), 1500); return; }
    this.points = new Float32Array(await reply.arrayBuffer());
    await this.colour();
  }

  async colour() {
    const content = await (await fetch('labels')).arrayBuffer();
    const n = content.byteLength / 5;
    this.clusters = new Int32Array(content.slice(n));
    this.drawLegend();
    this.draw();
  }

  note(text) { this.legend.replaceChildren(make('p', {class: 'soft'}, text)); }

  drawLegend() {
    const clusters = this.options.clusters();
    this.legend.replaceChildren(...clusters.map(one => make('button', {
      type: 'button', 'aria-pressed': String(this.only === one.id),
      onclick: () => { this.only = this.only === one.id ? null : one.id; this.drawLegend(); this.draw(); }},
    chip(one.id), make('span', {}, one.name), make('span', {class: 'n'}, String(one.size)))));
  }

  place(row) {
    const size = this.side * this.scale;
    return [this.x + this.left + this.points[2 * row] * size, this.y + this.top + this.points[2 * row + 1] * size];
  }

  draw() {
    const ratio = devicePixelRatio || 1, {clientWidth: width, clientHeight: height} = this.canvas;
    if (!width || !this.points || !this.clusters) return;
    this.canvas.width = width * ratio; this.canvas.height = height * ratio;
    this.side = Math.min(width, height) - 40; this.left = (width - this.side) / 2; this.top = (height - this.side) / 2;
    const pen = this.canvas.getContext('2d');
    pen.scale(ratio, ratio);
    const n = this.points.length / 2, r = (n > 20000 ? 1.4 : n > 3000 ? 2.2 : 4) * Math.min(2.5, Math.sqrt(this.scale)) * Math.min(1, Math.max(0.6, this.side / 600));
    for (let row = 0; row < n; row++) {
      const [x, y] = this.place(row);
      if (x < -9 || y < -9 || x > width + 9 || y > height + 9) continue;
      const cluster = this.clusters[row], {colour, shape} = lookOf(cluster);
      pen.globalAlpha = this.only === null || this.only === cluster ? 0.85 : 0.08;
      pen.fillStyle = colour;
      mark(pen, shape, x, y, r);
      if (this.options.selection.has(row)) { pen.globalAlpha = 1; pen.lineWidth = 2; pen.strokeStyle = getComputedStyle(this.canvas).color; pen.strokeRect(x - r - 2, y - r - 2, 2 * r + 4, 2 * r + 4); }
    }
    if (this.frame) { pen.globalAlpha = 1; pen.strokeStyle = '#0b6bcb'; pen.strokeRect(...this.frame); }
  }

  nearest(x, y) {
    let best = null, least = 144;
    for (let row = 0; row < (this.points?.length ?? 0) / 2; row++) {
      const [a, b] = this.place(row), d = (a - x) ** 2 + (b - y) ** 2;
      if (d < least && (this.only === null || this.clusters[row] === this.only)) { least = d; best = row; }
    }
    return best;
  }

  zoom(factor, x, y) {
    const scale = Math.min(60, Math.max(0.5, this.scale * factor)), k = scale / this.scale;
    this.x = x - this.left - (x - this.left - this.x) * k;
    this.y = y - this.top - (y - this.top - this.y) * k;
    this.scale = scale;
    this.draw();
  }

  listen() {
    const at = event => { const box = this.canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
    let from = null, moved = 0;
    this.canvas.addEventListener('wheel', event => { event.preventDefault(); this.zoom(Math.exp(-event.deltaY / 400), ...at(event)); }, {passive: false});
    this.canvas.addEventListener('pointerdown', event => { from = [...at(event), this.x, this.y, event.shiftKey]; moved = 0; this.canvas.setPointerCapture(event.pointerId); });
    this.canvas.addEventListener('pointermove', event => {
      const [x, y] = at(event);
      if (!from) return this.point(x, y);
      moved = Math.max(moved, Math.hypot(x - from[0], y - from[1]));
      if (from[4]) this.frame = [Math.min(x, from[0]), Math.min(y, from[1]), Math.abs(x - from[0]), Math.abs(y - from[1])];
      else { this.x = from[2] + x - from[0]; this.y = from[3] + y - from[1]; }
      this.draw();
    });
    this.canvas.addEventListener('pointerup', event => {
      const [x, y] = at(event), frame = this.frame;
      this.frame = null;
      if (frame) this.choose(frame);
      else if (moved < 4) { const row = this.nearest(x, y); if (row !== null) this.options.open(row); }
      from = null;
      this.draw();
    });
    this.canvas.addEventListener('pointerleave', () => { this.hover.hidden = true; });
    this.canvas.addEventListener('keydown', event => {
      const middle = [this.canvas.clientWidth / 2, this.canvas.clientHeight / 2];
      if (event.key === '+' || event.key === '=') this.zoom(1.3, ...middle);
      else if (event.key === '-') this.zoom(1 / 1.3, ...middle);
      else if (event.key.startsWith('Arrow')) {
        this.x += {ArrowLeft: 40, ArrowRight: -40}[event.key] ?? 0; this.y += {ArrowUp: 40, ArrowDown: -40}[event.key] ?? 0; this.draw();
      } else return;
      event.preventDefault();
    });
  }

  choose([x, y, width, height]) {
    const rows = [];
    for (let row = 0; row < this.points.length / 2; row++) {
      const [a, b] = this.place(row);
      if (a >= x && a <= x + width && b >= y && b <= y + height && (this.only === null || this.clusters[row] === this.only)) rows.push(row);
    }
    this.options.select(rows);
  }

  async point(x, y) {
    const row = this.nearest(x, y);
    if (row === this.pointed) return;
    this.pointed = row;
    this.hover.hidden = row === null;
    if (row === null) return;
    const {tiles: [sample]} = await (await fetch(`tiles?rows=${row}`)).json();
    if (this.pointed !== row) return;
    this.hover.replaceChildren(...(this.options.pictorial ? [make('img', {src: `thumbnail/${row}?v=1`, alt: ''})] : []),
      make('div', {}, sample.text || sample.name), make('div', {class: 'soft'}, chip(sample.cluster), ` ${this.options.nameOf(sample.cluster)}`));
    this.hover.style.left = `${Math.min(x + 14, this.canvas.clientWidth - 170)}px`;
    this.hover.style.top = `${Math.min(y + 14, this.canvas.clientHeight - 160)}px`;
  }
}

function mark(pen, shape, x, y, r) {
  pen.beginPath();
  if (shape === 0) pen.arc(x, y, r, 0, 2 * Math.PI);
  else if (shape === 1) pen.rect(x - r, y - r, 2 * r, 2 * r);
  else if (shape === 2) { pen.moveTo(x, y - 1.3 * r); pen.lineTo(x + 1.2 * r, y + r); pen.lineTo(x - 1.2 * r, y + r); }
  else { pen.moveTo(x, y - 1.4 * r); pen.lineTo(x + 1.4 * r, y); pen.lineTo(x, y + 1.4 * r); pen.lineTo(x - 1.4 * r, y); }
  pen.fill();
}
