"""Geodesics: ways whose energy is least, found as polylines on a chart by L-BFGS with exact gradients.

::

    Meaning   n/2 sum |f(x_i+1) - f(x_i)|^2                    interpolated features: the pull-back metric's geodesics
    Fisher    n/2 sum d^T g(mid) d                             log Z's, differentiated through g
    Density   n/2 sum |u_i+1 - u_i|^2 exp(2 k l(mid))          l = -log p on the globe: k > 0 keeps to the likely

The least of an energy is a geodesic walked evenly: constant speed comes for free. As k -> 0, Density gives the great
circle. Its extremals obey Clairaut's relation where l is the same all around an axis, which is how it is tested.
The unknowns are scaled by the square root of the second difference's inverse (by sines, so that a way and its reverse
are treated alike), without which L-BFGS needs n^2 times as many steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np

from latentworld import globe
from latentworld.arrays import Array, Float64, Reals, Units
from latentworld.atlas.ground import Chart, Ground, Plot
from latentworld.atlas.logz import LogZ
from latentworld.errors import AtlasError
from latentworld.extras import need

PIECES = 40  # of a way
WITHIN = 4  # 8 finds ways no shorter, in twice the time
SHORT = 0.01  # weight of the way's own evenness, against what the features change along the straight way
WALL = 1e3  # by which it costs to leave the chart, against the energy of the straight way
STRONGEST = 50.0  # of a density
STEPS = 2000  # of L-BFGS


class Energy(Protocol):
    """Of a polyline [n + 1, 2] on a chart: its energy and the gradient of that [n + 1, 2]."""

    def __call__(self, way: Plot) -> tuple[float, Plot]: ...


@dataclass(frozen=True, eq=False)
class Meaning:
    """By features that change as little as they may; `even` a unit of the chart squared is added to the metric, so that
    where nothing changes the way is straight. They are looked at WITHIN times in each piece: where only the pieces'
    ends count, ways of least energy leap what is steep and narrow (once decoded some are longer than the straight
    line; on a 245 x 245 survey three of twelve)."""

    ground: Ground
    even: float

    def __call__(self, way: Plot) -> tuple[float, Plot]:
        between = _between(len(way) - 1, WITHIN)
        way = between @ way
        count = len(way) - 1
        value, along = self.ground(way)
        step, moved = np.diff(value, axis=0), np.diff(way, axis=0)
        energy = count / 2 * float((step**2).sum() + self.even * (moved**2).sum())
        by_value = count * (np.pad(step, ((1, 0), (0, 0))) - np.pad(step, ((0, 1), (0, 0))))
        by_place = self.even * count * (np.pad(moved, ((1, 0), (0, 0))) - np.pad(moved, ((0, 1), (0, 0))))
        return energy, between.T @ (np.einsum("nf,nfa->na", by_value, along) + by_place)

    def length(self, way: Plot) -> float:
        """Its length through the features."""
        return length(np.asarray(self.ground.spline(way)))


@dataclass(frozen=True, eq=False)
class Fisher:
    """By log Z's metric; `scale` [2] takes the chart to log Z's unit square; `even` as of `Meaning`."""

    found: LogZ
    scale: Float64[Reals, "2"]
    even: float

    def __call__(self, way: Plot) -> tuple[float, Plot]:
        count, t = len(way) - 1, way * self.scale
        step, middle = np.diff(t, axis=0), (t[1:] + t[:-1]) / 2
        pull = np.einsum("nab,nb->na", self.found.metric(middle), step)
        moved = np.diff(way, axis=0)
        energy = count / 2 * float((pull * step).sum() + self.even * (moved**2).sum())
        bend = np.einsum("nabc,na,nb->nc", self.found.slope(middle), step, step) / 2  # of the metric, half to each end
        ahead = count * (pull * self.scale + self.even * moved)
        aside = count / 2 * bend * self.scale
        return energy, np.pad(ahead + aside, ((1, 0), (0, 0))) + np.pad(aside - ahead, ((0, 1), (0, 0)))

    def length(self, way: Plot) -> float:
        """Its length by the metric at its middles."""
        t = way * self.scale
        step, middle = np.diff(t, axis=0), (t[1:] + t[:-1]) / 2
        squared = np.einsum("nab,na,nb->n", self.found.metric(middle), step, step)
        return float(np.sqrt(np.maximum(squared, 0)).sum())


@dataclass(frozen=True, eq=False)
class Density:
    """By where it is likely: field gives l = -log p [n] and its gradient [n, 3] at units; strength k."""

    chart: Chart
    field: Callable[[Units], tuple[Array, Units]]
    strength: float

    def __post_init__(self) -> None:
        check_strength(self.strength)

    def __call__(self, way: Plot) -> tuple[float, Plot]:
        count = len(way) - 1
        unit, moves = self.chart.unit(way)
        step, total = np.diff(unit, axis=0), unit[1:] + unit[:-1]
        length = np.sqrt(globe.dot(total, total))[:, None]
        middle = total / length
        surprise, uphill = self.field(middle)
        weight = np.exp(2 * self.strength * surprise)[:, None]
        squared = globe.dot(step, step)[:, None]
        energy = count / 2 * float((squared * weight).sum())
        pull = self.strength * squared * weight * uphill
        pull = (pull - globe.dot(middle, pull)[:, None] * middle) / length  # through the middle's normalisation
        ahead = count * (step * weight + pull)
        back = count * (pull - step * weight)
        by_unit = np.pad(ahead, ((1, 0), (0, 0))) + np.pad(back, ((0, 1), (0, 0)))
        return energy, np.einsum("na,nab->nb", by_unit, moves)

    def length(self, way: Plot) -> float:
        """Its length: of the great circles between its places, by exp(k l) at their middles."""
        unit, _ = self.chart.unit(way)
        middle = globe.normalise(unit[1:] + unit[:-1])
        return float((globe.angle(unit[:-1], unit[1:]) * np.exp(self.strength * self.field(middle)[0])).sum())


def check_strength(strength: float) -> None:
    """Raises AtlasError for one that no way can be found with."""
    if not (np.isfinite(strength) and abs(strength) <= STRONGEST):
        raise AtlasError(
            f"a strength of {strength:g}: give a finite number from -{STRONGEST:g} to {STRONGEST:g}, such as 1 for the "
            "likely way or -1 for the unlikely one"
        )


def straight(chart: Chart, begin: Array, end: Array, pieces: int = PIECES) -> Plot:
    """The great circle between two units, walked evenly, on a chart [pieces + 1, 2]."""
    way = globe.slerp(begin, end, np.linspace(0.0, 1.0, pieces + 1))
    return chart.place(way)[0]


def evenly(way: Plot, pieces: int = PIECES) -> Float64[Reals, "m 2"]:
    """A polyline [m, 2] in so many pieces of one length on the chart; its ends stay."""
    gone = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(way, axis=0), axis=1))])
    if gone[-1] <= 0:
        raise AtlasError("both ends of the way are the same place: give two that differ")
    at = np.linspace(0.0, gone[-1], pieces + 1)
    return np.stack([np.interp(at, gone, axis) for axis in way.T], axis=1)


def relax(energy: Energy, way: Plot, chart: Chart, tolerance: float = 1e-11) -> Plot:
    """The way of least energy between the ends of one [n + 1, 2], of which it is a deformation.

    Never dearer than what it began as. It may not leave the chart's bounds. tolerance: of the energy, relative.
    """
    count = len(way) - 1
    if count < 2:
        return way
    root = _root(count)
    first, _ = energy(way)
    if not (np.isfinite(first) and first > 0):
        return way
    wall = WALL / float(((chart.high - chart.low) ** 2).sum())

    def placed(z: Array) -> Plot:
        inner = way[1:-1] + root @ z.reshape(-1, 2)
        return np.concatenate([way[:1], inner, way[-1:]])

    def loss(z: Array) -> tuple[float, Array]:
        here = placed(z)
        out = here - np.clip(here, chart.low, chart.high)
        cost, uphill = energy(here)
        cost, uphill = cost / first + wall * float((out**2).sum()), uphill / first + 2 * wall * out
        return cost, np.asarray(root @ uphill[1:-1]).ravel()

    found = need("scipy.optimize").minimize(
        loss, np.zeros(2 * (count - 1)), jac=True, method="L-BFGS-B",
        options={"maxcor": 40, "maxiter": STEPS, "maxfun": 2 * STEPS, "ftol": tolerance, "gtol": 1e-12},
    )  # fmt: skip
    made = np.clip(placed(found.x), chart.low, chart.high)
    made[[0, -1]] = way[[0, -1]]
    return made if energy(made)[0] <= first else way


@lru_cache(maxsize=8)
def _between(count: int, parts: int) -> Float64[Reals, "m n"]:
    """What takes the ends of count pieces to places that part each evenly [parts * count + 1, count + 1]."""
    at = np.arange(parts * count + 1)[:, None] / parts
    return np.maximum(0.0, 1.0 - np.abs(at - np.arange(count + 1)))


@lru_cache(maxsize=8)
def _root(count: int) -> Float64[Reals, "m m"]:
    """The inverse root of the second difference over count pieces [count - 1, count - 1], by its sines."""
    k = np.arange(1, count)
    sines = np.sqrt(2 / count) * np.sin(np.pi * np.outer(k, k) / count)
    root: Float64[Reals, "m m"] = (sines / (2 * np.sin(np.pi * k / (2 * count)))) @ sines
    return root


def even_weight(ground: Ground, way: Plot) -> float:
    """The evenness that suits features over a way: `SHORT` of what they change along it, per unit of the chart."""
    value, _ = ground(way)
    moved = float((np.diff(way, axis=0) ** 2).sum())
    return SHORT * float((np.diff(value, axis=0) ** 2).sum()) / moved if moved > 0 else 0.0


def length(features: Float64[Reals, "n f"]) -> float:
    """Of a way through features: the sum of its steps."""
    return float(np.linalg.norm(np.diff(features, axis=0), axis=1).sum())


def energy(features: Float64[Reals, "n f"]) -> float:
    """n sum d^2 of n steps: the square of the length for even steps, more for others (perceptual path length's sum)."""
    steps = np.linalg.norm(np.diff(features, axis=0), axis=1)
    return float(len(steps) * (steps**2).sum())


def curvature(features: Float64[Reals, "n f"]) -> float:
    """Mean turning angle a step, radians, of a way through features; steps without a length do not count."""
    steps = np.diff(features, axis=0)
    size = np.linalg.norm(steps, axis=1)
    steps = steps[size > 1e-12] / size[size > 1e-12, None]
    if len(steps) < 2:
        return 0.0
    return float(np.arccos(np.clip((steps[1:] * steps[:-1]).sum(axis=1), -1, 1)).mean())
