// What was felt over the last minute: the Lipschitz value of each frame, and how many came a second.

import {$, seen, sharp} from '/static/dom.js';
import {FAINT, RULE} from '/static/drawing.js';
import {brief} from '/static/scale.js';

const SPAN = 60000; // ms

export class Traces {
  constructor(link, track) {
    this.link = link;
    this.track = track;
    this.rates = [];
    link.on('status', () => this.status());
    setInterval(() => this.draw(), 200);
  }

  status() {
    const {rate, lipschitz} = this.link.status, now = performance.now();
    this.rates.push([now, rate ?? 0]);
    while (this.rates.length && now - this.rates[0][0] > SPAN) this.rates.shift();
    $('fps').textContent = rate === null ? '–' : rate.toFixed(1);
    $('lipschitz').textContent = brief(lipschitz);
  }

  draw() {
    if (document.hidden || !seen($('trace-rate'))) return;
    const now = performance.now(), felt = this.track.frames.filter((frame) => now - frame.at < SPAN && frame.rate > 0);
    this.felt(felt, now);
    this.line($('trace-fps'), this.rates, now, FAINT);
  }

  felt(frames, now) { // logarithmic, each frame in its colour
    const {context, width, height} = sharp($('trace-rate')), {low, high} = this.track;
    this.floor(context, width, height);
    if (low === null || frames.length < 2) return;
    const share = (rate) => Math.min(Math.max(Math.log(rate / low * 2) / Math.log(high / low * 4), 0.02), 0.98);
    let before = null;
    context.lineWidth = 1.5;
    for (const frame of frames) {
      const place = [width * (1 - (now - frame.at) / SPAN), height * (1 - share(frame.rate))];
      if (before) {
        context.strokeStyle = this.track.colour(frame.rate);
        context.beginPath();
        context.moveTo(...before);
        context.lineTo(...place);
        context.stroke();
      }
      before = place;
    }
  }

  line(canvas, points, now, colour) {
    const {context, width, height} = sharp(canvas), top = Math.max(...points.map(([, value]) => value), 1) * 1.15;
    this.floor(context, width, height);
    context.strokeStyle = colour;
    context.lineWidth = 1.5;
    context.beginPath();
    points.forEach(([at, value], k) => {
      const [x, y] = [width * (1 - (now - at) / SPAN), height - 1 - (height - 3) * value / top];
      if (k) context.lineTo(x, y);
      else context.moveTo(x, y);
    });
    context.stroke();
  }

  floor(context, width, height) {
    context.fillStyle = RULE;
    context.fillRect(0, height - 1, width, 1);
  }
}
