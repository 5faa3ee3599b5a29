"""A smooth curve through points."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, FiniteFloat, Strict

from latentworld import globe
from latentworld.arrays import Float64, Radii, Reals, Units
from latentworld.errors import GeometryError
from latentworld.frozen import keyed
from latentworld.plane import FARTHEST, NEAREST, Plane
from latentworld.walks.compass import place
from latentworld.walks.curves import Arcs, biarcs
from latentworld.walks.fixed import Fixed, fixed
from latentworld.walks.spec import FixedSpec, Place, Radius

Far = Annotated[FiniteFloat, Field(ge=-FARTHEST, le=-NEAREST)]  # the antipode's radius
Point = Place | Annotated[tuple[FiniteFloat, FiniteFloat, Radius | Far], Strict(False)]
HAIRPIN = 0.02  # radians between the ways in and out below which a waypoint is a dead end


class Waypoints(FixedSpec):
    """A smooth curve through points; closed, or open and then walked there and back; points' radii multiply. A negative
    radius is the antipode's: (alpha, beta, -1) lies on the far side."""

    label: ClassVar[str] = "Waypoints"

    kind: Literal["waypoints"] = "waypoints"
    points: Annotated[tuple[Point, ...], Field(min_length=2), Strict(False)] = keyed(
        ("z0", "z1", "z2", "centre"),
        "the places in their order: names (z0, centre, ...), [alpha, beta] or [alpha, beta, radius]",
    )
    closed: bool = keyed(True, "true: back to the first and round again; false: there and back")

    def build(self, plane: Plane) -> Fixed:
        """As `FixedSpec.build`; GeometryError too for neighbours that are equal or antipodal."""
        units, radii = zip(*(place(plane, point) for point in self.points))
        curve = through(np.stack(units), np.array(radii), self.closed)
        return fixed(curve, plane, self.closed, self.radius, self.breaths)


def through(stops: Units, radii: Radii, closed: bool) -> Arcs:
    """The curve of a Waypoints walk: through stops [m, 3] with radii [m], back to the first where it is closed.

    Raises GeometryError for neighbours that are equal or antipodal.
    """
    if closed:
        stops, radii = np.concatenate([stops, stops[:1]]), np.append(radii, radii[0])
    apart = globe.angle(stops[:-1], stops[1:])
    if (apart < 1e-9).any() or (apart > math.pi - 1e-6).any():
        raise GeometryError("Neighbouring waypoints are equal or antipodal: remove one, or put a third between them.")
    return biarcs(stops, _headings(stops, apart, closed), radii, closed)


def _headings(stops: Float64[Reals, "m 3"], apart: Float64[Reals, " m-1"], closed: bool) -> Float64[Reals, "m 3"]:
    """Headings at waypoints: Catmull-Rom with uneven knots, mean of the way in and out, the shorter counting more;
    across where the way turns back on itself; straight off at the ends of an open curve."""
    out, back = globe.tangent(stops[:-1], stops[1:]), globe.tangent(stops[1:], stops[:-1])
    headings = np.concatenate([out, -back[-1:]])
    inner = range(0 if closed else 1, len(apart))
    for i in inner:
        hairpin = float(globe.angle(out[i], back[i - 1])) < HAIRPIN
        mean = apart[i - 1] * out[i] - apart[i] * back[i - 1]
        headings[i] = globe.turn(stops[i], out[i], math.pi / 2) if hairpin else globe.project(stops[i], mean)
    if closed:
        headings[-1] = headings[0]
    return headings
