"""A take as it is in memory: what was played, in which scenes, and where every frame lay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from installation.ipc.scene import SceneDescription
from installation.takes.composed import Blend
from installation.takes.records import Played
from installation.takes.track import Track, jumps
from latentworld.arrays import Array
from latentworld.preset import Preset
from latentworld.prompts import Mixture, Prompt

SUFFIX = ".take"


@dataclass(frozen=True)
class Header:
    """How the show was when the take began. latentworld: its version; started: ISO 8601; world, seer: digests of the
    weights; size: height, width of its pictures; period: seconds from one to the next; values: what was set, by name;
    planned: it was not played but planned.
    """

    latentworld: str
    started: str
    preset: Preset
    world: str
    seer: str
    profile: Mapping[str, object]
    size: tuple[int, int]
    period: float
    values: Mapping[str, Played]
    planned: bool = False


@dataclass(frozen=True)
class Event:
    """Something that was played, `at` seconds after the take began: a control that was set, or a trigger's press."""

    at: float
    name: str
    value: Played
    source: str
    press: bool


@dataclass(frozen=True, eq=False)
class Shots:
    """Recorded frames as columns [n]; place: unit [n, 3] and radius; sum: digest of the picture, "" for none.

    at: when it was heard, one moment for the frames of a tick; scene: its place in `Take.scenes`; jump: 1 or -1 where
    the text says that the frame is or is not reached by a jump, else 0; marked: of a plan, whether the step to it could
    not be made smaller; blends: of a plan, by row, frames that are no picture of their own place alone. rate and step
    are NaN where unknown.
    """

    at: Array
    index: NDArray[np.int64]
    time: Array
    unit: Array
    radius: Array
    rate: Array
    step: Array
    sum: tuple[str, ...]
    scene: NDArray[np.int64]
    jump: NDArray[np.int8]
    marked: NDArray[np.bool_]
    blends: Mapping[int, Blend] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True, eq=False)
class Take:
    """A performance. text: its file; complete: it was ended in good order; warnings: what a reader should know."""

    path: Path
    text: bytes
    header: Header
    scenes: tuple[SceneDescription, ...]
    shots: Shots
    events: tuple[Event, ...]
    complete: bool
    warnings: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """From the first frame to the last."""
        return float(self.shots.time[-1] - self.shots.time[0])

    @cached_property
    def track(self) -> Track:
        """The way through its places; where the plane or the world changes, places are not joined."""
        shots = self.shots
        moved = np.array([self._elsewhere(a, b) for a, b in zip(shots.scene[:-1], shots.scene[1:])], np.bool_)
        jump = jumps(shots.time, shots.unit, shots.jump) | moved.reshape(-1)
        return Track(shots.time, shots.unit, shots.radius, jump)

    @cached_property
    def _ticks(self) -> tuple[Array, NDArray[np.int64]]:
        """When each tick's first frame was due, and its scene."""
        shots = self.shots
        new = np.append(True, (np.diff(shots.at) != 0) | (np.diff(shots.scene) != 0))
        return shots.time[new], shots.scene[new]

    def scene(self, arc: float) -> SceneDescription:
        """What pictures are made with at an arc of the track: its prompt between those of the ticks around it."""
        here = int(min(arc, len(self.shots) - 1))
        recorded = self.scenes[int(self.shots.scene[here])]
        times, scenes = self._ticks
        now = float(self.track.times(arc)[0])
        tick = max(int(np.searchsorted(times, now, side="right")) - 1, 0)
        if tick + 1 == len(times) or self._elsewhere(scenes[tick], scenes[tick + 1]):
            return recorded
        share = (now - times[tick]) / (times[tick + 1] - times[tick])
        between = mixed(recorded.prompt, self.scenes[scenes[tick + 1]].prompt, float(share))
        return recorded if between == recorded.prompt else msgspec.structs.replace(recorded, prompt=between)

    def _elsewhere(self, a: int, b: int) -> bool:
        one, other = self.scenes[a], self.scenes[b]
        return a != b and (one.plane != other.plane or one.world != other.world)


def mixed(one: Prompt, other: Prompt, share: float) -> Prompt:
    """The prompt a share of the way from one to the other, where they have a text in common, else the first: a cut.

    A text that appears or goes has weight 0 on the side where it is not.
    """
    if one == other or not (_weights(one.toward).keys() & _weights(other.toward).keys()):
        return one
    return prompt_of(_between(one.toward, other.toward, share), _between(one.away, other.away, share))


def prompt_of(toward: Mixture, away: Mixture) -> Prompt:
    """A prompt of two mixtures; a single text is said as one. Raises PresetError."""
    Prompt(mixture=toward, against=away)  # refuses weights that mix nothing, also of a single text
    alone, against = len(toward) == 1, len(away) == 1
    return Prompt(
        positive=toward[0][0] if alone else "",
        negative=away[0][0] if against else "",
        mixture=() if alone else toward,
        against=() if against else away,
    )


def _between(one: Mixture, other: Mixture, share: float) -> Mixture:
    a, b = _weights(one), _weights(other)
    texts = [*a, *(text for text in b if text not in a)]
    mix = [(text, (1.0 - share) * a.get(text, 0.0) + share * b.get(text, 0.0)) for text in texts]
    return tuple((text, weight) for text, weight in mix if weight > 0.0)


def _weights(mixture: Mixture) -> dict[str, float]:
    total: dict[str, float] = {}
    for text, weight in mixture:
        total[text] = total.get(text, 0.0) + weight
    return {text: weight for text, weight in total.items() if weight > 0.0}
