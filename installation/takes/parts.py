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
from installation.takes.composed import Composed
from installation.takes.take import Take
from installation.takes.track import Recorded
from latentworld.arrays import Array, Flags
from latentworld.lipschitz import Rates
from latentworld.plane import Path
from latentworld.walks import Steering, Walk

SceneMaker = Callable[[SceneDescription], Scene]
"""What pictures are made with, from what the take says of it."""


After = Callable[[Tick], tuple[Walk, Path, Scene]]
"""Where the walk stands after a tick, its last frame's place, and the scene that frame was made in."""


@dataclass(frozen=True, eq=False)
class Parts:
    """What the loop runs on besides its inbox and its sinks. after: of a way that is known beforehand, so that its
    frames can be made in any order; None where they must be found one after the other."""

    clock: Iterable[Tick]
    walk: Walk
    direct: Director
    pilot: Pilot
    after: After | None = None


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
        return (walk if self._leads_here(walk) else self.walk), self._scene(scene, tick, self._arcs)

    def pilot(self, walk: Walk, rates: Rates | None, controls: LoopControls, n: int) -> Steering:
        """Strides to the last n frames of the tick."""
        strides = self._arcs[len(self._arcs) - n :] - walk.arc
        return Steering(0.0, strides, self._marked(np.append(walk.arc, walk.arc + strides)))

    def _marked(self, arcs: Array) -> Flags:
        """Whether a marked frame lies within each step from arc to arc, its end included."""
        passed = np.append(0, np.cumsum(self.take.shots.marked))  # marked ones before each frame
        whole = np.clip(np.floor(arcs).astype(np.int64) + 1, 0, len(passed) - 1)
        return np.diff(passed[whole]) > 0

    def after(self, tick: Tick) -> tuple[Walk, Path, Scene]:
        """Where the walk stands after a tick, its last frame's place, and the scene that frame was made in."""
        arcs = self.arcs(tick)
        walk = self.walk.advance(float(arcs[-1]))
        unit, radius = walk.ahead(np.zeros(1))
        scene = self._scene(self.scene(float(arcs[0])), tick, arcs)
        return walk, Path(tick.index[-1:], tick.time[-1:], unit, radius), scene

    def _scene(self, described: SceneDescription, tick: Tick, arcs: Array) -> Scene:
        """What the loop makes a tick with: also what its frames are composed of."""
        scene, blends = self._staging(described), self.take.shots.blends
        if not blends:
            return scene
        rows = np.minimum(arcs, len(self.take.shots) - 1).astype(np.int64).tolist()
        found = {number: blends[row] for number, row in zip(tick.index.tolist(), rows) if row in blends}
        return Composed(scene.plane, scene.decoder, scene.eye, scene.prompt, found) if found else scene

    def arcs(self, tick: Tick) -> Array:
        """Where the frames of a tick lie on the track."""
        if self.exact:
            return np.searchsorted(self.take.shots.index, tick.index).astype(np.float64)
        return self.take.track.arcs(tick.time + self._offset)

    def scene(self, arc: float) -> SceneDescription:
        """The scene at an arc."""
        return self.take.scenes[self.take.shots.scene[int(arc)]] if self.exact else self.take.scene(arc)

    def _leads_here(self, walk: Walk) -> bool:
        """Whether a walk is on this take's track, and not past the tick: an arc means nothing on another take's."""
        if not isinstance(walk, Recorded) or walk.track is not self.walk.track:
            return False
        return not len(self._arcs) or walk.arc <= self._arcs[0]

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
