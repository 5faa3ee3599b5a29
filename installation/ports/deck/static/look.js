// Paper and size of type as they were last chosen on this device, before the page is drawn.

for (const name of ['paper', 'type']) {
  const kept = localStorage.getItem(name);
  if (kept) document.documentElement.dataset[name] = kept;
}
