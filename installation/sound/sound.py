"""What a piece of sound is made of in time: beats, bars, onsets, and curves. All that is asked of it later is here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from latentworld.arrays import Array

Curve = Literal["loudness", "low", "mid", "high", "onset", "percussive"]
Phase = Literal["beat_phase", "bar_phase"]
Signal = Curve | Phase
CURVES: tuple[Curve, ...] = get_args(Curve)
NAMES: tuple[str, ...] = (*CURVES, *get_args(Phase))


@dataclass(frozen=True, eq=False)
class Sound:
    """A sound, heard. duration: seconds; tempo: beats a minute, 0 where there is none; beats, bars, onsets: seconds,
    rising (bars are the downbeats among the beats); strengths: of the onsets, 0..1; rate: values of a curve a second;
    curves: by name, 0..1, the first at 0 s.

    It gives signals to whoever plays by them: `names`, `at`, `beats` and `bars`.
    """

    duration: float
    tempo: float
    beats: Array
    bars: Array
    onsets: Array
    strengths: Array
    rate: float
    curves: Mapping[str, Array]

    @property
    def names(self) -> frozenset[str]:
        """What `at` tells."""
        return frozenset(NAMES)

    @property
    def silent(self) -> bool:
        """Whether nothing is heard at all."""
        return not self.curves["loudness"].any()

    def at(self, t: float) -> Mapping[str, float]:
        """Every signal at a time in seconds: curves 0..1, and how far it is from the last beat or bar to the next, 0..1
        (0 before the first and after the last)."""
        found: dict[str, float] = {name: between(curve, t * self.rate) for name, curve in self.curves.items()}
        return found | {"beat_phase": phase(self.beats, t), "bar_phase": phase(self.bars, t)}

    def curve(self, name: str) -> Array:
        """One signal throughout, at `rate`."""
        if name in self.curves:
            return self.curves[name]
        marks = self.beats if name == "beat_phase" else self.bars
        return np.array([phase(marks, i / self.rate) for i in range(round(self.duration * self.rate))])


def between(curve: Array, place: float) -> float:
    """A curve's value at a place between two of its own; before the first and after the last it stays what it is."""
    inside = min(max(place, 0.0), len(curve) - 1.0)
    k = min(int(inside), max(len(curve) - 2, 0))
    return float(curve[k] + (inside - k) * (curve[min(k + 1, len(curve) - 1)] - curve[k]))


def phase(marks: Array, t: float) -> float:
    """How far a time is from the mark before it to the next one, 0..1; 0 outside them."""
    k = int(np.searchsorted(marks, t, side="right"))
    if k in (0, len(marks)):
        return 0.0
    return float((t - marks[k - 1]) / (marks[k] - marks[k - 1]))


def fitted(sound: Sound, seconds: float, fit: Literal["trim", "loop"]) -> Sound:
    """The sound as it lasts through a film of so many seconds: cut at its end; where it is shorter, silence follows
    (trim), or it begins again (loop)."""
    turns = 1 if fit == "trim" else max(1, int(np.ceil(seconds / sound.duration)))
    starts = sound.duration * np.arange(turns)

    def over(marks: Array) -> Array:
        return np.asarray((starts[:, None] + marks).ravel())

    def kept(marks: Array) -> Array:
        return marks[marks < seconds]

    onsets = over(sound.onsets)
    return replace(
        sound,
        duration=seconds,
        beats=kept(over(sound.beats)),
        bars=kept(over(sound.bars)),
        onsets=kept(onsets),
        strengths=np.tile(sound.strengths, turns)[onsets < seconds],
        curves={name: _fitted(curve, sound, seconds, fit) for name, curve in sound.curves.items()},
    )


def _fitted(curve: Array, sound: Sound, seconds: float, fit: Literal["trim", "loop"]) -> Array:
    """A curve over so many seconds."""
    times = np.arange(round(seconds * sound.rate) + 1) / sound.rate
    within = times % sound.duration if fit == "loop" else times
    return np.asarray(np.interp(within * sound.rate, np.arange(len(curve)), curve, right=0.0))
