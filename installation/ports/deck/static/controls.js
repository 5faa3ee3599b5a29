// A control for each parameter, made from its row of the address table.

import {LONGEST} from '/static/constants.js';
import {button, make, toast} from '/static/dom.js';
import {MIDI_FORGET, MIDI_LEARN, WALK_JUMP} from '/static/names.js';
import {normal, read, real, written} from '/static/scale.js';

let ids = 0;

// What a control is called aloud: what stands beside it first, then which of those that are called alike.
function aloud(row, label) { return `${labelled(row, label)}: ${row.name}`; }

// Of a row without a label, what stands before the last dot is said by the section's title.
function labelled(row, label) { return label ?? (row.label || row.name.split('.').at(-1)); }

export class Controls {
  constructor(link) {
    this.link = link;
    this.updates = new Map(); // name -> functions that show its value
    this.ghosts = new Map();
    link.on('values', (names) => this.update(names));
    link.on('moving', () => { for (const ghost of this.ghosts.values()) ghost(); });
  }

  update(names) {
    for (const [name, functions] of this.updates) if (!names || names.has(name)) functions.forEach((show) => show());
  }

  watch(name, show) {
    if (!this.updates.has(name)) this.updates.set(name, []);
    this.updates.get(name).push(show);
    show();
  }

  make(name, label) {
    const row = this.link.rows.get(name);
    if (row.kind === 'trigger') return this.trigger(row, label);
    if (row.access === 'r') return row.kind === 'float' ? this.meter(row, label) : this.told(row, label);
    if (row.kind === 'bool') return this.toggle(row, label);
    if (row.kind === 'choice') return this.choice(row, label);
    if (row.kind === 'text') return this.text(row, label);
    if (row.kind === 'point') return this.point(row, label);
    return row.high - row.low > 1e6 ? this.seed(row, label) : this.fader(row, label);
  }

  frame(row, kind, label, id, ...parts) {
    const back = button('↺', () => this.link.release(row.name),
      {class: 'back', title: 'back to the preset', 'aria-label': `${row.name}: back to the preset`});
    const said = {title: this.explained(row)}, words = labelled(row, label);
    const head = make('div.head', {}, id ? make('label', {for: id, ...said}, words) : make('span.name', said, words),
      this.learner(row), back, ...parts.slice(0, -1));
    const box = make(`div.control.${kind}`, {'data-name': row.name}, head, parts.at(-1));
    this.watch(row.name, () => { back.hidden = !this.link.byHand(row.name); });
    return box;
  }

  explained(row) { // what it does, and what its key in a preset says of itself
    const meaning = this.link.meanings[row.name];
    return `${row.name}: ${row.about}${meaning ? `\n${meaning}` : ''}`;
  }

  learner(row) { // shown while MIDI learns
    if (!this.link.rows.has(MIDI_LEARN)) return null;
    const press = (name) => () => this.link.press(name, row.name);
    return make('span.learner', {}, button('learn', press(MIDI_LEARN), {'aria-label': `${row.name}: learn`}),
      button('forget', press(MIDI_FORGET), {'aria-label': `${row.name}: forget`}));
  }

  number(row, label, id) { // the value as people read and type it
    const field = make('input.value', {id, inputmode: 'decimal', autocomplete: 'off', 'aria-label': `${aloud(row, label)}, ${row.about}`});
    field.addEventListener('change', () => {
      const value = read(field.value);
      if (value !== null) this.link.set(row.name, Math.min(Math.max(value, row.low), row.high));
      this.update(new Set([row.name]));
    });
    field.addEventListener('keydown', (event) => { if (event.key === 'Enter') field.blur(); });
    field.addEventListener('focus', () => field.select());
    this.watch(row.name, () => {
      if (document.activeElement !== field) field.value = written(row, this.link.shownValue(row.name));
      field.placeholder = 'preset';
    });
    return field;
  }

  fader(row, label) {
    const id = `c${++ids}`, {link} = this;
    const range = make('input', {type: 'range', min: 0, max: 1, step: 0.001, id, 'aria-label': aloud(row, label)});
    const ghost = make('i.ghost', {hidden: true}), way = make('div.way', {}, range, ghost);
    const go = (x) => link.fade(row.name, x, real(row, x));
    range.addEventListener('input', () => go(range.valueAsNumber));
    range.addEventListener('pointerdown', () => link.hold(row.name));
    for (const end of ['pointerup', 'pointercancel', 'lostpointercapture', 'blur']) {
      range.addEventListener(end, () => link.letGo(row.name));
    }
    range.addEventListener('keydown', (event) => {
      const way = {ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10}[event.key];
      if (!way) return;
      event.preventDefault();
      const value = link.shownValue(row.name) ?? row.low, step = event.shiftKey ? 0.001 : 0.01;
      if (row.kind === 'int') link.set(row.name, Math.min(Math.max(value + way, row.low), row.high));
      else go(Math.min(Math.max(normal(row, value) + way * step, 0), 1));
    });
    const box = this.frame(row, 'fader', label, id, this.number(row, label, `c${++ids}`), make('span.unit', {}, row.unit), way);
    this.watch(row.name, () => {
      const rest = row.low < 0 ? normal(row, 0) : 0, value = link.shownValue(row.name), x = value === null ? rest : normal(row, value);
      if (!link.held.has(row.name) || Math.abs(range.valueAsNumber - x) > 0.002) range.value = x;
      filled(range, x, rest);
      box.classList.toggle('unknown', value === null);
      range.setAttribute('aria-valuetext', value === null ? 'the preset decides' : `${written(row, value)} ${row.unit}`);
    });
    this.ghosts.set(row.name, () => {
      const x = link.moving[row.name];
      ghost.hidden = x === undefined;
      if (x !== undefined) ghost.style.setProperty('--x', x);
    });
    return box;
  }

  seed(row, label) {
    const id = `c${++ids}`;
    const dice = button('draw', () => this.link.set(row.name, Math.floor(Math.random() * 100000)), {class: 'small', title: 'another seed'});
    const next = (step) => button(step > 0 ? '+' : '−', () => {
      const value = (this.link.shownValue(row.name) ?? 0) + step;
      this.link.set(row.name, Math.min(Math.max(value, row.low), row.high));
    }, {class: 'small', 'aria-label': `${row.name} ${step > 0 ? 'one more' : 'one less'}`});
    return this.frame(row, 'seed', label, id, make('div.line', {}, this.number(row, label, id), next(-1), next(1), dice));
  }

  toggle(row, label) {
    const {link} = this, id = `c${++ids}`;
    const knob = make('button.switch', {type: 'button', role: 'switch', id, 'aria-label': aloud(row, label), onclick: () =>
      link.set(row.name, !link.shownValue(row.name))}, make('i'));
    this.watch(row.name, () => knob.setAttribute('aria-checked', String(!!link.shownValue(row.name))));
    return this.frame(row, 'toggle', label, id, knob, '');
  }

  choice(row, label) {
    const {link} = this, id = `c${++ids}`, short = row.choices.length <= 4 && row.choices.join('').length < 34;
    let field;
    if (short) {
      field = make('div.segments', {role: 'radiogroup', 'aria-label': aloud(row, label)}, ...row.choices.map((choice) =>
        button(choice, () => link.set(row.name, choice), {role: 'radio', 'data-choice': choice})));
      this.watch(row.name, () => {
        for (const part of field.children) part.setAttribute('aria-checked', String(part.dataset.choice === link.shownValue(row.name)));
      });
    } else {
      field = make('select', {id, 'aria-label': aloud(row, label), onchange: () => link.set(row.name, field.value)},
        make('option', {value: '', disabled: true, hidden: true}, 'preset'), ...row.choices.map((choice) => make('option', {value: choice}, choice)));
      this.watch(row.name, () => { field.value = link.shownValue(row.name) ?? ''; });
    }
    return this.frame(row, 'choice', label, short ? '' : id, field);
  }

  text(row, label, {long = row.name.startsWith('prompt.'), hint = ''} = {}) {
    const {link} = this, id = `c${++ids}`;
    const field = make(long ? 'textarea' : 'input', {id, maxlength: LONGEST, rows: long ? 2 : null, autocomplete: 'off',
      spellcheck: 'false', placeholder: hint, 'aria-label': aloud(row, label), enterkeyhint: 'send'});
    const send = button('Send', () => submit(), {class: 'send'});
    const clean = () => field.value.replace(/\s+/g, ' ').trim();
    const shown = () => link.shownValue(row.name) ?? '';
    const mark = () => { box.classList.toggle('dirty', clean() !== shown()); };
    const submit = () => {
      field.value = clean();
      link.set(row.name, field.value);
      mark();
    };
    field.addEventListener('input', mark);
    field.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && !event.isComposing) {
        event.preventDefault();
        submit();
      } else if (event.key === 'Escape') {
        field.value = shown();
        mark();
      }
    });
    const box = this.frame(row, 'text', label, id, make('div.line', {}, field, send));
    let last = null;
    this.watch(row.name, () => { // what was typed and not yet sent stays
      if (!box.classList.contains('dirty') || last === null) field.value = shown();
      last = shown();
      mark();
    });
    return box;
  }

  point(row, label) {
    const {link} = this, fields = ['α', 'β'].map((name) => make('input.value', {inputmode: 'decimal', 'aria-label': `${row.name} ${name}`}));
    const place = () => fields.map((field) => read(field.value));
    const steer = (jump) => () => {
      const to = place();
      if (to.includes(null)) return toast('Write a number for α and one for β', true);
      link.set(row.name, to);
      if (jump) link.press(WALK_JUMP);
    };
    const line = make('div.line.point', {}, make('span', {}, 'α'), fields[0], make('span', {}, 'β'), fields[1],
      button('Steer', steer(false), {class: 'small'}), button('Jump', steer(true), {class: 'small', 'data-name': WALK_JUMP}));
    this.watch(row.name, () => {
      const value = link.shownValue(row.name);
      fields.forEach((field, k) => {
        if (document.activeElement !== field) field.value = value ? value[k].toFixed(3) : '';
        field.placeholder = 'preset';
      });
    });
    return this.frame(row, 'point', label, '', line);
  }

  trigger(row, label) {
    const press = button(labelled(row, label), () => this.link.press(row.name), {class: 'wide'});
    return make('div.control.trigger', {'data-name': row.name}, press, this.learner(row));
  }

  told(row, label) {
    const words = make('p.told');
    this.watch(row.name, () => { words.textContent = this.link.shownValue(row.name) || '–'; });
    return make('div.control.told', {'data-name': row.name}, make('div.head', {}, make('span.name', {title: row.about}, labelled(row, label))), words);
  }

  meter(row, label) {
    const bar = make('i'), figure = make('span.value');
    this.watch(row.name, () => {
      const value = this.link.shownValue(row.name) ?? 0;
      const full = row.high > 1 ? 1 - 1 / (1 + value) : normal(row, value); // what has no top fills slowly
      figure.textContent = written(row, value) || '0';
      bar.style.setProperty('--x', full);
    });
    return make('div.control.meter', {'data-name': row.name}, make('div.head', {},
      make('span.name', {title: row.about}, labelled(row, label)), figure, make('span.unit', {}, row.unit)), make('div.bar', {}, bar));
  }
}

// What of a fader is filled: from where it rests, at its end or at its middle.
export function filled(range, x, rest = 0) {
  range.style.setProperty('--from', Math.min(x, rest));
  range.style.setProperty('--to', Math.max(x, rest));
}
