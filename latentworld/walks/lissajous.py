"""Lissajous figures about a point."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, FiniteFloat, Strict

from latentworld import globe
from latentworld.arrays import Radii, Unit, Units, Vector
from latentworld.errors import GeometryError
from latentworld.frozen import keyed
from latentworld.plane import Plane
from latentworld.walks.compass import heading, place
from latentworld.walks.fixed import Fixed, fixed
from latentworld.walks.spec import Degrees, FixedSpec, Place

Amplitude = Annotated[FiniteFloat, Field(gt=0.0, le=120.0)]
Frequency = Annotated[int, Field(ge=1, le=50)]


class Lissajous(FixedSpec):
    """x = a sin(m t + phase), y = b sin(n t) in degrees of arc from a point, closed. The default is a figure of eight,
    the low figure with the widest bends."""

    label: ClassVar[str] = "Lissajous"

    kind: Literal["lissajous"] = "lissajous"
    centre: Place = keyed("centre", "the point about which it is drawn: z0, z1, z2, centre, corner or [alpha, beta]")
    heading: Degrees = keyed(0.0, "in which direction x lies, in degrees")
    amplitudes: Annotated[tuple[Amplitude, Amplitude], Strict(False)] = keyed(
        (70.0, 30.0),
        "[a, b]: how far x and y reach, in degrees",
    )
    frequencies: Annotated[tuple[Frequency, Frequency], Strict(False)] = keyed(
        (1, 2),
        "[m, n]: how often x and y swing a lap; [1, 2] is an eight",
    )
    phase: Degrees = keyed(0.0, "of x against y, in degrees: opens and closes the figure")

    def build(self, plane: Plane) -> Fixed:
        """As `FixedSpec.build`; GeometryError too for a figure that stops, or reaches past the antipode."""
        centre, _ = place(plane, self.centre)
        (m, n), phase = self.frequencies, math.radians(self.phase)
        # y' = 0 where cos(n t) = 0; if x' = 0 there as well, the figure stops and turns back on itself.
        stops = (np.arange(2 * n) + 0.5) * math.pi / n
        if math.hypot(*self.amplitudes) >= 180.0:
            raise GeometryError("The Lissajous figure reaches past the antipode: lower its amplitudes.")
        if np.abs(np.cos(m * stops + phase)).min() < 1e-6:
            raise GeometryError("The Lissajous figure stops and turns back: change its phase by a few degrees.")
        a, b = (math.radians(x) for x in self.amplitudes)
        figure = Figure(centre, heading(plane, centre, self.heading), (a, b), (m, n), phase)
        return fixed(figure, plane, True, self.radius, self.breaths)


@dataclass(frozen=True, eq=False)
class Figure:
    """x = a sin(m t + phase), y = b sin(n t), radians of arc from the centre (exponential map); t in 0..2 pi."""

    centre: Unit
    heading: Unit
    amplitudes: tuple[float, float]
    frequencies: tuple[int, int]
    phase: float

    @property
    def knots(self) -> Vector:
        return np.linspace(0.0, 2.0 * math.pi, 4 * max(self.frequencies) + 1)

    def unit(self, t: Vector) -> Units:
        x = self.amplitudes[0] * np.sin(self.frequencies[0] * t + self.phase)
        y = self.amplitudes[1] * np.sin(self.frequencies[1] * t)
        away = np.hypot(x, y)[:, None]
        side = globe.cross(self.centre, self.heading)
        sinc = np.sinc(away / np.pi)  # sin(away) / away
        return globe.normalise(np.cos(away) * self.centre + sinc * (x[:, None] * self.heading + y[:, None] * side))

    def radius(self, t: Vector) -> Radii:
        return np.ones(t.shape)
