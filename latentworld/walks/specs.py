"""Walks as a preset writes them: one frozen model a kind. Angles are degrees, radii factors of the shell.

A point is a name (`z0`, `z1`, `z2`, `centre` of the cell, `corner` at alpha = beta = 1; `-` before it: its antipode on
the far side), or alpha and beta; waypoints may add a radius, a negative one on the far side. Headings count from
growing alpha, left (toward growing beta) positive.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, Strict

from latentworld.plane import FARTHEST, NEAREST

PointName = Annotated[str, Field(pattern=r"^-?(z0|z1|z2|centre|corner)$")]
Radius = Annotated[FiniteFloat, Field(ge=NEAREST, le=FARTHEST)]
Degrees = Annotated[FiniteFloat, Field(ge=-360.0, le=360.0)]
Amplitude = Annotated[FiniteFloat, Field(gt=0.0, le=120.0)]
Frequency = Annotated[int, Field(ge=1, le=50)]
Pair = Annotated[tuple[FiniteFloat, FiniteFloat], Strict(False)]  # TOML writes tuples as lists
Place = PointName | Pair
Far = Annotated[FiniteFloat, Field(ge=-FARTHEST, le=-NEAREST)]  # the antipode's radius
Point = Place | Annotated[tuple[FiniteFloat, FiniteFloat, Radius | Far], Strict(False)]


class _Spec(BaseModel):
    """Common to all: the radius, and how often it breathes between 1 and `radius` (0: constant) per 360 degrees of
    globe travel; closed walks round to whole breaths a lap, open ones to whole breaths a way."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    radius: Radius = 1.0
    breaths: Annotated[FiniteFloat, Field(ge=0.0, le=36.0)] = 0.0


class Orbit(_Spec):
    """A circle, closed. Great at latitude 0, through a point at an inclination; phase in laps."""

    kind: Literal["orbit"] = "orbit"
    through: Place = "centre"
    inclination: Degrees = 20.0
    latitude: Annotated[FiniteFloat, Field(ge=-89.0, le=89.0)] = 0.0
    phase: FiniteFloat = 0.0
    direction: Literal[1, -1] = 1


class Waypoints(_Spec):
    """A smooth curve through points; closed, or open and then walked there and back; points' radii multiply. A negative
    radius is the antipode's: (alpha, beta, -1) lies on the far side."""

    kind: Literal["waypoints"] = "waypoints"
    points: Annotated[tuple[Point, ...], Field(min_length=2), Strict(False)] = ("z0", "z1", "z2", "centre")
    closed: bool = True


class Lissajous(_Spec):
    """x = a sin(m t + phase), y = b sin(n t) in degrees of arc from a point, closed. The default is a figure of eight,
    the low figure with the widest bends."""

    kind: Literal["lissajous"] = "lissajous"
    centre: Place = "centre"
    heading: Degrees = 0.0
    amplitudes: Annotated[tuple[Amplitude, Amplitude], Strict(False)] = (70.0, 30.0)
    frequencies: Annotated[tuple[Frequency, Frequency], Strict(False)] = (1, 2)
    phase: Degrees = 0.0


class Wander(_Spec):
    """Endless smooth random bends: strength in curvature (1 turns as fast as it travels), scale in degrees."""

    kind: Literal["wander"] = "wander"
    start: Place = "centre"
    heading: Degrees = 20.0
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    strength: Annotated[FiniteFloat, Field(ge=0.0, le=20.0)] = 1.5
    scale: Annotated[FiniteFloat, Field(ge=1.0, le=3600.0)] = 60.0
    ease: Annotated[FiniteFloat, Field(ge=0.0, le=90.0)] = 0.5


class Swath(_Spec):
    """A raster over a window of the chart: rows along alpha, turns between them; open, walked there and back."""

    kind: Literal["swath"] = "swath"
    alpha: Pair = (0.0, 1.0)
    beta: Pair = (0.0, 1.0)
    rows: Annotated[int, Field(ge=1, le=256)] = 8


class Spiral(_Spec):
    """A zoom into a point: each turn ends at `shrink` of the distance it began at; open, in and out again.

    Speed is relative to the distance: arc length is counted as at the outer end, so every turn takes equally long.
    """

    kind: Literal["spiral"] = "spiral"
    centre: Place = "centre"
    heading: Degrees = 20.0
    start: Annotated[FiniteFloat, Field(gt=0.0, le=120.0)] = 40.0
    shrink: Annotated[FiniteFloat, Field(ge=0.01, le=0.99)] = 0.5
    turns: Annotated[FiniteFloat, Field(gt=0.0, le=200.0)] = 8.0


class Rift(_Spec):
    """A walk steered by the pilot, endless. `ease`: degrees of travel in which the curvature may change by one."""

    kind: Literal["rift"] = "rift"
    start: Place = "centre"
    heading: Degrees = 20.0
    ease: Annotated[FiniteFloat, Field(ge=0.0, le=90.0)] = 0.5


WalkSpec = Annotated[
    Orbit | Waypoints | Lissajous | Wander | Swath | Spiral | Rift,
    Field(discriminator="kind"),
]
