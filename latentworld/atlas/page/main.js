// What the page does: pointer, keys, layers, the place's card, copying, flights.

const $ = (id) => document.getElementById(id);
const canvas = $('map'), context = canvas.getContext('2d');
const map = atlas.kind === 'globe' ? new Sphere(canvas) : new Flat(canvas);
const state = {pictures: true, field: true, phases: false, rifts: true, metric: false, blend: 0.5, at: -1, word: null, moving: false};
let asked = 0, settled = 0, flight = 0, fitted = true;

function draw() {
  asked = 0;
  const {width, height} = canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  map.draw(context, state);
}

function redraw() { asked = asked || requestAnimationFrame(draw); }

function move() { // quick while moving, sharp once it rests
  state.moving = true;
  clearTimeout(settled);
  settled = setTimeout(() => { state.moving = false; redraw(); }, 140);
  redraw();
}

// The place under the pointer

function select(index) {
  if (index === state.at || index < 0) return;
  state.at = index;
  const [a, b] = [atlas.coordinates[2 * index], atlas.coordinates[2 * index + 1]];
  const aside = atlas.kind === 'globe' && !atlas.front[index] ? ' (antipode)' : '';
  $('alpha').textContent = shown(a) + aside;
  $('beta').textContent = shown(b) + aside;
  const rate = atlas.rates[index], drowned = atlas.floor !== null && rate <= atlas.floor;
  $('rate').textContent = brief(rate, 4) + (drowned ? ' (at the floor)' : atlas.median > 0 && rate >= 0 ?
    `, ${brief(rate / atlas.median)} × median` : '');
  if (atlas.phases) {
    const swatch = document.createElement('i');
    swatch.style.background = atlas.phases.colours[atlas.label[index]];
    $('label').replaceChildren(swatch, `${atlas.phases.names[atlas.label[index]]}, ${Math.round(100 * atlas.confidence[index])} % sure`);
  }
  picture(index);
  redraw();
}

function picture(index) {
  const target = $('picture'), [width, height] = atlas.tile;
  target.height = Math.round(target.width * height / width);
  const brush = target.getContext('2d');
  brush.imageSmoothingQuality = 'high';
  drawTile(brush, index, 0, 0, target.width, target.height);
  target.setAttribute('aria-label', `Its picture, at alpha ${shown(atlas.coordinates[2 * index])}, beta ${shown(atlas.coordinates[2 * index + 1])}`);
}

// Copying

function copy(index) {
  if (index < 0) return;
  const [a, b] = [atlas.coordinates[2 * index], atlas.coordinates[2 * index + 1]];
  if (!Number.isFinite(a) || !Number.isFinite(b)) return toast('On the horizon: no alpha and beta name this place', '');
  const words = `--alpha ${exact(a)} --beta ${exact(b)}`;
  const far = atlas.kind === 'globe' && !atlas.front[index] ? ' (of the antipode: alpha and beta name the front alone)' : '';
  give(words, far);
}

function give(words, far = '') {
  const done = () => toast('Copied ', words, far);
  const clipboard = navigator.clipboard ? navigator.clipboard.writeText(words) : Promise.reject(new Error('no clipboard'));
  clipboard.then(done, () => (copiedTheOldWay(words) ? done() : offer(words, far)));
}

function copiedTheOldWay(words) {
  const area = document.createElement('textarea'), focused = document.activeElement;
  area.value = words;
  area.setAttribute('readonly', '');
  area.style.position = 'fixed';
  area.style.opacity = '0';
  document.body.append(area);
  area.select();
  let copied = false;
  try { copied = document.execCommand('copy'); } catch { copied = false; }
  area.remove();
  focused?.focus({preventScroll: true});
  return copied;
}

function offer(words, far) { // the clipboard is refused: the words lie selected
  toast('Copy with Ctrl C: ', words, far);
  getSelection().selectAllChildren($('toast').querySelector('code'));
}

let fading = 0;
function toast(before, words, after = '') {
  const code = document.createElement('code');
  code.textContent = words;
  $('toast').replaceChildren(before, code, after);
  $('toast').classList.add('shown');
  clearTimeout(fading);
  fading = setTimeout(() => $('toast').classList.remove('shown'), 5000);
}

// Pointer: one moves, two pinch, a click copies, a tap chooses

const fingers = new Map();
let travelled = 0;

function spot(event) {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

canvas.addEventListener('pointerdown', (event) => {
  cancelAnimationFrame(flight);
  canvas.setPointerCapture(event.pointerId);
  if (fingers.size === 0) travelled = 0;
  fingers.set(event.pointerId, spot(event));
});

canvas.addEventListener('pointermove', (event) => {
  const now = spot(event), before = fingers.get(event.pointerId);
  if (!before) return select(map.locate(...now));
  const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
  travelled += Math.abs(dx) + Math.abs(dy);
  if (travelled > 5) {
    fitted = false;
    canvas.classList.add('dragging');
    if (fingers.size === 2) {
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
      const apart = (place) => Math.hypot(place[0] - other[0], place[1] - other[1]) || 1;
      map.zoom(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      map.pan(dx / 2, dy / 2);
    } else map.pan(dx, dy);
    move();
  }
  fingers.set(event.pointerId, now);
});

function lift(event) {
  if (!fingers.delete(event.pointerId)) return;
  canvas.classList.remove('dragging');
  if (event.type !== 'pointerup' || travelled > 5) return;
  const index = map.locate(...spot(event));
  select(index);
  if (event.pointerType === 'mouse') copy(index);
}
canvas.addEventListener('pointerup', lift);
canvas.addEventListener('pointercancel', lift);

canvas.addEventListener('wheel', (event) => {
  event.preventDefault();
  const lines = event.deltaMode === 1 ? 16 : 1;
  magnify(Math.exp(-Math.max(-240, Math.min(240, event.deltaY * lines)) / 320), ...spot(event));
}, {passive: false});

function magnify(factor, x, y) {
  const {width, height} = canvas.getBoundingClientRect();
  cancelAnimationFrame(flight);
  fitted = false;
  map.zoom(factor, x ?? width / 2, y ?? height / 2);
  move();
}

function fit() {
  fly(map.whole);
  fitted = true;
}

function fly(goal) {
  cancelAnimationFrame(flight);
  const from = {...map.view}, still = matchMedia('(prefers-reduced-motion: reduce)').matches;
  const begun = performance.now(), long = still ? 1 : 650;
  fitted = false;
  const leap = (now) => {
    const t = Math.min(1, Math.max(0, (now - begun) / long));
    map.view = map.between(from, goal, t * t * (3 - 2 * t));
    move();
    if (t < 1) flight = requestAnimationFrame(leap);
  };
  flight = requestAnimationFrame(leap);
}

// Keys, layers, buttons

const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]};
canvas.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (ARROWS[event.key]) walk(...ARROWS[event.key]);
  else if (event.key === '+' || event.key === '=') magnify(1.3);
  else if (event.key === '-') magnify(1 / 1.3);
  else if (event.key === '0') fit();
  else if (event.key === 'Enter' || event.key === ' ') copy(state.at);
  else if ('12345'.includes(event.key)) layerButtons[Number(event.key) - 1]?.click();
  else return;
  event.preventDefault();
});

function walk(dx, dy) {
  select(map.step(state.at, dx, dy));
  const {width, height} = canvas.getBoundingClientRect(), [x, y] = map.screen(state.at);
  const [px, py] = [Math.min(width - 60, Math.max(60, x)), Math.min(height - 90, Math.max(60, y))];
  if (px !== x || py !== y) map.pan(px - x, py - y);
  move();
}

const layerButtons = [...document.querySelectorAll('[data-layer]')];
layerButtons.forEach((button) => button.addEventListener('click', () => {
  const layer = button.dataset.layer;
  state[layer] = !state[layer];
  button.setAttribute('aria-pressed', String(state[layer]));
  redraw();
}));
document.querySelectorAll('[data-zoom]').forEach((button) => button.addEventListener('click', () => {
  if (button.dataset.zoom === 'fit') fit();
  else magnify(button.dataset.zoom === 'in' ? 1.5 : 1 / 1.5);
}));
$('blend').addEventListener('input', (event) => { state.blend = Number(event.target.value); redraw(); });
$('copy').addEventListener('click', () => copy(state.at));

// Legend and list

function legend() {
  const bar = $('scale'), brush = bar.getContext('2d'), {low, high, log} = atlas.scale;
  bar.width = 256;
  for (let k = 0; k < 256; k++) {
    brush.fillStyle = `rgb(${atlas.glow.subarray(3 * k, 3 * k + 3).join(' ')})`;
    brush.fillRect(k, 0, 1, 10);
  }
  const share = (rate) => (log ? Math.log(rate / low) / Math.log(high / low) : rate / high);
  const middle = log ? Math.sqrt(low * high) : high / 2;
  $('ends').replaceChildren(...[low, middle, high].map((rate) => {
    const end = document.createElement('span');
    end.textContent = brief(rate);
    return end;
  }));
  const floor = atlas.floor === null ? '' : `; noise floor ${brief(atlas.floor)}`;
  if (floor && share(atlas.floor) > 0 && share(atlas.floor) < 1) {
    brush.fillStyle = INK;
    brush.fillRect(256 * share(atlas.floor) - 1, 0, 2, 10);
  }
  $('unit').textContent = `${atlas.rate}${log ? ', logarithmic' : ''}${floor}`;
  $('phase-key').hidden = $('phase-row').hidden = layerButtons[2].hidden = !atlas.phases;
  if (!atlas.phases) return;
  const order = [...atlas.phases.names.keys()].sort((a, b) => atlas.phases.shares[b] - atlas.phases.shares[a]);
  $('key').replaceChildren(...order.map((index) => {
    const row = document.createElement('li'), swatch = document.createElement('i');
    const name = document.createElement('b'), share = document.createElement('span');
    swatch.style.background = atlas.phases.colours[index];
    name.textContent = atlas.phases.names[index];
    share.textContent = `${Math.round(100 * atlas.phases.shares[index])} %`;
    row.append(swatch, name, share);
    return row;
  }));
}

function listSites() {
  $('sites-part').hidden = !atlas.sites.length;
  layerButtons[4].hidden = !atlas.metric;
  layerButtons[3].hidden = !atlas.sites.length && !atlas.lines.length;
  $('sites').replaceChildren(...atlas.sites.map((site, k) => {
    const row = document.createElement('li'), button = document.createElement('button');
    const number = document.createElement('strong'), words = document.createElement('span'), where = document.createElement('small');
    button.type = 'button';
    number.textContent = k + 1;
    where.textContent = site.alpha === null ? 'on the horizon' :
      `α ${brief(site.alpha, 5)}  β ${brief(site.beta, 5)}${site.front ? '' : ' (antipode)'}`;
    words.append(`${brief(site.rate)}, ${brief(site.contrast)} × median`, document.createElement('br'), ' ', where);
    button.append(number, ' ', ...site.sides.map(thumbnail), words);
    button.title = 'Fly there';
    button.addEventListener('click', () => { fly(map.goal(site)); select(site.sides[0]); });
    row.append(button);
    return row;
  }));
}

function thumbnail(index) {
  const small = document.createElement('canvas'), [width, height] = atlas.tile;
  [small.width, small.height] = [104, Math.round(104 * height / width)];
  drawTile(small.getContext('2d'), index, 0, 0, small.width, small.height);
  return small;
}

new ResizeObserver(() => {
  if (fitted) map.fit();
  redraw();
}).observe(canvas);
legend();
listSites();
map.fit();
redraw();
map.ready(redraw).then(() => {
  listSites();
  const start = atlas.sites.length ? atlas.sites[0].sides[0] : Math.floor(atlas.count / 2);
  if (state.at < 0) select(start);
  else picture(state.at);
  document.documentElement.dataset.ready = 'true';
});

window.latentworld = {atlas, map, state, pixelOf}; // for scripts that drive the page
