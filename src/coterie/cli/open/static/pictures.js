// Small pictures: asked for many at once, kept while there is room.
const MOST = 48, AT_ONCE = 3, KEPT = 3000;
const known = new Map(), waiting = new Map();
let running = 0, planned = false;

export function picture(row, name) {
  const image = document.createElement('img');
  image.alt = name;
  image.draggable = false;
  const address = known.get(row);
  if (address !== undefined) show(image, address);
  else {
    if (!waiting.has(row)) waiting.set(row, []);
    waiting.get(row).push(image);
    plan();
  }
  return image;
}

function show(image, address) {
  if (address) image.src = address;
  else queueMicrotask(() => lose(image));
}

// a picture that cannot be read is its name
function lose(image) {
  const body = document.createElement('span');
  body.className = 'body';
  body.textContent = image.alt;
  image.replaceWith(body);
}

// after what runs now: then all pictures that it makes are on the page
function plan() {
  if (planned) return;
  planned = true;
  queueMicrotask(() => { planned = false; while (running < AT_ONCE && send()); });
}

// ask for the next ones that are still on the page; whether there are any
function send() {
  const asked = new Map();
  for (const [row, images] of waiting) {
    if (asked.size === MOST) break;
    waiting.delete(row);
    const there = images.filter(image => image.isConnected);
    if (there.length) asked.set(row, there);
  }
  if (asked.size) receive(asked);
  return asked.size > 0;
}

async function receive(asked) {
  running++;
  const found = await ask([...asked.keys()]);
  running--;
  for (const [row, images] of asked) {
    const address = found?.[row];
    if (address === undefined) waiting.set(row, [...(waiting.get(row) ?? []), ...images]);
    else { keep(row, address); images.forEach(image => show(image, address)); }
  }
  if (found) plan(); else setTimeout(plan, 1000);
}

async function ask(rows) {
  try {
    const reply = await fetch(`pictures?rows=${rows}`);
    return reply.ok ? (await reply.json()).pictures : null;
  } catch { return null; }
}

function keep(row, address) {
  known.set(row, address);
  if (known.size > KEPT) known.delete(known.keys().next().value);
}
