"""Which globes are worth a journey: coarse surveys of many, ranked by their rifts.

Every candidate (a triple of seeds, or a prompt) is surveyed at the same places, so that one mesh serves all. Phases are
those of all candidates together: by words, or by clusters of all their pictures, so that a rift is the same thing on
each of them. A candidate's merits are then

    length      of its rifts, in latents: of the borders between places of two phases that are steeper than STEEP times
                what is usual on all candidates; where one phase slides into another there is none
    steepness   mean rate across its borders, feature distance per latent
    phases      how many it has, as the exponential of their entropy
    emergence   how often three phases meet, for there a third one lies beside the way from one to another: corners a
                latent of the globe's circumference
    evenness    the entropy of its phases over the most that so many can have: 1, where none is larger than another
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from latentworld import globe
from latentworld.arrays import Features, Float64, Integers, Reals, Units, Vector
from latentworld.atlas.types import Mesh
from latentworld.errors import AtlasError
from latentworld.extras import need

WEIGHTS: Mapping[str, float] = {"length": 1.0, "steepness": 0.5, "phases": 0.25, "emergence": 0.25, "evenness": 0.25}
CLUSTERS = 10  # phases of all candidates together, where no words name them
SAMPLE = 20_000  # pictures that clusters are found in
STEEP = 3.0
"""Times the median rate. Of 100 triples under `neutral` all borders together are hardly longer on one globe than on
another (the most 1.25 times the median globe's), those that are steep are: 1.8 times."""
PARTS = 10.0  # quantiles from either end that make up a merit's spread: beyond them lie outliers


@dataclass(frozen=True, eq=False)
class Merits:
    """Of candidates, [n] each."""

    length: Vector
    steepness: Vector
    phases: Vector
    emergence: Vector
    evenness: Vector

    def part(self, name: str) -> Vector:
        """One of them by its name. Raises AtlasError."""
        parts: Mapping[str, Vector] = {
            "length": self.length, "steepness": self.steepness, "phases": self.phases,
            "emergence": self.emergence, "evenness": self.evenness,
        }  # fmt: skip
        if name not in parts:
            raise AtlasError(f"nothing is ranked by {name!r}: use {', '.join(parts)}")
        return parts[name]

    def total(self, weights: Mapping[str, float] = WEIGHTS) -> Vector:
        """The weighted sum of the merits, each from its median, in its own spread among the candidates."""
        parts = [weight * _standing(self.part(name)) for name, weight in weights.items()]
        return np.asarray(np.sum(parts, axis=0))


def _standing(values: Vector) -> Vector:
    low, high = np.percentile(values, [PARTS, 100.0 - PARTS])
    spread = max(float(high - low), 1e-9 * max(float(np.abs(values).max()), 1.0))
    return np.asarray((values - np.median(values)) / spread)


def clusters(features: Sequence[Features], count: int = CLUSTERS, seed: int = 0) -> list[Integers]:
    """The phase of each picture of each candidate, as k-means of all of them has it."""
    every = np.concatenate([np.asarray(one, np.float64) for one in features])
    different = len(np.unique(every, axis=0))
    draw = np.sort(np.random.default_rng(seed).permutation(len(every))[:SAMPLE])
    fitted = need("sklearn.cluster").KMeans(min(count, different), n_init=4, random_state=seed).fit(every[draw])
    return [np.asarray(fitted.predict(np.asarray(one, np.float64)), np.int64) for one in features]


class Ground:
    """What all candidates have in common. unit [n, 3], mesh: of their places; shell: latents a radian."""

    def __init__(self, unit: Units, mesh: Mesh, shell: float) -> None:
        if not len(mesh.triangles):
            raise AtlasError("a survey of so few places has no mesh: prospect with more of them")
        self.unit, self.mesh, self.shell = unit, mesh, shell
        i, j = mesh.edges.T
        self._apart = 2.0 * np.sin(globe.angle(unit[i], unit[j]) / 2.0) * shell
        self._across = self._borders()

    def _borders(self) -> Float64[Reals, " e"]:
        """Latents of the border across each edge: between the middles of the triangles on either side of it."""
        triangles, edges = self.mesh.triangles, self.mesh.edges
        count = int(edges.max()) + 1
        sides = np.sort(np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=2), axis=2) @ [count, 1]
        which = np.searchsorted(edges @ [count, 1], sides).ravel()
        order = np.argsort(which, kind="stable")
        owner = np.repeat(np.arange(len(triangles)), 3)[order]
        middle = globe.normalise(self.unit[triangles].sum(axis=1))
        twice = np.flatnonzero(np.diff(which[order]) == 0)
        length = np.zeros(len(edges))
        length[which[order][twice]] = globe.angle(middle[owner[twice]], middle[owner[twice + 1]]) * self.shell
        return length

    def merits(self, features: Sequence[Features], label: Sequence[Integers]) -> Merits:
        """Of candidates by the features [n, F] and phases [n] of their places."""
        i, j = self.mesh.edges.T
        steps = (np.asarray(one[i], np.float64) - np.asarray(one[j], np.float64) for one in features)
        rates = np.array([np.linalg.norm(step, axis=1) for step in steps]) / self._apart
        steep = STEEP * float(np.median(rates))
        return Merits(*np.array([self._of(rate, own, steep) for rate, own in zip(rates, label, strict=True)]).T)

    def _of(self, rate: Vector, label: Integers, least: float) -> tuple[float, float, float, float, float]:
        """rate: across each edge; least: of a rift."""
        i, j = self.mesh.edges.T
        mixed = label[i] != label[j]
        share = np.bincount(label) / len(label)
        share = share[share > 0]
        entropy = float(-(share * np.log(share)).sum())
        corners = np.sort(label[self.mesh.triangles], axis=1)
        three = (np.diff(corners, axis=1) > 0).all(axis=1).sum()
        evenness = entropy / np.log(len(share)) if len(share) > 1 else 0.0
        steep = float(rate[mixed].mean()) if mixed.any() else 0.0
        emergence = float(three) / (2.0 * np.pi * self.shell)
        return float(self._across[mixed & (rate > least)].sum()), steep, float(np.exp(entropy)), emergence, evenness


def ranked(total: Vector) -> Integers:
    """The candidates, the best first; of equals the earlier."""
    return np.asarray(np.argsort(-total, kind="stable"), np.int64)
