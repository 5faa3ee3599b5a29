"""A walk along a rose (Grandi's rhodonea) about a point of the globe."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, FiniteFloat

from latentworld import globe
from latentworld.arrays import Radii, Unit, Units, Vector
from latentworld.plane import Plane
from latentworld.walks import Degrees, Fixed, FixedSpec, Place, fixed, heading, place


class Rose(FixedSpec):
    """A rose about a point, closed: r = reach cos(petals t) in degrees of arc. An even number has twice its petals."""

    label: ClassVar[str] = "Rose"

    kind: Literal["rose"] = "rose"
    centre: Place = "centre"
    heading: Degrees = 20.0
    reach: Annotated[FiniteFloat, Field(gt=0.0, le=120.0)] = 40.0
    petals: Annotated[int, Field(ge=2, le=24)] = 3

    def build(self, plane: Plane) -> Fixed:
        """The rose at even pace."""
        centre, _ = place(plane, self.centre)
        curve = Rhodonea(centre, heading(plane, centre, self.heading), math.radians(self.reach), self.petals)
        return fixed(curve, plane, True, self.radius, self.breaths)


@dataclass(frozen=True, eq=False)
class Rhodonea:
    """x = r cos t, y = r sin t with r = reach cos(petals t), radians of arc from the centre (exponential map)."""

    centre: Unit
    heading: Unit
    reach: float
    petals: int

    @property
    def knots(self) -> Vector:
        """Where the measuring of arc length begins anew: four times a petal."""
        turns = 1 if self.petals % 2 else 2  # an odd rose is whole after half a turn
        return np.linspace(0.0, turns * math.pi, 4 * turns * self.petals + 1)

    def unit(self, t: Vector) -> Units:
        """Units [n, 3] at t [n]."""
        away = self.reach * np.cos(self.petals * t)
        side = globe.cross(self.centre, self.heading)
        out = np.cos(t)[:, None] * self.heading + np.sin(t)[:, None] * side
        return globe.normalise(np.cos(away)[:, None] * self.centre + np.sin(away)[:, None] * out)

    def radius(self, t: Vector) -> Radii:
        """Radius factors [n] at t [n]."""
        return np.ones(t.shape)
