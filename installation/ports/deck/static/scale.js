// Faders' scales, as installation/parameters.py has them, and how numbers are written.

export function real(row, x) {
  x = Math.min(Math.max(x, 0), 1);
  let value;
  if (row.curve === 'log') {
    const low = row.low || row.least;
    value = row.low === 0 && x === 0 ? 0 : low * (row.high / low) ** x;
  } else value = row.low + x * (row.high - row.low);
  return row.kind === 'int' ? Math.round(value) : value;
}

export function normal(row, value) {
  value = Math.min(Math.max(value, row.low), row.high);
  if (row.curve === 'log') {
    const low = row.low || row.least;
    return value <= low ? 0 : Math.log(value / low) / Math.log(row.high / low);
  }
  return (value - row.low) / (row.high - row.low);
}

// Three digits, a true minus.
export function brief(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  if (value === 0) return '0';
  const power = Math.floor(Math.log10(Math.abs(value)));
  if (power < -3 || power > 5) {
    const raised = String(power).replace(/[-\d]/g, (sign) => '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'['-0123456789'.indexOf(sign)]);
    return `${(value / 10 ** power).toFixed(1)}·10${raised}`.replace('-', '−');
  }
  return value.toFixed(Math.max(0, Math.min(6, digits - 1 - power))).replace('-', '−');
}

export function fixed(value, decimals) {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  return value.toFixed(decimals).replace('-', '−');
}

export function written(row, value) {
  if (value === null || value === undefined) return '';
  if (row.kind === 'int') return String(value).replace('-', '−');
  return brief(value);
}

// What people type: a comma is a point, a true minus is one too.
export function read(text) {
  const value = Number(text.trim().replace(',', '.').replace('−', '-'));
  return text.trim() !== '' && Number.isFinite(value) ? value : null;
}

// inferno without the end that would drown in the ground, as the atlas has it
const GLOW = [
  [34, 11, 76], [51, 10, 94], [66, 10, 104], [82, 14, 109], [97, 19, 110], [112, 25, 110], [128, 31, 108], [143, 36, 104],
  [158, 42, 99], [173, 49, 91], [187, 56, 84], [200, 65, 74], [212, 75, 64], [223, 87, 53], [232, 100, 43], [240, 114, 31],
  [246, 130, 18], [250, 146, 7], [252, 163, 9], [252, 180, 25], [249, 199, 48], [245, 217, 75], [242, 234, 109], [246, 247, 149],
];

export function glow(t) {
  const at = Math.min(Math.max(t, 0), 1) * (GLOW.length - 1), low = Math.floor(at), high = Math.min(low + 1, GLOW.length - 1);
  return [0, 1, 2].map((k) => Math.round(GLOW[low][k] + (at - low) * (GLOW[high][k] - GLOW[low][k])));
}

export const GLOWS = Array.from({length: 64}, (_, k) => `rgb(${glow(k / 63).join(' ')})`);
// for thin lines, which would drown where areas do not
export const BRIGHT = Array.from({length: 64}, (_, k) => `rgb(${glow(0.3 + 0.7 * k / 63).join(' ')})`);

export const INK = '#e9e5db', GROUND = '#0b0c10', ACCENT = '#ff7a59', FAINT = '#9a9aa2', RULE = '#2a2d36', RAISED = '#14161c';
export const HUES = ['#7fb4d8', '#e0b15a', '#8fc58a', '#c994c7', '#e5897a', '#a3a8e8'];
