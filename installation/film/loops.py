"""Closed films: a lap at even steps of meaning, the last of which leads to the first frame again.

The lap is looked along through a decoder, densely and finer where meaning moves fast; frames are then laid on it at
equal shares of the way that meaning goes, and laid anew until their own steps are equal: between two probes meaning
goes straight, between two frames it may not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from installation.film.ways import Way
from latentworld import globe
from latentworld.arrays import Array, Flags, Indices
from latentworld.errors import GeometryError
from latentworld.lipschitz import Lookout, ratio
from latentworld.pacing import HIGH
from latentworld.plane import Plane
from latentworld.walks import Walk
from latentworld.walks.curves import biarcs
from latentworld.walks.fixed import Fixed, fixed

At = Callable[[Array], tuple[Array, Array]]
"""Places along a lap, [n] from 0 to its length, to units [n, 3] and radii [n]."""

FINER = 0.75  # of a frame's step, to which gaps between probes are split
PROBES = 12  # times the frames, that are looked at at most
ROUNDS = 8  # of splitting, and of laying frames anew
EVEN = 1.02  # largest step over the median at which frames lie well


@dataclass(frozen=True, eq=False)
class Lap:
    """A closed way: places at 0..length, the end the beginning again."""

    at: At
    length: float


def lap(walk: Walk) -> Lap:
    """Of a fixed walk: once round, or, where it is open, there and back. Raises GeometryError for another."""
    if not isinstance(walk, Fixed):
        raise GeometryError("A free walk has no lap: close it by the way it went.")
    length = walk.length * (1.0 if walk.closed else 2.0)
    return Lap(lambda s: walk.ahead(s), length)


def closed(way: Way, plane: Plane) -> Lap:
    """Of a way that was walked: to its end, and by two arcs back to its start, on along its headings (Bolton 1975).

    Raises GeometryError for a way of less than three places.
    """
    if len(way) < 3:
        raise GeometryError("Less than three frames are no loop: make the film longer.")
    ends = globe.tangent(way.unit[[-1, 0]], way.unit[[-2, 1]]) * np.array([[-1.0], [1.0]])
    arcs = biarcs(way.unit[[-1, 0]], ends, way.radius[[-1, 0]], closed=False)
    back = fixed(arcs, plane, closed=False)
    points = plane.points(way.unit, way.radius)
    reach = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1)))

    def at(s: Array) -> tuple[Array, Array]:
        unit, radius = np.empty((len(s), 3)), np.empty(len(s))
        there = s < reach[-1]
        unit[there], radius[there] = _between(way, reach, s[there])
        if not there.all():
            unit[~there], radius[~there] = back.ahead(np.minimum(s[~there] - reach[-1], back.length))
        return unit, radius

    return Lap(at, float(reach[-1] + back.length))


def _between(way: Way, reach: Array, s: Array) -> tuple[Array, Array]:
    """Places on a way at arcs [n]: on the great circle between two neighbours."""
    k = np.clip(np.searchsorted(reach, s, side="right") - 1, 0, len(reach) - 2)
    share = np.clip((s - reach[k]) / np.maximum(reach[k + 1] - reach[k], 1e-300), 0.0, 1.0)
    unit = globe.slerp(way.unit[k], way.unit[k + 1], share)
    return unit, way.radius[k] + share * (way.radius[k + 1] - way.radius[k])


def steady(lap: Lap, plane: Plane, frames: int) -> Way:
    """A lap in `frames` frames at equal arcs."""
    unit, radius = lap.at(lap.length * np.arange(frames) / frames)
    nothing = np.full(frames, np.nan)
    return Way(unit, radius, nothing, nothing, nothing, np.zeros(frames, np.bool_), np.zeros(frames, np.int64))


def even(lap: Lap, plane: Plane, lookout: Lookout, frames: int, floor: float) -> tuple[Array, Way]:
    """A lap in `frames` frames at equal steps of meaning, also from the last to the first: where they lie along it,
    [frames] from 0 on, and as a way.

    floor: latent arc below which a gap is not split; a step across such a gap that is larger than the others is
    marked.
    """
    seen = _Seen(lap, plane, lookout, frames, floor)
    seen.look(lap.length * np.arange(2 * frames) / (2 * frames))
    seen.split()
    places = seen.laid(np.ones(len(seen.s)))
    for _ in range(ROUNDS):
        rows = seen.look(places)
        steps = seen.steps(rows)
        plain = steps[~seen.sudden(rows, steps)]
        if not len(plain) or plain.max() <= EVEN * np.median(plain):
            break
        places = seen.laid(seen.density(rows, steps))
    rows = seen.look(places)
    return seen.s[rows], seen.way(rows)


class _Seen:
    """What was looked at of a lap, in order: s [m], features [m, F]. Lives for one call of `even`."""

    def __init__(self, lap: Lap, plane: Plane, lookout: Lookout, frames: int, floor: float) -> None:
        self.lap, self.plane, self.lookout, self.frames, self.floor = lap, plane, lookout, frames, floor
        self.s = np.zeros(0)
        self.features = np.zeros((0, 0))

    def look(self, s: Array) -> Indices:
        """Look at places too, where nobody did yet; which rows they are."""
        new = np.setdiff1d(s, self.s)
        if len(new):
            found = np.asarray(self.lookout(*self.lap.at(new)), np.float64)
            order = np.argsort(np.append(self.s, new), kind="stable")
            known = self.features if len(self.s) else np.zeros((0, found.shape[1]))
            self.features = np.concatenate([known, found])[order]
            self.s = np.append(self.s, new)[order]
        return np.searchsorted(self.s, s)

    @property
    def gaps(self) -> tuple[Array, Array]:
        """Arc and feature distance from each to the next, the last to the first."""
        arcs = np.diff(np.append(self.s, self.s[0] + self.lap.length))
        return arcs, self.steps(np.arange(len(self.s)))

    def steps(self, rows: Indices) -> Array:
        """Feature distances from each of these rows to the next, the last to the first."""
        there = self.features[np.roll(rows, -1)] - self.features[rows]
        return np.asarray(np.linalg.norm(there, axis=1))

    def split(self) -> None:
        """Look between neighbours that are further apart than a frame's step is long."""
        for _ in range(ROUNDS):
            arcs, steps = self.gaps
            target = FINER * self._whole(arcs, steps) / self.frames
            wide = np.flatnonzero((steps > target) & (arcs > 2 * self.floor))
            room = PROBES * self.frames - len(self.s)
            if not len(wide) or room <= 0:
                return
            wide = wide[np.argsort(-steps[wide], kind="stable")][:room]
            pieces = np.clip(np.ceil(steps[wide] / target), 2, 8).astype(int)
            self.look(np.concatenate([
                self.s[k] + arcs[k] * np.arange(1, n) / n for k, n in zip(wide.tolist(), pieces.tolist())
            ]))  # fmt: skip

    def _whole(self, arcs: Array, steps: Array) -> float:
        """How far meaning goes on the lap; a gap that nothing splits counts as one frame's step, whatever it is."""
        fine = arcs <= 2 * self.floor
        plain, rest = float(steps[~fine].sum()), np.sort(steps[fine])
        for count in range(len(rest) + 1):  # the largest `count` of them are sudden
            kept = rest[: len(rest) - count]
            target = (plain + float(kept.sum())) / max(self.frames - count, 1)
            if not len(kept) or kept[-1] <= HIGH * target:
                return target * self.frames
        return plain

    def laid(self, density: Array) -> Array:
        """Places of frames at equal shares of the way of meaning, gaps weighed by `density` [m]."""
        arcs, steps = self.gaps
        target = self._whole(arcs, steps) / self.frames
        fine = arcs <= 2 * self.floor
        lengths = np.where(fine & (steps > HIGH * target), target, steps * density) + 1e-12 * arcs
        reach = np.append(0.0, np.cumsum(lengths))
        ends = np.append(self.s, self.s[0] + self.lap.length)
        places = np.interp(reach[-1] * np.arange(self.frames) / self.frames, reach, ends)
        return np.asarray(np.clip(places, 0.0, math.nextafter(self.lap.length, 0.0)))

    def density(self, rows: Indices, steps: Array) -> Array:
        """How much of the way between two frames their own step is: less where meaning goes round a bend."""
        _, gaps = self.gaps
        weight = np.ones(len(self.s))
        for k, (first, after) in enumerate(pairwise([*rows.tolist(), len(self.s)])):
            length = float(gaps[first:after].sum())
            weight[first:after] = steps[k] / length if length > 0 else 1.0
        return weight

    def sudden(self, rows: Indices, steps: Array) -> Flags:
        """Which steps cross a gap that nothing splits and that is too wide."""
        arcs, gaps = self.gaps
        wide = np.append(0, np.cumsum((arcs <= 2 * self.floor) & (gaps > HIGH * float(np.median(steps)))))
        after = np.append(rows[1:], len(self.s))
        return np.asarray((wide[after] > wide[rows]) & (steps > HIGH * float(np.median(steps))))

    def way(self, rows: Indices) -> Way:
        """The frames at these rows. What leads to the first is known too."""
        steps = self.steps(rows)
        return looped(self.plane, *self.lap.at(self.s[rows]), steps, self.sudden(rows, steps))


def looped(plane: Plane, unit: Array, radius: Array, steps: Array, sudden: Flags) -> Way:
    """Frames of a loop. steps, sudden: [n] from each to the next, the last to the first."""
    points = plane.points(unit, radius)
    distance = np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1)
    rate, step, far = (np.roll(column, 1) for column in (ratio(steps, distance), steps, distance))
    return Way(unit, radius, rate, step, far, np.roll(sudden, 1), np.zeros(len(unit), np.int64))
