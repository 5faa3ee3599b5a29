"""The director: at a tick's beginning its parts make of the controls what can be made of them.

What is at hand (walk, faders, guidance, steps, seeds) is changed at once; texts come from the prompt encoder and are
cross-faded; worlds, decoders and batches come from the builder, warm. What cannot be had is refused: a fault is
reported, and the show goes on with what it has. Nothing that controls say gets past here as an exception.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from installation.clock import LiveClock, Tick
from installation.control.controls import LoopControls, ModelControls
from installation.control.notices import Notices
from installation.control.steering import steered_by
from installation.control.walk_control import WalkControl, WalkControlState
from installation.ipc.scene import SceneDescription, WalkScene
from installation.loop import Scene
from installation.render.builder import Workers
from installation.render.course import CoursePlotter, SurveyedLand
from installation.render.live_pilot import Course
from installation.render.model_control import ModelControl
from installation.render.plane_control import PlaneControl
from installation.render.prompt_control import PromptControl, PromptControlState
from installation.render.replay_control import ReplayControl
from installation.render.saved_state import ANEW, SavedState
from installation.render.scene_control import SceneControl
from installation.render.wayfinder import Wayfinder
from installation.render.word_aim import WordAim
from installation.studio import Studio
from latentworld import walks
from latentworld.atlas.prior import Prior
from latentworld.errors import LatentWorldError, WalkRefused
from latentworld.preset import Preset
from latentworld.walks import Walk

_log = logging.getLogger(__name__)
Made = TypeVar("Made")


@dataclass(frozen=True)
class DirectorState:
    """What another director begins with: a state for each part that has one."""

    walk: WalkControlState
    prompt: PromptControlState

    @staticmethod
    def at(preset: Preset, world: Preset, saved: SavedState = ANEW) -> DirectorState:
        """As it was saved, and where it was not, of a preset's beginning. world: the preset as the world's card
        resolved it, which has the texts."""
        own = PromptControlState.at(world.prompt)
        prompt = PromptControlState(saved.toward or own.toward, saved.away or own.away)
        return DirectorState(saved.walk_control or WalkControlState(preset.walk.kind), prompt)


class Director:
    """`director(walk, controls, tick) -> (walk, scene)` for the loop. Make one with `open_director`.

    safe: controls of the model and the plane are not heard.
    """

    def __init__(
        self, scene_control: SceneControl, walk: WalkControl, replay: ReplayControl, words: WordAim,
        plot: CoursePlotter, notices: Notices, *, start: float, safe: bool,
    ) -> None:  # fmt: skip
        self.scene_control, self.walk, self.replay, self._words = scene_control, walk, replay, words
        self._plot, self._notices, self._safe = plot, notices, safe
        self._time = start
        self._controls = LoopControls()
        self._newest: Walk | None = None

    def __call__(self, walk: Walk, controls: LoopControls, tick: Tick) -> tuple[Walk, Scene]:
        """The walk as steered and the scene of this tick."""
        end = float(tick.time[-1]) if len(tick) else self._time
        elapsed, self._time = max(end - self._time, 0.0), max(end, self._time)
        self._controls = controls = self._permitted(controls)
        followed = self._attempt(lambda: self.replay.follow(walk, controls, tick), None)
        self._newest = self._led(walk, controls, elapsed) if followed is None else followed
        return self._newest, self.scene_control.scene

    def course(self) -> Course:
        """Where to go, for the pilot."""
        return self._plot(self._newest, self._controls.walk)

    @property
    def map(self) -> Prior | None:
        """The preset's atlas, where it is of what is shown now."""
        return self._plot.map

    def begin(self, controls: LoopControls, saved: Mapping[str, object] | None = None) -> Walk:
        """The walk at its start, or where it was saved, on the plane that controls want; what cannot be is a fault, and
        begins anew. Raises GeometryError where the preset's own walk cannot be on that plane; another package's gives
        way."""
        controls, planes = self._permitted(controls), self.scene_control.planes
        self._attempt(lambda: planes.use([vertex.seed for vertex in controls.vertices], controls.walk.norm), None)
        plane = planes.plane
        if saved is not None:
            try:
                return self.walk.begin(plane, saved)
            except Exception as error:  # whatever was saved must not keep a renderer from beginning
                self._notices.fault(f"the saved walk cannot be used ({error}): it begins anew".replace("\n", " "))
        try:
            return self.walk.begin(plane)
        except WalkRefused as error:
            if error.kind in walks.BUILT_IN:
                raise
            return self.give_way(error, None)

    def give_way(self, error: WalkRefused, walk: Walk | None) -> Walk:
        """What is walked instead of a kind that was refused. walk: the one that was, None before any."""
        return self.walk.give_way(error, walk, self.scene_control.planes.plane)

    def adopt(self, file: str) -> None:
        """Be on the plane of a vertex file that was made here; what it cannot be is a fault."""
        self._attempt(lambda: self.scene_control.planes.adopt(file), None)

    def lighten(self) -> bool:
        """Make pictures with less memory. False where there is nothing lighter."""
        return self.scene_control.model.lighten(self._controls.model)

    def description(self) -> SceneDescription:
        """The scene in words and numbers, as the show is told of it and takes keep it."""
        steering = steered_by(self._controls.walk, replayed=self.replay.replay is not None)
        return self.scene_control.description(WalkScene(steering, self.walk.spec.model_dump(mode="json")))

    def _permitted(self, controls: LoopControls) -> LoopControls:
        """All of the controls; without those of model and plane where it is to be safe."""
        if not self._safe:
            return controls
        walk = replace(controls.walk, norm=None)
        own = LoopControls()
        return replace(controls, walk=walk, vertices=own.vertices, model=ModelControls(), loras=own.loras)

    def _led(self, walk: Walk, controls: LoopControls, elapsed: float) -> Walk:
        """The walk as controls lead it, each part in its turn."""
        model, planes, prompt = self.scene_control.model, self.scene_control.planes, self.scene_control.prompt
        walk = self.replay.release(walk, self.walk.spec, planes.plane)
        self._attempt(lambda: model(controls.model, prompt.prompt, controls.strengths), None)
        self._attempt(lambda: prompt(controls, model.studio, model.defaults.prompt, elapsed), None)
        self._attempt(lambda: self._words(controls.rift, model.studio, elapsed), None)
        steps: tuple[Callable[[Walk], Walk], ...] = (
            lambda walk: planes(walk, controls),
            lambda walk: self._walked(walk, controls, elapsed),
            lambda walk: planes.bound(walk, controls),
        )
        for step in steps:
            walk = self._attempt(lambda step=step, walk=walk: step(walk), walk)  # type: ignore[misc]
        return walk

    def _walked(self, walk: Walk, controls: LoopControls, elapsed: float) -> Walk:
        try:
            return self.walk(walk, controls.walk, self.scene_control.planes.plane, elapsed)
        except WalkRefused as error:
            return self.give_way(error, walk)

    def _attempt(self, what: Callable[[], Made], otherwise: Made) -> Made:
        """What it gives, or the other where it fails: a fault is reported, and no exception gets past."""
        try:
            return what()
        except LatentWorldError as error:
            self._notices.fault(str(error))
        except Exception as error:
            _log.exception("the director was at a loss")
            self._notices.fault(f"{type(error).__name__}: {error}".splitlines()[0][:300])
        return otherwise


@dataclass(frozen=True, eq=False)
class Journey:
    """What is performed. studio: the preset's world (or the one that was chosen instead), warm; atlas: of this very
    world, plane and prompt."""

    preset: Preset
    studio: Studio
    atlas: Prior | None = None


def open_director(
    journey: Journey, clock: LiveClock, workers: Workers, notices: Notices, *,
    alive: Callable[[], bool] = lambda: True, safe: bool = False, saved: SavedState = ANEW,
) -> Director:  # fmt: skip
    """A director with all its parts. saved: what another renderer left; alive: see `ModelControl`; safe: `Director`."""
    preset, studio = journey.preset, journey.studio
    state = DirectorState.at(preset, studio.preset, saved)
    land = SurveyedLand.of(studio, journey.atlas)
    walk = WalkControl(preset.walk, preset.pilot.max_curvature, notices, state.walk)
    model = ModelControl(preset, studio, clock, workers.builder, notices, alive)
    planes = PlaneControl(preset, model, walk, clock, notices)
    scene_control = SceneControl(model, planes, PromptControl(workers.encoder, state.prompt))
    replay = ReplayControl(clock, scene_control)
    words = WordAim(preset.pilot, notices.fault)
    plot = CoursePlotter(scene_control, walk, clock, land, preset.show.latency, Wayfinder(notices.fault), words)
    return Director(scene_control, walk, replay, words, plot, notices, start=clock.time, safe=safe)
