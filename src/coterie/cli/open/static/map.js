// The map: all samples as marks in the plane, with zoom, hover and a frame that selects.
import {chip, lookOf, make} from './parts.js';
import {picture} from './pictures.js';

const LOOKS = 32, MANY = 20000;

export class MapView {
  constructor(host, options) {
    this.options = options;
    this.scale = 1; this.x = 0; this.y = 0; this.only = null; this.selecting = false;
    this.canvas = make('canvas', {tabindex: '0', 'aria-label': 'map of all samples'});
    this.hover = make('div', {id: 'hover', hidden: true});
    this.legend = make('div', {class: 'legend'});
    const button = (id, text, title, onclick) => make('button', {type: 'button', id, title, 'aria-label': title, onclick}, text);
    this.choice = make('button', {type: 'button', id: 'frame', 'aria-pressed': 'false', onclick: () => {
      this.selecting = !this.selecting; this.choice.setAttribute('aria-pressed', String(this.selecting)); }}, 'Select');
    this.tools = make('div', {class: 'zoom'}, button('zoom-in', '+', 'zoom in', () => this.zoom(1.5, ...this.middle())),
      button('zoom-out', '−', 'zoom out', () => this.zoom(1 / 1.5, ...this.middle())), button('whole', 'Whole', 'the whole map', () => this.whole()), this.choice);
    host.replaceChildren(make('div', {class: 'map'},
      make('div', {class: 'stage'}, this.canvas, this.tools, this.hover,
        make('p', {class: 'small soft'}, 'Wheel, pinch or + − zooms, dragging moves, dragging with Shift or Select selects, a click opens.')), this.legend));
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.canvas);
    this.listen();
  }

  end() { this.observer.disconnect(); clearTimeout(this.later); cancelAnimationFrame(this.planned); }

  async load() {
    const found = await this.bytes('map');
    if (!found) { this.note('The map is being drawn ...'); this.later = setTimeout(() => this.load(), 1500); return; }
    this.points = new Float32Array(found);
    await this.follow();
  }

  // clusters as they are shown by now
  async follow() {
    const found = this.points && await this.bytes('labels');
    if (!found) return;
    this.clusters = new Int32Array(found.slice(found.byteLength / 5));
    this.rows = rowsByLook(this.clusters);
    this.drawLegend();
    this.draw();
  }

  // null where there is nothing yet, or no connection
  async bytes(path) {
    try {
      const reply = await fetch(path);
      return reply.status === 200 ? await reply.arrayBuffer() : null;
    } catch { return null; }
  }

  note(text) { this.legend.replaceChildren(make('p', {class: 'soft'}, text)); }

  drawLegend() {
    const clusters = this.options.clusters();
    this.legend.replaceChildren(...clusters.map(one => make('button', {
      type: 'button', 'aria-pressed': String(this.only === one.id),
      onclick: () => { this.only = this.only === one.id ? null : one.id; this.drawLegend(); this.draw(); }},
    chip(one.id), make('span', {}, one.name), make('span', {class: 'n'}, one.size.toLocaleString()))));
  }

  middle() { return [this.canvas.clientWidth / 2, this.canvas.clientHeight / 2]; }

  whole() { this.scale = 1; this.x = 0; this.y = 0; this.draw(); }

  place(row) {
    const size = this.side * this.scale;
    return [this.x + this.left + this.points[2 * row] * size, this.y + this.top + this.points[2 * row + 1] * size];
  }

  // once a frame, however often it is asked for
  draw() {
    this.planned ??= requestAnimationFrame(() => { this.planned = undefined; this.paint(); });
  }

  paint() {
    const ratio = devicePixelRatio || 1, {clientWidth: width, clientHeight: height} = this.canvas;
    if (!width || !this.points || !this.clusters) return;
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== wide || this.canvas.height !== high) { this.canvas.width = wide; this.canvas.height = high; }
    this.side = Math.min(width, height) - 40; this.left = (width - this.side) / 2; this.top = (height - this.side) / 2;
    const pen = this.canvas.getContext('2d');
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const n = this.points.length / 2;
    const r = (n > MANY ? 1.4 : n > 3000 ? 2.2 : 4) * Math.min(2.5, Math.sqrt(this.scale)) * Math.min(1, Math.max(0.6, this.side / 600));
    this.rows.forEach((rows, look) => this.paintLook(pen, rows, lookOf(look < LOOKS ? look : -1), r, width, height));
    this.paintSelected(pen, r);
    if (this.frame) { pen.globalAlpha = 1; pen.strokeStyle = '#0b6bcb'; pen.lineWidth = 1; pen.strokeRect(...this.frame); }
  }

  paintLook(pen, rows, {colour, shape}, r, width, height) {
    pen.fillStyle = colour;
    for (const row of rows) {
      const [x, y] = this.place(row);
      if (x < -9 || y < -9 || x > width + 9 || y > height + 9) continue;
      pen.globalAlpha = this.only === null || this.only === this.clusters[row] ? 0.85 : 0.08;
      if (r < 2) pen.fillRect(x - r, y - r, 2 * r, 2 * r);  // too small for a shape, and twice as fast
      else mark(pen, shape, x, y, r);
    }
  }

  paintSelected(pen, r) {
    pen.globalAlpha = 1; pen.lineWidth = 2; pen.strokeStyle = getComputedStyle(this.canvas).color;
    pen.beginPath();
    for (const row of this.options.selection) { const [x, y] = this.place(row); pen.rect(x - r - 2, y - r - 2, 2 * r + 4, 2 * r + 4); }
    pen.stroke();
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
    const down = new Map();
    let from = null, moved = 0;
    this.canvas.addEventListener('wheel', event => { event.preventDefault(); this.zoom(Math.exp(-event.deltaY / 400), ...at(event)); }, {passive: false});
    this.canvas.addEventListener('pointerdown', event => {
      down.set(event.pointerId, at(event));
      from = [...at(event), this.x, this.y, event.shiftKey || this.selecting];
      moved = down.size > 1 ? Infinity : 0;  // two fingers open nothing
      this.canvas.setPointerCapture(event.pointerId);
    });
    this.canvas.addEventListener('pointermove', event => {
      const [x, y] = at(event);
      if (!from) return this.point(x, y);
      if (down.size > 1) return this.pinch(down, event.pointerId, [x, y]);
      moved = Math.max(moved, Math.hypot(x - from[0], y - from[1]));
      if (from[4]) this.frame = [Math.min(x, from[0]), Math.min(y, from[1]), Math.abs(x - from[0]), Math.abs(y - from[1])];
      else { this.x = from[2] + x - from[0]; this.y = from[3] + y - from[1]; }
      this.draw();
    });
    const up = (event, open) => {
      const [x, y] = at(event), frame = this.frame;
      down.delete(event.pointerId);
      this.frame = null;
      if (open && frame) this.choose(frame);
      else if (open && from && moved < 4) { const row = this.nearest(x, y); if (row !== null) this.options.open(row); }
      from = null;
      this.draw();
    };
    this.canvas.addEventListener('pointerup', event => up(event, true));
    this.canvas.addEventListener('pointercancel', event => up(event, false));
    this.canvas.addEventListener('pointerleave', () => { this.hover.hidden = true; this.pointed = null; });
    this.canvas.addEventListener('keydown', event => this.key(event));
  }

  pinch(down, finger, now) {
    const other = [...down].find(([id]) => id !== finger)?.[1], before = down.get(finger);
    down.set(finger, now);
    if (!other || !before) return;
    const span = ([x, y]) => Math.max(1, Math.hypot(x - other[0], y - other[1]));
    this.frame = null;
    this.zoom(span(now) / span(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  }

  key(event) {
    const way = {ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40]}[event.key];
    if (event.key === '+' || event.key === '=') this.zoom(1.3, ...this.middle());
    else if (event.key === '-') this.zoom(1 / 1.3, ...this.middle());
    else if (event.key === '0') this.whole();
    else if (way) { this.x += way[0]; this.y += way[1]; this.draw(); } else return;
    event.preventDefault();
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
    const sample = (await this.options.ask(`tiles?rows=${row}`))?.tiles[0];
    if (!sample || this.pointed !== row) return;
    this.hover.replaceChildren(...(this.options.pictorial && sample.state !== 'gone' ? [picture(row, '')] : []),
      make('div', {}, sample.text || sample.name), make('div', {class: 'soft'}, chip(sample.cluster), ` ${this.options.nameOf(sample.cluster)}`));
    this.hover.style.left = `${Math.max(0, Math.min(x + 14, this.canvas.clientWidth - 170))}px`;
    this.hover.style.top = `${Math.max(0, Math.min(y + 14, this.canvas.clientHeight - 160))}px`;
  }
}

// rows of each look; those set aside are the last
function rowsByLook(clusters) {
  const found = Array.from({length: LOOKS + 1}, () => []);
  clusters.forEach((cluster, row) => found[cluster < 0 ? LOOKS : cluster % LOOKS].push(row));
  return found;
}

function mark(pen, shape, x, y, r) {
  pen.beginPath();
  if (shape === 0) pen.arc(x, y, r, 0, 2 * Math.PI);
  else if (shape === 1) pen.rect(x - r, y - r, 2 * r, 2 * r);
  else if (shape === 2) { pen.moveTo(x, y - 1.3 * r); pen.lineTo(x + 1.2 * r, y + r); pen.lineTo(x - 1.2 * r, y + r); }
  else { pen.moveTo(x, y - 1.4 * r); pen.lineTo(x + 1.4 * r, y); pen.lineTo(x, y + 1.4 * r); pen.lineTo(x - 1.4 * r, y); }
  pen.fill();
}
