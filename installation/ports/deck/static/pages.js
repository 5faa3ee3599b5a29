// The pages beside the map: every parameter has its place, and the figures theirs.

import {button, make} from '/static/dom.js';
import {Engine} from '/static/diffusion.js';
import {Routing} from '/static/routing.js';
import {health, snapshots, takes, within} from '/static/show.js';

const OWN = ['panic', 'out.freeze', 'out.blackout', 'walk.jump', 'replay', 'snapshot.recall', 'snapshot.save', 'snapshot.next',
  'record.video', 'record.take', 'midi.learn', 'midi.forget', 'midi.status']; // they have places of their own
const LABELS = {'walk.position': 'steer for', 'walk.auto': 'autopilot', 'rift.value': 'Lipschitz value here', 'rift.step': 'pace of meaning',
  'seed.vertex.0': 'z₀', 'seed.vertex.1': 'z₁', 'seed.vertex.2': 'z₂', 'prompt.a': 'a: what the picture is',
  'prompt.b': 'b: what it is instead', 'prompt.mix': 'from a to b', 'prompt.negative': 'what it is not', 'prompt.fade': 'cross-fade of texts',
  'out.fade': 'fade to black takes', 'out.master': 'brightness', 'out.testcard': 'test card', 'out.black': 'black level', 'model.world': 'world'};

export function fill(link, controls) {
  const placed = new Set(OWN);
  const page = (name) => document.querySelector(`[data-page=${name}]`);
  const take = (test) => [...link.rows.keys()].filter((name) => !placed.has(name) && test(name)).map((name) => {
    placed.add(name);
    return controls.make(name, LABELS[name]);
  });
  const begins = (...roots) => (name) => roots.some((root) => name === root || name.startsWith(`${root}.`));
  const section = (title, parts, {open = true, folded = false, hint = ''} = {}) => {
    if (!parts.length) return '';
    const words = hint ? make('p.hint', {}, hint) : null;
    return folded ? make('details.section', {open}, make('summary', {}, title), words, ...parts) :
      make('section.section', {}, make('h2', {}, title), words, ...parts);
  };

  page('walk').append(
    section('Walk', take(begins('walk'))),
    section('Rift', take(begins('rift'))),
    section('View', take(begins('view'))),
  );

  const routing = new Routing(link, controls, placed);
  page('words').append(section('Prompt', [make('div.prompts', {}, ...take(begins('prompt')))]), routing.section);

  const engine = new Engine(link);
  page('engine').append(engine.section,
    section('Model', take(begins('model'))),
    section('Vertices', take(begins('seed')), {hint: 'The seeds of the three latents that span the plane.'}));

  page('motion').append(...motion(link, controls, take, begins, section));

  within(snapshots(link), page('show'));
  page('show').append(takes(link, controls),
    section('Wall', take(begins('out'))), health(link));

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
    control.querySelector('label').textContent = control.dataset.name.replace('slew.', '');
    return control;
  });
  const slewed = section('Slew', slews, {folded: true, open: false, hint: 'How long each takes to follow.'});
  return [
    section('Tempo', take(begins('tempo'))), ...folds,
    section('Sound', take(begins('audio')), {folded: true, open: false}), slewed, midi(link, controls),
  ];
}

function midi(link, controls) {
  if (!link.rows.has('midi.learn')) return '';
  const learning = button('Learn', () => {
    const on = document.body.toggleAttribute('data-learn');
    learning.setAttribute('aria-pressed', String(on));
    if (!on) link.press('midi.learn');
  }, {class: 'wide', 'aria-pressed': 'false', 'data-name': 'midi.learn'});
  const status = make('p.told', {'data-name': 'midi.status'});
  controls.watch('midi.status', () => { status.textContent = link.shownValue('midi.status') || 'Nothing is waited for.'; });
  return make('section.section', {}, make('h2', {}, 'MIDI'), make('p.hint', {},
    'While this is on, each control has “learn”: press it, then move a fader or press a button of the controller.'), learning, status,
  make('span', {'data-name': 'midi.forget', hidden: true}));
}
