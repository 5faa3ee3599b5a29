"""Density geodesics on a sphere of any dimension, where only the gradient of log p is known.

Their length is that of the metric p^(-2k) |dx|^2 (Yu et al., CVPR 2025), so that they obey::

    P x'' = -k |x'|^2 P_n grad log p(x)           P: off the radius; P_n: off the radius and the way itself

The published solver steps down this equation's residual explicitly: 400 steps, whose size has to suit the number of
points, the dimension and k. Here a step is divided by the stiff part, the second difference, at once (a damped Picard
iteration), which needs a dozen steps whatever these are, and ends at the same way. k = 0 is the great circle, evenly
walked; a way and its reverse are treated alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from latentworld.arrays import Float64, Reals, Vector
from latentworld.errors import GeometryError

STAGES = 4  # 1, 3, 7, 15 points between the ends
SWEEPS = 12  # at each
DAMPING = 0.7
FARTHEST = 0.2  # of the radius: the most a point moves in a sweep
STRONGEST = 50.0

Points = Float64[Reals, "n d"]
Uphill = Callable[[Points], Points]
"""The gradient of log p at points."""


@dataclass(frozen=True, eq=False)
class Relaxed:
    """points: float64[n + 1, d], its ends included, on one sphere; moved: the most that a point moved in the last
    sweep, relative to the radius; calls: how many gradients were asked for."""

    points: Points
    moved: float
    calls: int


def relax(
    begin: Vector, end: Vector, uphill: Uphill, strength: float, *,
    stages: int = STAGES, sweeps: int = SWEEPS, tolerance: float = 1e-4, told: Callable[[], None] | None = None,
) -> Relaxed:  # fmt: skip
    """The way between two points [d] of one sphere, first through 1 point, then through 3, 7 ... 2^stages - 1.

    strength: k, above 0 keeps to the likely. tolerance: of `moved`, at which a stage ends early. told: called after
    each sweep. Raises GeometryError for a strength that is no number or too large, and for a gradient that is none.
    """
    if not (np.isfinite(strength) and abs(strength) <= STRONGEST):
        raise GeometryError(f"a strength of {strength:g}: give a finite number from -{STRONGEST:g} to {STRONGEST:g}")
    way, moved, calls = np.stack([begin, end]), 0.0, 0
    for _ in range(stages):
        way = halved(way)
        inverse = _inverse(len(way) - 1)
        for _ in range(sweeps):
            pull = uphill(way[1:-1])
            calls += len(way) - 2
            if not np.isfinite(pull).all():
                raise GeometryError("the density's gradient is not finite along the way: take another noise level")
            way, moved = _swept(way, inverse, strength * pull)
            if told is not None:
                told()
            if moved < tolerance:
                break
    return Relaxed(way, moved, calls)


def force(way: Points, pull: Points) -> tuple[Points, Vector]:
    """What is left of the equation at the inner points [n - 1, d], over |x'|^2, and that [n - 1]. pull: k grad log p.

    Along the way itself it is the second difference alone, which makes the steps even.
    """
    count = len(way) - 1
    radial = _unit(way[1:-1])
    bend = count**2 * (way[2:] - 2 * way[1:-1] + way[:-2])
    along = count / 2 * (way[2:] - way[:-2])
    speed = (along**2).sum(axis=1)
    tangent = _unit(_off(along, radial))
    return _off(bend, radial) / speed[:, None] + _off(_off(pull, radial), tangent), speed


def halved(way: Points) -> Points:
    """A way with a point between any two, on the sphere of its first."""
    radius = float(np.linalg.norm(way[0]))
    made = np.repeat(way, 2, axis=0)[:-1]
    made[1::2] = radius * _unit(way[1:] + way[:-1])
    return made


def _swept(way: Points, inverse: Float64[Reals, "m m"], pull: Points) -> tuple[Points, float]:
    radius = float(np.linalg.norm(way[0]))
    left, speed = force(way, pull)
    move = DAMPING * (inverse @ (left * speed[:, None]))
    largest = float(np.linalg.norm(move, axis=1).max()) / radius
    move *= min(1.0, FARTHEST / largest) if largest > 0 else 1.0
    made = way.copy()
    made[1:-1] = radius * _unit(way[1:-1] + move)
    return made, largest


def _inverse(count: int) -> Float64[Reals, "m m"]:
    """Of minus the second difference over `count` pieces of the unit interval, ends fixed: its Green's function."""
    at = np.arange(1, count) / count
    found: Float64[Reals, "m m"] = np.minimum.outer(at, at) * (1 - np.maximum.outer(at, at)) / count
    return found


def _off(rows: Points, units: Points) -> Points:
    left: Points = rows - (rows * units).sum(axis=1, keepdims=True) * units
    return left


def _unit(rows: Points) -> Points:
    found: Points = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-300)
    return found
