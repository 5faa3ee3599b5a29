"""Beats put where the ear hears them, and which of them begin bars."""

from __future__ import annotations

import numpy as np

from installation.sound.reading import RATE, Samples
from latentworld.arrays import Array

FRAME, STRIDE = 256, 32  # samples of a window, and from one to the next, in which an attack is looked for
BEFORE, AFTER = 0.09, 0.06  # seconds around a beat in which it is
STRAY = 0.035  # seconds that one beat's attack may lie from where the others' do, else it is put where they are
ENTERS = 0.0018  # seconds from the end of a window back to the attack that raises it most (measured on clicks)


def on_attacks(samples: Samples, times: Array, together: bool = True) -> Array:
    """Times [n] in seconds moved to the sharpest rise of the spectrum nearby: trackers find beats some 30 ms late.

    together: beats keep step: where one has no attack of its own, it moves as the others do.
    """
    shifts = np.array([_attack(samples, time) for time in times])
    if together and len(shifts):
        common = float(np.median(shifts))
        shifts = np.where(np.abs(shifts - common) <= STRAY, shifts, common)
    return np.asarray(np.maximum.accumulate(np.maximum(times + shifts, 0.0)))


def _attack(samples: Samples, time: float) -> float:
    """From a time to the sharpest rise around it, in seconds."""
    first = round((time - BEFORE) * RATE)
    part = samples[max(first - FRAME, 0) : max(round((time + AFTER) * RATE), 0)]
    part = np.pad(part, (max(FRAME - first, 0), 0))
    if len(part) <= FRAME + STRIDE:
        return 0.0
    windows = np.lib.stride_tricks.sliding_window_view(part, FRAME)[::STRIDE] * np.hanning(FRAME)
    power = np.log1p(1e3 * np.abs(np.fft.rfft(windows, axis=1)))
    rise = np.maximum(np.diff(power, axis=0), 0.0).sum(axis=1)
    if not rise.any():
        return 0.0
    end = (first + (int(rise.argmax()) + 1) * STRIDE) / RATE  # of the window that has the attack in it
    return end - ENTERS - time


def grid(bpm: float, first: float, duration: float) -> Array:
    """Beats at a steady tempo, one of them at `first` seconds, through the whole sound."""
    beat = 60.0 / bpm
    begin = first - np.floor(first / beat) * beat
    return np.asarray(np.arange(begin, duration, beat))


def downbeats(beats: Array, weights: Array, bar: int, first: float | None = None) -> Array:
    """Those of the beats that begin bars of `bar` beats: the one nearest to `first` among them, or, without one, those
    whose `weights` (a number a beat: how much begins with it) are largest on the whole."""
    if not len(beats):
        return beats
    if first is not None:
        phase = int(np.abs(beats - first).argmin()) % bar
    else:
        means = [weights[part::bar].mean() if len(beats) > part else -np.inf for part in range(bar)]
        phase = int(np.argmax(means))
    return beats[phase::bar]
