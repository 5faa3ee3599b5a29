// The page for who sets the show up and looks after it.

import {$, button, make, toast} from '/static/dom.js';
import {Link} from '/static/link.js';
import {OUT_TESTCARD} from '/static/names.js';
import {sure} from '/static/shelf.js';
import {health} from '/static/show.js';
import {showStanding} from '/static/standing.js';
import {stayAwake} from '/static/wake.js';

const LOOK = 3000; // ms from one look into the log to the next
const link = new Link();

function card() {
  const press = button('Test card', () => link.set(OUT_TESTCARD, !link.shownValue(OUT_TESTCARD)), {class: 'wide', id: 'card', 'aria-pressed': 'false'});
  link.on('values', () => press.setAttribute('aria-pressed', String(!!link.shownValue(OUT_TESTCARD))));
  return make('section.section', {}, make('h2', {}, 'Wall'), make('p.hint', {}, 'Edges, circles and greys for setting up the wall, and the code that lets a phone in.'), press);
}

function renderer() {
  const restart = async () => {
    const answer = await fetch('/renderer/restart', {method: 'POST'}).catch(() => null);
    toast(answer?.ok ? 'The renderer is started again' : 'the show is not there', !answer?.ok);
  };
  return make('section.section', {}, make('h2', {}, 'Renderer'),
    make('p.hint', {}, 'The wall keeps its picture meanwhile, and the next renderer goes on where this one was.'),
    sure('Restart the renderer', 'Press again to restart', restart, {class: 'wide', id: 'restart'}));
}

function look() {
  const choice = (name, value, words) => {
    const root = document.documentElement;
    const press = button(words, () => {
      const on = root.dataset[name] !== value;
      if (on) root.dataset[name] = value;
      else delete root.dataset[name];
      if (on) localStorage.setItem(name, value);
      else localStorage.removeItem(name);
      press.setAttribute('aria-pressed', String(on));
    }, {class: 'wide', id: name, 'aria-pressed': String(root.dataset[name] === value)});
    return press;
  };
  return make('section.section', {}, make('h2', {}, 'This screen'), make('p.hint', {}, 'Kept on this device, for this page and the deck.'),
    make('div.choices', {}, choice('type', 'large', 'Larger type'), choice('paper', 'light', 'Light paper')));
}

function log() {
  const list = make('ol.lines', {tabindex: 0, 'aria-label': 'the newest lines of the log'});
  let last = '';
  const read = async () => {
    const answer = document.hidden ? null : await fetch('/log', {cache: 'no-store'}).catch(() => null);
    if (!answer?.ok) return;
    const {lines} = await answer.json(), now = JSON.stringify(lines);
    if (now === last) return;
    last = now;
    list.replaceChildren(...lines.reverse().map(({time, level, text}) => make(`li.${level}`, {},
      make('time', {datetime: time}, new Date(time).toLocaleTimeString('en-GB')), make('span', {}, level), make('b', {}, text))));
    if (!lines.length) list.append(make('li', {}, 'Nothing yet.'));
  };
  read();
  setInterval(read, LOOK);
  return make('section.section', {id: 'log'}, make('h2', {}, 'Log'), list);
}

showStanding(link);
document.querySelector('main').append(make('div', {}, card(), renderer(), look()), health(link), log());
stayAwake();
link.open();
window.deck = {link};
