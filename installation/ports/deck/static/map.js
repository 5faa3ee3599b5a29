// The map: chart and globe, one large and one small, and what hands do on them.

import {LAYERS, fetchAtlas, has, layer} from '/static/atlas.js';
import {Chart} from '/static/chart.js';
import {$, seen, toast} from '/static/dom.js';
import {gestures} from '/static/gestures.js';
import {Globe} from '/static/globe.js';
import {WALK_AUTO, WALK_JUMP, WALK_POSITION, WALK_STEERING} from '/static/names.js';
import {BRIGHT, brief} from '/static/scale.js';

const FRAME = 40, SMALL = 200; // ms between two drawings, and two of the small map

export class Maps {
  constructor(link, track) {
    this.link = link;
    this.track = track;
    this.chart = new Chart($('chart'), track);
    this.globe = new Globe($('globe'), track);
    this.following = true;
    this.layer = null;
    this.stale = true;
    this.before = performance.now();
    this.hands();
    this.buttons();
    link.on('values', () => this.aim());
    link.on('atlas', () => this.fetch());
    new ResizeObserver(() => { this.stale = true; }).observe($('map'));
    requestAnimationFrame((now) => this.loop(now));
  }

  get onAutopilot() { return this.link.shownValue(WALK_STEERING) === 'autopilot'; }

  get large() { return $('map').dataset.large; }

  // ---- steering

  steer(place, jump = false) {
    if (!place) return;
    const low = this.link.rows.get(WALK_POSITION)?.low ?? -100, high = -low;
    this.link.set(WALK_POSITION, place.map((part) => Number(Math.min(Math.max(part, low), high).toFixed(5))));
    if (!jump) return;
    this.link.press(WALK_JUMP);
    toast(`Jumped to α ${brief(place[0])}, β ${brief(place[1])}`);
  }

  onGlobe(x, y) {
    const unit = this.globe.direction(x, y), place = unit && this.track.chartOf(unit);
    if (!place) return null;
    if (!place.front) {
      toast('The far side has no α and β: turn the globe', true);
      return null;
    }
    return [place.alpha, place.beta];
  }

  hands() {
    const {chart, globe} = this;
    const ours = (name, act) => (...content) => {
      if (this.large !== name) return;
      act(...content);
      this.stale = true;
    };
    const swapOr = (name, act) => (...content) => {
      if (this.large !== name) this.swap();
      else act(...content);
      this.stale = true;
    };
    gestures($('chart'), {
      drag: ours('chart', (x, y) => {
        this.link.hold(WALK_POSITION);
        this.steer(chart.toPlane(x, y));
      }),
      end: () => this.link.letGo(WALK_POSITION),
      tap: swapOr('chart', (x, y) => this.steer(chart.toPlane(x, y))),
      double: ours('chart', (x, y) => this.steer(chart.toPlane(x, y), true)),
      long: ours('chart', (x, y) => this.steer(chart.toPlane(x, y), true)),
      pinch: ours('chart', (...how) => {
        chart.pinch(...how);
        this.follow(false);
      }),
    });
    gestures($('globe'), {
      drag: ours('globe', (x, y, dx, dy) => {
        globe.turn(dx, dy);
        this.follow(false);
      }),
      tap: swapOr('globe', (x, y) => this.steer(this.onGlobe(x, y))),
      double: ours('globe', (x, y) => this.steer(this.onGlobe(x, y), true)),
      long: ours('globe', (x, y) => this.steer(this.onGlobe(x, y), true)),
    });
    $('chart').addEventListener('keydown', (event) => this.keys(event));
    $('globe').addEventListener('keydown', (event) => this.turnKeys(event));
  }

  keys(event) {
    const way = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}[event.key];
    const {chart, track} = this, [width, height] = chart.size;
    if (way) {
      const from = this.chart.target ?? (track.head ? [track.head.alpha, track.head.beta] : [0.5, 0.5]), step = chart.view.span / 40;
      this.steer([from[0] + way[0] * step, from[1] + way[1] * step]);
    } else if (event.key === 'Enter' && chart.target) this.steer(chart.target, true);
    else if (event.key === '+' || event.key === '=') chart.pinch(1.25, width / 2, height / 2, 0, 0);
    else if (event.key === '-') chart.pinch(0.8, width / 2, height / 2, 0, 0);
    else if (event.key === '0') chart.home();
    else return;
    event.preventDefault();
    this.stale = true;
  }

  turnKeys(event) {
    const way = {ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}[event.key];
    if (!way) return;
    event.preventDefault();
    this.globe.turn(way[0] * 24, way[1] * 24);
    this.follow(false);
    this.stale = true;
  }

  // ---- the bar

  buttons() {
    $('swap').addEventListener('click', () => this.swap());
    $('follow').addEventListener('click', () => this.follow(!this.following));
    $('auto').addEventListener('click', () => this.link.set(WALK_AUTO, !this.onAutopilot));
    $('atlas').addEventListener('click', () => this.nextLayer());
  }

  swap() {
    const large = this.large === 'chart' ? 'globe' : 'chart';
    $('map').dataset.large = large;
    $('swap').textContent = large === 'chart' ? 'Globe' : 'Chart';
    this.stale = true;
  }

  follow(on) {
    this.following = on;
    $('follow').setAttribute('aria-pressed', String(on));
    this.stale = true;
  }

  aim() {
    const place = this.link.values[WALK_POSITION];
    $('auto').setAttribute('aria-pressed', String(this.onAutopilot));
    this.chart.target = this.globe.target = Array.isArray(place) ? place : null;
    this.stale = true;
  }

  // ---- the atlas

  async fetch() {
    $('atlas').hidden = !this.link.atlas;
    this.atlas = this.link.atlas ? await fetchAtlas().catch(() => null) : null;
    this.show(this.atlas ? LAYERS.find((kind) => has(this.atlas, kind)) ?? null : null);
  }

  likeness(scores) { // of words, by place; null: nobody looks for any
    if (!this.atlas) return;
    const known = scores && scores.length === this.atlas.unit.length;
    if (known && this.layer !== 'words') this.earlier = this.layer;
    this.atlas.likeness = known ? scores : null;
    this.atlas.asked = (this.atlas.asked ?? 0) + 1; // what was shaded before is of other words
    this.show(known ? 'words' : this.layer === 'words' ? this.earlier ?? null : this.layer);
  }

  nextLayer() {
    if (!this.atlas) return;
    const kinds = [...LAYERS.filter((kind) => has(this.atlas, kind)), null];
    this.show(kinds[(kinds.indexOf(this.layer) + 1) % kinds.length]);
  }

  show(kind) {
    this.layer = kind;
    this.chart.atlas = this.globe.atlas = kind ? layer(this.atlas, kind) : null;
    $('atlas').setAttribute('aria-pressed', String(!!kind));
    $('atlas').textContent = kind ? `Atlas: ${kind}` : 'Atlas';
    this.stale = true;
  }

  // ---- drawing

  loop(now) {
    requestAnimationFrame((next) => this.loop(next));
    if (now - this.before < FRAME) return;
    const seconds = Math.min((now - this.before) / 1000, 0.2);
    this.before = now;
    const {track} = this, moved = track.glide(seconds), share = 1 - Math.exp(-seconds / 0.6);
    const travels = this.following && [this.chart.follow(share), this.globe.follow(share)].some(Boolean);
    if (!moved && !travels && !this.stale && this.drawn === track.changed) return;
    if (!seen($('map'))) return;
    const all = this.stale;
    this.stale = false;
    this.drawn = track.changed;
    const [large, small] = this.large === 'chart' ? [this.chart, this.globe] : [this.globe, this.chart];
    large.draw(false);
    if (all || now - (this.drawnSmall ?? -1e9) > SMALL) {
      this.drawnSmall = now;
      small.draw(true);
      this.legend();
    }
  }

  legend() {
    const {low, high} = this.track;
    $('scale').hidden = low === null;
    if (low === null) return;
    $('scale-low').textContent = brief(low, 2);
    $('scale-high').textContent = brief(high, 2);
    if (this.painted) return;
    this.painted = true;
    const bar = $('scale').querySelector('canvas'), brush = bar.getContext('2d');
    for (let x = 0; x < bar.width; x++) {
      brush.fillStyle = BRIGHT[Math.round(63 * x / (bar.width - 1))];
      brush.fillRect(x, 0, 1, bar.height);
    }
  }
}
