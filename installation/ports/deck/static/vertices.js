// A picture of one's own as a vertex: a file is sent, inverted by the renderer, and the plane is its from then on.

import {button, make} from '/static/dom.js';

const KINDS = 'image/png,image/jpeg,image/webp,image/tiff,image/bmp,image/gif,image/avif';
const LARGEST = 24 * 1024 * 1024; // bytes

export function ownPictures() {
  const told = make('p.hint', {role: 'status', id: 'vertex-told'}, 'Or a picture of your own: it is found on the plane, and the walk goes through it.');
  const buttons = [0, 1, 2].map((number) => {
    const input = make('input', {type: 'file', accept: KINDS, hidden: true, id: `vertex-file-${number}`, 'aria-label': `picture for z${number}`});
    const ask = button(`Picture for z${number}`, () => input.click(), {class: 'small', id: `vertex-${number}`});
    input.addEventListener('change', () => {
      const [file] = input.files;
      input.value = '';
      if (file) send(number, file, told, buttons);
    });
    return {ask, input};
  });
  return make('div.own', {}, make('div.line', {}, ...buttons.flatMap(({ask, input}) => [ask, input])), told);
}

async function send(number, file, told, buttons) {
  if (file.size > LARGEST) {
    told.textContent = 'That file is too large: 24 MB at most.';
    return;
  }
  for (const {ask} of buttons) ask.disabled = true;
  buttons[number].ask.classList.add('busy');
  told.textContent = `Looking for z${number} on the plane, a step with every picture of the show …`;
  try {
    const reply = await fetch(`/vertex/${number}`, {method: 'PUT', body: file, headers: {'Content-Type': file.type || 'image/jpeg'}});
    const {answer, fault} = await reply.json();
    told.textContent = fault ?? `z${number} is your picture: ${answer.reached.toFixed(1)} dB, the autoencoder alone ${answer.floor.toFixed(1)} dB, `
      + `in ${answer.seconds.toFixed(0)} s. ${answer.notes.join(' ')}`;
  } catch (error) {
    told.textContent = 'The show could not be reached: send it again.';
  }
  for (const {ask} of buttons) ask.disabled = false;
  buttons[number].ask.classList.remove('busy');
}
