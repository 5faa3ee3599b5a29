"""Takes that are replayed: which one, and how the walk goes on after it."""

from __future__ import annotations

from dataclasses import replace

from installation.clock import LiveClock, Tick
from installation.control.controls import LoopControls
from installation.render.replay import Replay
from installation.render.scene_control import SceneControl
from installation.takes import Take
from latentworld import walks
from latentworld.errors import GeometryError
from latentworld.plane import Plane
from latentworld.walks import Walk, WalkSpec


class ReplayControl:
    """`replay` is the take that is followed; None while controls lead."""

    def __init__(self, clock: LiveClock, scene_control: SceneControl) -> None:
        self._clock, self._scene_control = clock, scene_control
        self.replay: Replay | None = None

    def begin(self, take: Take) -> None:
        """Replay a take from the next tick on."""
        if self.replay is not None:
            self.replay.end()
        self.replay = Replay(take, self._clock, self._scene_control.recorded)

    def end(self) -> None:
        """Replay no more: the walk goes on from where it is."""
        if self.replay is not None:
            self.replay.end()
            self.replay.done = True

    def follow(self, walk: Walk, controls: LoopControls, tick: Tick) -> Walk | None:
        """The take's walk for a tick; None when it is over, or none is followed."""
        if self.replay is None or self.replay.done or self.replay.over(tick):
            return None
        self._scene_control.model.shrink()
        return self.replay.direct(walk, controls, tick)[0]

    def release(self, walk: Walk, spec: WalkSpec, plane: Plane) -> Walk:
        """The walk after a take: from its last place, on its heading where it had one."""
        if self.replay is None:
            return walk
        self.replay.end()
        self.replay = None
        roaming = walks.roaming(spec, plane)
        try:
            return walks.departed(walk, roaming)
        except GeometryError:  # at the take's end it stands still
            units, _ = walk.ahead(0.0)
            return replace(roaming, unit=units[0], heading=walks.heading(plane, units[0], 0.0), arc=1.0)
