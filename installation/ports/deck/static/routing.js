// Semantic vector routing: concept words and their weights, where they lie, and where the mixture stands.

import {button, make, seen, sharp} from '/static/dom.js';
import {toward} from '/static/find.js';
import {mixture, weightsFor} from '/static/mixing.js';
import {PROMPT_A, PROMPT_B, PROMPT_MIX} from '/static/names.js';
import {ACCENT, FAINT, FONT_WORDS, GROUND, HUES, INK, RULE, outlined} from '/static/drawing.js';
import {fixed} from '/static/scale.js';

const HINTS = ['a ringed planet', 'flowers', 'a forest in fog', 'stained glass', 'a cat', 'mountains at night'];
const AGAIN = 1200, SETTLE = 350; // ms between two questions; of quiet before one

export class Routing {
  constructor(link, controls, placed) {
    this.link = link;
    this.count = [...link.rows.keys()].filter((name) => /^word\.\d+\.text$/.test(name)).length;
    this.places = new Map(); // by text: where it is drawn
    this.goals = new Map(); // and where the last answer has it
    this.answer = null;
    this.build(controls, placed);
    link.on('values', (names) => this.changed(names));
    link.on('tab', () => this.refresh());
    link.on('line', (open) => { if (open) setTimeout(() => this.refresh(), 300); });
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    this.hands();
  }

  build(controls, placed) {
    this.canvas = make('canvas.routing', {id: 'routing', tabindex: 0, role: 'application',
      'aria-label': 'The words and their mixture. Drag the mixture, or use the arrow keys; the weights follow.'});
    this.told = make('p.hint', {role: 'status', id: 'routing-told'});
    this.bars = make('canvas.bars', {role: 'img', 'aria-label': 'the first coordinates of the mixture'});
    this.tensor = make('pre.code', {id: 'tensor'});
    this.cosines = [];
    const rows = Array.from({length: this.count}, (_, k) => {
      const [text, weight] = ['text', 'weight'].map((part) => `word.${k + 1}.${part}`);
      placed.add(text).add(weight);
      const cosine = make('span.cosine', {title: 'cosine of this word and the mixture'});
      this.cosines.push(cosine);
      const word = controls.text(this.link.rows.get(text), `word ${k + 1}`, {long: false, hint: HINTS[k % HINTS.length]});
      const fader = controls.make(weight, 'weight');
      const pull = button('pull', () => {
        const words = this.link.shownValue(text);
        if (words) toward(this.link, words);
      }, {class: 'small', title: 'the autopilot goes toward pictures like this word', 'aria-label': `${text}: pull`});
      word.querySelector('.head').append(cosine, pull);
      const row = make('div.word', {}, word, fader);
      row.style.setProperty('--hue', HUES[k % HUES.length]);
      return row;
    });
    this.section = make('section.section', {id: 'words'}, make('h2', {}, 'Semantic vector routing'), this.canvas, this.told,
      make('div.words', {}, ...rows), make('h3', {}, 'Coordinates of the mixture'), this.bars, this.tensor);
  }

  // ---- what is mixed, as the desk stands

  get parts() { // [{text, share, word}], the prompt's own first
    const value = (name, other) => this.link.shownValue(name) ?? other;
    const b = value(PROMPT_B, ''), mix = b ? value(PROMPT_MIX, 0) : 0, parts = [{text: value(PROMPT_A, ''), share: 1 - mix, name: 'a'}];
    if (b) parts.push({text: b, share: mix, name: 'b'});
    for (let k = 1; k <= this.count; k++) {
      const text = value(`word.${k}.text`, '');
      if (text) parts.push({text, share: value(`word.${k}.weight`, 0), word: k});
    }
    return parts;
  }

  get here() {
    const parts = this.parts.filter((part) => this.places.has(part.text));
    return parts.length ? mixture(parts.map((part) => this.places.get(part.text)), parts.map((part) => part.share)) : null;
  }

  // ---- asking

  changed(names) {
    if (names && ![...names].some((name) => name.startsWith('word.') || name.startsWith('prompt.'))) return;
    this.draw();
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.refresh(), SETTLE);
  }

  async refresh() {
    if (!seen(this.canvas) || document.hidden || !this.link.connected) return;
    const texts = [...new Set(this.parts.map((part) => part.text))];
    if (this.asking || performance.now() - (this.asked ?? -1e9) < AGAIN) {
      clearTimeout(this.soon);
      this.soon = setTimeout(() => this.refresh(), AGAIN);
      return;
    }
    if (texts.length < 2) {
      this.told.textContent = 'Send a concept word or two and give them weight: they are mixed into the prompt.';
      this.places.clear();
      this.draw();
      return;
    }
    this.asking = true;
    this.asked = performance.now();
    try {
      this.arrived(await this.link.ask('words', {texts, numbers: 16}));
    } catch (error) {
      this.told.textContent = error.message;
    }
    this.asking = false;
  }

  arrived(answer) {
    this.answer = answer;
    this.goals = new Map(answer.texts.map((text, k) => [text, answer.points[k]]));
    const [along, across] = answer.spread.map((share) => Math.round(share * 100));
    this.told.textContent = `${answer.dimension} dimensions on two: the plane shows ${along + across} % of how far these words lie apart. `
      + 'Drag the mixture: the weights follow.';
    this.from = new Map([...this.goals].map(([text, goal]) => [text, this.places.get(text) ?? goal]));
    this.places = new Map(this.from);
    this.since = performance.now();
    this.tell(answer);
    requestAnimationFrame(() => this.settle());
  }

  settle() { // words glide to where the new answer has them
    const t = Math.min((performance.now() - this.since) / 350, 1), share = t * t * (3 - 2 * t);
    for (const [text, goal] of this.goals) {
      const from = this.from.get(text);
      this.places.set(text, [0, 1].map((k) => from[k] + share * (goal[k] - from[k])));
    }
    this.draw();
    if (t < 1) requestAnimationFrame(() => this.settle());
  }

  tell(answer) {
    const near = new Map(answer.texts.map((text, k) => [text, answer.cosines.at(-1)[k]]));
    this.cosines.forEach((cosine, k) => {
      const found = near.get(this.link.shownValue(`word.${k + 1}.text`) ?? '');
      cosine.textContent = found === undefined ? '' : `cos ${fixed(found, 2)}`;
    });
    const numbers = answer.tensor.map((value) => fixed(value, 3).padStart(7)), lines = [];
    for (let k = 0; k < numbers.length; k += 4) lines.push(numbers.slice(k, k + 4).join(' '));
    this.tensor.textContent = `tensor([${lines.join('\n        ')}, …])  # ${answer.tensor.length} of ${answer.dimension}`;
    this.drawBars(answer.tensor);
  }

  // ---- drawing

  scaleTo(width, height) {
    const places = [...this.places.values()], xs = places.map((place) => place[0]), ys = places.map((place) => place[1]);
    const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const wide = Math.max(right - left, 1e-9), tall = Math.max(high - low, 1e-9);
    const scale = Math.min((width - 150) / wide, (height - 84) / tall);
    this.frame = {scale, x: width / 2 - scale * (left + right) / 2, y: height / 2 + scale * (low + high) / 2};
  }

  toScreen([x, y]) { return [this.frame.x + x * this.frame.scale, this.frame.y - y * this.frame.scale]; }

  toPlace(x, y) { return [(x - this.frame.x) / this.frame.scale, (this.frame.y - y) / this.frame.scale]; }

  draw() {
    if (!seen(this.canvas)) return;
    const {context, width, height} = sharp(this.canvas);
    this.cross(context, width, height);
    if (!this.places.size) return;
    if (!this.drag) this.scaleTo(width, height);
    const here = this.here;
    if (!here) return;
    const parts = this.parts.filter((part) => this.places.has(part.text)), whole = parts.reduce((sum, part) => sum + part.share, 0) || 1;
    const [hx, hy] = this.toScreen(here);
    for (const part of parts) {
      const [x, y] = this.toScreen(this.places.get(part.text));
      context.strokeStyle = colour(part);
      context.globalAlpha = 0.15 + 0.75 * part.share / whole;
      context.lineWidth = 1 + 5 * part.share / whole;
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(hx, hy);
      context.stroke();
    }
    context.globalAlpha = 1;
    this.taken = [[hx - 12, hy - 12, hx + 12, hy + 12]];
    parts.forEach((part) => this.word(context, part, part.share / whole, width));
    if (this.answer && !this.drag) this.ring(context, ...this.toScreen(this.answer.here));
    this.mixture(context, hx, hy);
  }

  cross(context, width, height) {
    context.fillStyle = RULE;
    for (let k = 1; k < 8; k++) {
      context.fillRect(Math.round(width * k / 8), 0, 1, height);
      context.fillRect(0, Math.round(height * k / 8), width, 1);
    }
  }

  word(context, part, share, width) {
    const [x, y] = this.toScreen(this.places.get(part.text)), radius = 4 + 9 * Math.sqrt(share);
    context.fillStyle = context.strokeStyle = colour(part);
    context.lineWidth = 1.5;
    context.beginPath();
    context.arc(x, y, radius, 0, 7);
    if (part.word) context.fill();
    else context.stroke();
    const text = part.word ? part.text : `${part.name}: ${part.text || 'nothing'}`, short = text.length > 24 ? `${text.slice(0, 23)}…` : text;
    context.font = FONT_WORDS;
    context.fillStyle = part.word ? INK : FAINT;
    context.textAlign = 'center';
    outlined(context, short, ...this.free(x, y, radius, context.measureText(short).width / 2, width));
  }

  free(x, y, radius, half, width) { // a place for a word where no other stands
    const across = (at) => Math.min(Math.max(at, half + 6), width - half - 6);
    const places = [[x, y + radius + 15], [x, y - radius - 8], [x + half + radius + 8, y + 4], [x - half - radius - 8, y + 4],
      [x, y + radius + 30], [x, y - radius - 23]].map(([at, line]) => [across(at), line]);
    const around = ([at, line]) => [at - half, line - 11, at + half, line + 3];
    const clear = (box) => this.taken.every((other) => box[2] < other[0] || box[0] > other[2] || box[3] < other[1] || box[1] > other[3]);
    const found = places.find((place) => clear(around(place))) ?? places[0];
    this.taken.push(around(found));
    return found;
  }

  ring(context, x, y) { // what the renderer says, which fades behind
    context.strokeStyle = ACCENT;
    context.globalAlpha = 0.5;
    context.lineWidth = 1;
    context.beginPath();
    context.arc(x, y, 13, 0, 7);
    context.stroke();
    context.globalAlpha = 1;
  }

  mixture(context, x, y) {
    context.fillStyle = ACCENT;
    context.strokeStyle = GROUND;
    context.lineWidth = 2;
    context.beginPath();
    for (const [dx, dy] of [[0, -9], [9, 0], [0, 9], [-9, 0]]) context.lineTo(x + dx, y + dy);
    context.closePath();
    context.fill();
    context.stroke();
  }

  drawBars(numbers) {
    const {context, width, height} = sharp(this.bars), top = Math.max(...numbers.map(Math.abs), 1e-9), wide = width / numbers.length;
    context.fillStyle = RULE;
    context.fillRect(0, Math.round(height / 2), width, 1);
    numbers.forEach((value, k) => {
      const tall = (height / 2 - 2) * value / top;
      context.fillStyle = value < 0 ? HUES[0] : HUES[1];
      context.fillRect(k * wide + 1, height / 2 - Math.max(tall, 0), wide - 2, Math.abs(tall));
    });
  }

  // ---- hands

  hands() {
    const {canvas} = this, spot = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    canvas.addEventListener('pointerdown', (event) => {
      if (!this.here || !this.parts.some((part) => part.word && this.places.has(part.text))) return;
      canvas.setPointerCapture(event.pointerId);
      this.begin();
      this.pull(this.toPlace(...spot(event)));
    });
    canvas.addEventListener('pointermove', (event) => { if (this.drag) this.pull(this.toPlace(...spot(event))); });
    for (const end of ['pointerup', 'pointercancel']) canvas.addEventListener(end, () => this.finish());
    canvas.addEventListener('keydown', (event) => {
      const way = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}[event.key], {here} = this;
      if (!way || !here) return;
      event.preventDefault();
      this.begin();
      this.pull(here.map((part, k) => part + way[k] * 8 / this.frame.scale));
      this.finish();
    });
  }

  begin() {
    const words = this.parts.filter((part) => part.word && this.places.has(part.text));
    this.drag = {words, before: words.map((part) => part.share)};
    words.forEach((part) => this.link.hold(`word.${part.word}.weight`));
  }

  pull(goal) {
    const {words, before} = this.drag, own = this.parts.filter((part) => !part.word && this.places.has(part.text));
    const rest = mixture(own.map((part) => this.places.get(part.text)), own.map((part) => part.share));
    const weights = weightsFor(goal, rest, words.map((part) => this.places.get(part.text)), before);
    words.forEach((part, k) => {
      const name = `word.${part.word}.weight`, weight = Number(weights[k].toFixed(3));
      if (weight !== this.link.shownValue(name)) this.link.set(name, weight);
    });
    this.draw();
  }

  finish() {
    this.drag?.words.forEach((part) => this.link.letGo(`word.${part.word}.weight`));
    this.drag = null;
    this.draw();
  }
}

function colour(part) { return part.word ? HUES[(part.word - 1) % HUES.length] : INK; }
