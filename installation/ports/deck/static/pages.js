// The pages beside the map: every parameter has its place, and the figures theirs.

import {button, make} from '/static/dom.js';
import {Engine} from '/static/diffusion.js';
import {find} from '/static/find.js';
import {illustrate} from '/static/gallery.js';
import {MIDI_FORGET, MIDI_LEARN, MIDI_STATUS} from '/static/names.js';
import {Routing} from '/static/routing.js';
import {health, score, snapshots, takes, within} from '/static/show.js';
import {ownPictures} from '/static/vertices.js';

export function fill(link, controls, map) {
  const page = (name) => document.querySelector(`[data-page=${name}]`);
  // what has a place of its own by now, in this document or in a part that is still to be put there, is left out
  const parts = [snapshots(link), takes(link, controls), midi(link, controls), find(link, map)];
  const own = (name) => [document, ...parts].some((part) => part.querySelector(`[data-name="${name}"]`));
  const placed = new Set([...link.rows.keys()].filter(own));
  const take = (test) => {
    const made = [];
    for (const name of link.rows.keys()) {
      if (placed.has(name) || !test(name)) continue;
      const control = controls.make(name);
      for (const part of [control, ...control.querySelectorAll('[data-name]')]) placed.add(part.dataset.name);
      made.push(control);
    }
    return made;
  };
  const begins = (...roots) => (name) => roots.some((root) => name === root || name.startsWith(`${root}.`));
  const section = (title, parts, {open = true, folded = false, hint = ''} = {}) => {
    if (!parts.length) return '';
    const words = hint ? make('p.hint', {}, hint) : null;
    return folded ? make('details.section', {open}, make('summary', {}, title), words, ...parts) :
      make('section.section', {}, make('h2', {}, title), words, ...parts);
  };

  const [shots, recorded, controllers, finding] = parts;
  page('walk').append(
    finding,
    section('Walk', take(begins('walk'))),
    section('Rift', take(begins('rift'))),
    section('View', take(begins('view'))),
  );
  illustrate(page('walk'), link, controls);

  const routing = new Routing(link, controls, placed);
  page('words').append(section('Prompt', [make('div.prompts', {}, ...take(begins('prompt')))]), routing.section);

  const engine = new Engine(link);
  page('engine').append(engine.section,
    section('Model', take(begins('model'))),
    section('Vertices', [...take(begins('seed')), ownPictures()], {hint: 'The seeds of the three latents that span the plane.'}));

  page('motion').append(...motion(link, controls, take, begins, section), controllers);

  within(shots, page('show'));
  page('show').append(score(link, take(begins('score'))), recorded,
    section('Wall', take(begins('out'))), health(link),
    make('p.line', {}, make('a.small', {href: '/technician', id: 'technician'}, 'Technician’s page')));

  const rest = take(() => true); // whatever else the table has
  if (rest.length) page('show').append(section('More', rest));
}

function motion(link, controls, take, begins, section) {
  const lfos = [...new Set([...link.rows.keys()].filter((name) => name.startsWith('lfo.')).map((name) => name.split('.')[1]))];
  const folds = lfos.map((number) => {
    const fold = section(`LFO ${number}`, take(begins(`lfo.${number}`)), {folded: true, open: number === '1'});
    const told = make('small');
    fold.querySelector('summary').append(told);
    const show = () => {
      const [target, depth] = ['target', 'depth'].map((part) => link.shownValue(`lfo.${number}.${part}`));
      told.textContent = target && target !== 'none' && depth > 0 ? target : 'at rest';
      fold.classList.toggle('live', told.textContent !== 'at rest');
    };
    ['target', 'depth'].forEach((part) => controls.watch(`lfo.${number}.${part}`, show));
    return fold;
  });
  const slews = take(begins('slew')).map((control) => {
    control.querySelector('.head label').textContent = control.dataset.name.replace('slew.', '');
    return control;
  });
  const slewed = section('Slew', slews, {folded: true, open: false, hint: 'How long each takes to follow.'});
  return [
    section('Tempo', take(begins('tempo'))), ...folds,
    section('Sound', take(begins('audio')), {folded: true, open: false}), slewed,
  ];
}

function midi(link, controls) {
  const learning = button('Learn', () => {
    const on = document.body.toggleAttribute('data-learn');
    learning.setAttribute('aria-pressed', String(on));
    if (!on) link.press(MIDI_LEARN);
  }, {class: 'wide', 'aria-pressed': 'false', 'data-name': MIDI_LEARN});
  const status = make('p.told', {'data-name': MIDI_STATUS});
  controls.watch(MIDI_STATUS, () => { status.textContent = link.shownValue(MIDI_STATUS) || 'Nothing is waited for.'; });
  return make('section.section', {}, make('h2', {}, 'MIDI'), make('p.hint', {},
    'While this is on, each control has “learn”: press it, then move a fader or press a button of the controller.'), learning, status,
  make('span', {'data-name': MIDI_FORGET, hidden: true}));
}
