"""A take on the loop's page: a walk along its places, a director and a pilot that go its way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from installation.clock import Tick
from installation.control.controls import LoopControls
from installation.ipc.scene import SceneDescription
from installation.loop import Director, Pilot, Scene
from installation.takes.take import Take
from installation.takes.track import Recorded
from latentworld.arrays import Array
from latentworld.lipschitz import Rates
from latentworld.walks import Steering, Walk

SceneMaker = Callable[[SceneDescription], Scene]
"""What pictures are made with, from what the take says of it."""


@dataclass(frozen=True, eq=False)
class Parts:
    """What the loop runs on besides its inbox and its sinks."""

    clock: Iterable[Tick]
    walk: Walk
    direct: Director
    pilot: Pilot


class Follow:
    """A take as parts of the loop, `walk`, `direct` and `pilot`; the clock is the caller's. See `follow`."""

    def __init__(self, take: Take, staging: SceneMaker, start: float, exact: bool) -> None:
        self.take, self.exact = take, exact
        self.walk = Recorded(take.track)
        self._staging, self._offset = staging, float(take.shots.time[0]) - start
        self._arcs = np.zeros(0)

    def direct(self, walk: Walk, controls: LoopControls, tick: Tick) -> tuple[Walk, Scene]:
        """The scene of the tick's first frame; a walk that is on another way is put at the take's start."""
        self._arcs = self.arcs(tick)
        scene = self.scene(float(self._arcs[0])) if len(tick) else self.take.scenes[self.take.shots.scene[0]]
        return (walk if isinstance(walk, Recorded) else self.walk), self._staging(scene)

    def pilot(self, walk: Walk, rates: Rates | None, controls: LoopControls, n: int) -> Steering:
        """Strides to the last n frames of the tick."""
        strides = self._arcs[len(self._arcs) - n :] - walk.arc
        return Steering(0.0, strides, np.zeros(n, dtype=np.bool_))

    def arcs(self, tick: Tick) -> Array:
        """Where the frames of a tick lie on the track."""
        if self.exact:
            return np.searchsorted(self.take.shots.index, tick.index).astype(np.float64)
        return self.take.track.arcs(tick.time + self._offset)

    def scene(self, arc: float) -> SceneDescription:
        """The scene at an arc."""
        return self.take.scenes[self.take.shots.scene[int(arc)]] if self.exact else self.take.scene(arc)

    def ended(self, time: float) -> bool:
        """Whether the clock is past the take's last frame; the walk then stays at the last place."""
        return time + self._offset > float(self.take.shots.time[-1])


def follow(take: Take, staging: SceneMaker, start: float = 0.0, exact: bool = False) -> Follow:
    """A take for the loop, in a film or in the middle of a show.

    start: what the clock says when the take's first frame is due. exact: frames are the recorded ones, found by the
    tick's numbers, in the scenes that the renderer told, tick by tick; else places lie at the tick's times on the curve
    through the recorded ones, and prompts go evenly from tick to tick.
    """
    return Follow(take, staging, start, exact)


@dataclass(frozen=True, eq=False)
class TakeClock:
    """Frames dealt out in batches of one scene each, at most `batch` long: a batch has one prompt.

    index, time: of all frames; scene: a number a frame, equal for those of one scene.
    """

    index: NDArray[np.int64]
    time: Array
    scene: NDArray[np.int64]
    batch: int

    def __iter__(self) -> Iterator[Tick]:
        edges = np.flatnonzero(np.diff(self.scene)) + 1
        for begin, end in pairwise([0, *edges.tolist(), len(self.index)]):
            for first in range(begin, end, self.batch):
                part = slice(first, min(first + self.batch, end))
                yield Tick(self.index[part], self.time[part])


def recorded(take: Take, batch: int) -> TakeClock:
    """The take's own frames, as they were numbered and due."""
    return TakeClock(take.shots.index, take.shots.time - take.shots.time[0], take.shots.scene, batch)


def counted(way: Follow, fps: float, batch: int, frames: int) -> TakeClock:
    """Frames at a steady rate from the take's first place on."""
    index = np.arange(frames, dtype=np.int64)
    time = index / fps
    arcs = way.arcs(Tick(index, time))
    scenes = [way.scene(float(arc)) for arc in arcs]
    new = [a is not b and a != b for a, b in pairwise(scenes)]
    return TakeClock(index, time, np.append(0, np.cumsum(new)).astype(np.int64), batch)


def frames_of(take: Take, fps: float) -> int:
    """How many frames a film of the take has at that rate: from the first place to the last, where the rate allows."""
    return int(np.floor(take.seconds * fps * (1 + 1e-12))) + 1


def nearest_rate(take: Take) -> float:
    """Frames a second of the take itself, on the whole, at most 240; 24 where it has one frame."""
    if len(take.shots) < 2:
        return 24.0
    return min(max(round((len(take.shots) - 1) / take.seconds, 3), 0.001), 240.0)
