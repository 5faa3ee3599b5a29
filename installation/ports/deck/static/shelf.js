// What can be done with a file that has a name: called otherwise, taken home, deleted.

import {NAME} from '/static/constants.js';
import {button, make, toast} from '/static/dom.js';

const SURE = 4000; // ms in which a second press means it

async function ask(method, address, said) {
  try {
    const answer = await fetch(address, {method, body: said && JSON.stringify(said)});
    if (answer.ok) return true;
    toast((await answer.json()).fault, true);
  } catch {
    toast('the show is not there', true);
  }
  return false;
}

// A button that wants to be pressed twice.
export function sure(words, question, press, attributes = {}) {
  let waiting = 0;
  const rest = () => { waiting = 0; made.textContent = words; made.removeAttribute('data-sure'); };
  const made = button(words, () => {
    if (waiting) {
      clearTimeout(waiting);
      rest();
      press();
      return;
    }
    made.textContent = question;
    made.setAttribute('data-sure', '');
    waiting = setTimeout(rest, SURE);
  }, {class: 'small', ...attributes});
  return made;
}

// kind: snapshots or takes.
export function actions(kind, name) {
  const address = `/${kind}/${encodeURIComponent(name)}`;
  const field = make('input', {value: name, maxlength: 64, autocomplete: 'off', 'aria-label': `new name of ${name}`, enterkeyhint: 'done'});
  const rename = async () => {
    const to = field.value.trim();
    if (!NAME.test(to)) return toast('A name has letters, digits, blanks, _ and -', true);
    if (to !== name && await ask('POST', address, {name: to})) toast(`${name} is ${to} now`);
    field.blur();
  };
  field.addEventListener('keydown', (event) => { if (event.key === 'Enter') rename(); });
  const remove = async () => { if (await ask('DELETE', address)) toast(`Deleted ${name}`); };
  return make('div.actions', {}, make('div.text', {}, field), button('Rename', rename, {class: 'small', 'aria-label': `rename ${name}`}),
    make('a.small', {href: address, download: '', 'aria-label': `download ${name}`}, 'Download'),
    sure('Delete', 'Really delete?', remove, {'data-delete': name}));
}

// A row with its name, what is done with it most, and the rest behind three dots.
export function kept(kind, name, ...first) {
  const more = button('⋯', () => {
    const open = box.querySelector('.actions');
    if (open) open.remove();
    else box.append(actions(kind, name));
    more.setAttribute('aria-expanded', String(!open));
  }, {class: 'small more', 'aria-expanded': 'false', 'aria-label': `more to do with ${name}`});
  const box = make('div.kept', {}, make('div.row', {}, make('span', {}, name), make('div.line', {}, ...first, more)));
  return box;
}

// Draws a list anew, unless a hand is in it.
export const free = (list) => !list.querySelector('.actions');
