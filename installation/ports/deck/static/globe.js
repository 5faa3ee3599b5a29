// The globe from outside, turnable: the same places on the sphere that the plane is a chart of.

import {onGlobe} from '/static/cells.js';
import {sharp} from '/static/dom.js';
import {ACCENT, FAINT, GROUND, INK, LINE, RAISED, RULE, cross, dot, nearSide, pulled, seen, under, unitary, vertices} from '/static/drawing.js';
import {halo, trail} from '/static/marks.js';

export class Globe {
  constructor(canvas, track) {
    this.canvas = canvas;
    this.track = track;
    this.at = null; // the direction that faces us
    this.target = null;
    this.atlas = null;
    this.shaded = {key: '', image: document.createElement('canvas')};
  }

  get size() { return [this.canvas.clientWidth || 1, this.canvas.clientHeight || 1]; }

  get radius() { return Math.min(...this.size) / 2 - (this.small ? 6 : 34); }

  // East, north and outward: beta grows upward at the middle of the cell.
  get axes() {
    const out = this.at ?? [0, 0, 1], pole = this.pole;
    const east = unitary(cross(pole, out)), north = cross(out, east);
    return [east, north, out];
  }

  get pole() {
    const {corners} = this.track, out = this.at ?? [0, 0, 1];
    const up = corners ? unitary([0, 1, 2].map((k) => corners[2][k] - 0.5 * corners[0][k] - 0.5 * corners[1][k])) : [0, 0, 1];
    return Math.abs(dot(up, out)) > 0.999 ? unitary(cross(out, [1, 0.3, 0.2])) : up;
  }

  get look() {
    const [width, height] = this.size;
    return {axes: this.axes, centre: [width / 2, height / 2], radius: this.radius};
  }

  toScreen(unit) { return seen(this.look, unit); }

  direction(px, py) { return under(this.look, px, py); }

  turn(dx, dy) {
    const turned = pulled(this.look, dx, dy), before = this.at ?? [0, 0, 1];
    this.at = Math.abs(dot(turned, this.pole)) > 0.97 ? before : turned;
  }

  follow(share) {
    const {head} = this.track;
    if (!head) return false;
    if (!this.at) this.at = [...head.unit];
    const apart = Math.hypot(...head.unit.map((part, k) => part - this.at[k]));
    if (apart < 0.35) return false;
    this.at = unitary(this.at.map((part, k) => part + share * (head.unit[k] - part)));
    return true;
  }

  draw(small) {
    this.small = small;
    const {context, width, height} = sharp(this.canvas), {radius} = this;
    if (radius < 4) return;
    if (!this.at) this.at = this.track.corners ? this.track.unitOf(1 / 3, 1 / 3) : [...(this.track.head?.unit ?? [0, 0, 1])];
    this.ball(context, width / 2, height / 2, radius);
    if (this.atlas) this.underneath(context, width, height);
    this.lattice(context, small);
    this.path(context, small);
    if (this.track.corners && !small) vertices(context, this.look, this.track.corners.map(unitary));
    if (this.target && !small) {
      const unit = this.track.unitOf(...this.target), [x, y, depth] = unit ? this.toScreen(unit) : [0, 0, -1];
      if (depth > 0) halo(context, x, y, ACCENT);
    }
    this.walker(context, small);
  }

  ball(context, x, y, radius) {
    const light = context.createRadialGradient(x - radius * 0.3, y - radius * 0.35, radius * 0.1, x, y, radius);
    light.addColorStop(0, RULE);
    light.addColorStop(0.7, RAISED);
    light.addColorStop(1, GROUND);
    context.fillStyle = light;
    context.beginPath();
    context.arc(x, y, radius, 0, 7);
    context.fill();
    context.strokeStyle = LINE;
    context.lineWidth = 1;
    context.stroke();
  }

  underneath(context, width, height) {
    if (this.atlas.at && this.track.weights) {
      this.shade(width, height);
      context.globalAlpha = 0.55;
      context.drawImage(this.shaded.image, 0, 0, width, height);
      context.globalAlpha = 1;
      return;
    }
    const {unit, colours} = this.atlas;
    context.globalAlpha = 0.55;
    for (let k = 0; k < unit.length; k++) {
      const [x, y, depth] = this.toScreen(unit[k]);
      if (depth <= 0.02 || !colours[k]) continue;
      const side = Math.max(2, 1.8 * this.radius * onGlobe(this.atlas, k, this.track));
      context.fillStyle = colours[k];
      context.fillRect(x - side / 2, y - side / 2, side, side);
    }
    context.globalAlpha = 1;
  }

  shade(width, height) { // every pixel looks up the grid; only when the globe has turned
    const share = Math.min(1, 240 / Math.min(width, height)), [wide, tall] = [Math.round(width * share), Math.round(height * share)];
    const key = [wide, tall, this.at.map((part) => part.toFixed(3)), this.atlas.key, this.track.changed > 0].join();
    if (key === this.shaded.key) return;
    const {image} = this.shaded, radius = this.radius * share, [east, north, out] = this.axes;
    this.shaded.key = key;
    [image.width, image.height] = [wide, tall];
    const brush = image.getContext('2d'), pixels = brush.createImageData(wide, tall), view = new Uint32Array(pixels.data.buffer);
    for (let j = 0; j < tall; j++) {
      const y = (tall / 2 - j - 0.5) / radius;
      for (let i = 0; i < wide; i++) {
        const x = (i + 0.5 - wide / 2) / radius, rest = 1 - x * x - y * y;
        if (rest <= 0) continue;
        const z = Math.sqrt(rest), place = this.track.chartOf([0, 1, 2].map((k) => x * east[k] + y * north[k] + z * out[k]));
        if (place.front) view[j * wide + i] = this.atlas.at(place.alpha, place.beta);
      }
    }
    brush.putImageData(pixels, 0, 0);
  }

  trace(context, units, dashes = []) {
    context.setLineDash(dashes);
    nearSide(context, this.look, units);
    context.stroke();
    context.setLineDash([]);
  }

  lattice(context, small) { // lines of alpha and beta are great circles; the last of them is the horizon
    const {track} = this;
    if (!track.corners) return;
    const along = [-200, -20, -6, -3, -2, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 6, 20, 200];
    context.lineWidth = 1;
    context.strokeStyle = RULE;
    for (const fixed of small ? [0, 1] : [-4, -2, -1, 0, 1, 2, 4]) {
      this.trace(context, fine(along).map((t) => track.unitOf(fixed, t)));
      this.trace(context, fine(along).map((t) => track.unitOf(t, fixed)));
    }
    context.strokeStyle = FAINT;
    const turns = Array.from({length: 121}, (_, k) => k / 120 * 2 * Math.PI);
    this.trace(context, turns.map((turn) => track.horizon(turn)), [1, 5]);
    context.strokeStyle = LINE;
    const side = Array.from({length: 25}, (_, k) => k / 24);
    for (const edge of [side.map((t) => [t, 0]), side.map((t) => [1 - t, t]), side.map((t) => [0, 1 - t])]) {
      this.trace(context, edge.map(([a, b]) => track.unitOf(a, b)));
    }
  }

  path(context, small) {
    const axes = this.axes, [width, height] = this.size, {radius} = this;
    trail(context, this.track, small, ({unit}) => {
      if (unit.includes(null)) return null;
      const [x, y, depth] = axes.map((axis) => dot(unit, axis));
      return {x: width / 2 + radius * x, y: height / 2 - radius * y, faint: depth > 0 ? 1 : 0.14, broken: false};
    });
  }

  walker(context, small) {
    const {head} = this.track;
    if (!head) return;
    const [x, y, depth] = this.toScreen(head.unit);
    context.globalAlpha = depth > 0 ? 0.3 : 0.1;
    context.fillStyle = this.track.colour(head.rate);
    context.beginPath();
    context.arc(x, y, small ? 8 : 14, 0, 7);
    context.fill();
    context.globalAlpha = depth > 0 ? 1 : 0.35;
    context.fillStyle = depth > 0 ? INK : 'transparent';
    context.strokeStyle = INK;
    context.lineWidth = 1.5;
    context.beginPath();
    context.arc(x, y, small ? 3 : 5, 0, 7);
    context.fill();
    context.stroke();
    context.globalAlpha = 1;
  }
}

function fine(stops) { return stops.slice(1).flatMap((end, k) => Array.from({length: 5}, (_, j) => stops[k] + (end - stops[k]) * j / 5)); }
