// Marks that chart and globe share.

import {GROUND} from '/static/scale.js';

export function outlined(context, text, x, y) {
  const {fillStyle} = context;
  context.lineJoin = 'round';
  context.lineWidth = 3;
  context.strokeStyle = GROUND;
  context.strokeText(text, x, y);
  context.fillStyle = fillStyle;
  context.fillText(text, x, y);
}

export function halo(context, x, y, colour) { // where it is steered for
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.beginPath();
  context.arc(x, y, 9, 0, 7);
  for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
    context.moveTo(x + 6 * dx, y + 6 * dy);
    context.lineTo(x + 14 * dx, y + 14 * dy);
  }
  context.stroke();
}
