"""A spiral into a point."""

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
from latentworld.walks.fixed import Fixed, relative
from latentworld.walks.spec import Degrees, FixedSpec, Place


class Spiral(FixedSpec):
    """A zoom into a point: each turn ends at `shrink` of the distance it began at; open, in and out again.

    Speed is relative to the distance: arc length is counted as at the outer end, so every turn takes equally long.
    """

    label: ClassVar[str] = "Spiral"

    kind: Literal["spiral"] = "spiral"
    centre: Place = keyed("centre", "the point that it falls into")
    heading: Degrees = keyed(20.0, "from where it comes, in degrees")
    start: Annotated[FiniteFloat, Field(gt=0.0, le=120.0)] = keyed(40.0, "how far out it begins, in degrees")
    shrink: Annotated[FiniteFloat, Field(ge=0.01, le=0.99)] = keyed(0.5, "how much smaller every turn is: 0.5 halves")
    turns: Annotated[FiniteFloat, Field(gt=0.0, le=200.0)] = keyed(8.0, "how many; 8 turns at 0.5 end at 1/256")

    def build(self, plane: Plane) -> Fixed:
        """As `FixedSpec.build`."""
        centre, _ = place(plane, self.centre)
        h = heading(plane, centre, self.heading)
        coil = Coil(centre, h, math.radians(self.start), self.shrink, self.turns)
        return relative(coil, coil.speed, plane, self.radius, self.breaths)


@dataclass(frozen=True, eq=False)
class Coil:
    """Distance start * shrink^(t / 2 pi) radians from the centre, t the angle round it, in 0..2 pi turns."""

    centre: Unit
    heading: Unit
    start: float
    shrink: float
    turns: float

    @property
    def knots(self) -> Vector:
        return np.array([0.0, 2.0 * math.pi * self.turns])

    @property
    def speed(self) -> float:
        """Radians of globe travel per radian of t, at the outer end."""
        return math.hypot(math.sin(self.start), self.start * math.log(self.shrink) / (2.0 * math.pi))

    def unit(self, t: Vector) -> Units:
        away = (self.start * self.shrink ** (t / (2.0 * math.pi)))[:, None]
        side = globe.cross(self.centre, self.heading)
        out = np.cos(t)[:, None] * self.heading + np.sin(t)[:, None] * side
        return globe.normalise(np.cos(away) * self.centre + np.sin(away) * out)

    def radius(self, t: Vector) -> Radii:
        return np.ones(t.shape)
