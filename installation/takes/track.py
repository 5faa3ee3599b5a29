"""The way through recorded places: verbatim where they were recorded, a smooth curve in time between them.

An arc counts recorded frames: 3.25 is a quarter of the time from the fourth place to the fifth. Between places runs a
cubic Hermite curve in time (of vectors, then brought back to the globe), its velocity at a place that of the parabola
through three places, cut to twice the slower of the two ways that meet there and to nothing where they oppose each
other. The cut is what keeps a walk that stops, or turns back, from swinging past its place (Fritsch & Carlson 1980:
along a line, slopes up to three times the slower one never overshoot).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from latentworld import globe
from latentworld.arrays import Array
from latentworld.errors import GeometryError
from latentworld.walks.walk import checked_strides

GRAIN = 2.0**-28  # of a frame: arcs are multiples of it, so that below 2^24 frames their sums and differences are exact
STEEPEST = 2.0  # slopes at a place, of the slower way that meets there
LEAP = 0.03  # radians below which no step is a jump,
SUDDEN = 8.0  # how many times faster than both its neighbours a step must be to be one,
FAR = 2.0  # and radians from which every step is one: a chord so long has no curve on the globe


@dataclass(frozen=True, eq=False)
class Track:
    """Recorded places: time float64[n], rising; unit [n, 3]; radius [n]; jump bool[n - 1]: no way leads there."""

    time: Array
    unit: Array
    radius: Array
    jump: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.time)

    @property
    def length(self) -> float:
        """The arc of the last place."""
        return float(len(self) - 1)

    @cached_property
    def period(self) -> float:
        """Mean seconds from place to place; 1 where there is one alone."""
        return float((self.time[-1] - self.time[0]) / (len(self) - 1)) if len(self) > 1 else 1.0

    def arcs(self, time: npt.ArrayLike) -> Array:
        """Arcs [n] at times [n] of the take's own clock: 0 before the first place; past the last they go on rising."""
        t = np.atleast_1d(np.asarray(time, np.float64))
        if not np.isfinite(t).all():
            raise GeometryError("A time is not finite: check the clock.")
        last = len(self) - 1
        k = np.clip(np.searchsorted(self.time, t, side="right") - 1, 0, max(last - 1, 0))
        lengths = np.append(np.diff(self.time), self.period)
        share = np.maximum((t - self.time[k]) / lengths[k], 0.0)
        past = t > self.time[last]
        share = np.where(past, (t - self.time[last]) / self.period, share)
        return np.asarray(np.where(past, last, k) + np.rint(share / GRAIN) * GRAIN)

    def times(self, arcs: npt.ArrayLike) -> Array:
        """Times [n] at arcs [n], no later than the last place."""
        k, x = self._split(arcs)
        ahead = np.minimum(k + 1, len(self) - 1)
        return np.asarray(self.time[k] + x * (self.time[ahead] - self.time[k]))

    def at(self, arcs: npt.ArrayLike) -> tuple[Array, Array]:
        """Units [n, 3] and radii [n] at arcs [n] >= 0: at whole arcs the recorded ones; past the end the last."""
        k, x = self._split(arcs)
        unit, radius = self.unit[k].copy(), self.radius[k].copy()
        between = np.flatnonzero(x > 0)
        between = between[~self.jump[k[between]]]  # the place before a jump holds until the jump
        if len(between):
            k, x = k[between], x[between, None]
            unit[between] = globe.normalise(_hermite(self.unit, self._turns, self.time, k, x))
            radius[between] = _hermite(self.radius[:, None], self._swells, self.time, k, x)[:, 0]
        return unit, radius

    def _split(self, arcs: npt.ArrayLike) -> tuple[NDArray[np.int64], Array]:
        """Whole arcs and what is left of them, which is nothing past the end."""
        s = np.minimum(np.atleast_1d(np.asarray(arcs, np.float64)), self.length)
        k = np.floor(s).astype(np.int64)
        return k, s - k

    @cached_property
    def _turns(self) -> Array:
        return slopes(self.unit, self.time, self.jump)

    @cached_property
    def _swells(self) -> Array:
        return slopes(self.radius[:, None], self.time, self.jump)


@dataclass(frozen=True, eq=False)
class Recorded:
    """A Walk along a track, `arc` counted in recorded frames; past the last place it stays there."""

    track: Track
    arc: float = 0.0

    @property
    def length(self) -> float:
        """The arc of the last place."""
        return self.track.length

    def ahead(self, strides: npt.ArrayLike, curvature: float = 0.0) -> tuple[Array, Array]:
        """Units [n, 3] and radii [n] at strides [n]; curvature is ignored."""
        return self.track.at(self.arc + checked_strides(strides))

    def advance(self, stride: float, curvature: float = 0.0) -> Recorded:
        """The walk after one stride."""
        return replace(self, arc=self.arc + float(checked_strides(stride)[0]))


def jumps(time: Array, unit: Array, marked: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Which steps between places [n - 1] are no way at all but a jump.

    A step is one that is much faster than the steps before and after it. marked: 1 where the take says that the step to
    that frame is a jump, -1 where it says that it is none, 0 where it says nothing, [n].
    """
    if len(time) < 2:
        return np.zeros(0, np.bool_)
    far = globe.angle(unit[:-1], unit[1:])
    speed = far / np.diff(time)
    around = np.maximum(np.append(0.0, speed[:-1]), np.append(speed[1:], 0.0))
    sudden = (far > LEAP) & (speed > SUDDEN * around) & (len(speed) > 1)
    return np.asarray(((sudden | (marked[1:] > 0)) & (marked[1:] >= 0)) | (far > FAR))


def slopes(values: Array, time: Array, jump: NDArray[np.bool_]) -> Array:
    """Velocities [n, m] at values [n, m]; a jump parts what lies before it from what comes after."""
    ways = np.zeros((len(values) + 1, values.shape[1]))  # the way to each value, and the one on from the last
    ways[1:-1] = np.diff(values, axis=0) / np.diff(time)[:, None]
    lengths = np.concatenate([[1.0], np.diff(time), [1.0]])
    joined = np.concatenate([[False], ~jump, [False]])
    back, on = ways[:-1], ways[1:]
    before, after = lengths[:-1, None], lengths[1:, None]
    slope: Array = (after * back + before * on) / (before + after)
    size, slower = _norm(slope), np.minimum(_norm(back), _norm(on))
    with np.errstate(divide="ignore", invalid="ignore"):
        slope *= np.where(size > STEEPEST * slower, STEEPEST * slower / size, 1.0)
    slope[(back * on).sum(axis=1) <= 0] = 0.0
    # where one way alone meets a place, the velocity of the parabola that has the next place's velocity at its end
    begins, ends = joined[1:] & ~joined[:-1], joined[:-1] & ~joined[1:]
    slope[begins] = on[begins]
    slope[ends] = back[ends]
    inner = slope.copy()
    slope[begins] = 1.5 * on[begins] - 0.5 * np.roll(inner, -1, axis=0)[begins]
    slope[ends] = 1.5 * back[ends] - 0.5 * np.roll(inner, 1, axis=0)[ends]
    slope[~joined[1:] & ~joined[:-1]] = 0.0
    return slope


def _hermite(values: Array, slope: Array, time: Array, k: NDArray[np.int64], x: Array) -> Array:
    """The cubic from value k to k + 1 at the share x [n, 1] of the time between them."""
    length = (time[k + 1] - time[k])[:, None]
    y = 1.0 - x
    chord = values[k] + x * x * (1.0 + 2.0 * y) * (values[k + 1] - values[k])  # where nothing changes, exactly nothing
    return np.asarray(chord + length * x * y * (y * slope[k] - x * slope[k + 1]))


def _norm(v: Array) -> Array:
    length: Array = np.sqrt((v * v).sum(axis=1, keepdims=True))
    return length
