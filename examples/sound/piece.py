"""A small piece of music made by numbers alone: drums, bass, pad and bells, 112 beats a minute, thirteen bars of four.

    python examples/sound/piece.py piece.wav [--bars 13] [--rate 44100]

It is for trying `[sound]` and pacing on beats (docs/sound.md) with music whose beats are known: beat n sounds at
`LEAD + n * BEAT` seconds, every fourth one is a downbeat. The same numbers make the same bytes. Free for any use.
"""

from __future__ import annotations

import argparse
import sys
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float64]
BPM = 112.0
BEAT = 60.0 / BPM  # seconds
BAR = 4  # beats
LEAD = 0.25  # seconds of silence before the first beat
TAIL = 1.6  # and of what rings after the last bar
BARS = 13
CHORDS = (
    (45, 57, 60, 64, 71),
    (41, 57, 60, 64, 67),
    (48, 55, 60, 64, 74),
    (43, 55, 59, 62, 69),
)  # MIDI: bass, then pad
BELLS = ((76, 72, 79, 71), (72, 76, 69, 77), (79, 76, 74, 72), (74, 71, 67, 79))


def beats(bars: int = BARS) -> Wave:
    """When each beat sounds, in seconds; the last is the downbeat on which the piece ends."""
    return LEAD + BEAT * np.arange(bars * BAR + 1)


def piece(bars: int = BARS, rate: int = 44100) -> Wave:
    """The piece, [n, 2], between -1 and 1."""
    rng = np.random.default_rng(112)
    out = np.zeros((round((LEAD + bars * BAR * BEAT + TAIL) * rate), 2))
    for bar in range(bars):
        _drums(out, bar, bars, rate, rng)
        _tones(out, bar, bars, rate)
    end = LEAD + bars * BAR * BEAT
    _put(out, _kick(rate), end, rate, 0.95)
    _put(out, _pad(CHORDS[0], 1.5, rate, 0.2), end, rate, 0.5)
    _put(out, _crash(rate, rng), end, rate, 0.16, 0.2)
    return np.asarray(np.tanh(1.15 * _room(out, rate)) * 0.89)


def _drums(out: Wave, bar: int, bars: int, rate: int, rng: np.random.Generator) -> None:
    """Four on the floor, claps on two and four, hats between; a crash where a part begins, a fill where one ends."""
    for beat in range(BAR):
        at = LEAD + (bar * BAR + beat) * BEAT
        _put(out, _kick(rate), at, rate, 0.95 if beat == 0 else 0.72)
        if beat % 2 and bar >= 1:
            _put(out, _clap(rate, rng), at, rate, 0.36, 0.06)
        if bar >= 2:
            _put(out, _hat(rate, rng, 0.05), at + BEAT / 2, rate, 0.16, -0.3)
        if bar >= 4:
            for part in (1, 3):
                _put(out, _hat(rate, rng, 0.02), at + part * BEAT / 4, rate, 0.055, 0.35)
    if bar % 4 == 0:
        _put(out, _crash(rate, rng), LEAD + bar * BAR * BEAT, rate, 0.16, -0.2)
    if bar % 4 == 3 and bar + 1 < bars:
        for step, height in enumerate((190.0, 160.0, 130.0, 105.0)):
            _put(out, _tom(height, rate), LEAD + ((bar + 1) * BAR - 1 + step / 4) * BEAT, rate, 0.3, 0.4 - 0.25 * step)


def _tones(out: Wave, bar: int, bars: int, rate: int) -> None:
    """Pad from the first bar, bass from the third, bells from the fifth."""
    chord, start = CHORDS[bar % len(CHORDS)], LEAD + bar * BAR * BEAT
    swell = 0.25 + 0.75 * bar / max(bars - 1, 1)
    _put(out, _pad(chord[1:], BAR * BEAT, rate, swell), start, rate, 0.26)
    if bar >= 2:
        for at, length, up in ((0.0, 0.9, 0), (1.5, 0.4, 0), (2.5, 0.4, 12), (3.25, 0.5, 7)):
            _put(out, _bass(chord[0] - 12 + up, length * BEAT, rate), start + at * BEAT, rate, 0.4 if at == 0 else 0.28)
    if bar >= 4:
        for step in range(8):
            tone = BELLS[bar % len(BELLS)][step % 4] + (12 if step == 5 else 0)
            for echo in range(3):
                at = start + (step / 2 + 0.75 * echo) * BEAT
                _put(out, _bell(tone, rate), at, rate, 0.085 * 0.5**echo, (-1) ** (step + echo) * 0.5)


def _put(out: Wave, sound: Wave, at: float, rate: int, loud: float, pan: float = 0.0) -> None:
    """Add a sound, [n] or [n, 2], at a moment in seconds; pan: -1 left, 1 right."""
    first = round(at * rate)
    part = sound[: max(len(out) - first, 0)]
    stereo = part if part.ndim == 2 else part[:, None] * np.sqrt([0.5 - pan / 2, 0.5 + pan / 2]) * np.sqrt(2.0)
    out[first : first + len(part)] += loud * stereo


def _time(seconds: float, rate: int) -> Wave:
    return np.arange(round(seconds * rate)) / rate


def _hertz(note: float) -> float:
    return float(440.0 * 2.0 ** ((note - 69.0) / 12.0))


def _kick(rate: int) -> Wave:
    t = _time(0.32, rate)
    sweep = 48.0 * t + 110.0 * 0.035 * (1.0 - np.exp(-t / 0.035))
    return np.asarray(np.sin(2 * np.pi * sweep) * np.exp(-t / 0.11) + 0.25 * np.exp(-t / 0.002) * np.sin(9000 * t))


def _tom(hertz: float, rate: int) -> Wave:
    t = _time(0.3, rate)
    return np.asarray(np.sin(2 * np.pi * (hertz * t + 8.0 * (1 - np.exp(-t / 0.05)) / 8)) * np.exp(-t / 0.09))


def _noise(n: int, rng: np.random.Generator, high: int = 1) -> Wave:
    """White noise, its low part taken out `high` times."""
    noise = rng.standard_normal(n + high)
    for _ in range(high):
        noise = np.diff(noise) / np.sqrt(2.0)
    return noise


def _clap(rate: int, rng: np.random.Generator) -> Wave:
    t = _time(0.22, rate)
    strikes = sum(np.where(t >= late, np.exp(-(t - late) / 0.006), 0.0) for late in (0.0, 0.011, 0.021))
    body = np.where(t >= 0.021, np.exp(-(t - 0.021) / 0.06), 0.0)
    return np.asarray(
        _noise(len(t), rng) * (0.6 * strikes + body) + 0.4 * np.sin(2 * np.pi * 190 * t) * np.exp(-t / 0.05)
    )


def _hat(rate: int, rng: np.random.Generator, decay: float) -> Wave:
    t = _time(6 * decay, rate)
    return np.asarray(_noise(len(t), rng, 3) * np.exp(-t / decay))


def _crash(rate: int, rng: np.random.Generator) -> Wave:
    t = _time(1.8, rate)
    return np.asarray(np.stack([_noise(len(t), rng, 2), _noise(len(t), rng, 2)], axis=1) * np.exp(-t / 0.45)[:, None])


def _bass(note: float, seconds: float, rate: int) -> Wave:
    """A saw whose upper partials go first."""
    t, hertz = _time(seconds, rate), _hertz(note)
    tone = sum(np.sin(2 * np.pi * hertz * k * t) / k * np.exp(-t * k * 1.6) for k in range(1, 9))
    return np.asarray(tone * np.minimum(1.0, np.minimum(t / 0.004, (seconds - t) / 0.03)))


def _pad(notes: tuple[int, ...], seconds: float, rate: int, bright: float) -> Wave:
    """Detuned soft saws, left and right not quite the same; bright: 0..1."""
    t = _time(seconds + 0.35, rate)
    sides = np.zeros((len(t), 2))
    for voice, note in enumerate(notes):
        for side in (0, 1):
            hertz = _hertz(note) * (1.0 + (0.0018 if side else -0.0015) * (1 + voice % 3))
            for k in range(1, 7):
                sides[:, side] += (
                    np.sin(2 * np.pi * hertz * k * t + 2.1 * voice + side) / k * bright ** (0.55 * (k - 1))
                )
    shape = np.minimum(1.0, np.minimum(t / 0.05, (seconds + 0.35 - t) / 0.35))
    return sides * (shape * (0.86 + 0.14 * np.sin(2 * np.pi * t / (2 * BEAT))))[:, None] / len(notes)


def _bell(note: float, rate: int) -> Wave:
    t, hertz = _time(0.9, rate), _hertz(note)
    bent = 2 * np.pi * hertz * t + 1.3 * np.exp(-t / 0.12) * np.sin(2 * np.pi * 3.5 * hertz * t)
    return np.asarray(np.sin(bent) * np.exp(-t / 0.24) * np.minimum(1.0, t / 0.002))


def _room(sound: Wave, rate: int) -> Wave:
    """A little room: a few late, crossed echoes."""
    out = sound.copy()
    for late, loud in ((0.031, 0.16), (0.047, 0.12), (0.071, 0.09), (0.113, 0.06), (0.173, 0.04)):
        n = round(late * rate)
        out[n:] += loud * sound[:-n, ::-1]
    return out


def write(path: Path, sound: Wave, rate: int = 44100) -> None:
    """As a 16-bit .wav."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.rint(sound * 32767).astype("<i2").tobytes())


def main() -> None:
    """Write it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--bars", type=int, default=BARS)
    parser.add_argument("--rate", type=int, default=44100)
    options = parser.parse_args()
    if options.file.suffix != ".wav" or options.bars < 1:
        sys.exit("give a .wav file, and one bar or more")
    write(options.file, piece(options.bars, options.rate), options.rate)
    print(f"{options.file}: {len(beats(options.bars))} beats, {BPM:g} a minute")


if __name__ == "__main__":
    main()
