"""A circle about the globe: great, or small beside a great one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, FiniteFloat

from latentworld import globe
from latentworld.arrays import Radii, Unit, Units, Vector
from latentworld.frozen import keyed
from latentworld.plane import Plane
from latentworld.walks.compass import heading, place
from latentworld.walks.fixed import Fixed, fixed
from latentworld.walks.spec import Degrees, FixedSpec, Place


class Orbit(FixedSpec):
    """A circle, closed: great at latitude 0."""

    label: ClassVar[str] = "Orbit"

    kind: Literal["orbit"] = "orbit"
    through: Place = keyed("centre", "a point of the circle: z0, z1, z2, centre, corner or [alpha, beta]")
    inclination: Degrees = keyed(20.0, "in which direction it passes there, in degrees: 0 along alpha, 90 along beta")
    latitude: Annotated[FiniteFloat, Field(ge=-89.0, le=89.0)] = keyed(
        0.0,
        "degrees off the great circle: 0 is as wide as the globe, 80 a small ring",
    )
    phase: FiniteFloat = keyed(0.0, "where on it the walk begins, in laps")
    direction: Literal[1, -1] = keyed(1, "1 or -1: which way round")

    def build(self, plane: Plane) -> Fixed:
        """As `FixedSpec.build`."""
        centre, _ = place(plane, self.through)
        h = heading(plane, centre, self.inclination)
        circle = Circle(centre, h, math.radians(self.latitude), 2.0 * math.pi * self.phase, self.direction)
        return fixed(circle, plane, True, self.radius, self.breaths)


@dataclass(frozen=True, eq=False)
class Circle:
    """Small circle at `latitude` (radians) about the great circle through centre along heading; t in 0..2 pi."""

    centre: Unit
    heading: Unit
    latitude: float
    phase: float
    direction: int

    @property
    def knots(self) -> Vector:
        return np.linspace(0.0, 2.0 * math.pi, 5)

    def unit(self, t: Vector) -> Units:
        a = (self.direction * t + self.phase)[:, None]
        ring = np.cos(a) * self.centre + np.sin(a) * self.heading
        up = globe.cross(self.centre, self.heading)
        return globe.normalise(math.cos(self.latitude) * ring + math.sin(self.latitude) * up)

    def radius(self, t: Vector) -> Radii:
        return np.ones(t.shape)
