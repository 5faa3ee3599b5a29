// The metric of a window: ellipses that reach as far as pictures change alike, and the edges between log Z's cells.

const FEWEST_PIXELS = 22; // between two ellipses

function drawMetric(context, map) {
  const {tensors, ends, jump} = atlas.metric, {rows, columns} = map.window, {scale} = map.view;
  const pitch = Math.max(1, 2 ** Math.ceil(Math.log2(FEWEST_PIXELS / (scale * Math.min(1, map.tall)))));
  const shown = [...atlas.coordinates.keys()].slice(0, atlas.count).filter((index) =>
    map.lattice[2 * index] % pitch === Math.floor(pitch / 2) && map.lattice[2 * index + 1] % pitch === Math.floor(pitch / 2));
  const shapes = shown.map((index) => ellipse(...tensors.subarray(3 * index, 3 * index + 3)));
  const widths = shapes.map(([wide]) => wide).sort((a, b) => a - b), unit = 0.47 * pitch / (widths[widths.length >> 1] || 1);
  shown.forEach((index, k) => {
    const [wide, narrow, turn] = shapes[k], reach = Math.min(unit, 0.47 * pitch / wide) * scale;
    const [x, y] = map.screen(index);
    context.save();
    context.translate(x, y);
    context.scale(1, map.tall);
    context.beginPath();
    context.ellipse(0, 0, reach * wide, Math.max(reach * narrow, 1), -turn, 0, 7);
    context.restore();
    context.lineWidth = 2.6;
    context.strokeStyle = `${GROUND}99`;
    context.stroke();
    context.lineWidth = 1.1;
    context.strokeStyle = wide * unit > 0.47 * pitch ? FAINT : INK;
    context.stroke();
  });
  jump.forEach((strength, k) => {
    context.beginPath();
    context.moveTo(...map.toScreen(ends[4 * k], ends[4 * k + 1]));
    context.lineTo(...map.toScreen(ends[4 * k + 2], ends[4 * k + 3]));
    context.globalAlpha = 0.25 + 0.75 * strength;
    context.lineWidth = 0.8 + 2.4 * strength ** 1.5;
    context.strokeStyle = ACCENT;
    context.stroke();
    context.globalAlpha = 1;
  });
}

// Half axes 1/sqrt(eigenvalue), the longer first, and the angle of the longer one from x, of [[a, b], [b, c]].
function ellipse(a, b, c) {
  const middle = (a + c) / 2, apart = Math.hypot((a - c) / 2, b), least = Math.max(middle - apart, 1e-12 * middle, 1e-30);
  return [1 / Math.sqrt(least), 1 / Math.sqrt(Math.max(middle + apart, 1e-30)), Math.atan2(2 * b, a - c) / 2 + Math.PI / 2];
}
