// The screen stays on while the page is in sight, where the browser lets it: it wants HTTPS or this very machine.

let lock = null;

async function hold() {
  if (lock || document.hidden || !navigator.wakeLock) return;
  try {
    lock = await navigator.wakeLock.request('screen');
    lock.addEventListener('release', () => { lock = null; });
  } catch { /* a battery that is low, a page that is not in front: the next touch asks again */ }
}

export function stayAwake() {
  document.addEventListener('visibilitychange', hold);
  document.addEventListener('pointerdown', hold);
  hold();
}
