"""What every walk is, and how one is stepped."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from latentworld.arrays import Flags, Indices, Radii, Unit, Units, Vector
from latentworld.errors import GeometryError
from latentworld.plane import Path


class Walk(Protocol):
    """A frozen state on a path. Strides and arcs are latent arc length (latent units; the shell's radius is target)."""

    @property
    def arc(self) -> float:
        """Arc length travelled so far."""

    @property
    def length(self) -> float | None:
        """Arc length of the whole path or of one lap; None when endless. Walks go on past it: see each kind."""

    def ahead(self, strides: npt.ArrayLike, curvature: float = 0.0) -> tuple[Units, Radii]:
        """Units float64[n, 3] and radii float64[n] at arc lengths [n] >= 0 ahead, the state unchanged."""

    def advance(self, stride: float, curvature: float = 0.0) -> Walk:
        """The walk after one stride >= 0."""


class FreeWalk(Walk, Protocol):
    """A walk that can be steered: it has a heading, and curvature bends it (left positive)."""

    @property
    def unit(self) -> Unit:
        """Where it is, float64[3]."""

    @property
    def heading(self) -> Unit:
        """Which way it goes, float64[3], unit and tangent."""

    def advance(self, stride: float, curvature: float = 0.0) -> FreeWalk:
        """The walk after one stride >= 0."""

    def turned(self, angle: float) -> FreeWalk:
        """The walk with its heading turned by `angle` radians, left positive."""


class Tick(Protocol):
    """The frames a clock asks for next: index int64[n], time float64[n] in seconds."""

    @property
    def index(self) -> Indices: ...

    @property
    def time(self) -> Vector: ...


@dataclass(frozen=True, eq=False)
class Steering:
    """Where the frames of the next tick lie, the only feedback across ticks.

    curvature: geodesic curvature asked of a free walk (radians of turn per radian of globe travel, left positive;
    fixed walks ignore it); strides: float64[n], arc length from the walk to each frame, strictly increasing;
    marked: bool[n], frames that stay a large step although the pace is at its floor.
    """

    curvature: float
    strides: Vector
    marked: Flags


AnyWalk = TypeVar("AnyWalk", bound=Walk)


def step(walk: AnyWalk, steering: Steering, tick: Tick) -> tuple[AnyWalk, Path]:
    """Place the frames of a tick and go on to the last of them.

    A stride of 0 is allowed only for the very first frame of a walk. Raises GeometryError when strides are not one a
    frame, not finite, or do not increase (a repeated frame).
    """
    strides = checked_strides(steering.strides)
    if strides.shape != tick.index.shape:
        raise GeometryError(f"{len(strides)} strides for {len(tick.index)} frames: steer one stride a frame.")
    first = 0.0 if walk.arc == 0.0 else math.nextafter(0.0, 1.0)
    if len(strides) and (strides[0] < first or not (np.diff(strides) > 0).all()):
        raise GeometryError("A zero-length path repeats a frame: raise the speed so that every stride is longer.")
    unit, radius = walk.ahead(strides, steering.curvature)
    path = Path(tick.index, tick.time, unit, radius)
    if not len(strides):
        return walk, path
    return walk.advance(float(strides[-1]), steering.curvature), path  # type: ignore[return-value]


def checked_strides(strides: npt.ArrayLike) -> Vector:
    """Strides as float64[n]. Raises GeometryError when one is negative or not finite."""
    s = np.atleast_1d(np.asarray(strides, np.float64))
    if s.ndim != 1 or not np.isfinite(s).all() or (s < 0).any():
        raise GeometryError("Strides must be finite and not negative, [n]: check the speed and the frame rate.")
    return s
