"""How far along the walk the next frames lie: constant latent speed, or constant CLIP speed.

`even` places frames so that each is one target step of meaning after the last. It chooses them among probes it has
decoded, so with a remembering decoder (`Cached`) the frames cost nothing extra. It is deterministic and knows no clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from latentworld.arrays import Array, Flags, Float64, Reals, Vector
from latentworld.errors import GeometryError
from latentworld.frozen import keyed

if TYPE_CHECKING:
    from torch import Tensor


Ahead = Callable[[Vector], "Tensor | Array"]
"""Strides [m] (latent arc from the walk's place) to features [m, F]: `walk.ahead` through a lookout."""

Positive = Annotated[FiniteFloat, Field(gt=0.0)]

# A step is accepted between LOW and HIGH of the target. HIGH / LOW < 2, so every accepted step lies within twice and
# half of the median of accepted steps, whatever that median is; and half of a step too large is one large enough.
LOW, HIGH = 0.708, 1.414
RIFT = 8.0  # targets between neighbouring probes from which a gap is taken for a rift and searched with whole batches
FALL_IN, RESUME = 1.36, 1.78  # steps, in targets, that bring frames back in phase with their probes: see _cuts
PATIENCE = 6  # probes a frame after which gaps are no longer split: a land rough at every scale ends as marked steps
TREND, HORIZON = 1.15, 8  # most growth of the spacing per frame, and for how many frames a trend is believed
GROWTH = 3.0  # how much wider a predicted spacing may be than the one before
NEARLY = 0.8  # of the ceiling, near enough to count as going at it
ROUNDING = 1e-9  # relative slack when arcs are compared with the floor and the ceiling


class PacingSpec(BaseModel):
    """Pace of a film or show. Arcs are latent units."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: Literal["latent", "clip", "beat"] = keyed(
        "clip",
        "latent: `speed` throughout, rifts come as cuts; clip: each frame `clip_step` of meaning after the last, "
        "rifts in slow motion; beat: as clip, and a film's plan is laid so that rifts are crossed on `beats` of "
        "[sound]",
    )
    speed: Positive = keyed(
        4.0,
        "latent arc a second (a great circle is 201 at d = 1024): how fast, where kind is latent, and where the first "
        "frames are guessed",
    )
    clip_step: Positive = keyed(0.03, "feature distance per frame: 0.01 drifts, 0.03 flows, 0.1 races")
    floor: Positive = keyed(0.02, "the slowest, latent arc a second: how long a rift may take")
    ceiling: Positive = keyed(24.0, "the fastest, latent arc a second: how calm land is hurried over")
    beats: Literal["beat", "bar", "onset"] | Annotated[int, Field(ge=1, le=64)] = keyed(
        "beat",
        "on which of the sound rifts are crossed: beats, downbeats (bar), onsets, or every so many beats",
    )
    look: Literal["scout", "faithful"] = keyed(
        "faithful",
        "which decoder looks ahead to place frames; scout is faster, faithful exact",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.floor <= self.speed <= self.ceiling:
            raise ValueError(f"floor {self.floor} <= speed {self.speed} <= ceiling {self.ceiling} must hold")
        return self


@dataclass(frozen=True)
class Placement:
    """Where the next n frames lie: strides [n] strictly increasing, and which of their steps are marked as rifts [n].

    For the next call: `feature` of the last frame (None when nothing was decoded), its local `spacing` (latent arc) and
    the `trend` of the spacing (its ratio from one frame to the next). `probes` counts what was asked of the look-ahead.
    """

    strides: Vector
    marked: Flags
    feature: Float64[Reals, " f"] | None
    spacing: float
    trend: float = 1.0
    probes: int = 0


def steady(n: int, stride: float) -> Placement:
    """n frames at a constant stride > 0, none marked."""
    return Placement(stride * np.arange(1, n + 1, dtype=np.float64), np.zeros(n, dtype=np.bool_), None, stride)


def even(
    ahead: Ahead,
    n: int,
    target: float,
    spacing: float,
    floor: float,
    ceiling: float,
    batch: int = 8,
    start: ArrayLike | None = None,
    trend: float = 1.0,
) -> Placement:
    """Place n frames at equal steps of meaning.

    target: feature distance per frame; spacing, trend: first guess of the stride and of its growth per frame; floor,
    ceiling: least and greatest stride (0 < floor <= ceiling); batch: probes decoded at a time; start: features [F] at
    stride 0, decoded when not given.

    Every step is within LOW..HIGH of the target, or longer and marked (its stride could not be split any further), or
    shorter with its stride at the ceiling (within a fifth). Raises GeometryError on numbers that are not positive and
    finite.
    """
    if not (0 < target < np.inf and 0 < floor <= ceiling < np.inf and spacing > 0 and batch >= 1):
        numbers = f"target {target}, spacing {spacing}, floor {floor}, ceiling {ceiling}, batch {batch}"
        raise GeometryError(f"no pace with {numbers}: all must be positive, the floor at most the ceiling")
    search = _Search(n, target, floor, ceiling, min(max(spacing, floor), ceiling), trend)
    if start is not None:
        search.stops, search.features = [0.0], [np.asarray(start, dtype=np.float64)]
    unknown = start is None  # then the place itself is probed too, in the same batch
    wanted = [0.0] * unknown + search.extension(0.0, *[max(min(n, batch) - unknown, 1)] * 2)
    probes = 0
    chain = _Chain([0], [], [])
    while wanted:
        search.add(wanted, ahead(np.array(wanted)))
        probes += len(wanted)
        chain = search.chain(split=probes < PATIENCE * n + batch)
        wanted = search.wanted(chain, batch)
    search.predict(chain)
    strides = np.array([search.stops[i] for i in chain.frames[1:]], dtype=np.float64)
    marked = np.array(chain.marked, dtype=np.bool_)
    return Placement(strides, marked, search.features[chain.frames[-1]], search.spacing, search.trend, probes)


@dataclass(frozen=True)
class _Chain:
    """Frames chosen so far (indices of probes, 0 first), which of them are marked, and gaps still to split.

    A gap is three probes: the frame that found no next one, and the neighbours between which it should lie.
    """

    frames: list[int]
    marked: list[bool]
    gaps: list[tuple[int, int, int]]


@dataclass
class _Search:
    """The probes of one placement, ordered by stride. Lives for one call of `even`."""

    n: int
    target: float
    floor: float
    ceiling: float
    spacing: float
    trend: float
    stops: list[float] = field(default_factory=list)
    features: list[Array] = field(default_factory=list)

    def add(self, stops: list[float], features: Tensor | Array) -> None:
        """Merge decoded probes."""
        found = np.asarray(features, dtype=np.float64)
        merged = sorted(zip([*self.stops, *stops], [*self.features, *found]), key=lambda probe: probe[0])
        self.stops, self.features = [stop for stop, _ in merged], [feature for _, feature in merged]

    def between(self, i: int, j: int) -> tuple[float, float]:
        """Arc and feature distance from probe i to probe j."""
        return self.stops[j] - self.stops[i], float(np.linalg.norm(self.features[j] - self.features[i]))

    def chain(self, split: bool) -> _Chain:
        """Choose frames from the first probe on, until n are found or the probes end."""
        chain = _Chain([0], [], [])
        while len(chain.marked) < self.n:
            found = self._next(chain.frames[-1])
            if found is None:
                break
            j, large = found
            i = chain.frames[-1]
            gap = self.stops[j] - self.stops[j - 1]
            if large and split and gap >= 2 * self.floor * (1 - ROUNDING):
                chain.gaps.append((i, j - 1, j))
            arc, distance = self.between(i, j)
            if split and distance < LOW * self.target and not NEARLY <= arc / self.ceiling <= 1 + ROUNDING:
                b = j + (arc < self.ceiling)  # the first probe past the ceiling; one at the ceiling is missing
                chain.gaps.append((i, b - 1, b))
            chain.frames.append(j)
            chain.marked.append(large)
        return chain

    def _next(self, i: int) -> tuple[int, bool] | None:
        """The probe that follows frame i, and whether its step is too large; None when the probes end first."""
        best, error = None, np.inf
        for j in range(i + 1, len(self.stops)):
            arc, distance = self.between(i, j)
            if arc < self.floor * (1 - ROUNDING):
                continue
            if arc > self.ceiling * (1 + ROUNDING):
                return (max(j - 1, i + 1) if best is None else best), False
            if distance > HIGH * self.target:
                return (j, True) if best is None else (best, False)
            if distance >= LOW * self.target:
                off = abs(np.log(distance / self.target))
                if off > error:
                    break
                best, error = j, off
            elif best is not None:
                break
            elif arc >= self.ceiling * (1 - ROUNDING):
                return j, False
        return None if best is None else (best, False)

    def predict(self, chain: _Chain) -> None:
        """Spacing and trend from the last four unmarked steps, or the spacing from all probes before there is one."""
        pairs = [pair for pair, large in zip(zip(chain.frames, chain.frames[1:]), chain.marked) if not large][-4:]
        if not pairs and not any(chain.marked) and len(self.stops) > 1:
            pairs = [(0, len(self.stops) - 1)]
        if not pairs:
            return
        widest = GROWTH * self.spacing
        each = []
        for arc, distance in (self.between(*pair) for pair in pairs):
            each.append(arc * self.target / max(distance, arc * self.target / widest))
        self.trend = float(np.clip((each[-1] / each[0]) ** (1 / max(len(each) - 1, 1)), 1 / TREND, TREND))
        middle = float(np.exp(np.mean(np.log(each)))) * self.trend ** (len(each) / 2)
        self.spacing = float(np.clip(middle, self.floor, self.ceiling))

    def wanted(self, chain: _Chain, batch: int) -> list[float]:
        """What to decode next: inside the gaps, then beyond the last probe, until n frames can be expected.

        A padded decoder takes as long for one probe as for a batch, so what a batch has left looks further ahead
        (measured: 5.5 -> 2.0 padded decodes a frame where the rate swings 30-fold).
        """
        if len(chain.marked) == self.n and not chain.gaps:
            return []
        wanted: list[float] = []
        for gap in chain.gaps:
            cuts = self._cuts(*gap, batch)
            if wanted and len(wanted) + len(cuts) > batch:
                return wanted  # what lies beyond may look different once these are mended
            wanted += cuts
        missing = max(self.n - len(chain.marked) - len(wanted), 0 if chain.gaps else 1)
        room = batch - len(wanted)
        if missing and room > 0:
            self.predict(chain)
            wanted += self.extension(self.stops[chain.frames[-1]], min(missing, room), room)
        return wanted

    def _cuts(self, frame: int, a: int, b: int, batch: int) -> list[float]:
        """Probes for the gap between neighbours a and b: one a target step, a whole batch where it is a rift."""
        arc, distance = self.between(a, b)
        (along, whole), (_, reached) = self.between(frame, b), self.between(frame, a)
        if along > self.ceiling * (1 + ROUNDING):
            return [self.stops[frame] + self.ceiling]
        if a != frame and whole < RESUME * self.target:
            # Out of phase with probes a step apart. Halving would only pass the fault on to the next pair; a step of
            # nearly HIGH leaves less than HIGH to the probe after b, and the frames fall in with the probes again.
            share = (FALL_IN * self.target - reached) / (whole - reached)
            edge = min(self.floor / arc, 0.5)
            return [self.stops[a] + arc * float(np.clip(share, edge, 1 - edge))]
        whole_steps = round(distance / self.target) - 1 if distance < RIFT * self.target else batch
        inside = max(1, min(whole_steps, self._most(arc), batch))
        return [self.stops[a] + arc * (k + 1) / (inside + 1) for k in range(inside)]

    def _most(self, arc: float) -> int:
        """Probes inside an arc that keep the floor between them, at least one."""
        return max(1, int(arc / self.floor * (1 + ROUNDING)) - 1)

    def extension(self, origin: float, count: int, slots: int) -> list[float]:
        """At most `slots` strides beyond every probe, where `count` <= slots frames are expected after `origin`.

        With slots to spare the probes lie up to four times closer and reach half as far again, against a rate that is
        not as predicted. Whole multiples, so that frames a step apart still meet a probe each.
        """
        finer = min(slots // count, 4)
        reach = (np.arange(min(slots, -(-3 * count * finer // 2) if finer > 1 else count)) + 1) / finer  # in frames
        paces = np.clip(self.spacing * self.trend ** np.minimum(reach, HORIZON), self.floor, self.ceiling * finer)
        beyond = origin + np.minimum(np.cumsum(paces / finer), self.ceiling * (np.arange(len(reach)) + 1))
        last = self.stops[-1] if self.stops else 0.0
        return [float(stop) for stop in beyond + max(last + self.floor - beyond[0], 0.0)]
