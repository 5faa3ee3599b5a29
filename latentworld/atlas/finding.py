"""Where a survey's pictures are most like a text, looked at more closely between its places.

A text's likeness to a picture is the dot product of their unit features. The survey gives it at every place for
nothing; from the best places, some way apart, a compass search climbs on (Kolda, Lewis & Torczon, Optimization by
Direct Search, SIAM Review 45, 2003, section 3): four probes about a place, to the best of them, half the step where
none is better.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from latentworld import globe
from latentworld.arrays import Array, Features, Flags, Float64, Integers, Pictures, Reals, Units, Vector
from latentworld.atlas.types import Atlas, Render
from latentworld.errors import AtlasError, AtlasMismatch
from latentworld.plane import Plane

Text = Float64[Reals, " f"]
"""A text's unit feature."""
DECODES = 64  # of a search, in all
APART = 2.0  # mean distances between neighbours that two finds lie apart, at least
_SMALLEST = 1 / 16  # of that distance: a smaller step changes no picture that matters


@dataclass(frozen=True, eq=False)
class Finds:
    """Places by likeness, the best first. unit: [n, 3]; score: [n], -1..1; surveyed: [n], of the place of the survey
    each began at; pictures: uint8 [n, h, w, 3]; features: [n, F]; decodes: how many pictures were made."""

    unit: Units
    score: Vector
    surveyed: Vector
    pictures: Pictures
    features: Features
    decodes: int

    def __len__(self) -> int:
        return len(self.unit)


def scores(atlas: Atlas, text: Text) -> Vector:
    """Likeness [n] of every place to a text's feature [F]. Raises AtlasMismatch where another eye looked."""
    if not len(atlas):
        raise AtlasError("the atlas has no place so far: survey on")
    if atlas.features.shape[1:] != text.shape:
        raise AtlasMismatch(
            f"the survey was seen by an eye of {atlas.features.shape[1]} numbers, the words are of one of {len(text)}: "
            f"name its eye as eye.clip"
        )
    return np.asarray(atlas.features @ text, np.float64)


def peaks(unit: Units, score: Vector, count: int, apart: float) -> Integers:
    """At most `count` places [k], the best first, no two nearer than `apart` rad."""
    chosen: list[int] = []
    for place in np.argsort(-score, kind="stable").tolist():
        if not chosen or globe.angle(unit[chosen], unit[place]).min() >= apart:
            chosen.append(place)
            if len(chosen) == count:
                break
    return np.array(chosen, np.int64)


def spacing(atlas: Atlas) -> float:
    """The mean distance between neighbours, rad: the side of a square cell of which there are as many as places."""
    area = 4 * np.pi if len(atlas) < 4 else _area(atlas)
    return float(np.sqrt(area / len(atlas)))


def _area(atlas: Atlas) -> float:
    """Solid angle that a survey covers: of a cap as wide as its places lie from their middle."""
    middle = atlas.unit.mean(axis=0)
    if np.linalg.norm(middle) < 1e-3:
        return float(4 * np.pi)
    far = float(globe.angle(atlas.unit, globe.normalise(middle)).max())
    return float(2 * np.pi * (1 - np.cos(far)))


def find(atlas: Atlas, text: Text, render: Render, count: int = 12, decodes: int = DECODES) -> Finds:
    """The places most like a text's unit feature [F], at most `count`, after so many decodes beyond the survey.

    Raises AtlasMismatch where another eye surveyed, AtlasError for an atlas without a place.
    """
    likeness, step = scores(atlas, text), spacing(atlas)
    begin = peaks(atlas.unit, likeness, max(min(count, decodes), 1), APART * step)
    climb = _Climb(atlas.plane, atlas.radius, text, render, atlas.unit[begin], step / 2)
    while climb.made + 4 <= decodes and climb.active.any():
        climb.look(min((decodes - climb.made) // 4, len(begin)))
    return climb.finds(likeness[begin])


class _Climb:
    """A compass search from several places at once; lives for one `find`."""

    def __init__(self, plane: Plane, radius: float, text: Text, render: Render, unit: Units, step: float) -> None:
        self.plane, self.radius, self.text, self.render = plane, radius, text, render
        self.unit, self.step, self._least = unit.copy(), np.full(len(unit), step), 2 * step * _SMALLEST
        seen = render(unit, np.full(len(unit), radius))
        self.features, self.pictures = seen.features.copy(), seen.thumbs.copy()
        self.score = np.asarray(seen.features @ text, np.float64)
        self.made = len(unit)

    @property
    def active(self) -> Flags:
        """Which may still be climbed from, bool [n]."""
        return self.step > self._least

    def look(self, most: int) -> None:
        """Four probes about the best places, at most so many, that have the largest step left."""
        waiting = np.flatnonzero(self.active)
        order = np.lexsort((-self.score[waiting], -self.step[waiting]))
        here = waiting[order[:most]]
        probes = self._about(here)
        seen = self.render(probes.reshape(-1, 3), np.full(4 * len(here), self.radius))
        self.made += 4 * len(here)
        score = np.asarray(seen.features @ self.text, np.float64).reshape(len(here), 4)
        for row, place in enumerate(here.tolist()):
            best = int(score[row].argmax())
            if score[row, best] > self.score[place]:
                k = 4 * row + best
                self.unit[place], self.score[place] = probes[row, best], score[row, best]
                self.features[place], self.pictures[place] = seen.features[k], seen.thumbs[k]
            else:
                self.step[place] /= 2

    def _about(self, here: Integers) -> Array:
        """Four units about each place, [k, 4, 3]."""
        unit = self.unit[here]
        away = np.eye(3)[np.abs(unit).argmin(axis=1)]
        heading = globe.tangent(unit, away)
        quarter = np.arange(4) * np.pi / 2
        headings = globe.turn(unit[:, None], heading[:, None], quarter[None])
        return np.asarray(globe.step(unit[:, None], headings, self.step[here][:, None])[0])

    def finds(self, surveyed: Vector) -> Finds:
        """What was found, the best first."""
        order = np.argsort(-self.score, kind="stable")
        found = Finds(self.unit, self.score, surveyed, self.pictures, self.features, self.made)
        parts = ("unit", "score", "surveyed", "pictures", "features")
        return replace(found, **{name: getattr(found, name)[order] for name in parts})
