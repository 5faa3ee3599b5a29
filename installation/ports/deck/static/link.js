// The line to the show: a WebSocket that comes back by itself, and the newest of everything it told.

import {COMMANDS, LETTERS} from '/static/constants.js';

const QUIET = 6000; // ms without a word from the show after which the line counts as dead
const FLUSH = 33; // ms between two messages about one fader

export class Link {
  constructor() {
    this.rows = new Map();
    this.values = {};
    this.bases = {};
    this.moving = {};
    this.status = {};
    this.lists = {snapshots: [], snapshot: null, takes: []};
    this.track = [];
    this.atlas = false;
    this.you = '';
    this.connected = false;
    this.listeners = new Map();
    this.held = new Set();
    this.waiting = new Map(); // by name: what is to be sent
    this.asked = new Map();
    this.number = 0;
    this.patience = 400;
    this.heard = performance.now();
    setInterval(() => this.watch(), 1000);
    window.addEventListener('online', () => this.hurry());
    document.addEventListener('visibilitychange', () => this.shown());
  }

  on(kind, listener) {
    if (!this.listeners.has(kind)) this.listeners.set(kind, []);
    this.listeners.get(kind).push(listener);
  }

  tell(kind, ...content) { for (const listener of this.listeners.get(kind) ?? []) listener(...content); }

  // ---- coming and going

  open() {
    clearTimeout(this.again);
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const socket = this.socket = new WebSocket(`${scheme}://${location.host}/ws`);
    socket.addEventListener('message', (event) => { if (socket === this.socket) this.hear(JSON.parse(event.data)); });
    socket.addEventListener('close', (event) => { if (socket === this.socket) this.lost(event); });
  }

  lost(event) {
    const was = this.connected;
    this.connected = false;
    for (const question of this.asked.values()) question.reject(new Error('the line was lost: ask again'));
    this.asked.clear();
    this.tell('line', false, event?.reason || '');
    if (!was) this.knock();
    clearTimeout(this.again);
    this.again = setTimeout(() => this.open(), this.patience);
    this.patience = Math.min(this.patience * 1.7, 5000);
  }

  async knock() { // a door that is locked looks to a WebSocket like one that is not there
    try {
      const answer = await fetch('/static/icon.svg', {cache: 'no-store'});
      if (answer.status === 401) this.tell('locked');
    } catch { /* not there: it is tried again */ }
  }

  hurry() {
    if (this.connected) return;
    this.patience = 400;
    this.open();
  }

  watch() {
    if (this.connected && performance.now() - this.heard > QUIET) {
      const socket = this.socket;
      this.socket = null;
      socket.close();
      this.lost();
    }
  }

  shown() {
    const here = !document.hidden;
    if (here) this.hurry();
    this.say('subscribe', {ticks: here, status: true, moving: here});
  }

  // ---- hearing

  hear(message) {
    this.heard = performance.now();
    if (message.kind === 'hello') this.greet(message);
    else if (message.kind === 'news') this.news(message);
    else if (message.kind === 'answer') this.answer(message);
    else if (message.kind === 'refused') this.tell('refused', message.text);
  }

  greet(hello) {
    this.connected = true;
    this.patience = 400;
    for (const part of LETTERS.hello) if (part !== 'table') this[part] = hello[part];
    this.moving = {};
    this.rows = new Map(hello.table.map((row) => [row.name, row]));
    this.tell('line', true, '');
    this.tell('hello');
    this.tell('values', null);
    for (const kind of ['status', 'lists', 'moving', 'atlas']) this.tell(kind);
    if (document.hidden) this.shown();
  }

  news(news) {
    if (news.bases) this.bases = news.bases;
    if (news.changes || news.bases) {
      const names = new Set();
      for (const [name, value] of news.changes ?? []) {
        if (this.held.has(name)) continue; // a hand is on it: nobody moves it from under the finger
        this.values[name] = value;
        names.add(name);
      }
      this.tell('values', news.bases ? null : names);
    }
    for (const kind of ['status', 'lists', 'moving', 'atlas']) {
      if (news[kind] === undefined) continue;
      this[kind] = news[kind];
      this.tell(kind);
    }
    if (news.track) this.tell('track', news.track);
  }

  answer({id, answer, fault}) {
    const question = this.asked.get(id);
    this.asked.delete(id);
    if (!question) return;
    if (fault !== undefined) question.reject(new Error(fault));
    else question.resolve(answer);
  }

  // ---- what is set: null is the preset's

  shownValue(name) { return this.values[name] ?? this.bases[name] ?? null; }

  byHand(name) {
    const row = this.rows.get(name), value = this.values[name] ?? null;
    return row?.access === 'rw' && JSON.stringify(value) !== JSON.stringify(row.default ?? null);
  }

  // ---- saying

  say(kind, parts) { // a field that is undefined is left out
    if (!this.connected || this.socket.readyState !== WebSocket.OPEN) return;
    this.socket.send(JSON.stringify({do: kind, ...Object.fromEntries(COMMANDS[kind].map((field) => [field, parts[field]]))}));
  }

  set(name, value) { this.queue(name, value, ['set', {name, value}]); }

  fade(name, x, value) { this.queue(name, value, ['fade', {name, x}]); }

  queue(name, value, command) { // the newest value wins; a hand is quicker than the line
    this.values[name] = value;
    this.tell('values', new Set([name]));
    const idle = !this.waiting.size;
    this.waiting.set(name, command);
    if (idle && !this.flushing) {
      this.flush();
      this.flushing = setTimeout(() => this.tick(), FLUSH);
    }
  }

  tick() {
    this.flushing = this.waiting.size ? setTimeout(() => this.tick(), FLUSH) : 0;
    this.flush();
  }

  flush() {
    for (const command of this.waiting.values()) this.say(...command);
    this.waiting.clear();
  }

  release(name) {
    this.waiting.delete(name);
    this.say('release', {name});
  }

  press(name, value = null) {
    this.flush(); // what was set before the press is there before it
    this.say('press', {name, value});
  }

  hold(name) { this.held.add(name); }

  letGo(name) { this.held.delete(name); }

  ask(what, details = {}) {
    const id = ++this.number;
    return new Promise((resolve, reject) => {
      if (!this.connected) {
        reject(new Error('the show is not there'));
        return;
      }
      this.asked.set(id, {resolve, reject});
      this.say('ask', {id, what, ...details});
    });
  }
}
