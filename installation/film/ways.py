"""A planned film's way as columns, which passes turn into another before it is written: rows are picked, held, blended,
placed anew. A pass knows no decoder unless it is given one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from installation.film.telemetry import Telemetry, stretches
from installation.takes.composed import Blend, How
from latentworld import globe
from latentworld.arrays import Array
from latentworld.plane import Plane


@dataclass(frozen=True)
class Rift:
    """A rift that a way crosses, by its rows: the last one before it, and the first one after it."""

    before: int
    after: int


@dataclass(frozen=True, eq=False)
class Said:
    """What a score says of frames [n]: which scene each lies in, None where all lie in the first; radius, NaN where it
    says none, None where it never does."""

    scene: NDArray[np.int64] | None = None
    radius: Array | None = None


SILENT = Said()


@dataclass(frozen=True, eq=False)
class Way:
    """Frames [n] of a film that is not made yet: unit [n, 3], radius [n]; step, distance and rate: CLIP step and latent
    distance to the frame, and their ratio, NaN where nobody looked; marked: the step to it could not be made smaller;
    scene: which of the plan's scenes it lies in; blends: by row, frames that are no picture of their own place
    alone."""

    unit: Array
    radius: Array
    rate: Array
    step: Array
    distance: Array
    marked: NDArray[np.bool_]
    scene: NDArray[np.int64]
    blends: Mapping[int, Blend] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.radius)

    @property
    def rifts(self) -> list[Rift]:
        """Where it crosses rifts: stretches whose Lipschitz value is `telemetry.ABOVE` times the median of the way, and
        steps that could not be made smaller."""
        parts = stretches(self.rate, self.distance, self.marked)
        return [Rift(int(part[0]) - 1, int(part[-1])) for part in parts if part[0] > 0]

    @staticmethod
    def of(record: Telemetry, scene: NDArray[np.int64] | None = None) -> Way:
        """What was found by walking. scene: of each frame, all in the first where it is not given."""
        return Way(
            record.unit, record.radius, record.lipschitz, record.clip_step, record.distance, record.marked,
            np.zeros(len(record), np.int64) if scene is None else scene,
        )  # fmt: skip

    def finer(self, each: int, plane: Plane, said: Said = SILENT) -> Way:
        """The way with `each - 1` frames between two neighbours, at equal arcs; their steps are shares of the one that
        was found, and marked where it was. said: of each frame of the new way."""
        n = each * (len(self) - 1) + 1
        scene = np.zeros(n, np.int64) if said.scene is None else said.scene[:n]
        if each == 1 or len(self) < 2:
            return replace(self, scene=scene)
        left, share = np.divmod(np.arange(n - 1), each)
        unit = globe.slerp(self.unit[left], self.unit[left + 1], share / each)
        radius = self.radius[left] + share / each * (self.radius[left + 1] - self.radius[left])
        unit, radius = np.append(unit, self.unit[-1:], axis=0), np.append(radius, self.radius[-1])
        if said.radius is not None:
            radius = np.where(np.isnan(said.radius[:n]), radius, said.radius[:n])
        distance = np.linalg.norm(np.diff(plane.points(unit, radius), axis=0), axis=1)
        rate = np.append(self.rate[:1], np.repeat(self.rate[1:], each))
        marked = np.append(self.marked[:1], np.repeat(self.marked[1:], each))
        distance = np.append(self.distance[:1], distance)
        return Way(unit, radius, rate, rate * distance, distance, marked, scene)

    def picked(self, rows: NDArray[np.int64]) -> Way:
        """These rows in this order. Where a row does not follow the one before it here, nobody looked at the step."""
        follows = np.append(rows[:1] == 0, np.diff(rows) == 1)
        rate, step, distance = (
            np.where(follows, column[rows], np.nan) for column in (self.rate, self.step, self.distance)
        )
        blends = {new: self.blends[row] for new, row in enumerate(rows.tolist()) if row in self.blends}
        return Way(
            self.unit[rows], self.radius[rows], rate, step, distance, self.marked[rows] & follows, self.scene[rows],
            blends,
        )  # fmt: skip

    def held(self, row: int) -> Blend:
        """The picture of a row once more, on purpose."""
        return Blend("held", self.unit[row], float(self.radius[row]))

    def blended(self, row: int, share: float, how: How = "dissolve") -> Blend:
        """A picture that is a share of the way to that of a row."""
        return Blend(how, self.unit[row], float(self.radius[row]), share)

    def first(self, frames: int) -> Way:
        """Its first frames."""
        return self if len(self) <= frames else self.picked(np.arange(frames, dtype=np.int64))
