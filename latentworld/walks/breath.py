"""The radius of a walk: constant, or breathing between the shell and past it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from latentworld.arrays import Radii, Vector


@dataclass(frozen=True)
class Breath:
    """Radius factor over globe travel phi (radians): `radius` throughout when the period is infinite, else
    1 + (radius - 1) sin^2(pi phi / period), from the shell out and back once a period, smooth."""

    radius: float = 1.0
    period: float = math.inf

    @property
    def constant(self) -> bool:
        """Whether the radius never changes."""
        return math.isinf(self.period) or self.radius == 1.0

    def __call__(self, phi: Vector) -> Radii:
        """Radius factors at phi [n]."""
        if self.constant:
            return np.full(np.shape(phi), self.radius)
        wave: Vector = np.sin(np.pi * (phi / self.period))
        return 1.0 + (self.radius - 1.0) * wave * wave
