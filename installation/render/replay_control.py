"""Takes that are replayed: which one, what must be there for its scenes, and how the walk goes on after it."""

from __future__ import annotations

from dataclasses import replace

from installation.clock import LiveClock, Tick
from installation.control.controls import LoopControls
from installation.ipc.jsonable import table
from installation.ipc.scene import SceneDescription
from installation.loop import Scene
from installation.render.model_control import ModelControl
from installation.render.plane_control import PlaneControl
from installation.render.prompt_control import PromptControl
from installation.render.replay import Replay
from installation.takes import Take
from latentworld import walks
from latentworld.errors import GeometryError
from latentworld.plane import Plane
from latentworld.walks import Walk, WalkSpec


class ReplayControl:
    """`replay` is the take that is followed; None while controls lead."""

    def __init__(self, clock: LiveClock, model: ModelControl, planes: PlaneControl, prompt: PromptControl) -> None:
        self._clock, self._model, self._planes, self._prompt = clock, model, planes, prompt
        self.replay: Replay | None = None

    def begin(self, take: Take) -> None:
        """Replay a take from the next tick on."""
        if self.replay is not None:
            self.replay.end()
        self.replay = Replay(take, self._clock, self._staged)

    def end(self) -> None:
        """Replay no more: the walk goes on from where it is."""
        if self.replay is not None:
            self.replay.end()
            self.replay.done = True

    def follow(self, walk: Walk, controls: LoopControls, tick: Tick) -> Walk | None:
        """The take's walk for a tick; None when it is over, or none is followed."""
        if self.replay is None or self.replay.done or self.replay.over(tick):
            return None
        self._model.shrink()
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

    def _staged(self, scene: SceneDescription) -> Scene:
        """The take's scene, as far as it is ready: what must be built or encoded comes when it is."""
        self._planes.use(scene.plane.seeds or (None, None, None), scene.plane.norm)
        self._model.deliver()
        self._model.demand(self._model.studio.recorded(table(scene.decoder)), self._prompt.prompt)
        self._prompt.cut(scene.prompt.toward, scene.prompt.away, self._model.studio)
        return Scene(self._planes.plane, self._model.guard, self._model.eye, self._prompt.prompt)
