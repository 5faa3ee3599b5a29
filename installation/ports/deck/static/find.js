// Find: type what pictures should be like; the map glows where they are, a touch of it or “Go” leads there.

import {LONGEST} from '/static/constants.js';
import {button, make} from '/static/dom.js';
import {FOUND, GOTO, RIFT_MODE, RIFT_WORDS, WALK_AUTO} from '/static/names.js';
import {brief, fixed} from '/static/scale.js';

const SETTLE = 400; // ms of quiet before a question

export function toward(link, words) { // the walk goes to pictures like this
  link.set(RIFT_WORDS, words);
  link.set(RIFT_MODE, 'toward');
  link.set(WALK_AUTO, true);
}

export function find(link, map) {
  const field = make('input', {id: 'find', maxlength: LONGEST, autocomplete: 'off', spellcheck: 'false', enterkeyhint: 'go',
    placeholder: 'a cat with rings', 'aria-label': 'find: what pictures should be like'});
  const told = make('p.told', {role: 'status', 'data-name': FOUND});
  const clean = () => field.value.replace(/\s+/g, ' ').trim();
  let soon = 0, asked = '';
  const look = async () => {
    clearTimeout(soon);
    const words = clean();
    if (words === asked) return;
    asked = words;
    if (!words) {
      map.likeness(null);
      told.textContent = '';
      return;
    }
    try {
      const answer = await link.ask('find', {texts: [words]});
      if (words !== asked) return;
      map.likeness(answer.scores);
      const far = answer.best > answer.score + 0.005 ? `; the far side has ${fixed(answer.best, 3)}` : '';
      told.textContent = `best ${fixed(answer.score, 3)} at α ${brief(answer.alpha)}, β ${brief(answer.beta)}${far}`;
    } catch (error) {
      if (words === asked) told.textContent = error.message;
    }
  };
  const go = () => { if (clean()) link.press(GOTO, clean()); };
  field.addEventListener('input', () => {
    clearTimeout(soon);
    soon = setTimeout(look, SETTLE);
  });
  field.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.isComposing) return;
    event.preventDefault();
    look();
    go();
  });
  const line = make('div.line', {}, field, button('Go', go, {class: 'send', 'data-name': GOTO, title: 'steer for the best place'}),
    button('Toward', () => { if (clean()) toward(link, clean()); }, {class: 'send', title: 'the autopilot goes toward such pictures'}));
  const section = make('section.section', {id: 'finding'}, make('h2', {}, 'Find'), make('div.control.text.find', {}, line), told);
  link.on('atlas', () => {
    asked = '';
    if (clean() && link.atlas) look();
  });
  return section;
}
