// The atlas as typed arrays, and how its numbers are written.

const told = JSON.parse(document.getElementById('data').textContent);

function unpack(text, Kind) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Kind(bytes.buffer);
}

const atlas = {
  ...told,
  coordinates: unpack(told.coordinates, Float64Array),
  front: unpack(told.front, Uint8Array),
  rates: unpack(told.rates, Float64Array),
  glow: unpack(told.glow, Uint8Array),
  strength: unpack(told.strength, Uint8Array),
  label: told.phases && unpack(told.phases.label, Int32Array),
  confidence: told.phases && unpack(told.phases.confidence, Float32Array),
  metric: told.metric && {tensors: unpack(told.metric.tensors, Float32Array), ends: unpack(told.metric.ends, Float32Array),
    jump: unpack(told.metric.jump, Float32Array)},
  lines: told.lines.map((line) => ({...line, path: unpack(line.path, Float64Array)})),
};

// Sheets of thumbnails: which one, and where on it.
const sheets = atlas.sheets.map(() => null);
function tileOf(index) {
  const [across, down] = atlas.across, [width, height] = atlas.tile, on = index % (across * down);
  return {sheet: Math.floor(index / (across * down)), x: on % across * width, y: Math.floor(on / across) * height};
}

function loadSheets(each) {
  return Promise.all(atlas.sheets.map((uri, index) => new Promise((done) => {
    const image = new Image();
    image.onload = () => { sheets[index] = image; each(); done(); };
    image.onerror = done; // a sheet that cannot be decoded leaves its places dark
    image.src = uri;
  })));
}

function drawTile(context, index, x, y, width, height) {
  const tile = tileOf(index), image = sheets[tile.sheet];
  if (image) context.drawImage(image, tile.x, tile.y, ...atlas.tile, x, y, width, height);
}

// Three digits, and a power of ten where a plain number would be long.
function brief(value, digits = 3) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'unknown' : '∞';
  const power = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  if (power > -4 && power < 5) return String(Number(value.toPrecision(digits))).replace('-', '−');
  const raised = String(power).replace(/[-\d]/g, (sign) => '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'['-0123456789'.indexOf(sign)]);
  return `${Number((value / 10 ** power).toPrecision(digits - 1))}·10${raised}`.replace('-', '−');
}

// Whole double precision: what is copied reads back as the very same number.
function exact(value) { return Object.is(value, -0) ? '0' : String(value); }
// What is read: as many decimals as tell neighbours apart.
function shown(value) {
  if (!Number.isFinite(value)) return '∞ (on the horizon)';
  if (Math.abs(value) >= 1e6) return brief(value, 6);
  return value.toFixed(atlas.decimals).replace(/\.?0+$/, '').replace(/^-0$/, '0').replace('-', '−');
}

// How a layer of strength 0..255 (0: unknown) is laid over pictures: a glow at half blend, solid at full.
function veil(strength, blend) {
  if (strength === 0) return 0;
  const t = (strength - 1) / 254, solid = Math.max(0, 2 * blend - 1);
  return Math.min(1, 2 * blend) * (0.92 * t ** 1.3 * (1 - solid) + solid);
}

// Height of what lies over the map's lower edge.
function covered() {
  const bar = document.querySelector('.bar');
  return getComputedStyle(bar).position === 'absolute' ? bar.offsetHeight + 24 : 0;
}

function steps(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough), ticks = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) ticks.push(k * step);
  return ticks;
}
