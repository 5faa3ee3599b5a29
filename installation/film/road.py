"""A planned way as a road that takes time: how long a stretch of it lasts, and where its frames lie at an even pace.

Places on the road are counted in planned frames: 3.25 is a quarter of the step from frame 3 to frame 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from latentworld import globe
from latentworld.arrays import Array
from latentworld.plane import Plane

HALVINGS = 60  # of the pace that is looked for


@dataclass(frozen=True, eq=False)
class Road:
    """Planned frames [n]. step: CLIP step to each frame; arc: latent arc to it (both 0 to the first); marked: the step
    to it could not be made smaller, and takes one frame; slowest, fastest: latent arc of a frame's step."""

    step: Array
    arc: Array
    marked: NDArray[np.bool_]
    slowest: float
    fastest: float

    @property
    def end(self) -> float:
        """Its last place."""
        return float(len(self.step) - 1)

    @cached_property
    def _free(self) -> Array:
        """Latent arc from the first place on, marked steps left out."""
        return np.cumsum(np.where(self.marked, 0.0, self.arc))

    @cached_property
    def _leaps(self) -> Array:
        """Marked steps from the first place on."""
        return np.cumsum(self.marked, dtype=np.float64)

    def lasts(self, a: float, b: float) -> tuple[float, float]:
        """The least and the most frames that the way from a to b can take."""
        free, leaps = (_at(whole, b) - _at(whole, a) for whole in (self._free, self._leaps))
        return free / self.fastest + leaps, free / self.slowest + leaps

    def laid(self, a: float, b: float, frames: float) -> tuple[Array, Array]:
        """Places along the way from a to b [k] and when they are reached [k], in frames since a: at one CLIP step a
        frame, but where that is slower or faster than may be. Where `frames` is beyond `lasts`, all in proportion."""
        places, steps, arcs, marked = self._parts(a, b)
        low, high = np.where(marked, 1.0, arcs / self.fastest), np.where(marked, 1.0, arcs / self.slowest)
        if not low.sum() < frames < high.sum():
            spent = low if low.sum() >= frames else high
            return places, _since(spent * (frames / spent.sum()) if spent.sum() > 0.0 else spent)
        few, many = 1e-12, 1e12  # CLIP steps a frame: of the slowest and of the fastest pace
        for _ in range(HALVINGS):
            pace = float(np.sqrt(few * many))
            if np.clip(steps / pace, low, high).sum() > frames:
                few = pace
            else:
                many = pace
        spent = np.clip(steps / many, low, high)
        return places, _since(spent * (frames / spent.sum()))

    def paced(self, a: float, b: float, pace: float) -> tuple[Array, Array]:
        """As `laid`, at that CLIP step a frame, however long it takes."""
        places, steps, arcs, marked = self._parts(a, b)
        spent = np.clip(steps / pace, arcs / self.fastest, arcs / self.slowest)
        return places, _since(np.where(marked, 1.0, spent))

    def _parts(self, a: float, b: float) -> tuple[Array, Array, Array, NDArray[np.bool_]]:
        """Places from a to b [k], and steps, arcs and marks of the parts between them [k - 1]."""
        places = np.unique(np.concatenate([[a], np.arange(np.floor(a) + 1, np.ceil(b)), [b]]))
        into = np.ceil(places[1:]).astype(np.int64)  # the planned frame that each part leads to
        share = np.diff(places)
        return places, self.step[into] * share, self.arc[into] * share, self.marked[into]

    def whole(self, places: Array) -> Array:
        """Places with none inside a marked step: it is not split, so they go to its nearer end."""
        into = np.ceil(places).astype(np.int64)
        return np.where(self.marked[into], np.rint(places), places)


def _at(whole: Array, place: float) -> float:
    """A sum along the road at a place."""
    k = min(int(place), len(whole) - 2) if len(whole) > 1 else 0
    return float(whole[k] + (place - k) * (whole[min(k + 1, len(whole) - 1)] - whole[k]))


def _since(spent: Array) -> Array:
    return np.append(0.0, np.cumsum(spent))


def arcs(plane: Plane, unit: Array, radius: Array) -> Array:
    """Latent arc to each of the places, unit [n, 3] and radius [n], from the one before: [n], 0 for the first."""
    length = np.linalg.norm(plane.points(unit, radius), axis=-1)
    along = globe.angle(unit[:-1], unit[1:]) * (length[:-1] + length[1:]) / 2.0
    return np.append(0.0, np.hypot(along, np.diff(length)))
