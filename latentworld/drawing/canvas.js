// What the maps of the deck and of an atlas draw alike; the design tokens (INK, FONT_NAMES, ...) stand before it.

function dot(u, v) { return u[0] * v[0] + u[1] * v[1] + u[2] * v[2]; }

function cross(u, v) { return [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]]; }

function unitary(v) {
  const length = Math.hypot(...v);
  return [v[0] / length, v[1] / length, v[2] / length];
}

// A look at the globe from outside: {axes: [east, north, out], centre: [x, y], radius}. Where a direction is: x, y, depth.
function seen(look, unit) {
  const [east, north, out] = look.axes, [x, y] = look.centre;
  return [x + look.radius * dot(unit, east), y - look.radius * dot(unit, north), dot(unit, out)];
}

// The direction under a spot; null beside the globe.
function under(look, px, py) {
  const [east, north, out] = look.axes, x = (px - look.centre[0]) / look.radius, y = (look.centre[1] - py) / look.radius;
  const squared = 1 - x * x - y * y;
  if (squared < 0) return null;
  return [0, 1, 2].map((k) => x * east[k] + y * north[k] + Math.sqrt(squared) * out[k]);
}

// The direction that faces us once the globe was drawn along by so many pixels.
function pulled(look, dx, dy) {
  const [east, north, out] = look.axes;
  return unitary([0, 1, 2].map((k) => out[k] - dx / look.radius * east[k] + dy / look.radius * north[k]));
}

// A line over the near side, to be stroked; the far side is left out.
function nearSide(context, look, units) {
  let drawn = false;
  context.beginPath();
  for (const unit of units) {
    const [x, y, depth] = seen(look, unit);
    if (depth < 0) drawn = false;
    else if (drawn) context.lineTo(x, y);
    else { context.moveTo(x, y); drawn = true; }
  }
}

// Words that can be read on any picture.
function outlined(context, words, x, y) {
  context.save();
  context.strokeStyle = GROUND;
  context.lineWidth = 3;
  context.lineJoin = 'round';
  context.strokeText(words, x, y);
  context.restore();
  context.fillText(words, x, y);
}

// The vertices of the cell on a globe, by name.
function vertices(context, look, units) {
  context.font = FONT_NAMES;
  context.textAlign = 'left';
  context.fillStyle = INK;
  units.forEach((unit, k) => {
    const [x, y, depth] = seen(look, unit);
    if (depth > 0) outlined(context, `z${'₀₁₂'[k]}`, x + 6, y - 6);
  });
}
