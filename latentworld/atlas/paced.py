"""A way decoded and walked in even steps of meaning: the fair comparison of two ways.

A way walked evenly in latents leaps over its rifts, and looks shorter and cheaper or dearer for how it was sampled. So
ways are compared at equal pacing: as many frames, placed so that each is as far from the last in features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latentworld import globe
from latentworld.arrays import Features, Float64, Pictures, Reals, Units
from latentworld.atlas import geodesic
from latentworld.atlas.types import Render

FRAMES, PROBES = 25, 65


@dataclass(frozen=True, eq=False)
class Paced:
    """Frames along a way: unit [n, 3], features [n, F], thumbs uint8 [n, h, w, 3]; and what they come to.

    length: feature distance; energy: n sum d^2; curvature: mean turn a step, radians; peak: largest step over the mean.
    """

    unit: Units
    features: Features
    thumbs: Pictures

    @property
    def steps(self) -> Float64[Reals, " k"]:
        """Feature distance of each frame from the last [n - 1]."""
        return np.asarray(np.linalg.norm(np.diff(self.features.astype(np.float64), axis=0), axis=1))

    @property
    def length(self) -> float:
        return float(self.steps.sum())

    @property
    def energy(self) -> float:
        return geodesic.energy(self.features.astype(np.float64))

    @property
    def curvature(self) -> float:
        return geodesic.curvature(self.features.astype(np.float64))

    @property
    def peak(self) -> float:
        return float(self.steps.max() / max(self.steps.mean(), 1e-300))


def along(unit: Units, share: Float64[Reals, " m"]) -> Float64[Reals, "m 3"]:
    """Places a share [m] of the arc of a polyline [n, 3] along it, on the great circles between its places."""
    gone = np.concatenate([[0.0], np.cumsum(globe.angle(unit[:-1], unit[1:]))])
    at = share * gone[-1]
    piece = np.clip(np.searchsorted(gone, at, side="right") - 1, 0, len(unit) - 2)
    part = (at - gone[piece]) / np.maximum(gone[piece + 1] - gone[piece], 1e-300)
    return globe.slerp(unit[piece], unit[piece + 1], np.clip(part, 0.0, 1.0))


def latent(render: Render, unit: Units, radius: float, frames: int = FRAMES) -> Paced:
    """Frames evenly along the arc."""
    at = along(unit, np.linspace(0.0, 1.0, frames))
    seen = render(at, np.full(frames, radius))
    return Paced(at, seen.features, seen.thumbs)


def walked(render: Render, unit: Units, radius: float, frames: int = FRAMES, probes: int = PROBES) -> Paced:
    """Frames at equal steps of meaning: probes decoded along the arc, frames put where their distances say, decoded,
    and put once more by both."""
    share = np.linspace(0.0, 1.0, probes)
    features = render(along(unit, share), np.full(probes, radius)).features.astype(np.float64)
    for _ in range(2):
        gone = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(features, axis=0), axis=1))])
        if gone[-1] <= 0:
            return latent(render, unit, radius, frames)
        gone += 1e-9 * gone[-1] * share  # strictly rising, where nothing changes
        wanted = np.interp(np.linspace(0.0, gone[-1], frames), gone, share)
        at = along(unit, wanted)
        seen = render(at, np.full(frames, radius))
        order = np.argsort(np.concatenate([share, wanted]), kind="stable")
        features = np.concatenate([features, seen.features.astype(np.float64)])[order]
        share = np.concatenate([share, wanted])[order]
    return Paced(at, seen.features, seen.thumbs)
