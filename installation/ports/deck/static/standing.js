// How the show stands, in a word and a colour, on every page that has a line to it.

import {STATES} from '/static/constants.js';
import {$, toast} from '/static/dom.js';

const WORDS = {hung: 'the renderer hangs', safe: 'the safe preset', loop: 'the loop'}; // others are their own
const KINDS = {running: 'well', loading: 'waiting'}; // others are ill

function say(text, kind) {
  $('state').dataset.kind = kind;
  $('state').querySelector('span').textContent = text;
}

export function showStanding(link) {
  link.on('line', (open) => {
    document.documentElement.dataset.line = open ? 'open' : 'lost';
    if (!open) say('the show is not there', 'lost');
  });
  link.on('locked', () => say('locked: scan the code on the test card', 'lost'));
  link.on('refused', (text) => toast(text, true));
  link.on('status', () => {
    const {renderer} = link.status;
    say(STATES.includes(renderer) ? WORDS[renderer] ?? renderer : 'a show of another version', KINDS[renderer] ?? 'ill');
  });
}
