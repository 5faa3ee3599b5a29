"""Where director, pilot and reporter meet: what a tick was made of, kept until the next one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from installation.clock import ClockState, LiveClock, Tick
from installation.control.controls import LoopControls
from installation.frames import Frames
from installation.ipc.scene import SceneDescription
from installation.loop import Inbox, Scene
from installation.render.director import Director
from installation.render.live_pilot import LivePilot
from installation.render.questions import Moment
from installation.render.saved_state import SavedState
from installation.takes import Recorded
from latentworld import walks
from latentworld.errors import GeometryError
from latentworld.lipschitz import Rates
from latentworld.plane import Path, Plane
from latentworld.walks import Lifted, Steering, Walk


@dataclass
class _RememberingInbox:
    """An inbox that remembers what it gave."""

    inbox: Inbox
    newest: LoopControls

    def latest(self) -> LoopControls:
        self.newest = self.inbox.latest()
        return self.newest


class TickState:
    """The director and the pilot as the loop calls them, and a `Stand` for the reporter."""

    def __init__(self, director: Director, live_pilot: LivePilot, clock: LiveClock) -> None:
        self.director, self.live_pilot, self._clock = director, live_pilot, clock
        self._inbox: _RememberingInbox | None = None
        self._moment: Moment | None = None
        self.walk: Walk | None = None  # after the newest tick that was told

    def inbox(self, inbox: Inbox) -> Inbox:
        """The inbox, listened to."""
        self._inbox = _RememberingInbox(inbox, LoopControls())
        return self._inbox

    def direct(self, walk: Walk, controls: LoopControls, tick: Tick) -> tuple[Walk, Scene]:
        """The loop's director."""
        return self.director(walk, controls, tick)

    def pilot(self, walk: Walk, rates: Rates | None, controls: LoopControls, n: int) -> Steering:
        """The loop's pilot: a take's own while one is followed."""
        replay = self.director.replay.replay
        recorded = isinstance(walk, Recorded)
        pilot = replay.pilot if replay is not None and recorded else self.live_pilot
        return pilot(walk, rates, controls, n)

    # ---- for the reporter

    def plane(self) -> Plane:
        """Of the newest tick."""
        return self.director.scene_control.scene.plane

    def bad(self) -> NDArray[np.bool_]:
        """Which pictures of the newest tick are none."""
        return self.director.scene_control.model.guard.bad

    def stamp(self) -> float:
        """Of the controls the newest tick was made with."""
        return 0.0 if self._inbox is None else self._inbox.newest.stamp

    def description(self) -> SceneDescription:
        """The newest tick's scene."""
        return self.director.description()

    def resume(self, frames: Frames) -> SavedState:
        """Everything another renderer needs to go on after the newest tick's frames."""
        assert frames.walk is not None  # the loop's frames have one
        self.walk = after = frames.walk
        inner = after.walk if isinstance(after, Lifted) else after
        self._look(frames.path)
        controls = {} if self._inbox is None else self._inbox.newest.values()
        director, clock = self.director, self._clock
        prompt = director.scene_control.prompt.save()
        return SavedState(
            clock=ClockState(clock.index, clock.time, clock.period),
            walk=walks.keep(self._roaming(inner)),
            walk_control=director.walk.save(),
            pilot=self.live_pilot.save(frames.rates),
            toward=prompt.toward,
            away=prompt.away,
            model=director.scene_control.model.save(),
            plane=director.scene_control.planes.save(),
            controls=controls,
        )

    def moment(self) -> Moment | None:
        """The newest frame, for questions. Any thread may ask."""
        return self._moment

    def _look(self, path: Path) -> None:
        made_by = self.director.scene_control
        studio, scene = made_by.model.studio, made_by.scene
        self._moment = Moment(studio, scene.prompt, self._clock.index, path.unit[-1], float(path.radius[-1]),
                              scene.plane, self.director.map)  # fmt: skip

    def _roaming(self, walk: Walk) -> Walk:
        """A take is not taken up again: the walk goes on freely from its place."""
        if not isinstance(walk, Recorded):
            return walk
        roaming = walks.roaming(self.director.walk.spec, self.plane())
        try:
            return walks.departed(walk, roaming)
        except GeometryError:
            unit, _ = walk.ahead(0.0)
            return walks.recentred(roaming, unit[0])
