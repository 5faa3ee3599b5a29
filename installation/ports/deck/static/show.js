// Snapshots, takes and health.

import {NAME} from '/static/constants.js';
import {filled} from '/static/controls.js';
import {button, make, toast} from '/static/dom.js';
import {RECORD_TAKE, RECORD_VIDEO, REPLAY, SNAPSHOT_NEXT, SNAPSHOT_RECALL, SNAPSHOT_SAVE} from '/static/names.js';
import {brief, fixed} from '/static/scale.js';
import {free, kept} from '/static/shelf.js';

const same = (list, names) => JSON.stringify([...list.querySelectorAll('.row > span')].map((row) => row.textContent)) === JSON.stringify(names);

export function snapshots(link) {
  let fade = Number(localStorage.getItem('fade') ?? 4);
  const told = make('output.value', {}, ''), range = make('input', {type: 'range', id: 'crossfade', min: 0, max: 1, step: 0.01, 'aria-label': 'cross-fade in seconds'});
  const show = () => {
    range.value = Math.sqrt(fade / 60);
    filled(range, range.valueAsNumber);
    told.textContent = fade < 0.05 ? 'at once' : `${brief(fade, 2)} s`;
  };
  range.addEventListener('input', () => {
    fade = Number((60 * range.valueAsNumber ** 2).toFixed(1)); // fine where fades are short
    localStorage.setItem('fade', fade);
    show();
  });
  show();
  const list = make('div.chips', {'data-name': SNAPSHOT_RECALL});
  const field = make('input', {placeholder: 'name', maxlength: 64, autocomplete: 'off', 'aria-label': 'name of the snapshot', enterkeyhint: 'done'});
  const save = () => {
    const name = field.value.trim();
    if (!NAME.test(name)) return toast('A name has letters, digits, blanks, _ and -', true);
    link.press(SNAPSHOT_SAVE, name);
    toast(`Saved ${name}`);
    field.value = '';
    field.blur();
  };
  field.addEventListener('keydown', (event) => { if (event.key === 'Enter') save(); });
  const edit = button('Edit', () => {
    edit.setAttribute('aria-pressed', String(edit.getAttribute('aria-pressed') !== 'true'));
    shelf.replaceChildren();
    draw();
  }, {class: 'small edit', 'aria-pressed': 'false', title: 'rename, download and delete snapshots'});
  const shelf = make('div');
  const draw = () => {
    const {snapshots: names, snapshot: last} = link.lists;
    edit.hidden = !names.length;
    if (free(shelf) || !same(shelf, names)) shelf.replaceChildren(...(edit.getAttribute('aria-pressed') === 'true' ? names : []).map((name) => kept('snapshots', name)));
    list.replaceChildren(...names.map((name) => make('span', {role: 'listitem'}, button(name, () => {
      link.press(SNAPSHOT_RECALL, [name, fade]);
      toast(fade ? `To ${name} in ${brief(fade, 2)} s` : `To ${name}`);
    }, {class: 'chip', 'aria-current': name === last ? 'true' : null}))));
    list.removeAttribute('role'); // a list without items is none
    if (names.length) list.setAttribute('role', 'list');
    else list.append(make('p.hint', {}, 'None yet. Save how the desk stands now, and come back to it later.'));
  };
  link.on('lists', draw);
  draw();
  return make('section.section', {id: 'snapshots'}, make('h2', {}, 'Snapshots'), list, shelf,
    make('div.control.fader', {}, make('div.head', {}, make('label', {for: 'crossfade'}, 'cross-fade'), told), make('div.way', {}, range)),
    make('div.line', {}, field, button('Save', save, {class: 'small', id: 'save', 'data-name': SNAPSHOT_SAVE}),
      button('Next', () => link.press(SNAPSHOT_NEXT, fade), {class: 'small', 'data-name': SNAPSHOT_NEXT, title: 'the one after the last'}), edit));
}

// Beside the picture where there is room, so that they are always in reach.
export function within(section, page) {
  const wide = matchMedia('(min-width: 1181px) and (min-height: 640px)');
  const move = () => (wide.matches ? document.querySelector('.now').append(section) : page.prepend(section));
  wide.addEventListener('change', move);
  move();
}

export function takes(link, controls) {
  const record = (name, words) => {
    const press = button(words, () => link.set(name, !link.shownValue(name)), {class: 'record', 'data-name': name});
    controls.watch(name, () => press.setAttribute('aria-pressed', String(!!link.shownValue(name))));
    return press;
  };
  const list = make('div.rows');
  const draw = () => {
    const names = link.lists.takes.slice(0, 50);
    if (!free(list) && same(list, names)) return;
    list.replaceChildren(...names.map((name) => kept('takes', name,
      button('Replay', () => { link.press(REPLAY, name); toast(`Replaying ${name}`); }, {class: 'small', 'aria-label': `replay ${name}`}))));
    if (!link.lists.takes.length) list.append(make('p.hint', {}, 'No take yet. A take is the performance itself: it can be replayed, and rendered again at full quality.'));
  };
  link.on('lists', draw);
  draw();
  return make('section.section', {id: 'takes'}, make('h2', {}, 'Takes'), make('div.line', {}, record(RECORD_TAKE, 'Record a take'),
    record(RECORD_VIDEO, 'Record video')), list,
  button('Stop the replay', () => link.press(REPLAY), {class: 'small', 'data-name': REPLAY}));
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;

// Where the preset's score is; nothing where it has none.
export function score(link, parts) {
  const list = make('dl.health');
  const row = (name, words) => make('div', {}, make('dt', {}, name), make('dd', {}, words));
  const section = make('section.section', {id: 'score', hidden: true}, make('h2', {}, 'Score'), list, ...parts);
  const draw = () => {
    const s = link.status.score;
    section.hidden = !s;
    if (!s) return;
    const next = s.next && `${s.next}${s.ahead === null ? '' : ` in ${s.ahead < 60 ? `${Math.ceil(s.ahead)} s` : clock(s.ahead)}`}`;
    list.replaceChildren(
      row('at', s.playing ? clock(s.time) : `${clock(s.time)}, waits`), row('cue', s.cue || 'none yet'), row('next', next || 'none'),
      ...(s.waiting.length ? [row('comes with the walk', s.waiting.slice(0, 4).join(', '))] : []),
      ...(s.touched.length ? [row('in your hands', s.touched.join(', '))] : []),
    );
  };
  link.on('status', draw);
  draw();
  return section;
}

const megabytes = (bytes) => `${Math.round(bytes / 1e6).toLocaleString('en').replaceAll(',', ' ')} MB`;

function lasted(seconds) {
  const parts = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']], at = parts.findIndex(([size]) => seconds >= size);
  if (at < 0) return '0 s';
  const [[size, unit], next] = [parts[at], parts[at + 1]], rest = next ? Math.floor(seconds % size / next[0]) : 0;
  return `${Math.floor(seconds / size)} ${unit}${rest ? ` ${rest} ${next[1]}` : ''}`;
}

export function health(link) {
  const list = make('dl.health'), faults = make('ul.faults');
  const row = (name, words, kind = '') => make(`div${kind}`, {}, make('dt', {}, name), make('dd', {}, words));
  const draw = () => {
    const s = link.status, p = s.latency ?? [];
    if (!s.renderer) return;
    const milliseconds = (value) => (Number.isFinite(value) ? `${Math.round(value * 1000)} ms` : '–');
    list.replaceChildren(
      row('renderer', s.renderer, s.renderer === 'running' ? '' : '.ill'),
      ...(s.spare ? [row('spare renderer', s.spare, s.spare === 'off' ? '.ill' : '')] : []),
      row('up', lasted(s.uptime)), row('restarts', String(s.restarts), s.restarts ? '.ill' : ''),
      row('new picture on the wall', s.fresh === null ? 'none yet' : `${fixed(s.fresh, 1)} s ago`, s.fresh === null || s.fresh > 30 ? '.ill' : ''),
      row('pictures made', `${fixed(s.rate, 1)} a second`), row('presented', `${fixed(s.presented, 1)} a second, ${s.missed} late`),
      row('control to picture', `${milliseconds(p[0])} median, ${milliseconds(p[1])} p99`),
      row('temperature', Number.isFinite(s.temperature) ? `${Math.round(s.temperature)} °C` : 'no sensor'),
      ...Object.entries(s.memory ?? {}).map(([name, bytes]) => row(`memory: ${name}`, megabytes(bytes))),
      row('deck', `${link.you}, version ${link.version ?? ''}`),
    );
    faults.replaceChildren(...[...s.faults].reverse().map((fault) => make('li', {}, fault)));
  };
  link.on('status', draw);
  draw();
  return make('section.section', {id: 'health'}, make('h2', {}, 'Health'), list, faults);
}
