"""When beats and bars are, and what is heard: what a score asks of music, and a metronome where there is none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from latentworld.errors import PresetError
from latentworld.preset import Preset
from latentworld.score import Length, Moment, TempoSpec

Grid = NDArray[np.float64]
"""Moments [n] in seconds, n >= 2, rising."""


class Signals(Protocol):
    """What is heard, over time. names: of its features; beats, bars: when each begins, in seconds, None where nobody
    knows; key: what of a preset would say."""

    @property
    def names(self) -> frozenset[str]: ...
    @property
    def beats(self) -> Grid | None: ...
    @property
    def bars(self) -> Grid | None: ...
    @property
    def key(self) -> str: ...

    def at(self, t: float) -> Mapping[str, float]:
        """Every feature at a moment."""
        ...


@dataclass(frozen=True)
class Metronome:
    """An even tempo and nothing to hear. bpm: None without a tempo; bar: beats in one; first: the first beat's time."""

    bpm: float | None = None
    bar: int = 4
    first: float = 0.0
    names: frozenset[str] = frozenset()
    key: str = "tempo.bpm"

    @staticmethod
    def of(spec: TempoSpec) -> Metronome:
        """A preset's."""
        return Metronome(spec.bpm, spec.bar, spec.first)

    @property
    def beats(self) -> Grid | None:
        """The first two: the rest follow evenly."""
        return None if self.bpm is None else np.array([self.first, self.first + 60.0 / self.bpm])

    @property
    def bars(self) -> Grid | None:
        """Likewise."""
        return None if self.bpm is None else np.array([self.first, self.first + self.bar * 60.0 / self.bpm])

    def at(self, t: float) -> Mapping[str, float]:
        """Nothing."""
        return {}


def signals_of(preset: Preset) -> Signals:
    """What a preset's score is played to."""
    return Metronome.of(preset.tempo)


def time_of(grid: Grid, count: float) -> float:
    """When so many beats have passed since the first; outside the grid they go on as at its end."""
    k = min(max(math.floor(count), 0), len(grid) - 2)
    return float(grid[k] + (count - k) * (grid[k + 1] - grid[k]))


def count_at(grid: Grid, t: float) -> float:
    """How many beats have passed at a moment: 0 at the first; the inverse of `time_of`."""
    k = min(max(int(np.searchsorted(grid, t, side="right")) - 1, 0), len(grid) - 2)
    return k + float((t - grid[k]) / (grid[k + 1] - grid[k]))


def grid_of(unit: str, signals: Signals) -> Grid:
    """The beats or the bars. Raises PresetError where nobody knows them."""
    grid = signals.beats if unit == "beat" else signals.bars
    if grid is None or len(grid) < 2:
        raise PresetError(f"a {unit} where there is no tempo: set {signals.key}, or give seconds")
    return grid


def due(moment: Moment, signals: Signals, fps: float) -> float | None:
    """When a moment is, in seconds; None of one that the walk comes to. Raises PresetError as `grid_of`."""
    if moment.unit == "time":
        return moment.number
    if moment.unit == "frame":
        return moment.number / fps
    if moment.unit in ("beat", "bar"):
        return max(time_of(grid_of(moment.unit, signals), moment.number - 1.0), 0.0)
    return None


def seconds(over: Length, start: float, signals: Signals, fps: float) -> float:
    """How long a fade is that begins at `start`. Raises PresetError as `grid_of`."""
    if over.unit == "time" or over.number == 0:
        return over.number
    if over.unit == "frame":
        return over.number / fps
    grid = grid_of(over.unit, signals)
    return max(time_of(grid, count_at(grid, start) + over.number) - start, 0.0)


def heard(t: float, fps: float, signals: Signals) -> dict[str, float]:
    """What expressions may ask for at a moment: t, frame, and, where they are known, beat, bar and features."""
    found = {"t": t, "frame": t * fps, **signals.at(t)}
    for name, grid in (("beat", signals.beats), ("bar", signals.bars)):
        if grid is not None and len(grid) >= 2:
            found[name] = count_at(grid, t)
    return found


def askable(signals: Signals) -> frozenset[str]:
    """Their names."""
    grids = {name for name, grid in (("beat", signals.beats), ("bar", signals.bars)) if grid is not None}
    return frozenset({"t", "frame", *grids, *signals.names})
