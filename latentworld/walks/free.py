"""Free walks: a place and a heading, bent as they go by a steering, by a wind, or by both."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from latentworld import globe
from latentworld.arrays import Float64, Radii, Reals, Unit, Units, Vector
from latentworld.errors import GeometryError
from latentworld.walks.arclength import ArcTable
from latentworld.walks.breath import Breath
from latentworld.walks.walk import checked_strides

CELL = math.radians(0.05)  # globe travel over which the bend is constant; its grid is fixed, so ticks cut no cell
Wind = Callable[[Vector], Vector]
"""Curvatures [n] at globe travel [n] (radians) that blow a walk about: a function of the travel alone, so that a walk
can start anywhere in it."""


@dataclass(frozen=True, eq=False)
class Free:
    """A walk with a heading; endless. Its bend (geodesic curvature) goes toward the steering's curvature plus the wind
    by at most `ease` per radian of globe travel, so the camera never jerks; over a cell of 0.05 degrees of a fixed grid
    the bend is constant and the path is globe.arc's closed form. How ticks cut the path therefore changes nothing.
    """

    unit: Unit
    heading: Unit
    target: float
    breath: Breath = field(default_factory=Breath)
    wind: Wind | None = None
    ease: float = math.inf
    arc: float = 0.0
    bend: float = 0.0
    reach: ArcTable | None = None  # arc length to globe travel over one breath; None at constant radius

    @property
    def length(self) -> None:
        """Endless."""
        return None

    def ahead(self, strides: npt.ArrayLike, curvature: float = 0.0) -> tuple[Units, Radii]:
        """Units [n, 3] and radii [n] at strides [n], under a steady curvature. Raises GeometryError if not finite."""
        frames, _, phi = self._run(checked_strides(strides), curvature)
        return globe.normalise(frames[:, :, 0]), self.breath(phi)

    def advance(self, stride: float, curvature: float = 0.0) -> Free:
        """The walk after one stride."""
        frames, bends, _ = self._run(checked_strides(stride), curvature)
        unit, heading = globe.settle(frames[0, :, 0], frames[0, :, 1])
        return replace(self, unit=unit, heading=heading, arc=self.arc + float(stride), bend=float(bends[0]))

    def turned(self, angle: float) -> Free:
        """The walk with its heading turned by `angle` radians at once, left positive."""
        return replace(self, heading=globe.turn(self.unit, self.heading, angle))

    def _run(self, strides: Vector, curvature: float) -> tuple[Float64[Reals, "n 3 3"], Vector, Vector]:
        """Moving frames [n, 3, 3] with columns u, h, n, bends [n] and globe travel [n] at the strides."""
        if not math.isfinite(curvature):
            raise GeometryError("The steering's curvature is not finite: check the rates the pilot was given.")
        here, phi = self._travel(np.array([self.arc]))[0], self._travel(self.arc + strides)
        first, last = math.floor(here / CELL), math.floor(float(phi.max(initial=here)) / CELL)
        grid = np.arange(first, last + 1) * CELL
        bends = self._bends(grid, curvature)
        starts = np.concatenate([[here], grid[1:]])
        frames = np.empty((len(starts), 3, 3))
        frames[0] = np.stack([self.unit, self.heading, globe.cross(self.unit, self.heading)], axis=1)
        for i, motion in enumerate(_motions(bends[:-1], np.diff(starts))):
            frames[i + 1] = frames[i] @ motion
        # By the same rule as the cells themselves (floor), so a cut that falls on the grid is on the same side of it.
        cell = np.maximum(np.floor(phi / CELL).astype(np.int64) - first, 0)
        motion = _motions(bends[cell], phi - starts[cell])
        return (frames[cell][:, :, :, None] * motion[:, None, :, :]).sum(axis=2), bends[cell], phi

    def _bends(self, grid: Vector, curvature: float) -> Vector:
        """The bend over each cell of the grid: the present one, then on toward what is wanted at the rate of `ease`."""
        wanted = curvature + (self.wind(grid) if self.wind else np.zeros(len(grid)))
        bends, most = [self.bend], self.ease * CELL
        for goal in wanted[1:].tolist():
            bends.append(bends[-1] + min(max(goal - bends[-1], -most), most))
        return np.array(bends)

    def _travel(self, arc: Vector) -> Vector:
        """Globe travel in radians at arc lengths from the start."""
        if self.reach is None:
            return arc / (self.target * self.breath.radius)
        breaths = np.floor(arc / self.reach.length)
        return breaths * self.breath.period + self.reach.at(arc - breaths * self.reach.length)


def free(
    unit: Unit, heading: Unit, target: float, breath: Breath, ease: float = math.inf, wind: Wind | None = None
) -> Free:
    """A free walk at its start. A breath is measured along a great circle: |dz|^2 = target^2 (r^2 + r'^2)."""

    def one_breath(phi: Vector) -> Units:
        circle: Units = np.stack([np.cos(phi), np.sin(phi), 0.0 * phi], axis=1)
        return circle * (target * breath(phi))[:, None]

    reach = None if breath.constant else ArcTable.measure(one_breath, np.linspace(0.0, breath.period, 5))
    bend = float(wind(np.zeros(1))[0]) if wind else 0.0
    unit, heading = globe.settle(unit, heading)
    return Free(unit, heading, target, breath, wind, ease, bend=bend, reach=reach)


def _motions(bends: Vector, lengths: Vector) -> Float64[Reals, "n 3 3"]:
    """Motion of the frame (u, h, n) along a small circle, [n, 3, 3]: exp(W l) by Rodrigues, W the Darboux matrix."""
    w = np.sqrt(1.0 + bends * bends)
    turning = np.zeros((len(bends), 3, 3))
    turning[:, 0, 1], turning[:, 1, 0] = -1.0, 1.0
    turning[:, 1, 2], turning[:, 2, 1] = -bends, bends
    sine, lift = np.sin(w * lengths) / w, 2.0 * (np.sin(w * lengths / 2) / w) ** 2
    square = np.zeros((len(bends), 3, 3))
    square[:, 0, 0], square[:, 0, 2] = -1.0, bends
    square[:, 1, 1], square[:, 2, 0] = -(w * w), bends
    square[:, 2, 2] = -bends * bends
    return np.eye(3) + sine[:, None, None] * turning + lift[:, None, None] * square
