// The chart: the plane of alpha and beta, the atlas underneath, the track coloured by what was felt, the walker.

import {onChart} from '/static/cells.js';
import {sharp} from '/static/dom.js';
import {ACCENT, FAINT, FONT_NAMES, FONT_TICKS, INK, LINE, RULE, outlined} from '/static/drawing.js';
import {brief} from '/static/scale.js';
import {halo, trail} from '/static/marks.js';

const WIDEST = 60, CLOSEST = 0.002; // alpha across the shorter side

export class Chart {
  constructor(canvas, track) {
    this.canvas = canvas;
    this.track = track;
    this.view = {alpha: 0.5, beta: 0.5, span: 1.9};
    this.target = null;
    this.atlas = null;
  }

  get size() { return [this.canvas.clientWidth || 1, this.canvas.clientHeight || 1]; }

  get scale() { return Math.min(...this.size) / this.view.span; }

  toScreen(alpha, beta) {
    const [width, height] = this.size, {scale} = this;
    return [width / 2 + (alpha - this.view.alpha) * scale, height / 2 - (beta - this.view.beta) * scale];
  }

  toPlane(x, y) {
    const [width, height] = this.size, {scale} = this;
    return [this.view.alpha + (x - width / 2) / scale, this.view.beta - (y - height / 2) / scale];
  }

  pinch(factor, x, y, dx, dy) {
    const [alpha, beta] = this.toPlane(x, y);
    this.view.span = Math.min(Math.max(this.view.span / factor, CLOSEST), WIDEST);
    const [a, b] = this.toPlane(x + dx, y + dy);
    this.view.alpha += alpha - a;
    this.view.beta += beta - b;
  }

  home() { this.view = {alpha: 0.5, beta: 0.5, span: 1.9}; }

  // Keep the walker in the middle parts; true while the map moves.
  follow(share) {
    const {head} = this.track;
    if (!head || !Number.isFinite(head.alpha) || Math.hypot(head.alpha, head.beta) > 100) return false;
    const [width, height] = this.size, [x, y] = this.toScreen(head.alpha, head.beta);
    const beyond = (at, length) => Math.max(Math.abs(at - length / 2) - length * 0.28, 0) * Math.sign(at - length / 2);
    const [dx, dy] = [beyond(x, width), beyond(y, height)];
    this.view.alpha += share * dx / this.scale;
    this.view.beta -= share * dy / this.scale;
    return Math.hypot(dx, dy) > 0.5;
  }

  draw(small) {
    const {context, width, height} = sharp(this.canvas);
    if (this.atlas) this.underneath(context);
    this.grid(context, width, height, small);
    this.cell(context, small);
    this.path(context, small);
    if (this.target && !small) {
      const [x, y] = this.toScreen(...this.target);
      halo(context, x, y, ACCENT);
    }
    this.walker(context, small);
  }

  underneath(context) {
    const {raster, window: box} = this.atlas;
    if (raster && box) {
      const [x, y] = this.toScreen(box.alpha[0], box.beta[1]), {scale} = this;
      context.imageSmoothingEnabled = true;
      context.globalAlpha = 0.5;
      context.drawImage(raster, x, y, (box.alpha[1] - box.alpha[0]) * scale, (box.beta[1] - box.beta[0]) * scale);
      context.globalAlpha = 1;
      return;
    }
    const [width, height] = this.size;
    this.cells(context.getTransform(), width, height);
    context.globalAlpha = 0.55;
    context.drawImage(this.sheet, 0, 0, width, height);
    context.globalAlpha = 1;
  }

  // Opaque on a sheet of their own, coarse ones first: where they overlap nothing is to be brighter.
  cells(transform, width, height) {
    const sheet = this.sheet ??= document.createElement('canvas'), {alpha, beta, front, colours} = this.atlas, {scale} = this;
    [sheet.width, sheet.height] = [this.canvas.width, this.canvas.height];
    const brush = sheet.getContext('2d');
    brush.setTransform(transform);
    for (let k = 0; k < alpha.length; k++) {
      if (front[k] === false || alpha[k] === null || beta[k] === null || !colours[k]) continue;
      const [x, y] = this.toScreen(alpha[k], beta[k]), sides = onChart(this.atlas, k, this.track.corners);
      if (!sides) continue;
      const [[a, b], [c, d]] = sides.map(([right, up]) => [right * scale, -up * scale]);
      const [wide, tall] = [Math.abs(a) + Math.abs(c), Math.abs(b) + Math.abs(d)];
      if (x < -wide || y < -tall || x > width + wide || y > height + tall) continue;
      brush.fillStyle = colours[k];
      brush.beginPath();
      brush.moveTo(x + a + c, y + b + d);
      brush.lineTo(x + a - c, y + b - d);
      brush.lineTo(x - a - c, y - b - d);
      brush.lineTo(x - a + c, y - b + d);
      brush.fill();
    }
  }

  grid(context, width, height, small) {
    const raw = this.view.span / (small ? 3 : 5), power = 10 ** Math.floor(Math.log10(raw));
    const step = power * [1, 2, 5, 10].find((factor) => factor * power >= raw);
    const [left, top] = this.toPlane(0, 0), [right, bottom] = this.toPlane(width, height);
    const head = width < 560 ? 70 : 20; // of β, below the bar of buttons; ticks begin below it
    context.lineWidth = 1;
    context.font = FONT_TICKS;
    for (let alpha = Math.ceil(left / step) * step; alpha <= right; alpha += step) {
      const x = Math.round(this.toScreen(alpha, 0)[0]) + 0.5;
      this.line(context, [[x, 0], [x, height]], RULE);
      if (!small && x > 42 && x < width - 40) this.word(context, tick(alpha, step), x, height - 8, 'center');
    }
    for (let beta = Math.ceil(bottom / step) * step; beta <= top; beta += step) {
      const y = Math.round(this.toScreen(0, beta)[1]) + 0.5;
      this.line(context, [[0, y], [width, y]], RULE);
      if (!small && y > head + 16 && y < height - 26) this.word(context, tick(beta, step), 10, y + 4, 'left');
    }
    if (small) return;
    context.font = FONT_NAMES;
    this.word(context, 'α', width - 16, height - 10, 'center');
    this.word(context, 'β', 14, head, 'center');
  }

  word(context, text, x, y, align) {
    context.textAlign = align;
    context.fillStyle = FAINT;
    context.fillText(text, x, y);
  }

  line(context, places, colour) {
    context.strokeStyle = colour;
    context.beginPath();
    places.forEach(([x, y], k) => (k ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.stroke();
  }

  cell(context, small) { // z0, z1, z2 and the triangle between them
    const corners = [[0, 0], [1, 0], [0, 1]].map((place) => this.toScreen(...place));
    context.lineWidth = 1;
    this.line(context, [...corners, corners[0]], LINE);
    if (small) return;
    context.font = FONT_NAMES;
    context.textAlign = 'center';
    corners.forEach(([x, y], k) => {
      context.fillStyle = INK;
      context.beginPath();
      context.arc(x, y, 2, 0, 7);
      context.fill();
      outlined(context, `z${'₀₁₂'[k]}`, x - 12, y + 5);
    });
  }

  path(context, small) {
    const [width, height] = this.size;
    trail(context, this.track, small, (frame, before) => {
      if (!Number.isFinite(frame.alpha) || Math.abs(frame.alpha) + Math.abs(frame.beta) > 1e4) return null;
      const [x, y] = this.toScreen(frame.alpha, frame.beta), broken = before && frame.front !== before.front;
      const beyond = x < -width || y < -height || x > 2 * width || y > 2 * height;
      return {x, y, faint: frame.front ? 1 : 0.35, broken: broken || beyond};
    });
  }

  walker(context, small) {
    const {head} = this.track;
    if (!head || !Number.isFinite(head.alpha)) return;
    const [width, height] = this.size, [x, y] = this.toScreen(head.alpha, head.beta);
    if (x < 0 || y < 0 || x > width || y > height) {
      this.pointer(context, x, y, width, height, small);
      return;
    }
    context.fillStyle = this.track.colour(head.rate);
    context.globalAlpha = 0.3;
    context.beginPath();
    context.arc(x, y, small ? 8 : 14, 0, 7);
    context.fill();
    context.globalAlpha = 1;
    context.beginPath();
    context.arc(x, y, small ? 3 : 5, 0, 7);
    context.fillStyle = head.front ? INK : 'transparent';
    context.strokeStyle = INK;
    context.lineWidth = 1.5;
    context.fill();
    context.stroke();
    if (!head.front && !small) {
      context.font = FONT_TICKS;
      context.textAlign = 'left';
      context.fillStyle = FAINT;
      outlined(context, 'far side', x + 12, y + 4);
    }
  }

  pointer(context, x, y, width, height, small) { // where the walker is, when it is beyond the edge; not under the buttons
    const angle = Math.atan2(y - height / 2, x - width / 2), edge = 16;
    const bar = small ? null : this.canvas.parentElement.querySelector('.mapbar'), top = edge + (bar ? bar.offsetTop + bar.offsetHeight : 0);
    const [px, py] = [Math.min(Math.max(x, edge), width - edge), Math.min(Math.max(y, top), height - edge)];
    context.fillStyle = ACCENT;
    context.beginPath();
    for (const turn of [0, 2.5, -2.5]) context.lineTo(px + 9 * Math.cos(angle + turn), py + 9 * Math.sin(angle + turn));
    context.fill();
  }
}

function tick(value, step) { return Math.abs(value) < step / 100 ? '0' : brief(Number(value.toPrecision(6)), step < 0.1 ? 4 : 3).replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, ''); }
