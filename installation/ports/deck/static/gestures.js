// What fingers, mouse and wheel do to a canvas, as few words: drag, tap, double, long, pinch.

const STILL = 8, LONG = 550, TWICE = 320; // pixels, ms, ms

export function gestures(canvas, act) {
  const fingers = new Map();
  let travelled = 0, holding = 0, many = false, done = false, tapped = {at: -1e9, x: 0, y: 0};

  const spot = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  canvas.addEventListener('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, spot(event));
    clearTimeout(holding);
    if (fingers.size > 1) {
      many = true;
      return;
    }
    travelled = 0;
    done = false;
    many = event.button !== 0 || event.shiftKey; // a second button pans, as two fingers do
    const [x, y] = spot(event);
    if (!many) holding = setTimeout(() => { done = true; act.long?.(x, y); }, LONG);
  });

  canvas.addEventListener('pointermove', (event) => {
    const before = fingers.get(event.pointerId), now = spot(event);
    if (!before) return;
    fingers.set(event.pointerId, now);
    const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
    travelled += Math.hypot(dx, dy);
    if (travelled < STILL) return;
    clearTimeout(holding);
    if (fingers.size === 2) {
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
      const apart = (place) => Math.hypot(place[0] - other[0], place[1] - other[1]) || 1;
      act.pinch?.(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2, dx / 2, dy / 2);
    } else if (many) act.pinch?.(1, now[0], now[1], dx, dy);
    else if (!done) act.drag?.(now[0], now[1], dx, dy);
  });

  const lift = (event) => {
    if (!fingers.delete(event.pointerId)) return;
    clearTimeout(holding);
    if (fingers.size) return;
    act.end?.();
    if (event.type !== 'pointerup' || travelled >= STILL || many || done) return;
    const [x, y] = spot(event), now = event.timeStamp; // when it happened, however late we hear of it
    if (now - tapped.at < TWICE && Math.hypot(x - tapped.x, y - tapped.y) < 3 * STILL) {
      tapped.at = -1e9;
      act.double?.(x, y);
    } else {
      tapped = {at: now, x, y};
      act.tap?.(x, y);
    }
  };
  canvas.addEventListener('pointerup', lift);
  canvas.addEventListener('pointercancel', lift);
  canvas.addEventListener('contextmenu', (event) => event.preventDefault());
  canvas.addEventListener('wheel', (event) => {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1, [x, y] = spot(event);
    act.pinch?.(Math.exp(-Math.max(-240, Math.min(240, event.deltaY * lines)) / 320), x, y, 0, 0);
  }, {passive: false});
}
