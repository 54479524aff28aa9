"""The page that asks: markup, style and script, kept apart so that no policy has to allow inline scripts."""

from __future__ import annotations

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>coterie label</title><link rel="icon" href="data:,"><link rel="stylesheet" href="page.css">
<script src="page.js" defer></script></head><body>
<main>
<h1>Do these two belong together?</h1>
<div id="pair"><figure id="first"></figure><figure id="second"></figure></div>
<div id="buttons">
<button id="same"><kbd>S</kbd> same</button>
<button id="different"><kbd>D</kbd> different</button>
<button id="skip"><kbd>space</kbd> skip</button>
<button id="undo"><kbd>U</kbd> undo</button>
<button id="stop"><kbd>Q</kbd> finish</button>
</div>
<p id="state" role="status" aria-live="polite"></p>
<pre id="command"></pre>
</main></body></html>
"""

STYLE = """
body{font:18px/1.5 system-ui,sans-serif;color:#1b1f24;background:#fff;margin:0}
main{max-width:48rem;margin:2rem auto;padding:0 1rem;text-align:center}
h1{font-size:1.3rem}
#pair{display:grid;grid-template-columns:1fr 1fr;gap:1.5rem}
figure{margin:0;padding:1rem;border:1px solid #d5dae0;border-radius:8px;overflow:auto;min-height:12rem}
figure img{width:240px;height:240px;object-fit:contain;image-rendering:pixelated}
figure p{text-align:left;overflow-wrap:anywhere}
figcaption{color:#57606a;font-size:.85rem;overflow-wrap:anywhere}
table{margin:auto;text-align:left;font-size:.85rem;border-collapse:collapse}td{padding:.1rem .6rem}
#buttons{display:flex;flex-wrap:wrap;gap:.6rem;justify-content:center;margin:1.2rem 0}
button{font:inherit;padding:.4rem .9rem;border:1px solid #8c959f;border-radius:6px;background:#f6f8fa}
button:disabled{opacity:.4}kbd{font-size:.8rem;border:1px solid #8c959f;border-radius:4px;padding:0 .35rem}
#state{color:#57606a}
#command{white-space:pre-wrap;overflow-wrap:anywhere;text-align:left}
"""

SCRIPT = """'use strict';
const element = id => document.getElementById(id);
let question = null, busy = false;

function show(place, sample) {
  const content = [];
  if (sample.picture) {
    const image = new Image();
    image.src = sample.picture;
    image.alt = sample.name;
    content.push(image);
  } else if (sample.text) {
    const text = document.createElement('p');
    text.textContent = sample.text;
    content.push(text);
  } else {
    const table = document.createElement('table');
    for (const [name, value] of sample.values) {
      const row = table.insertRow();
      row.insertCell().textContent = name;
      row.insertCell().textContent = value;
    }
    content.push(table);
  }
  const caption = document.createElement('figcaption');
  caption.textContent = sample.name;
  place.replaceChildren(...content, caption);
}

function take(state) {
  question = state.question;
  for (const id of ['same', 'different', 'skip']) element(id).disabled = !question;
  element('undo').disabled = !state.answers;
  if (question) {
    show(element('first'), question.first);
    show(element('second'), question.second);
  } else {
    element('first').replaceChildren();
    element('second').replaceChildren();
  }
  element('state').textContent = state.message;
  element('command').textContent = state.command || '';
}

async function call(path, body) {
  if (busy) return;
  busy = true;
  try {
    const options = body === undefined ? {} : {
      method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)};
    const reply = await fetch(path, options);
    const state = await reply.json();
    if (reply.ok) take(state); else element('state').textContent = state.error;
  } catch (error) {
    element('state').textContent = 'The program has ended. All answers so far are saved.';
  } finally {
    busy = false;
  }
}

function answer(same) {
  if (question) call('answer', {i: question.i, j: question.j, same: same});
}

const actions = {
  same: () => answer(1), different: () => answer(-1), skip: () => answer(0),
  undo: () => call('undo', {}), stop: () => call('stop', {})};
const keys = {s: 'same', d: 'different', ' ': 'skip', u: 'undo', q: 'stop'};
for (const name of Object.keys(actions)) {
  element(name).addEventListener('click', event => { event.target.blur(); actions[name](); });
}
document.addEventListener('keydown', event => {
  const name = keys[event.key.toLowerCase()];
  if (!name || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  actions[name]();
});
call('state');
"""
