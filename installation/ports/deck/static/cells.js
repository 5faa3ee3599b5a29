// What a place of an atlas that is no grid stands for, as half a side and half the other, from its middle.

import {dot} from '/static/drawing.js';

// On the chart. An adaptive survey's cell is a box of its level; one of the globe a square of equal area, which the
// chart draws the wider and the more slanted, the nearer it lies to the horizon.
export function onChart(atlas, k, corners) {
  if (atlas.cells) {
    const [wide, high] = atlas.cells[atlas.level[k]];
    return [[wide / 2, 0], [0, high / 2]];
  }
  if (!corners) return null;
  const u = atlas.unit[k], [alpha, beta] = [atlas.alpha[k], atlas.beta[k]], w = [1 - alpha - beta, alpha, beta];
  const far = Math.hypot(...[0, 1, 2].map((j) => w[0] * corners[0][j] + w[1] * corners[1][j] + w[2] * corners[2][j]));
  const [a, b] = [1, 2].map((vertex) => { // the globe's motion as alpha, as beta grows
    const edge = [0, 1, 2].map((j) => corners[vertex][j] - corners[0][j]), out = dot(edge, u);
    return edge.map((part, j) => (part - u[j] * out) / far);
  });
  const length = Math.hypot(...a), east = a.map((part) => part / length);
  const north = [u[1] * east[2] - u[2] * east[1], u[2] * east[0] - u[0] * east[2], u[0] * east[1] - u[1] * east[0]];
  const half = Math.sqrt(4 * Math.PI / atlas.unit.length) / 2 * 1.3, up = half / dot(b, north); // more than its share: no gaps
  const sides = [[half / length, 0], [-dot(b, east) * up / length, up]];
  // so near to the horizon a straight patch is no likeness
  return Math.hypot(...sides[0], ...sides[1]) < 0.3 * Math.hypot(alpha, beta) + 0.3 ? sides : null;
}

// On the globe: half its side, as an angle.
export function onGlobe(atlas, k, track) {
  if (!atlas.cells) return Math.sqrt(4 * Math.PI / atlas.unit.length) / 2;
  const beside = track.unitOf(atlas.alpha[k] + atlas.cells[atlas.level[k]][0], atlas.beta[k]), u = atlas.unit[k];
  return beside ? Math.hypot(beside[0] - u[0], beside[1] - u[1], beside[2] - u[2]) / 2 : 0;
}

