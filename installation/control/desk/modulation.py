"""What moves parameters by itself: LFOs, free or in time with the beat, and the sound in the room.

Everything here is a function of time: the same settings at the same moments give the same motion, smooth random
included. A push is what is added to a parameter's place on its fader's way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from installation.control.parameter import Value, read
from installation.control.parameters import AUDIO_LEVEL, AUDIO_ONSET, LFOS, NOTHING, AudioControls, LfoControls

_MASK = (1 << 64) - 1


def wave(shape: str, turns: float, seed: int = 0) -> float:
    """A shape of `parameters.SHAPES`, -1..1, after so many turns; `random` passes a new level at every whole turn."""
    whole = math.floor(turns)
    part = turns - whole
    if shape == "sine":
        return math.sin(2 * math.pi * part)
    if shape == "triangle":  # in step with the sine
        return 1 - 4 * abs((part + 0.25) % 1 - 0.5)
    if shape == "saw":
        return 2 * part - 1
    if shape == "square":
        return 1.0 if part < 0.5 else -1.0
    eased = part * part * part * (part * (6 * part - 15) + 10)  # even in speed and acceleration (Perlin 2002)
    here = _level(seed, whole)
    return here + (_level(seed, whole + 1) - here) * eased


def _level(seed: int, step: int) -> float:
    """Uniform in -1..1, by splitmix64's mixing (Steele, Lea and Flood 2014)."""
    z = (step * 0x9E3779B97F4A7C15 + (seed + 1) * 0xD1B54A32D192ED03) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return (z ^ (z >> 31)) / 2**63 - 1


@dataclass(frozen=True)
class Beat:
    """Where the music is: `beat` (quarter notes) at the moment `at` (s), going on at `tempo` (a minute)."""

    beat: float = 0.0
    at: float = 0.0
    tempo: float = 120.0

    def position(self, now: float) -> float:
        """Beats at a moment."""
        return self.beat + (now - self.at) * self.tempo / 60


@dataclass(frozen=True)
class Lfo:
    """One LFO; `turns` made at the moment `begin`, so that a new rate goes on from where the old one was."""

    controls: LfoControls
    seed: int
    turns: float
    begin: float

    def position(self, now: float) -> float:
        """Turns by its own rate, without the phase."""
        return self.turns + (now - self.begin) * self.controls.rate

    def push(self, now: float, beat: Beat) -> float:
        """-depth / 2 .. depth / 2: depth 1 around the middle is the fader's whole way."""
        turns = beat.position(now) / self.controls.beats if self.controls.beats > 0 else self.position(now)
        return self.controls.depth / 2 * wave(self.controls.shape, turns + self.controls.phase, self.seed)


class Modulation:
    """All LFOs, the beat and the sound. Not thread-safe: the desk holds its lock."""

    def __init__(self, now: float) -> None:
        self.beat = Beat(at=now)
        self._start = now
        self._lfos: tuple[Lfo, ...] = ()
        self._sound: tuple[str, float, str] | None = None

    def configure(self, values: Mapping[str, Value | None], now: float) -> None:
        """Take over the settings as the desk has them at a moment."""
        self._lfos = tuple(self._lfo(i, values, now) for i in range(LFOS))
        sound = read(AudioControls, values)
        heard = AUDIO_ONSET if sound.source == "onset" else AUDIO_LEVEL
        moves = sound.target != NOTHING and sound.depth > 0
        self._sound = (sound.target, sound.depth, heard.name) if moves else None

    def pace(self, tempo: float, now: float) -> None:
        """Another tempo, from the beat that is now."""
        self.beat = Beat(self.beat.position(now), now, tempo)

    def pushes(self, values: Mapping[str, Value | None], now: float) -> dict[str, float]:
        """What is added to each parameter that is moved; several movers of one add up."""
        found: dict[str, float] = {}
        for lfo in self._lfos:
            if lfo.controls.target != NOTHING and lfo.controls.depth > 0:
                found[lfo.controls.target] = found.get(lfo.controls.target, 0.0) + lfo.push(now, self.beat)
        if self._sound is not None:
            target, depth, heard = self._sound
            found[target] = found.get(target, 0.0) + depth * _number(values.get(heard))
        return found

    def _lfo(self, i: int, values: Mapping[str, Value | None], now: float) -> Lfo:
        turns = self._lfos[i].position(now) if self._lfos else 0.0
        return Lfo(read(LfoControls, values, i + 1), i, turns, now)


def _number(value: Value | None) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
