// Where to go from here: walks and pilot modes as strips; a press copies what makes one begin at this place.

function listOffers() {
  $('offers-part').hidden = !atlas.offers.length;
  $('offers').replaceChildren(...atlas.offers.map(({name, words, options, picture}) => {
    const row = document.createElement('li'), button = document.createElement('button'), image = document.createElement('img');
    const said = document.createElement('span');
    [button.type, button.title, image.src, image.alt, image.loading] = ['button', words, picture, '', 'lazy'];
    said.textContent = name;
    button.addEventListener('click', () => give(`${options}='${written(state.at)}'`));
    button.append(image, said);
    row.append(button);
    return row;
  }));
}

// As a preset has a place; the middle of the cell where none is chosen, and where it lies on the far side.
function written(index) {
  if (index < 0 || !atlas.front[index]) return 'centre';
  const [alpha, beta] = atlas.coordinates.subarray(2 * index, 2 * index + 2);
  return `[${exact(alpha)}, ${exact(beta)}]`;
}

listOffers();
