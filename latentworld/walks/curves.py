"""What a curve is, and the one that several walks are made of: arcs end to end. A pace is laid on it afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from latentworld import globe
from latentworld.arrays import Float64, Radii, Reals, Units, Vector
from latentworld.errors import GeometryError


class Curve(Protocol):
    """t [n] from the first knot, 0, to the last; smooth between knots, its direction continuous across them."""

    @property
    def knots(self) -> Vector:
        """float64[k], increasing from 0."""

    def unit(self, t: Vector) -> Units:
        """Units [n, 3]."""

    def radius(self, t: Vector) -> Radii:
        """Radius factors [n]."""


@dataclass(frozen=True, eq=False)
class Arcs:
    """Circular arcs end to end, t the globe travel: unit and heading float64[k, 3] and curvature [k] at each start.

    knots: float64[k + 1], where arcs begin, and the end. Radii: cubics in Bezier form [m, 4] between marks [m + 1].
    """

    knots: Float64[Reals, " ends"]
    starts: Float64[Reals, "ends-1 3"]
    headings: Float64[Reals, "ends-1 3"]
    curvatures: Float64[Reals, " ends-1"]
    marks: Float64[Reals, " m"]
    radii: Float64[Reals, "m-1 4"]

    def unit(self, t: Vector) -> Units:
        i = np.clip(np.searchsorted(self.knots, t, side="right") - 1, 0, len(self.starts) - 1)
        return globe.arc(self.starts[i], self.headings[i], t - self.knots[i], self.curvatures[i])[0]

    def radius(self, t: Vector) -> Radii:
        i = np.clip(np.searchsorted(self.marks, t, side="right") - 1, 0, len(self.radii) - 1)
        x, r = (t - self.marks[i]) / (self.marks[i + 1] - self.marks[i]), self.radii[i]
        y = 1.0 - x
        value: Radii = y**3 * r[:, 0] + 3 * y * y * x * r[:, 1] + 3 * y * x * x * r[:, 2] + x**3 * r[:, 3]
        return value


def biarcs(stops: Units, headings: Units, radii: Radii, closed: bool) -> Arcs:
    """The smooth curve through stops [m + 1, 3] with headings [m + 1, 3] and radii [m + 1]: two arcs between stops.

    Equal-length biarcs: tangent points q0 = p0 + d h0 and q1 = p1 - d h1 with |q1 - q0| = 2 d, joint (q0 + q1)/2, which
    lies on the sphere when p0, p1 do: |joint|^2 = 1 + d^2 - d^2. Arcs have no cusps, whatever the headings.
    """
    p0, p1, h0, h1 = stops[:-1], stops[1:], headings[:-1], headings[1:]
    v = p1 - p0
    along, reach = globe.dot(v, h0 + h1), globe.dot(v, v)
    apart = globe.dot(h0 - h1, h0 - h1) / 2  # 1 - h0.h1 with its digits
    below = along + np.sqrt(along**2 + 2.0 * apart * reach)
    if (below <= 1e-9 * np.sqrt(reach)).any():
        raise GeometryError("No arc joins two neighbours that face away from each other: put a place between them.")
    d = (reach / below)[:, None]
    joint, through = globe.settle((p0 + d * h0 + p1 - d * h1) / 2, (p1 - d * h1 - p0 - d * h0) / (2 * d))
    first, second = _arc_to(p0, h0, joint), _arc_to(joint, through, p1)
    lengths, curvatures = (np.stack([a, b], axis=1).ravel() for a, b in zip(first, second))
    starts, ways = (np.stack([a, b], axis=1).reshape(-1, 3) for a, b in ((p0, joint), (h0, through)))
    knots = np.concatenate([[0.0], np.cumsum(lengths)])
    return Arcs(knots, starts, ways, curvatures, knots[::2], _cubics(radii, np.diff(knots[::2]), closed))


def _arc_to(p: Units, h: Units, q: Units) -> tuple[Vector, Vector]:
    """Length and geodesic curvature of the arc from p with heading h to q: globe.arc's closed form solved for both."""
    chord = q - p
    square = globe.dot(chord, chord)
    curvature = 2.0 * globe.dot(chord, globe.cross(p, h)) / square
    w = np.sqrt(1.0 + curvature**2)
    return 2.0 * np.arctan2(square * w / 2, globe.dot(chord, h)) / w, curvature


def _cubics(r: Float64[Reals, " m"], widths: Float64[Reals, " m-1"], closed: bool) -> Float64[Reals, "m-1 4"]:
    """Radii through r [m + 1] over widths [m], [m, 4]: slopes are harmonic means, flat at extremes (Fritsch and
    Butland), so that the radius stays between its neighbours."""
    secants = np.diff(r) / widths
    before = np.concatenate([secants[-1:] if closed else [0.0], secants])
    after = np.concatenate([secants, secants[:1] if closed else [0.0]])
    same = before * after > 0
    slopes = np.where(same, 2.0 * before * after / np.where(same, before + after, 1.0), 0.0)
    return np.stack([r[:-1], r[:-1] + slopes[:-1] * widths / 3, r[1:] - slopes[1:] * widths / 3, r[1:]], axis=1)
