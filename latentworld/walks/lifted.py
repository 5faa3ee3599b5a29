"""A walk at another radius than its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from latentworld.arrays import Radii, Units
from latentworld.walks.walk import Walk


@dataclass(frozen=True, eq=False)
class Lifted:
    """`walk` at `radius` (> 0, shells) instead of its own. Arcs are still counted on the walk's own radius."""

    walk: Walk
    radius: float

    @property
    def arc(self) -> float:
        """How far the walk has come, counted on its own radius."""
        return self.walk.arc

    @property
    def length(self) -> float | None:
        """Arc length of the whole walk, counted on its own radius; None where it never ends."""
        return self.walk.length

    def ahead(self, strides: npt.ArrayLike, curvature: float = 0.0) -> tuple[Units, Radii]:
        """The walk's units [n, 3], and the radius [n]."""
        units, _ = self.walk.ahead(strides, curvature)
        return units, np.full(len(units), self.radius)

    def advance(self, stride: float, curvature: float = 0.0) -> Lifted:
        """The walk after one stride, at this radius still."""
        return replace(self, walk=self.walk.advance(stride, curvature))
