"""What a walk is in a preset: a frozen model that knows its keys, what it is called, and how it is built on a plane.

Angles are degrees, radii factors of the shell. A point is a name (`z0`, `z1`, `z2`, `centre` of the cell, `corner` at
alpha = beta = 1; `-` before it: its antipode on the far side), or alpha and beta; waypoints may add a radius, a
negative one on the far side. Headings count from growing alpha, left (toward growing beta) positive.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, Strict

from latentworld.explain import spelt
from latentworld.frozen import keyed
from latentworld.plane import FARTHEST, NEAREST, Plane
from latentworld.walks.breath import Breath
from latentworld.walks.compass import heading, place
from latentworld.walks.fixed import Fixed
from latentworld.walks.free import Free, Wind, free

PointName = Annotated[
    str, spelt(r"-?(z0|z1|z2|centre|corner)", "z0, z1, z2, centre or corner, perhaps with - before it")
]
Radius = Annotated[FiniteFloat, Field(ge=NEAREST, le=FARTHEST)]
"""A factor of the shell, on the side where a place is."""
Degrees = Annotated[FiniteFloat, Field(ge=-360.0, le=360.0)]
"""An angle on the globe, in degrees."""
Pair = Annotated[tuple[FiniteFloat, FiniteFloat], Strict(False)]  # TOML writes tuples as lists
"""Two numbers, such as alpha and beta."""
Place = PointName | Pair
"""A point by its name, or alpha and beta."""


class Spec(BaseModel, ABC):
    """Common to all walks: the radius, and how it breathes."""

    label: ClassVar[str]
    """What people read."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    radius: Radius = keyed(
        1.0,
        "factor of the Gaussian shell: 1 is where latents lie, below it pictures grow smooth and grey, above "
        "contrasty and strange",
    )
    breaths: Annotated[FiniteFloat, Field(ge=0.0, le=36.0)] = keyed(
        0.0,
        "how often the radius breathes between 1 and `radius` per 360 degrees of travel; 0: constant. Closed walks "
        "round to whole breaths a lap, open ones to whole breaths a way",
    )
    kind: str
    """The name in presets; a subclass narrows it to a literal with itself as the default."""

    @classmethod
    def plain(cls) -> Self:
        """The walk without further keys, as the control has it."""
        return cls.model_validate({"kind": cls.model_fields["kind"].default})

    @abstractmethod
    def build(self, plane: Plane) -> Fixed | Free:
        """The walk on a plane, at its start.

        Raises GeometryError for a path of zero length, or one that leaves the front of a raw plane.
        """


class FixedSpec(Spec):
    """A walk along a known curve, which steering does not move."""

    @abstractmethod
    def build(self, plane: Plane) -> Fixed:
        """The curve at even pace (`walks.fixed`). Raises GeometryError as `Spec.build`."""


class FreeSpec(Spec):
    """A walk with a heading, which the pilot or a hand may steer; endless."""

    start: Place = keyed(
        "centre",
        "where it begins: z0, z1, z2, centre, corner (with - before it: the far side), or [alpha, beta]",
    )
    heading: Degrees = keyed(20.0, "where to, in degrees: 0 toward growing alpha, 90 toward growing beta")

    @abstractmethod
    def build(self, plane: Plane) -> Free:
        """The walk at its start (`launched`). Raises GeometryError as `Spec.build`."""

    def launched(self, plane: Plane, ease: float, wind: Wind | None = None) -> Free:
        """From the start along the heading. ease: degrees of travel in which the curvature may change by one, 0: at
        once; wind: curvature over globe travel that is added to what the steering asks for."""
        unit, _ = place(plane, self.start)
        period = 2.0 * math.pi / self.breaths if self.breaths else math.inf
        most = 1.0 / math.radians(ease) if ease else math.inf
        return free(unit, heading(plane, unit, self.heading), plane.target, Breath(self.radius, period), most, wind)
