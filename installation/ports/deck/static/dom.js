// Small things about elements.

export const $ = (id) => document.getElementById(id);

// make('button.small', {type: 'button', title: 'x'}, 'text', child)
export function make(kind, attributes = {}, ...children) {
  const [tag, ...classes] = kind.split('.'), element = document.createElement(tag);
  if (classes.length) element.className = classes.join(' ');
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const button = (text, press, attributes = {}) => make('button', {type: 'button', onclick: press, ...attributes}, text);

// A canvas at the screen's own resolution: its context in CSS pixels, width, height.
export function sharp(canvas) {
  const {clientWidth: width, clientHeight: height} = canvas, ratio = Math.min(window.devicePixelRatio || 1, 2);
  const [wide, tall] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== tall) [canvas.width, canvas.height] = [wide, tall];
  const context = canvas.getContext('2d');
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return {context, width, height};
}

export const seen = (element) => element.offsetParent !== null && element.clientWidth > 0;

// A PNG in base64 as a bitmap; no data: address is ever loaded, so the page's policy may forbid them.
export function picture(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return createImageBitmap(new Blob([bytes], {type: 'image/png'}));
}

let fading = 0;
export function toast(text, fault = false) {
  const box = $('toast');
  box.textContent = text;
  box.classList.toggle('fault', fault);
  box.classList.add('shown');
  clearTimeout(fading);
  fading = setTimeout(() => box.classList.remove('shown'), fault ? 6000 : 2500);
}
