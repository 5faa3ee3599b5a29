// What choices look like: the strip of what is chosen, and all of them to choose from; fetched when they are seen.

import {button, make} from '/static/dom.js';
import {RIFT_MODE, WALK_KIND} from '/static/names.js';

const GROUPS = new Map([[WALK_KIND, 'walk'], [RIFT_MODE, 'pilot']]);

function strip(group, choice) { // of a kind that another package adds there may be none
  return make('img', {src: `/gallery/${group}-${choice}.webp`, alt: '', loading: 'lazy', onerror: ({target}) => { target.hidden = true; }});
}

// Below each choice that has pictures.
export function illustrate(page, link, controls) {
  for (const [name, group] of GROUPS) page.querySelector(`[data-name="${name}"]`)?.after(album(link, controls, name, group));
}

function album(link, controls, name, group) {
  const shown = make('div.strip-shown'), list = make('div.album'), all = make('details.all', {}, make('summary', {}, 'What they look like'), list);
  controls.watch(name, () => {
    const choice = link.shownValue(name);
    if (shown.dataset.choice === choice) return;
    shown.dataset.choice = choice ?? '';
    shown.replaceChildren(choice ? strip(group, choice) : '');
  });
  all.addEventListener('toggle', () => {
    if (!all.open || list.children.length) return;
    list.append(...link.rows.get(name).choices.map((choice) =>
      button('', () => link.set(name, choice), {'aria-label': `${name}: ${choice}`}).appendChild(strip(group, choice)).parentElement));
    [...list.children].forEach((each, k) => each.append(make('span', {}, link.rows.get(name).choices[k])));
  });
  return make('div.look', {}, shown, all);
}
