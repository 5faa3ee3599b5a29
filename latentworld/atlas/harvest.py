"""The harvest of an atlas: pictures between its phases that are like nothing on either side.

Each rift of a survey is an edge of its mesh whose ends belong to two phases. `across` bisects such edges: the middle is
looked at, then the half that is left with the larger step, so that after r looks the rift is known to 2^-r of the edge;
every picture on the way is a find. `score` says what finds are worth, a pure function of features and thumbnails, and
`various` chooses among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from latentworld import globe
from latentworld.arrays import Array, Float64, Integers, Mask, Pairs, Pictures, Reals, Units, Vector
from latentworld.atlas.types import Atlas, Mesh, Phases, Render
from latentworld.errors import AtlasError
from latentworld.extras import need

LOOKS = 4  # of a bisection: a rift is then known to a sixteenth of an edge
NEAREST = 5  # pictures to which novelty is a distance
SURE = 0.5  # quantile of confidence from which a place's picture is of its phase and of no border
LEAST = 0.05  # of a part's spread among finds: one that hardly varies must not outweigh the others
ALIKE = 0.3  # of what pictures usually differ by: nearer ones are the same picture to an eye
WHOLE = (0.02, 0.98)  # quantiles of the survey's own detail and contrast between which a picture is sound
WEIGHTS: Mapping[str, float] = {"ambiguity": 1.0, "novelty": 1.0, "emergence": 1.0}

Seen = Float64[Reals, "n f"]


@dataclass(frozen=True, eq=False)
class Finds:
    """Pictures between phases. unit [n, 3]; features [n, F]; thumbs uint8 [n, h, w, 3]; between [n, 2]: the phases on
    either side, low first; step [n]: feature distance to the nearer neighbour on its crossing."""

    unit: Units
    features: Seen
    thumbs: Pictures
    between: Pairs
    step: Vector

    def __len__(self) -> int:
        return len(self.unit)


@dataclass(frozen=True, eq=False)
class Scores:
    """What finds are worth, [n] each, 0 and more. ambiguity: entropy over phases, of its most; novelty: distance to the
    nearest pictures of the phases, over what is usual among those; emergence: share of a phase that neither side has,
    beyond what the sides have of it; third [n]: which; soundness: 0..1, whether detail and contrast are a picture's;
    further: what other packages rank by (`merits`)."""

    ambiguity: Vector
    novelty: Vector
    emergence: Vector
    third: Integers
    soundness: Vector
    further: Mapping[str, Vector] = field(default_factory=dict)

    def total(self, weights: Mapping[str, float] = WEIGHTS) -> Vector:
        """The weighted sum, by soundness. Each part counts from its median among the finds, in its own spread."""
        parts = sum(weight * _standing(self.part(name)) for name, weight in weights.items())
        return np.asarray(self.soundness * (parts - np.min(parts)))

    def part(self, name: str) -> Vector:
        """One of them by its name. Raises AtlasError."""
        own = {"ambiguity": self.ambiguity, "novelty": self.novelty, "emergence": self.emergence}
        parts = {**own, **self.further}
        if name not in parts:
            raise AtlasError(f"nothing is ranked by {name!r}: use {', '.join(parts)}")
        return parts[name]


def _standing(values: Vector) -> Vector:
    spread = float(np.quantile(values, 0.9) - np.median(values)) if len(values) else 0.0
    return np.asarray((values - np.median(values)) / max(spread, LEAST))


def rifts(mesh: Mesh, phases: Phases, rates: Float64[Reals, " places"], count: int) -> Pairs:
    """At most `count` edges [m, 2] between two phases, the steepest first, spread over the rifts: none meets another's
    place while there are others."""
    mixed = mesh.edges[phases.label[mesh.edges[:, 0]] != phases.label[mesh.edges[:, 1]]]
    if not len(mixed):
        raise AtlasError("the atlas has no rift between phases: survey more finely, or name phases by --words")
    order = np.argsort(-np.nan_to_num(rates)[mixed].mean(axis=1), kind="stable")
    chosen, taken, left = list[int](), set[int](), list[int]()
    for k in order.tolist():
        ends = set(mixed[k].tolist())
        (left if ends & taken else chosen).append(k)
        taken |= ends
    return np.asarray(mixed[(chosen + left)[:count]], np.int64)


def across(atlas: Atlas, phases: Phases, edges: Pairs, render: Render, looks: int = LOOKS) -> Finds:
    """Bisect edges [m, 2] of an atlas; every place that was looked at is a find, m x looks of them."""
    low, high = (atlas.unit[edges[:, k]].copy() for k in (0, 1))
    one, other = (np.asarray(atlas.features[edges[:, k]], np.float64) for k in (0, 1))
    units, features, steps = list[Array](), list[Array](), list[Array]()
    thumbs = list[Pictures]()
    for _ in range(looks):
        middle = globe.normalise(low + high)
        seen = render(middle, np.full(len(middle), atlas.radius))
        feature = np.asarray(seen.features, np.float64)
        left, right = np.linalg.norm(feature - one, axis=1), np.linalg.norm(feature - other, axis=1)
        units, features = [*units, middle], [*features, feature]
        thumbs, steps = [*thumbs, seen.thumbs], [*steps, np.minimum(left, right)]
        first = (left > right)[:, None]
        low, high = np.where(first, low, middle), np.where(first, middle, high)
        one, other = np.where(first, one, feature), np.where(first, feature, other)
    between = np.tile(np.sort(phases.label[edges], axis=1), (looks, 1))
    return Finds(
        np.concatenate(units), np.concatenate(features), np.concatenate(thumbs), between, np.concatenate(steps)
    )


class Judge:
    """What is usual in an atlas, to score finds by. Made once for a survey."""

    def __init__(self, atlas: Atlas, phases: Phases) -> None:
        features = np.asarray(atlas.features, np.float64)
        stable = phases.confidence >= np.quantile(phases.confidence, SURE)
        self._count = len(phases.names)
        self._centres = np.stack([self._centre(features, phases.label == k, stable) for k in range(self._count)])
        apart = np.linalg.norm(features - self._centres[phases.label], axis=1)
        self._width = max(float(np.median(apart[stable])), 1e-9)
        self._known = need("scipy.spatial").cKDTree(features[stable])
        self._usual = max(float(np.median(self._away(features[stable], itself=True))), 1e-9)
        sound = _sound(np.asarray(atlas.thumbs[:]))
        self._sound = np.quantile(sound, WHOLE, axis=1)

    @staticmethod
    def _centre(features: Array, there: Mask, stable: Mask) -> Array:
        mine = there & stable if (there & stable).any() else there
        return np.asarray(features[mine].mean(axis=0)) if mine.any() else np.full(features.shape[1], np.inf)

    def _away(self, features: Array, itself: bool = False) -> Vector:
        """Mean distance to the nearest stable pictures."""
        count = min(NEAREST + itself, self._known.n)
        distance = np.atleast_2d(self._known.query(features, k=list(range(1, count + 1)))[0])
        return np.asarray(distance[:, 1:].mean(axis=1) if itself and count > 1 else distance.mean(axis=1))

    def shares(self, features: Array) -> Array:
        """Of each phase in pictures, [n, k], sums 1: Gaussians about the phases' centres, as wide as the phases."""
        away = np.linalg.norm(features[:, None] - self._centres[None], axis=2) / self._width
        likely = np.exp(-0.5 * (away**2 - away.min(axis=1, keepdims=True) ** 2))
        return np.asarray(likely / likely.sum(axis=1, keepdims=True))

    def __call__(self, finds: Finds, atlas: Atlas, edges: Pairs) -> Scores:
        """What finds of `across` are worth. edges: that they lie on."""
        share = self.shares(finds.features)
        entropy = -(share * np.log(np.maximum(share, 1e-12))).sum(axis=1) / np.log(max(self._count, 2))
        repeat = len(finds) // max(len(edges), 1)
        ends = [self.shares(np.asarray(atlas.features[edges[:, k]], np.float64)) for k in (0, 1)]
        beyond = share - np.tile(np.maximum(*ends), (repeat, 1))
        beyond[np.arange(len(finds))[:, None], finds.between] = -np.inf
        third = beyond.argmax(axis=1)
        emergence = np.maximum(beyond[np.arange(len(finds)), third], 0.0)
        novelty = self.novelty(finds.features)
        return Scores(entropy, novelty, emergence, third, self.soundness(finds.thumbs))

    def novelty(self, features: Array) -> Vector:
        """Of pictures [n, F], [n]: how far from those inside the phases."""
        return np.asarray(self._away(features) / self._usual)

    def soundness(self, thumbs: Pictures) -> Vector:
        """1 where detail and contrast are within the survey's own, less outside, by how many times they are too much or
        too little."""
        low, high = self._sound
        found = _sound(thumbs)
        over = np.maximum(found / np.maximum(high[:, None], 1e-9), low[:, None] / np.maximum(found, 1e-9))
        return np.asarray(1.0 / np.maximum(over, 1.0).prod(axis=0))


def _sound(thumbs: Pictures) -> Array:
    """Detail (mean difference of neighbouring pixels) and contrast (standard deviation) of the light, [2, n]."""
    light = thumbs.astype(np.float64) @ np.array([0.2126, 0.7152, 0.0722]) / 255
    down, across_ = np.abs(np.diff(light, axis=1)), np.abs(np.diff(light, axis=2))
    return np.stack([down.mean(axis=(1, 2)) + across_.mean(axis=(1, 2)), light.std(axis=(1, 2))])


def various(score: Vector, features: Seen, count: int) -> Integers:
    """At most `count` finds [k], the best first: each is worth its score, times how far it is from the nearest that was
    taken, 0 within ALIKE of what is usual and 1 from all of it; of what is worth nothing then, none is taken."""
    if not len(score):
        return np.zeros(0, np.int64)
    usual = float(np.median(np.linalg.norm(features - features.mean(axis=0), axis=1))) or 1.0
    chosen, fresh = list[int](), np.ones(len(score))
    while len(chosen) < min(count, len(score)) and (fresh > 0).any():
        best = int(np.where(fresh > 0, score * fresh, -np.inf).argmax())
        chosen.append(best)
        away = np.linalg.norm(features - features[best], axis=1) / usual
        fresh = np.minimum(fresh, np.clip((away - ALIKE) / (1.0 - ALIKE), 0.0, 1.0))
        fresh[best] = 0.0
    return np.array(chosen, np.int64)
