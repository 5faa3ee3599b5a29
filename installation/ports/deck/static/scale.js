// Faders' scales, as installation/parameters.py has them, and how numbers are written.

import {BRIGHT_FROM, GLOW} from '/static/drawing.js';

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

export function glow(t) {
  const at = Math.min(Math.max(t, 0), 1) * (GLOW.length - 1), low = Math.floor(at), high = Math.min(low + 1, GLOW.length - 1);
  return [0, 1, 2].map((k) => Math.round(GLOW[low][k] + (at - low) * (GLOW[high][k] - GLOW[low][k])));
}

export const GLOWS = Array.from({length: 64}, (_, k) => `rgb(${glow(k / 63).join(' ')})`);
// for thin lines, which would drown where areas do not
export const BRIGHT = Array.from({length: 64}, (_, k) => `rgb(${glow(BRIGHT_FROM + (1 - BRIGHT_FROM) * k / 63).join(' ')})`);
