"""A walk that a seeded wind blows about."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, FiniteFloat

from latentworld.arrays import Vector
from latentworld.frozen import keyed
from latentworld.plane import Plane
from latentworld.walks.free import Free
from latentworld.walks.spec import FreeSpec

_WAVES = 16


class Wander(FreeSpec):
    """Endless smooth random bends."""

    label: ClassVar[str] = "Wander"

    kind: Literal["wander"] = "wander"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = keyed(0, "of the wind: another number, another way")
    strength: Annotated[FiniteFloat, Field(ge=0.0, le=20.0)] = keyed(
        1.5,
        "of the bends, in curvature: 1 turns as fast as it travels",
    )
    scale: Annotated[FiniteFloat, Field(ge=1.0, le=3600.0)] = keyed(
        60.0,
        "degrees of travel in which the wind turns: small trembles, large sweeps",
    )
    ease: Annotated[FiniteFloat, Field(ge=0.0, le=90.0)] = keyed(
        0.5,
        "degrees of travel in which the curvature may change by one; larger bends more softly",
    )

    def build(self, plane: Plane) -> Free:
        """As `FreeSpec.build`."""
        wind = Gusts(self.strength, math.radians(self.scale), self.seed) if self.strength else None
        return self.launched(plane, self.ease, wind)


@dataclass(frozen=True, eq=False)
class Gusts:
    """A smooth seeded curvature over globe travel phi: sixteen cosines of incommensurate wavelengths round `scale`
    (radians), of root mean square `strength`. Needs no state, so a walk can start anywhere in it."""

    strength: float
    scale: float
    seed: int
    waves: tuple[Vector, Vector] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        draw = np.random.RandomState(self.seed)  # the one generator whose stream numpy promises never to change
        frequencies = 2.0 * math.pi / self.scale * draw.uniform(0.2, 1.8, _WAVES)
        object.__setattr__(self, "waves", (frequencies, draw.uniform(0.0, 2.0 * math.pi, _WAVES)))

    def __call__(self, phi: Vector) -> Vector:
        """Curvatures at phi [n]."""
        frequencies, phases = self.waves
        gusts: Vector = np.cos(phi[:, None] * frequencies + phases).sum(axis=1)
        return self.strength * math.sqrt(2.0 / _WAVES) * gusts
