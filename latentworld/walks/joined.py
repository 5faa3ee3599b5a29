"""Getting from one walk to another while it is being walked: smoothly onto a fixed one, freely off any."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from latentworld import globe
from latentworld.arrays import Radii, Unit, Units
from latentworld.errors import GeometryError
from latentworld.plane import Plane
from latentworld.walks.curves import biarcs
from latentworld.walks.fixed import Fixed, fixed
from latentworld.walks.free import Free
from latentworld.walks.walk import Walk, checked_strides

Bearing = tuple[Unit, Unit, float]
"""Where a walk is and which way it goes: place, heading, radius."""

PROBE = 1e-3  # latent arc over which the heading of a walk that knows none is read off
MERGES = 96  # places of a fixed walk that are tried as the end of the way onto it
SHARP = 30.0  # curvature at which a way counts as twice as long
THERE = 1e-6  # radians from which a walk is on the curve already


@dataclass(frozen=True, eq=False)
class Joined:
    """A way onto a fixed walk, then that walk. The way is two arcs that leave along `heading` and arrive along the
    walk's own; its radius goes from `radius` to the walk's. `start` is what the way was made of."""

    way: Fixed
    then: Fixed
    start: Bearing  # unit [3], heading [3], radius
    arc: float = 0.0

    @property
    def length(self) -> float | None:
        """Of the whole walk that follows: one lap or one way."""
        return self.then.length

    def ahead(self, strides: npt.ArrayLike, curvature: float = 0.0) -> tuple[Units, Radii]:
        """Units [n, 3] and radii [n] at strides [n]; curvature is ignored."""
        s = self.arc + checked_strides(strides)
        before = s < self.way.length
        units, radii = np.empty((len(s), 3)), np.empty(len(s))
        for where, walk, arcs in ((before, self.way, s), (~before, self.then, s - self.way.length)):
            if where.any():
                units[where], radii[where] = walk.ahead(arcs[where])
        return units, radii

    def advance(self, stride: float, curvature: float = 0.0) -> Joined | Fixed:
        """The walk after one stride; past the way, the fixed walk itself."""
        s = self.arc + float(checked_strides(stride)[0])
        return self.then.advance(s - self.way.length) if s >= self.way.length else replace(self, arc=s)


def bearing(walk: Walk) -> Bearing:
    """Where a walk is and which way it goes: unit [3], heading [3], radius."""
    if isinstance(walk, Free):
        return walk.unit, walk.heading, float(walk.ahead(0.0)[1][0])
    units, radii = walk.ahead(np.array([0.0, PROBE]))
    for reach in (1.0, 10.0, 100.0, 1e3):  # a spiral deep inside moves little, and a walk may turn just here
        units[1] = walk.ahead(PROBE * reach)[0][0]
        if float(globe.angle(units[0], units[1])) > 1e-12:
            return units[0], globe.tangent(units[0], units[1]), float(radii[0])
    raise GeometryError("The walk stands still: it has no heading. Choose another walk.")


def departed(walk: Walk, like: Free) -> Free:
    """A free walk of `like`'s kind (its ease, wind and breath) from where any walk is, on its heading and with its
    bend; without breaths it keeps the walk's radius."""
    unit, heading, radius = bearing(walk)
    unit, heading = globe.settle(unit, heading)
    breath = replace(like.breath, radius=radius) if like.breath.constant else like.breath
    bend = walk.bend if isinstance(walk, Free) else 0.0
    return replace(like, unit=unit, heading=heading, breath=breath, arc=walk.arc, bend=bend)


def recentred(walk: Free, unit: Unit) -> Free:
    """The walk at another place, its heading carried there along the great circle (parallel transport)."""
    away = float(globe.angle(walk.unit, unit))
    if away < THERE or away > math.pi - THERE:  # no great circle: the heading itself is as good
        return replace(walk, unit=unit, heading=globe.project(unit, walk.heading) if away < 1 else -walk.heading)
    toward = globe.tangent(walk.unit, unit)
    side = globe.cross(walk.unit, toward)
    arrived = globe.step(walk.unit, toward, away)[1]
    carried = globe.dot(walk.heading, toward) * arrived + globe.dot(walk.heading, side) * globe.cross(unit, arrived)
    return replace(walk, unit=unit, heading=globe.project(unit, carried))


def joined(walk: Walk, onto: Fixed, plane: Plane) -> Joined | Fixed:
    """A smooth way from where `walk` is onto `onto`, at the place of its curve that is soonest reached without sharp
    turns, in the direction in which `onto` goes there. Arc lengths go on from the walk's.

    Raises GeometryError where no two arcs lead onto the curve (then it has turned its back everywhere).
    """
    start = bearing(walk)
    places = np.arange(MERGES) / MERGES * onto.length
    onward = onto.onward
    targets = [replace(onto, arc=walk.arc).redirected(onward, onto.closed, float(place)) for place in places]
    ends = [bearing(target) for target in targets]
    near = min(range(MERGES), key=lambda i: float(globe.angle(start[0], ends[i][0])))
    if float(globe.angle(start[0], ends[near][0])) < THERE and float(globe.dot(start[1], ends[near][1])) > 0.999:
        return targets[near]
    costs = [_cost(start, end) for end in ends]
    best = int(np.argmin(costs))
    if not math.isfinite(costs[best]):
        raise GeometryError("No smooth way leads onto that walk from here: steer elsewhere first.")
    return onto_at(start, targets[best], plane)


def onto_at(start: Bearing, then: Fixed, plane: Plane) -> Joined:
    """The way from a start (unit, heading, radius) to where `then` is. Raises GeometryError where there is none."""
    unit, heading, radius = bearing(then)
    inner = np.array([start[2], radius])
    arcs = biarcs(np.stack([start[0], unit]), np.stack([start[1], heading]), inner, closed=False)
    return Joined(fixed(arcs, plane, closed=False), then, start)


def _cost(start: Bearing, end: Bearing) -> float:
    """Length of the way between two bearings, sharp turns counting more; infinite where there is none."""
    try:
        arcs = biarcs(np.stack([start[0], end[0]]), np.stack([start[1], end[1]]), np.ones(2), closed=False)
    except GeometryError:
        return math.inf
    return float(arcs.knots[-1] * (1.0 + (np.abs(arcs.curvatures).max() / SHARP) ** 2))
