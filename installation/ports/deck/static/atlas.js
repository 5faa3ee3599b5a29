// The atlas underneath, as colours: by rate, or by kind of picture.

import {PHASES} from '/static/drawing.js';
import {GLOWS, glow} from '/static/scale.js';

export const LAYERS = ['field', 'kinds', 'words'];

export async function fetchAtlas() {
  const answer = await fetch('/atlas');
  return answer.ok ? answer.json() : null;
}

// What chart and globe draw of one layer; null where the atlas has none.
export function layer(atlas, kind) {
  const numbers = {field: strengths, kinds, words: alike}[kind](atlas);
  if (!numbers) return null;
  const {colours, bytes} = numbers, made = {...atlas, key: kind + (atlas.asked ?? ''), colours};
  if (!atlas.grid) return made;
  const [rows, columns] = atlas.grid, [low, high] = [[atlas.alpha[0], atlas.beta[0]], [atlas.alpha.at(-1), atlas.beta.at(-1)]];
  const half = [(high[0] - low[0]) / (rows - 1) / 2, (high[1] - low[1]) / (columns - 1) / 2];
  const box = {alpha: [low[0] - half[0], high[0] + half[0]], beta: [low[1] - half[1], high[1] + half[1]]};
  return {...made, window: box, raster: raster(bytes, rows, columns), at: (alpha, beta) => {
    if (alpha < box.alpha[0] || alpha > box.alpha[1] || beta < box.beta[0] || beta > box.beta[1]) return 0;
    return blended(bytes, rows, columns, (alpha - low[0]) / (2 * half[0]), (beta - low[1]) / (2 * half[1]), kind !== 'kinds');
  }};
}

export function has(atlas, kind) { return !!{field: atlas.rate, kinds: atlas.label, words: atlas.likeness}[kind]; }

// How like the words each place is: what is liker than half of them glows, the likest brightest.
function alike(atlas) {
  if (!atlas.likeness) return null;
  const sorted = [...atlas.likeness].sort((a, b) => a - b), low = sorted[Math.floor(sorted.length / 2)];
  const high = Math.max(sorted.at(-1), low + 1e-6);
  const parts = atlas.likeness.map((score) => Math.max((score - low) / (high - low), 0) ** 1.5);
  return {colours: parts.map((t) => GLOWS[Math.round(63 * t)]), bytes: parts.map((t) => glow(t))};
}

function strengths(atlas) {
  if (!atlas.rate) return null;
  const known = atlas.rate.filter((rate) => rate > 0).sort((a, b) => a - b);
  if (!known.length) return null;
  const low = known[Math.floor(known.length * 0.02)], high = Math.max(known.at(-1), low * 1.01);
  const strength = (rate) => Math.min(Math.max(Math.log(rate / low) / Math.log(high / low), 0), 1);
  const parts = atlas.rate.map((rate) => (rate > 0 ? strength(rate) : null));
  return {colours: parts.map((t) => (t === null ? null : GLOWS[Math.round(63 * t)])), bytes: parts.map((t) => (t === null ? null : glow(t)))};
}

function kinds(atlas) {
  if (!atlas.label) return null;
  const colours = atlas.label.map((label) => PHASES[label % PHASES.length]);
  const bytes = colours.map((colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)));
  return {colours, bytes};
}

// The colour at row x, column y of a grid, between its places where that means something; 0 where nothing is known.
function blended(bytes, rows, columns, x, y, smooth) {
  const [i, j] = [[x, rows], [y, columns]].map(([at, count]) => Math.min(Math.max(smooth ? at : Math.round(at), 0), count - 1));
  const [i0, j0] = [Math.floor(i), Math.floor(j)], sum = [0, 0, 0, 0];
  for (const [di, dj] of [[0, 0], [0, 1], [1, 0], [1, 1]]) {
    const colour = bytes[Math.min(i0 + di, rows - 1) * columns + Math.min(j0 + dj, columns - 1)];
    const share = colour ? Math.abs(1 - di - i + i0) * Math.abs(1 - dj - j + j0) : 0;
    if (share) [...colour, 1].forEach((part, k) => { sum[k] += share * part; });
  }
  if (!sum[3]) return 0;
  const [r, g, b] = sum.map((part) => part / sum[3]);
  return (0xff000000 | b << 16 | g << 8 | r) >>> 0;
}

function raster(bytes, rows, columns) {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [rows, columns];
  const brush = canvas.getContext('2d'), pixels = brush.createImageData(rows, columns);
  bytes.forEach((colour, index) => {
    if (!colour) return;
    const i = Math.floor(index / columns), j = index % columns, at = 4 * ((columns - 1 - j) * rows + i);
    pixels.data.set([...colour, 255], at);
  });
  brush.putImageData(pixels, 0, 0);
  return canvas;
}
