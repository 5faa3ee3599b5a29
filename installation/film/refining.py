"""Steps that the pacing could not make smaller, cut finer through the decoder itself."""

from __future__ import annotations

import numpy as np

from installation.film.ways import Way
from latentworld import globe
from latentworld.arrays import Array
from latentworld.lipschitz import Lookout, along
from latentworld.pacing import HIGH
from latentworld.plane import Plane

FINEST = 2.0**-22  # radians: what float32 tells apart in a latent
ROUNDS = 20  # halvings of a gap


def refined(way: Way, number: int, lookout: Lookout, plane: Plane, target: float, most: int) -> Way:
    """The way with places between the two sides of its rift `number` (from 0) wherever a step is marked: each gap is
    halved until its step is within what the pacing accepts of `target`, nothing lies between any more, or there are
    `most` new places. What stays larger stays marked."""
    rift = way.rifts[number]
    rows = np.arange(rift.before, rift.after + 1)
    steep = rows[1:][way.marked[rows[1:]]]
    unit, radius = way.unit[rows], way.radius[rows]
    features = np.asarray(lookout(unit, radius), np.float64)
    for _ in range(ROUNDS):
        step = np.linalg.norm(np.diff(features, axis=0), axis=1)
        apart = globe.angle(unit[:-1], unit[1:]) + np.abs(np.diff(radius))
        wide = np.flatnonzero((step > HIGH * target) & (apart > FINEST))[: most - (len(unit) - len(rows))]
        if not len(wide) or not len(steep):
            break
        middle = globe.slerp(unit[wide], unit[wide + 1], np.full(len(wide), 0.5))
        half = (radius[wide] + radius[wide + 1]) / 2
        unit, radius = np.insert(unit, wide + 1, middle, axis=0), np.insert(radius, wide + 1, half)
        features = np.insert(features, wide + 1, np.asarray(lookout(middle, half), np.float64), axis=0)
    return _put(way, rift.before, rift.after, unit, radius, features, plane, target)


def _put(
    way: Way, before: int, after: int, unit: Array, radius: Array, features: Array, plane: Plane, target: float
) -> Way:
    """The way with other places from one row to another, both of which stay."""
    rates, _ = along(features, plane.points(unit, radius))
    inner = slice(1, len(unit))
    head, tail = slice(0, before + 1), slice(after + 1, len(way))

    def joined(column: Array, new: Array) -> Array:
        return np.concatenate([column[head], new[inner], column[tail]])

    marked = np.concatenate([way.marked[head], rates.step[inner] > HIGH * target, way.marked[tail]])
    scene = np.concatenate([way.scene[head], np.full(len(unit) - 1, way.scene[before]), way.scene[tail]])
    return Way(
        joined(way.unit, unit), joined(way.radius, radius), joined(way.rate, rates.rate), joined(way.step, rates.step),
        joined(way.distance, rates.distance), marked, scene,
    )  # fmt: skip
