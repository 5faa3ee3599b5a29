"""The curves fixed walks follow: closed forms on the globe. A pace is laid on them afterwards (arclength)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt

from latentworld import globe
from latentworld.globe import Array


class Curve(Protocol):
    """t [n] from the first knot, 0, to the last; smooth between knots, its direction continuous across them."""

    @property
    def knots(self) -> Array:
        """float64[k], increasing from 0."""

    def unit(self, t: Array) -> Array:
        """Units [n, 3]."""

    def radius(self, t: Array) -> Array:
        """Radius factors [n]."""


@dataclass(frozen=True, eq=False)
class Circle:
    """Small circle at `latitude` (radians) about the great circle through centre along heading; t in 0..2 pi."""

    centre: Array
    heading: Array
    latitude: float = 0.0
    phase: float = 0.0
    direction: int = 1

    @property
    def knots(self) -> Array:
        return np.linspace(0.0, 2.0 * math.pi, 5)

    def unit(self, t: Array) -> Array:
        a = (self.direction * t + self.phase)[:, None]
        ring = np.cos(a) * self.centre + np.sin(a) * self.heading
        up = globe.cross(self.centre, self.heading)
        return globe.normalise(math.cos(self.latitude) * ring + math.sin(self.latitude) * up)

    def radius(self, t: Array) -> Array:
        return np.ones(t.shape)


@dataclass(frozen=True, eq=False)
class Lissajous:
    """x = a sin(m t + phase), y = b sin(n t), radians of arc from the centre (exponential map); t in 0..2 pi."""

    centre: Array
    heading: Array
    amplitudes: tuple[float, float]
    frequencies: tuple[int, int]
    phase: float

    @property
    def knots(self) -> Array:
        return np.linspace(0.0, 2.0 * math.pi, 4 * max(self.frequencies) + 1)

    def unit(self, t: Array) -> Array:
        x = self.amplitudes[0] * np.sin(self.frequencies[0] * t + self.phase)
        y = self.amplitudes[1] * np.sin(self.frequencies[1] * t)
        away = np.hypot(x, y)[:, None]
        side = globe.cross(self.centre, self.heading)
        sinc = np.sinc(away / np.pi)  # sin(away) / away
        return globe.normalise(np.cos(away) * self.centre + sinc * (x[:, None] * self.heading + y[:, None] * side))

    def radius(self, t: Array) -> Array:
        return np.ones(t.shape)


@dataclass(frozen=True, eq=False)
class Spiral:
    """Distance start * shrink^(t / 2 pi) radians from the centre, t the angle round it, in 0..2 pi turns."""

    centre: Array
    heading: Array
    start: float
    shrink: float
    turns: float

    @property
    def knots(self) -> Array:
        return np.array([0.0, 2.0 * math.pi * self.turns])

    @property
    def speed(self) -> float:
        """Radians of globe travel per radian of t, at the outer end."""
        return math.hypot(math.sin(self.start), self.start * math.log(self.shrink) / (2.0 * math.pi))

    def unit(self, t: Array) -> Array:
        away = (self.start * self.shrink ** (t / (2.0 * math.pi)))[:, None]
        side = globe.cross(self.centre, self.heading)
        out = np.cos(t)[:, None] * self.heading + np.sin(t)[:, None] * side
        return globe.normalise(np.cos(away) * self.centre + np.sin(away) * out)

    def radius(self, t: Array) -> Array:
        return np.ones(t.shape)


@dataclass(frozen=True, eq=False)
class Spline:
    """Geodesic cubic Bezier segments (de Casteljau by slerp), t in 0..m; radii by cubic Bezier.

    controls: float64[m, 4, 3]; radii: float64[m, 4].
    """

    controls: Array
    radii: Array

    @property
    def knots(self) -> Array:
        return np.arange(len(self.controls) + 1, dtype=np.float64)

    def unit(self, t: Array) -> Array:
        segment, x = self._split(t)
        points: list[Array] = [self.controls[segment, j] for j in range(4)]
        while len(points) > 1:
            points = [globe.slerp(a, b, x) for a, b in pairwise(points)]
        return points[0]

    def radius(self, t: Array) -> Array:
        segment, x = self._split(t)
        y, r = 1.0 - x, self.radii[segment]
        value: Array = y**3 * r[:, 0] + 3 * y * y * x * r[:, 1] + 3 * y * x * x * r[:, 2] + x**3 * r[:, 3]
        return value

    def _split(self, t: Array) -> tuple[npt.NDArray[np.int64], Array]:
        segment = np.clip(np.floor(t).astype(np.int64), 0, len(self.controls) - 1)
        return segment, t - segment


def bezier(start: Array, leaving: Array, end: Array, arriving: Array, handle: float) -> Array:
    """Control points float64[4, 3] from start, heading `leaving`, to end, heading `arriving`, handles in radians."""
    return np.stack([start, globe.step(start, leaving, handle)[0], globe.step(end, arriving, -handle)[0], end])
