// The walker's track: frames as they were made, their colours, and where the walker is drawn, which glides.

import {COLUMN} from '/static/constants.js';
import {cross, unitary} from '/static/drawing.js';
import {BRIGHT} from '/static/scale.js';

const MOST = 4000; // frames

export class Track {
  constructor(link) {
    this.frames = [];
    this.low = this.high = null;
    this.head = null; // {unit, alpha, beta, front, rate, radius}
    this.changed = 0;
    link.on('hello', () => { this.frames = []; this.head = null; this.add(link.track); });
    link.on('track', (rows) => this.add(rows));
    link.on('status', () => this.plane(link.status.scene?.plane));
    link.on('hello', () => this.plane(link.status.scene?.plane));
  }

  add(rows) {
    for (const row of rows) {
      const before = this.frames.at(-1), frame = Object.fromEntries(Object.entries(COLUMN).map(([name, place]) => [name, row[place]]));
      const unit = [frame.x, frame.y, frame.z];
      this.frames.push({...frame, unit, at: performance.now(),
        joined: !!before && frame.index === before.index + 1 && near(before.unit, unit)});
    }
    if (this.frames.length > MOST) this.frames.splice(0, this.frames.length - MOST);
    this.measure();
    this.changed++;
  }

  get last() { return this.frames.at(-1); }

  // The scale of the colours: nearly all of what was seen.
  measure() {
    const rates = this.frames.slice(-1500).map((frame) => frame.rate).filter((rate) => rate > 0).sort((a, b) => a - b);
    if (rates.length < 4) return;
    this.low = rates[Math.floor(rates.length * 0.05)];
    this.high = Math.max(rates[Math.floor(rates.length * 0.99)], this.low * 1.5);
  }

  strength(rate) {
    if (!(rate > 0) || this.low === null) return 0.25;
    return Math.min(Math.max(Math.log(rate / this.low) / Math.log(this.high / this.low), 0), 1);
  }

  colour(rate) { return this.shade(this.strength(rate)); }

  shade(strength) { return BRIGHT[Math.round(strength * 63)]; }

  // Corners of the plane's vertices in R3, and what takes R3 to their weights.
  plane(told) {
    const corners = told?.corners;
    if (!Array.isArray(corners) || corners.length !== 3) {
      this.corners = this.weights = null;
      return;
    }
    if (JSON.stringify(corners) === JSON.stringify(this.corners)) return;
    this.corners = corners;
    this.weights = inverse(corners);
    this.changed++;
  }

  // The walker glides to where it was last: frames come in batches.
  glide(seconds) {
    const goal = this.last;
    if (!goal || goal.unit.includes(null)) return false;
    if (!this.head || !near(this.head.unit, goal.unit, 0.5)) {
      this.head = {...goal, unit: [...goal.unit]};
      return true;
    }
    const share = 1 - Math.exp(-seconds / 0.12);
    const moved = Math.hypot(...goal.unit.map((part, k) => part - this.head.unit[k]));
    this.head.unit = unitary(this.head.unit.map((part, k) => part + share * (goal.unit[k] - part)));
    Object.assign(this.head, {rate: goal.rate, radius: goal.radius, front: goal.front});
    const place = this.chartOf(this.head.unit) ?? goal;
    Object.assign(this.head, {alpha: place.alpha, beta: place.beta});
    return moved > 1e-5;
  }

  unitOf(alpha, beta) {
    if (!this.corners) return null;
    const w = [1 - alpha - beta, alpha, beta];
    return unitary([0, 1, 2].map((k) => w[0] * this.corners[0][k] + w[1] * this.corners[1][k] + w[2] * this.corners[2][k]));
  }

  // Where alpha and beta are infinite: the great circle of weights that sum to nothing.
  horizon(turn) {
    const w = [-Math.cos(turn) - Math.sin(turn), Math.cos(turn), Math.sin(turn)];
    return unitary([0, 1, 2].map((k) => w[0] * this.corners[0][k] + w[1] * this.corners[1][k] + w[2] * this.corners[2][k]));
  }

  chartOf(unit) {
    if (!this.weights) return null;
    const w = [0, 1, 2].map((j) => unit[0] * this.weights[0][j] + unit[1] * this.weights[1][j] + unit[2] * this.weights[2][j]);
    const whole = w[0] + w[1] + w[2];
    return {alpha: w[1] / whole, beta: w[2] / whole, front: whole > 0};
  }
}

function near(u, v, far = 0.4) { return Math.hypot(u[0] - v[0], u[1] - v[1], u[2] - v[2]) < far; }

function inverse([a, b, c]) {
  const [bc, ca, ab] = [cross(b, c), cross(c, a), cross(a, b)], whole = a[0] * bc[0] + a[1] * bc[1] + a[2] * bc[2];
  return [0, 1, 2].map((k) => [bc[k] / whole, ca[k] / whole, ab[k] / whole]);
}
