"""Where the pilot is to go and what it may look with, from the director's parts: a `Course` for each tick."""

from __future__ import annotations

import math
from dataclasses import dataclass

from installation.clock import LiveClock
from installation.control.controls import WalkControls
from installation.control.steering import steered_by
from installation.control.walk_control import WalkControl
from installation.loop import Scene
from installation.render.builder import LAG
from installation.render.live_pilot import RAYS, Course
from installation.render.scene_control import SceneControl
from installation.render.wayfinder import Wayfinder
from installation.render.word_aim import WordAim
from installation.studio import Studio, lookout
from latentworld.arrays import Array
from latentworld.atlas.prior import Prior
from latentworld.lipschitz import Lookout
from latentworld.plane import Plane
from latentworld.prompts import Prompt
from latentworld.walks import Free, Lifted, Walk


@dataclass(frozen=True, eq=False)
class SurveyedLand:
    """A preset's atlas and what it is of: nothing is read from it in another world, on another plane, at another
    prompt."""

    atlas: Prior | None
    world: str
    plane: Plane
    prompt: Prompt

    @staticmethod
    def of(studio: Studio, atlas: Prior | None) -> SurveyedLand:
        """An atlas of a studio as it was opened."""
        return SurveyedLand(atlas, studio.world, studio.plane, studio.prompt)

    def here(self, world: str, plane: Plane, prompt: Prompt) -> Prior | None:
        """The atlas, where it is of this world, plane and prompt."""
        return self.atlas if (self.world, self.plane, self.prompt) == (world, plane, prompt) else None


class CoursePlotter:
    """latency: seconds that a control may take to its picture; looks that would make it later are not taken."""

    def __init__(
        self,
        scene_control: SceneControl,
        walk: WalkControl,
        clock: LiveClock,
        land: SurveyedLand,
        latency: float,
        ways: Wayfinder,
        words: WordAim,
    ) -> None:
        self._scene_control, self._walk, self._clock = scene_control, walk, clock
        self._land, self._latency, self._ways, self._words = land, latency, ways, words

    @property
    def map(self) -> Prior | None:
        """The preset's atlas, where it is of what is shown now."""
        scene = self._scene_control.scene
        return self._land.here(self._scene_control.model.studio.world, scene.plane, scene.prompt)

    def __call__(self, walk: Walk | None, controls: WalkControls) -> Course:
        """The course of a walk on the plane of now, as controls have it."""
        scene, model = self._scene_control.scene, self._scene_control.model
        radius, steering = self._walk.state.radius, steered_by(controls)
        inner = walk.walk if isinstance(walk, Lifted) else walk
        lift = 1.0 if radius is None or inner is None else radius / float(inner.ahead(0.0)[1][0])
        hand = controls.heading if steering == "hand" else None
        place = controls.position if steering == "place" else None
        goal = None if place is None else scene.plane.unit(*place)
        atlas = self.map
        probe, cost = self._probe(scene)
        via = self._via(atlas, inner, goal, controls)
        aim, turned = self._words.aim, self._words.turned
        return Course(scene.plane, goal, hand, lift, probe, cost, model.eye.last, atlas, via, aim, turned)

    def _via(self, atlas: Prior | None, walk: Walk | None, goal: Array | None, controls: WalkControls) -> Array | None:
        """What to steer for on the way to a goal that is gone to along a geodesic."""
        if controls.way == "straight":
            self._ways.straight()
            return None
        if goal is None or not isinstance(walk, Free):
            return None
        return self._ways.via(atlas, walk.unit, goal)

    def _probe(self, scene: Scene) -> tuple[Lookout | None, float]:
        """What may be looked through, and what a look costs in frames; nothing where latency leaves no room."""
        studio, batch, period = self._scene_control.model.studio, self._clock.batch, self._clock.period
        rows = [decoder.settings.steps * decoder.rows for decoder in (studio.scout, studio.decoder)]
        # a decoder is padded: one probe takes as long as a batch
        padded = math.ceil(RAYS / studio.scout.settings.batch) * studio.scout.settings.batch
        cost = padded * min(rows[0] / rows[1], 1.0)
        if (LAG * batch + cost) * period > self._latency:
            return None, cost
        return lookout(scene.plane, studio.scout, studio.eye, scene.prompt), cost
