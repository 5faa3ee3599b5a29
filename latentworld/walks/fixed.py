"""Fixed walks: a known curve at even pace. Steering's curvature does not move them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from latentworld.arrays import Flags, Radii, Units, Vector
from latentworld.errors import GeometryError
from latentworld.plane import Plane
from latentworld.walks.arclength import ArcTable
from latentworld.walks.breath import Breath
from latentworld.walks.curves import Curve
from latentworld.walks.walk import checked_strides


@dataclass(frozen=True, eq=False)
class Fixed:
    """A curve, its two tables and the arc length travelled.

    turns: globe travel to the curve's parameter; reach: latent arc length to globe travel. A closed walk goes round and
    round, an open one there and back; `length` is one lap or one way. On the curve it is at `begin` + `way` x arc.
    """

    curve: Curve
    turns: ArcTable
    reach: ArcTable
    breath: Breath
    closed: bool
    arc: float = 0.0
    begin: float = 0.0
    way: Literal[1, -1] = 1

    @property
    def length(self) -> float:
        """Latent arc length of one lap (closed) or one way (open)."""
        return self.reach.length

    def ahead(self, strides: npt.ArrayLike, curvature: float = 0.0) -> tuple[Units, Radii]:
        """Units [n, 3] and radii [n] at strides [n]; curvature is ignored. Raises GeometryError if not finite."""
        phi = self.reach.at(self._folded(self.begin + self.way * (self.arc + checked_strides(strides)))[0])
        t = self.turns.at(phi)
        return self.curve.unit(t), self.curve.radius(t) * self.breath(phi)

    def advance(self, stride: float, curvature: float = 0.0) -> Fixed:
        """The walk after one stride."""
        return replace(self, arc=self.arc + float(checked_strides(stride)[0]))

    @property
    def place(self) -> float:
        """Where on the curve it is, 0..length."""
        return float(self._folded(np.array([self.begin + self.way * self.arc]))[0][0])

    @property
    def onward(self) -> Literal[1, -1]:
        """Which way along the curve it goes now: an open walk comes back."""
        back = self._folded(np.array([self.begin + self.way * self.arc]))[1][0]
        return -self.way if back else self.way  # type: ignore[return-value]

    def redirected(self, way: Literal[1, -1], closed: bool, place: float | None = None) -> Fixed:
        """From where it is (or from `place`, 0..length) along the curve in that direction; closed: round and round,
        else there and back."""
        here = self.place if place is None else place
        return replace(self, begin=here - way * self.arc, way=way, closed=closed)

    def _folded(self, s: Vector) -> tuple[Vector, Flags]:
        """Arc lengths [n] of any size on the curve, 0..length, and whether it is on the way back there."""
        if self.closed:
            return np.mod(s, self.length), np.zeros(s.shape, np.bool_)
        s = np.mod(s, 2.0 * self.length)
        back = 2.0 * self.length - s
        return np.minimum(s, back), back < s


def fixed(curve: Curve, plane: Plane, closed: bool, radius: float = 1.0, breaths: float = 0.0) -> Fixed:
    """Lay an even pace on a curve. Raises GeometryError when it has zero length, or leaves the front of a raw plane."""
    if float(curve.radius(curve.knots).max()) * radius > 3.0:
        raise GeometryError("The radius passes 3: lower the walk's radius or its waypoints'.")
    turns = ArcTable.measure(curve.unit, curve.knots)
    breath = _breath(turns.length, radius, breaths)

    def place(phi: Vector) -> Units:
        t = turns.at(phi)
        return plane.points(curve.unit(t), curve.radius(t) * breath(phi))

    # In a raw plane lengths are what the formula gives them, so it too is measured in the latents' own space.
    reach = ArcTable.measure(place, _knots(curve, turns, breath))
    return Fixed(curve, turns, reach, breath, closed)


def relative(curve: Curve, speed: float, plane: Plane, radius: float, breaths: float) -> Fixed:
    """An open walk run evenly in the curve's parameter; arc length is counted at `speed` (its start), on the shell."""
    turns = ArcTable.linear(speed * float(curve.knots[-1]), float(curve.knots[-1]))
    breath = _breath(turns.length, radius, breaths)
    scale = plane.target * (radius if breath.constant else 1.0)
    return Fixed(curve, turns, ArcTable.linear(scale * turns.length, turns.length), breath, closed=False)


def _breath(travel: float, radius: float, breaths: float) -> Breath:
    """Breaths are whole over the travel, so that laps join."""
    if breaths == 0:
        return Breath(radius)
    return Breath(radius, travel / max(1, round(breaths * travel / (2.0 * math.pi))))


def _knots(curve: Curve, turns: ArcTable, breath: Breath) -> Vector:
    """Globe travel at the curve's knots, and between them enough more that a breath spans two intervals."""
    cells = (len(turns.starts) - 1) // (len(curve.knots) - 1)
    knots = turns.starts[::cells]
    finer = 1 if breath.constant else 1 + int(2.0 * np.diff(knots).max() / breath.period)
    share = np.arange(finer) / finer
    return np.append((knots[:-1, None] + np.diff(knots)[:, None] * share).ravel(), knots[-1])
