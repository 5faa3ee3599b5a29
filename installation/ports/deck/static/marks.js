// Marks that chart and globe share.

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

const SHADES = 16, AGES = 8; // one stroke for all that look alike: thousands of them a frame were too slow

// The track: `place` gives where a frame is drawn, {x, y, faint, broken}, or null.
export function trail(context, track, small, place) {
  const {frames} = track, count = frames.length;
  let before = null, look = '', open = false;
  context.lineCap = context.lineJoin = 'round';
  for (let k = 0; k < count; k++) {
    const frame = frames[k], at = place(frame, frames[k - 1]);
    if (before && at && frame.joined && !at.broken) {
      const strength = Math.round(track.strength(frame.rate) * SHADES) / SHADES, age = Math.ceil(AGES * (k + 1) / count) / AGES;
      const now = `${strength} ${age} ${at.faint}`;
      if (now !== look || !open) {
        if (open) context.stroke();
        context.globalAlpha = (0.25 + 0.75 * age) * at.faint;
        context.strokeStyle = track.shade(strength);
        context.lineWidth = small ? 1.2 : 1.5 + 2.5 * strength;
        context.beginPath();
        context.moveTo(before.x, before.y);
        [look, open] = [now, true];
      }
      context.lineTo(at.x, at.y);
    } else if (open) {
      context.stroke();
      open = false;
    }
    before = at;
  }
  if (open) context.stroke();
  context.globalAlpha = 1;
}
