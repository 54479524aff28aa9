// The page: views of one state, which the program keeps; every action is a request that says which version it saw.
import {AskView} from './ask.js';
import {Cards} from './cards.js';
import {Grid} from './grid.js';
import {MapView} from './map.js';
import {chip, chooseCluster, closeDialog, make, openDialog, choices, showConflict, showParts, showSample, tileOf} from './parts.js';

const element = id => document.getElementById(id);
const selection = new Set();
let state = null, view = null, drawn = '', busy = false, order = 'certain', anchor = null, before = null, drawings = 0;

const nameOf = cluster => cluster < 0 ? 'set aside' : state.clusters.find(one => one.id === cluster)?.name ?? `cluster ${cluster}`;

async function ask(path, body) {
  const options = body === undefined ? {} : {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)};
  let reply;
  try { reply = await fetch(path, options); } catch (error) { lost(); return null; }
  const found = await reply.json();
  if (offline) { offline = false; say(''); view?.retry?.(); }
  if (reply.ok) return found;
  if (found.outdated) { await load(); say(found.error, true); } else if (found.chain) return found; else say(found.error, true);
  return null;
}

let offline = false;
function lost() {
  offline = true;
  say('No connection to the program. All that was said is saved; this page tries again.', true);
}

function say(text, warn = false, ...more) {
  const notice = element('notice');
  notice.replaceChildren(text, ...more);
  notice.hidden = !text;
  notice.classList.toggle('warn', warn);
}

async function load() {
  const found = await ask('state');
  if (found) take(found);
}

function take(found) {
  const earlier = state;
  state = found;
  element('undo').disabled = !state.undo;
  element('redo').disabled = !state.redo;
  element('undo').title = state.undo ? `Undo: ${state.undo} (U)` : 'Nothing to undo';
  element('redo').title = state.redo ? `Redo: ${state.redo} (Y)` : 'Nothing to redo';
  const {running, waiting, message, changed} = state.refit;
  element('refit').disabled = !running && (!waiting || state.clusters.length < 2);
  element('refit').textContent = running ? 'Stop learning' : waiting ? `Learn (${waiting})` : 'Learn';
  element('refit').title = running ? 'Stop the new fit; nothing changes (L)' : 'Fit again with all corrections (L)';
  if (message) say(message, true);
  else if (changed && earlier?.refit.running) showChanged(changed);
  if (view?.follow && drawn === location.hash) { if (earlier.version !== state.version) view.follow(); }
  else if (!earlier || earlier.version !== state.version || drawn !== location.hash) draw();
}

function showChanged(changed) {
  if (!changed.n) { say('Learned. Nothing moved; all corrections hold.'); return; }
  const ways = changed.ways.slice(0, 3).map(way => `${way.n} from ${way.from} to ${way.to}`).join(', ');
  say(`Learned. ${changed.n} samples moved: ${ways}.`, false, make('button', {type: 'button', id: 'changed', onclick: () => {
    selection.clear(); changed.rows.forEach(row => selection.add(row)); location.hash = `#/rows/${changed.rows.join(',')}`; bar(); }}, 'Show'));
}

async function act(what) {
  if (busy) return false;
  busy = true;
  try {
    const found = await ask('act', {version: state.version, ...what});
    if (found?.chain) showConflict(found, () => act({...what, instead: true}));
    if (!found || found.chain) return false;
    selection.clear();
    say('');
    take(found);
    return true;
  } finally { busy = false; bar(); }
}

function draw() {
  const again = drawn === location.hash, keep = again ? scrollY : 0, typed = typing();
  before = again && view instanceof Grid ? {at: view.at, focused: view.host.contains(document.activeElement)} : null;
  view?.end?.();
  view = null;
  drawn = location.hash;
  drawings++;
  const [, what, rest] = /^#\/(\w*)\/?(.*)$/.exec(location.hash) ?? [];
  const main = element('view');
  for (const link of document.querySelectorAll('nav a')) {
    if (link.getAttribute('href') === (what === 'c' ? '#/' : location.hash || '#/')) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  ({'': drawCards, c: drawCluster, ask: drawAsk, map: drawMap, history: drawHistory, about: drawAbout, find: drawFound, rows: drawRows}[what ?? ''] ?? drawCards)(main, rest);
  scrollTo(0, keep);
  if (before?.focused) view?.focus?.(view.at);
  typed?.();
  bar();
}

// a name that is being typed outlives what another tab or a new fit does; how to go on with it
function typing() {
  const input = document.activeElement;
  if (!input?.matches?.('main input[data-named]')) return null;
  const {value, selectionStart: at, dataset: {named}} = input;
  input.dataset.named = '';  // it goes, and says nothing any more
  return () => {
    const next = document.querySelector(`main input[data-named="${named}"]`);
    if (!next) return;
    next.value = value;
    next.focus({preventScroll: true});
    next.setSelectionRange(at, at);
  };
}

function nameInput(cluster) {
  const input = make('input', {value: cluster.name, maxlength: 80, 'aria-label': `name of ${cluster.name}`, 'data-named': cluster.id});
  const done = () => { const name = input.value.trim(); if (input.dataset.named && name !== cluster.name) act({do: 'name', cluster: cluster.id, name}); };
  input.addEventListener('blur', done);
  input.addEventListener('keydown', event => { if (event.key === 'Enter') input.blur(); if (event.key === 'Escape') { input.value = cluster.name; input.blur(); } });
  return input;
}

function drawCards(main) {
  const {n, clusters, aside, said, metadata} = state;
  // what a card shows stays until it is known anew
  const shown = new Map([...main.querySelectorAll('.card')].map(one => [one.dataset.cluster, one.querySelector('.ends')]));
  const title = `${n.toLocaleString()} samples in ${clusters.length} ${clusters.length === 1 ? 'cluster' : 'clusters'}`;
  const extra = aside ? make('a', {href: '#/c/-1'}, `${aside} set aside`) : null;
  main.replaceChildren(make('h1', {}, title, make('span', {class: 'soft small'}, said ? `   ${said} corrected  ` : '   '), extra),
    ...(state.history.length ? [] : [make('p', {class: 'soft', id: 'hint'},
      'Open a cluster, select what does not belong there and say so; Learn fits again with what you said. ? shows all keys.')]),
    make('div', {class: `cards${metadata.pictorial ? '' : ' text'}`}, ...clusters.map(one => card(one, shown.get(String(one.id))))));
  view = new Cards(main.querySelector('.cards'), {pictorial: metadata.pictorial, load: ids => ask(`cards?ids=${ids}`),
    open: (id, sample) => { order = 'certain'; location.hash = `#/c/${id}`; showRow(sample.row); }});
}

function card(one, ends = make('div', {class: 'ends'})) {
  const unsure = one.unsure ? ` · ${one.unsure.toLocaleString()} unsure` : '';
  return make('article', {class: `card${one.size > 8 ? '' : ' few'}`, 'data-cluster': one.id},
    make('div', {class: 'top'}, chip(one.id), make('h2', {}, nameInput(one)),
      make('a', {href: `#/c/${one.id}`, class: 'small', 'aria-label': `open ${one.name}`}, 'open')),
    make('p', {class: 'metadata'}, `${one.size.toLocaleString()} samples${unsure}${one.said ? ` · ${one.said} said` : ''}`),
    ends);
}

function gridOf(main, size, load) {
  const host = make('div', {});
  main.append(host);
  view = new Grid(host, {size, load, selection, pictorial: state.metadata.pictorial, at: before?.at});
  host.addEventListener('click', event => {
    const tile = event.target.closest('.tile');
    if (!tile?.dataset.row) return;
    view.at = Number(tile.dataset.place);
    toggle(view.at, event.shiftKey);
  });
  host.addEventListener('dblclick', event => { const tile = event.target.closest('.tile'); if (tile?.dataset.row) showRow(Number(tile.dataset.row)); });
}

async function toggle(place, range) {
  const grid = view, sample = grid.known.get(place);
  if (!sample) return;
  const on = !selection.has(sample.row), from = range && anchor !== null ? anchor : place;
  anchor = place;
  const found = await grid.between(Math.min(from, place), Math.max(from, place));
  if (grid !== view) return;
  for (const one of found) on || range ? selection.add(one.row) : selection.delete(one.row);
  grid.refresh();
  bar();
}

function drawCluster(main, rest) {
  const id = Number(rest), one = state.clusters.find(cluster => cluster.id === id);
  if (!one && !(id === -1 && state.aside)) { location.hash = '#/'; return; }
  const size = one ? one.size : state.aside;
  const orders = make('select', {'aria-label': 'order'}, ...[['certain', 'most certain first'], ['doubtful', 'most doubtful first'], ['name', 'by name']].map(
    ([value, text]) => make('option', {value, selected: value === order}, text)));
  orders.addEventListener('change', () => { order = orders.value; draw(); });
  const tools = one ? [
    make('button', {type: 'button', id: 'merge', onclick: () => merge(id)}, 'Merge with…', make('kbd', {}, 'M')),
    make('button', {type: 'button', id: 'split', disabled: size < 2, onclick: () => split(id, 2)}, 'Split…', make('kbd', {}, 'X'))] : [];
  main.replaceChildren(make('div', {class: 'head'}, make('a', {href: '#/', 'aria-label': 'all clusters'}, '←'),
    make('h1', {}, chip(id), one ? nameInput(one) : 'Set aside'), make('span', {class: 'soft'}, `${size.toLocaleString()} samples`), orders,
    make('div', {class: 'push'}, ...tools)));
  gridOf(main, size, async (from, to) => (await ask(`members?cluster=${id}&order=${order}&from=${from}&to=${to}`))?.tiles);
}

function drawFound(main, rest) {
  const wanted = decodeURIComponent(rest), load = (from, to) => ask(`search?q=${encodeURIComponent(wanted)}&from=${from}&to=${to}`);
  const own = drawings;
  load(0, 1).then(found => {
    if (!found || own !== drawings) return;
    main.replaceChildren(make('h1', {}, `${found.size.toLocaleString()} ${found.size === 1 ? 'name holds' : 'names hold'} “${wanted}”`));
    gridOf(main, found.size, async (from, to) => (await load(from, to))?.tiles);
  });
}

function drawRows(main, rest) {
  const own = drawings;
  ask(`tiles?rows=${rest}`).then(found => {
    if (!found || own !== drawings) return;
    main.replaceChildren(make('h1', {}, `${found.tiles.length} samples`));
    gridOf(main, found.tiles.length, async (from, to) => found.tiles.slice(from, to));
  });
}

function drawMap(main) {
  view = new MapView(main, {ask, selection, pictorial: state.metadata.pictorial, clusters: () => state.clusters, nameOf, open: showRow,
    select: rows => { rows.forEach(row => selection.add(row)); bar(); view.draw(); }});
  view.load();
}

function drawAsk(main) { view = new AskView(main, {ask, act, metadata: state.metadata}); }

function drawHistory(main) {
  main.replaceChildren(make('h1', {}, state.history.length ? 'What was said' : 'Nothing was said yet'),
    make('ul', {class: 'history'}, ...state.history.map(one => make('li', {}, one.text,
      make('span', {class: 'soft small'}, `  ${one.who}, ${new Date(one.at).toLocaleString()} `),
      one.alone ? make('button', {type: 'button', class: 'quiet small', onclick: () => act({do: 'withdraw', entry: one.entry})}, 'take back') : null))));
}

function drawAbout(main) {
  const {metadata} = state, names = [...new Set(metadata.history.flatMap(Object.keys))];
  const table = rows => make('div', {class: 'scroll'}, make('table', {}, ...rows));
  main.replaceChildren(make('h1', {}, `${metadata.method}: ${metadata.loss}`), make('p', {class: 'soft'}, metadata.command),
    make('h2', {}, 'Losses'), table([make('tr', {}, ...names.map(name => make('th', {}, name))),
      ...metadata.history.map(epoch => make('tr', {}, ...names.map(name => make('td', {}, short(epoch[name])))))]),
    make('h2', {}, 'Parameters'), table(Object.entries(metadata.params).map(([name, value]) =>
      make('tr', {}, make('th', {}, name), make('td', {}, value)))));
}

const short = value => value === undefined ? '' : /^-?\d+\.\d{5,}/.test(value) ? Number(value).toPrecision(4) : value;

async function showRow(row) {
  const sample = await ask(`item/${row}`);
  if (!sample) return;
  const rows = view instanceof Grid ? view : null, place = rows && [...rows.known].find(([, one]) => one.row === row)?.[0];
  showSample(sample, state.metadata, nameOf, () => { selection.clear(); selection.add(row); closeDialog(); bar(); move(); }, step => {
    const next = rows?.known.get((place ?? 0) + step);
    if (next) showRow(next.row);
  });
}

const chosen = () => [...selection];

function move() {
  chooseCluster(`Move ${selection.size} to`, state.clusters, state.metadata.pictorial,
    (cluster, name) => act({do: 'move', rows: chosen(), cluster, name: name ?? ''}), true);
}

function merge(id) {
  chooseCluster(`Merge ${nameOf(id)} with`, state.clusters.filter(one => one.id !== id), state.metadata.pictorial,
    other => act({do: 'merge', clusters: [id, other]}), false);
}

async function split(id, n) {
  const found = await ask('parts', {cluster: id, n});
  if (found) showParts({...found, n}, state.metadata.pictorial, parts => act({do: 'split', cluster: id, parts}), more => split(id, more));
}

function inCluster() {
  const id = /^#\/c\/(\d+)$/.exec(location.hash)?.[1];
  return id === undefined ? null : Number(id);
}

const actions = {
  wrong: () => { const cluster = inCluster(); if (cluster !== null && selection.size) act({do: 'wrong', rows: chosen(), cluster}); },
  move: () => { if (selection.size) move(); },
  together: () => { if (selection.size > 1) act({do: 'together', rows: chosen()}); },
  same: () => { if (view instanceof AskView) view.answer(true); else if (selection.size === 2) act({do: 'pair', rows: chosen(), same: true}); },
  different: () => { if (view instanceof AskView) view.answer(false); else if (selection.size === 2) act({do: 'pair', rows: chosen(), same: false}); },
  clear: () => { selection.clear(); view?.refresh?.(); view?.draw?.(); bar(); },
  undo: () => act({do: 'undo'}), redo: () => act({do: 'redo'}),
  refit: async () => { const found = await ask(...(state.refit.running ? ['stop-refit', {}] : ['refit', {version: state.version}])); if (found) take(found); },
  merge: () => { const id = inCluster(); if (id !== null) merge(id); },
  split: () => { const id = inCluster(); if (id !== null) split(id, 2); },
  find: () => element('search').focus(),
  help: () => openDialog('Keys', make('table', {}, ...Object.entries({'/': 'search', 'arrows, space': 'go, select (in questions: skip)', 'Ctrl A': 'select all', Enter: 'open', W: 'wrong here', 'V': 'move',
    T: 'these are one thing', S: 'two are the same', D: 'two differ', M: 'merge', X: 'split', U: 'undo', Y: 'redo', L: 'learn', Esc: 'clear'}).map(
    ([key, text]) => make('tr', {}, make('th', {}, key), make('td', {}, text)))), choices(['Close', closeDialog, true])),
};
const keys = {w: 'wrong', v: 'move', t: 'together', s: 'same', d: 'different', u: 'undo', y: 'redo', l: 'refit', m: 'merge', x: 'split', '/': 'find', '?': 'help'};

function bar() {
  const host = element('bar'), n = selection.size;
  host.hidden = !n;
  if (!n) return;
  const button = (name, text, key) => make('button', {type: 'button', id: `do-${name}`, onclick: actions[name]}, text, make('kbd', {}, key));
  host.replaceChildren(make('span', {class: 'soft'}, `${n} selected`),
    ...(inCluster() !== null ? [button('wrong', 'Wrong here', 'W')] : []), button('move', 'Move…', 'V'),
    ...(n > 1 ? [button('together', 'One thing', 'T')] : []),
    ...(n === 2 ? [button('same', 'Same', 'S'), button('different', 'Different', 'D')] : []), button('clear', 'Clear', 'Esc'));
}

async function selectAll() {
  const grid = view, found = await grid.between(0, grid.size - 1);
  if (grid !== view) return;
  for (const one of found) selection.add(one.row);
  grid.refresh();
  bar();
}

document.addEventListener('keydown', event => {
  const free = !event.target.matches('input, select, textarea') && !element('dialog').open;
  if (free && (event.ctrlKey || event.metaKey) && event.key === 'a' && view instanceof Grid) { event.preventDefault(); return selectAll(); }
  if (!free || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === 'Escape') return actions.clear();
  if (view instanceof Grid) {
    const step = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: view.columns, ArrowUp: -view.columns}[event.key];
    const onTile = document.activeElement?.closest?.('.grid .tile');
    if (step) { event.preventDefault(); return view.focus(onTile ? Math.min(view.size - 1, Math.max(0, view.at + step)) : view.at); }
    if (event.key === ' ' && onTile) { event.preventDefault(); return toggle(view.at, event.shiftKey); }
    if (event.key === 'Enter' && onTile) { event.preventDefault(); return showRow(Number(onTile.dataset.row)); }
  }
  if (view instanceof AskView && event.key === ' ' && !event.repeat && !event.target.matches('button')) { event.preventDefault(); return view.answer(null); }
  const name = keys[event.key.toLowerCase()];
  if (!name || event.repeat) return;
  event.preventDefault();
  actions[name]();
});
element('search').addEventListener('keydown', event => {
  if (event.key === 'Enter') { const wanted = event.target.value.trim(); location.hash = wanted ? `#/find/${encodeURIComponent(wanted)}` : '#/'; event.target.blur(); }
  if (event.key === 'Escape') event.target.blur();
});
for (const name of ['undo', 'redo', 'refit']) element(name).addEventListener('click', actions[name]);
element('stop').addEventListener('click', async () => {
  const found = await ask('stop', {});
  if (!found) return;
  ended = true;
  say('Finished. All corrections are saved; this page can be closed.', false,
    ...(found.command ? [make('span', {class: 'soft small'}, ' To use them in a whole new fit: ', make('code', {}, found.command))] : []));
});
let ended = false;
addEventListener('hashchange', () => { closeDialog(); selection.clear(); if (state) draw(); });
setInterval(async () => {
  if (ended || busy || document.hidden) return;
  const found = await ask('version');
  if (found && state && (found.version !== state.version || found.busy !== state.refit.running)) load();
}, 1000);
// for tests, which look at what the page knows
globalThis.page = {get state() { return state; }, get view() { return view; }, selection};
load();
