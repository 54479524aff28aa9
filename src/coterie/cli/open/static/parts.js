// Pieces of the page: tiles, looks of clusters, dialogs. Text is only ever set as text.
import {picture} from './pictures.js';

export const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#8c7a00', '#7a7f87'];
export const SHAPES = 4;

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'class') element.className = value;
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter(child => child !== null && child !== undefined && child !== false));
  return element;
}

export function lookOf(cluster) {
  const number = ((cluster % 32) + 32) % 32;
  return {colour: cluster < 0 ? '#9aa1aa' : COLOURS[number % COLOURS.length],
    shape: cluster < 0 ? 0 : Math.floor(number / COLOURS.length) % SHAPES};
}

export function chip(cluster) {
  const {colour, shape} = lookOf(cluster);
  const mark = make('span', {class: `look shape${shape}`, 'aria-hidden': 'true'});
  mark.style.background = colour;
  return mark;
}

export function fillTile(tile, sample, pictorial) {
  const children = [];
  if (sample.state === 'gone') {
    children.push(make('span', {class: 'body'}, sample.name));
  } else if (pictorial) {
    children.push(picture(sample.row, sample.name));
  } else {
    children.push(make('span', {class: 'body'}, sample.text || sample.name));
  }
  if (sample.said) children.push(make('span', {class: 'said', title: 'you have said something of it'}));
  if (sample.state) children.push(make('span', {class: 'state'}, sample.state === 'gone' ? 'file is gone' : 'file has changed'));
  tile.replaceChildren(...children);
  tile.title = `${sample.name} (${sample.p.toFixed(2)})`;
  tile.dataset.row = sample.row;
}

export function tileOf(sample, pictorial, onclick) {
  const tile = make('button', {class: 'tile', type: 'button', onclick});
  fillTile(tile, sample, pictorial);
  return tile;
}

const box = () => document.getElementById('dialog');

export function closeDialog() { if (box().open) box().close(); }

export function openDialog(title, ...children) {
  box().onkeydown = null;
  box().replaceChildren(make('h2', {}, title), ...children);
  if (!box().open) box().showModal();
  else if (!box().contains(document.activeElement)) box().querySelector('button.main')?.focus();  // what had it is gone
}

export function choices(...buttons) {
  return make('div', {class: 'row'}, ...buttons.map(([text, action, main]) =>
    make('button', {type: 'button', class: main ? 'main' : '', onclick: action}, text)));
}

const MOST_PICKED = 60;

export function chooseCluster(title, clusters, pictorial, taken, withNew) {
  const filter = make('input', {type: 'search', placeholder: 'Name of a cluster', 'aria-label': 'Name of a cluster'});
  const list = make('div', {class: 'pick'}), more = make('p', {class: 'small soft'});
  const draw = () => {
    const wanted = filter.value.trim().toLowerCase();
    const found = clusters.filter(one => one.name.toLowerCase().includes(wanted));
    const shown = found.slice(0, MOST_PICKED).map(one => make('button', {type: 'button', onclick: () => { closeDialog(); taken(one.id); }},
      pictorial ? picture(one.face, '') : chip(one.id),
      make('span', {}, one.name), make('span', {class: 'soft small'}, ` ${one.size}`)));
    if (withNew) shown.push(make('button', {type: 'button', id: 'new', onclick: () => {
      closeDialog(); taken(null, filter.value.trim()); }}, `New cluster${filter.value.trim() ? ` “${filter.value.trim()}”` : ''}`));
    list.replaceChildren(...shown);
    more.textContent = found.length > MOST_PICKED ? `${found.length - MOST_PICKED} more: type a part of the name` : '';
  };
  filter.addEventListener('input', draw);
  filter.addEventListener('keydown', event => {
    if (event.key === 'Enter') { event.preventDefault(); list.querySelector('button')?.click(); }
  });
  openDialog(title, filter, list, more, choices(['Cancel', closeDialog]));
  draw();
  filter.focus();
}

export function showConflict(reply, again) {
  const lines = reply.chain.map(link => make('li', {}, link.text, make('span', {class: 'soft small'},
    link.by ? `  ${link.by.who}, ${new Date(link.by.at).toLocaleString()}` : `  ${link.note}`)));
  openDialog('This contradicts what was said', make('ol', {id: 'chain'}, ...lines),
    make('p', {class: 'soft'}, 'Nothing was changed. The new statement can take the place of the earlier one.'),
    choices(['Keep what was said', closeDialog], ['Say it instead', () => { closeDialog(); again(); }, true]));
}

export function showParts(found, pictorial, take, again) {
  const shown = found.parts.map((part, place) => make('section', {class: 'part'},
    make('p', {class: 'small soft'}, `${place ? 'new cluster' : 'stays'}: ${part.rows.length} samples`),
    make('div', {class: `strip${pictorial ? '' : ' text'}`}, ...part.tiles.map(tile => tileOf(tile, pictorial)))));
  const count = make('select', {'aria-label': 'parts'}, ...[2, 3, 4, 5, 6, 8, 10, 12].map(n =>
    make('option', {value: n, selected: n === found.n}, `${n} parts`)));
  count.addEventListener('change', () => again(Number(count.value)));
  openDialog('Split this cluster?', count, ...shown,
    choices(['Cancel', closeDialog], ['Split', () => { closeDialog(); take(found.parts.slice(1).map(part => part.rows)); }, true]));
}

export function contentOf(sample, metadata) {
  const children = [];
  if (sample.state) children.push(make('p', {class: 'soft'}, sample.state === 'gone' ? 'The file is gone.' : 'The file has changed since the run was opened first.'));
  if (metadata.pictorial && sample.state !== 'gone') {
    const image = make('img', {class: 'full', alt: sample.name, src: `original/${sample.row}`});
    image.addEventListener('load', () => image.classList.toggle('tiny', image.naturalWidth < 100));
    children.push(image);
  } else if (metadata.modality === 'sound' && metadata.kind === 'files' && sample.state !== 'gone') {
    children.push(make('audio', {controls: true, src: `original/${sample.row}`}));
  } else if (sample.values) {
    children.push(make('div', {class: 'scroll'}, make('table', {}, ...sample.values.map(([name, value]) =>
      make('tr', {}, make('th', {}, name), make('td', {}, value))))));
  } else if (sample.text) children.push(make('pre', {}, sample.text));
  return children;
}

export function showSample(sample, metadata, nameOf, move, step) {
  const children = contentOf(sample, metadata);
  const likely = sample.likely.map(([cluster, p]) => `${nameOf(cluster)} ${(100 * p).toFixed(0)}%`).join(', ');
  children.push(make('p', {class: 'small soft'}, `in ${nameOf(sample.cluster)}${sample.said ? ', said' : ''} · the fit says: ${likely}`));
  if (sample.path) children.push(make('p', {class: 'small soft'}, sample.path));
  openDialog(sample.name, ...children, choices(['‹', () => step(-1)], ['›', () => step(1)], ['Move…', move], ['Close', closeDialog, true]));
  box().onkeydown = event => {
    const way = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (way && event.target.tagName !== 'AUDIO') { event.preventDefault(); step(way); }
    if (event.key.toLowerCase() === 'v') { event.preventDefault(); move(); }
  };
}
