// Words: how like each of them the pictures are, in the place of the field; its likest place is shown.

const rates = {strength: atlas.strength, field: atlas.field};

function choose(word) { // null: the rates again
  const same = word !== null && state.word === word;
  state.word = same ? null : word;
  const chosen = state.word === null ? null : atlas.words[state.word];
  atlas.strength = chosen ? unpack(chosen.strength, Uint8Array) : rates.strength;
  if (atlas.field) atlas.field = chosen ? chosen.field : rates.field;
  map.refield?.();
  [...$('words').querySelectorAll('button')].forEach((button, k) => button.setAttribute('aria-pressed', String(k === state.word)));
  if (chosen) {
    state.field = true;
    document.querySelector('[data-layer=field]').setAttribute('aria-pressed', 'true');
    select(chosen.best);
  }
  redraw();
}

function listWords() {
  $('words-part').hidden = !atlas.words.length;
  $('words').replaceChildren(...atlas.words.map((word, k) => {
    const row = document.createElement('li'), button = document.createElement('button'), score = document.createElement('span');
    button.type = 'button';
    button.textContent = word.name;
    button.setAttribute('aria-pressed', 'false');
    button.title = 'The map glows where pictures are like this';
    button.addEventListener('click', () => choose(k));
    score.textContent = brief(word.score);
    row.append(button, score);
    return row;
  }));
}

listWords();
