// What the deck is made of, and the keys.

import {Controls} from '/static/controls.js';
import {$, toast} from '/static/dom.js';
import {Link} from '/static/link.js';
import {Maps} from '/static/map.js';
import {OUT_BLACKOUT, OUT_FREEZE, PANIC} from '/static/names.js';
import {fill} from '/static/pages.js';
import {Preview} from '/static/preview.js';
import {brief, fixed, normal, real} from '/static/scale.js';
import {showStanding} from '/static/standing.js';
import {Track} from '/static/track.js';
import {Traces} from '/static/traces.js';
import {stayAwake} from '/static/wake.js';

const link = new Link(), track = new Track(link), controls = new Controls(link);
const map = new Maps(link, track);
new Preview(link);
new Traces(link, track);

// ---- always in reach

function hands() {
  for (const [id, name] of [['freeze', OUT_FREEZE], ['blackout', OUT_BLACKOUT]]) {
    $(id).dataset.name = name;
    $(id).addEventListener('click', () => link.set(name, !link.shownValue(name)));
    link.on('values', () => $(id).setAttribute('aria-pressed', String(!!link.shownValue(name))));
  }
  $('panic').dataset.name = PANIC;
  $('panic').addEventListener('click', () => {
    link.press(PANIC);
    toast('Panic: fading to the safe preset');
  });
}

// ---- what is known at a glance

showStanding(link);
link.on('status', () => {
  const {rate, presented, latency, frame, scene} = link.status;
  $('rate').textContent = fixed(rate, 1);
  $('presented').textContent = fixed(presented, 1);
  $('latency').textContent = latency?.[0] === null || !latency ? '–' : `${Math.round(latency[0] * 1000)} ms`;
  $('frame').textContent = frame < 0 ? '–' : frame.toLocaleString('en').replaceAll(',', ' ');
  $('caption').textContent = scene?.prompt?.positive ?? '';
});
setInterval(() => {
  const {head} = track;
  $('alpha').textContent = head ? fixed(head.alpha, Math.abs(head.alpha) > 100 ? 0 : 3) : '–';
  $('beta').textContent = head ? fixed(head.beta, Math.abs(head.beta) > 100 ? 0 : 3) : '–';
}, 150);

// ---- tabs and keys

const tabs = [...document.querySelectorAll('.tabs button')];

function turn(to) {
  document.body.dataset.tab = to;
  for (const tab of tabs) {
    const on = tab.dataset.for === to;
    tab.setAttribute('aria-selected', String(on));
    tab.tabIndex = on ? 0 : -1;
  }
  for (const page of document.querySelectorAll('.page')) page.hidden = page.dataset.page !== to;
  document.querySelector('.work').scrollTop = document.querySelector('.panel').scrollTop = 0;
  link.tell('tab', to);
}

tabs.forEach((tab, k) => {
  tab.addEventListener('click', () => turn(tab.dataset.for));
  tab.addEventListener('keydown', (event) => {
    const way = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (!way) return;
    const next = tabs[(k + way + tabs.length) % tabs.length];
    turn(next.dataset.for);
    next.focus();
  });
});

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input:not([type=range]), textarea, select')) return;
  if (event.key === 'f') $('freeze').click();
  else if (event.key === 'b') $('blackout').click();
  else if (event.key === 'P') $('panic').click();
  else if (event.key === 'a') $('auto').click();
  else if (event.key === 'g') map.swap();
  else if ('12345'.includes(event.key)) turn(tabs[Number(event.key) - 1].dataset.for);
});

// ---- begin

let table = '';
link.on('hello', () => {
  const now = JSON.stringify([link.version, ...link.rows.values()]);
  if (table && table !== now) location.reload(); // another show: its table is another one
  else if (!table) {
    table = now;
    fill(link, controls, map);
  }
  document.documentElement.dataset.ready = 'true';
});
hands();
stayAwake();
turn('walk');
link.open();

window.deck = {link, track, map, normal, real, brief}; // for scripts that drive the page
