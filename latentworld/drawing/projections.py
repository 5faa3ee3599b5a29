"""Two ways to lay a globe on paper, there and back: orthographic from outside, and Mollweide's equal areas.

A view is a rotation: an orthonormal matrix [3, 3] whose columns are east, north and the middle of the picture, so that
`unit @ view` is (x, y, depth).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from latentworld.arrays import Array
from latentworld.globe import cross, normalise


@dataclass(frozen=True)
class Projection:
    """`forward`: seen [..., 3] to x, y [..., 2], NaN where hidden; `back`: x, y to seen, NaN off the globe.

    The picture fills -width..width by -1..1.
    """

    name: str
    width: float
    forward: Callable[[Array], Array]
    back: Callable[[Array], Array]

    def limb(self) -> Array:
        """The globe's outline [k, 2]."""
        turn = np.linspace(0, 2 * np.pi, 361)
        return np.stack([self.width * np.cos(turn), np.sin(turn)], axis=1)


def view(middle: Array) -> Array:
    """The view from above a unit vector [3], the basis's third axis up."""
    up = np.array([0.0, 0.0, 1.0]) if abs(middle[2]) < 0.98 else np.array([0.0, 1.0, 0.0])
    east = normalise(cross(up, middle))
    return np.stack([east, cross(middle, east), middle], axis=1)


def _near(seen: Array) -> Array:
    return np.where(seen[..., 2:] >= 0, seen[..., :2], np.nan)


def _lifted(spot: Array) -> Array:
    with np.errstate(invalid="ignore"):
        depth = np.sqrt(1 - (spot**2).sum(axis=-1, keepdims=True))
    return np.where(np.isnan(depth), np.nan, np.concatenate([spot, depth], axis=-1))


def _mollweide(seen: Array) -> Array:
    """Snyder 1987, pp. 249-252, halved in size: y = sin t, 2 t + sin 2t = pi sin(latitude) by Newton's steps."""
    longitude = np.arctan2(seen[..., 0], seen[..., 2])
    height = np.clip(seen[..., 1], -1, 1)
    # near a pole t ~ pi/2 - (3 pi / 4 (1 - |height|))^(1/3) / ... converges slowly from the latitude: start closer
    t = np.sign(height) * (np.pi / 2 - np.cbrt(0.75 * np.pi * (1 - np.abs(height))))
    t = np.where(np.abs(height) > 0.7, t, height)
    for _ in range(12):
        slope = 2 + 2 * np.cos(2 * t)
        t = t - np.where(slope > 1e-12, (2 * t + np.sin(2 * t) - np.pi * height) / np.maximum(slope, 1e-12), 0)
    return np.stack([2 * longitude / np.pi * np.cos(t), np.sin(t)], axis=-1)


def _unrolled(spot: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.arcsin(spot[..., 1])
        longitude = np.pi * spot[..., 0] / (2 * np.cos(t))
        height = (2 * t + np.sin(2 * t)) / np.pi
        ring = np.sqrt(1 - height**2)
        seen = np.stack([ring * np.sin(longitude), height, ring * np.cos(longitude)], axis=-1)
        return np.where((np.abs(longitude) <= np.pi)[..., None], seen, np.nan)


ORTHOGRAPHIC = Projection("orthographic", 1.0, _near, _lifted)
MOLLWEIDE = Projection("Mollweide", 2.0, _mollweide, _unrolled)
