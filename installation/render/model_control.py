"""Which world is shown, by which decoder, in how many steps, with what guidance, how many pictures at a time.

Settings that the engines fit already change at once; everything else is ordered from the builder and comes warm. What
cannot be built is refused once, and the show goes on with what it has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from installation.clock import LiveClock
from installation.control.controls import Controls
from installation.control.parameters import Value
from installation.render.builder import LARGEST, Builder, Order
from installation.render.guard import Attentive, Guard
from installation.render.notices import Notices
from installation.rig import Cast, Studio, cast_of, moved, recast
from latentworld.plane import Plane
from latentworld.preset import Preset
from latentworld.prompts import Prompt

SCOUTING = 8  # steps from which more are no scout's business; a preset's many are the faithful decoder's


@dataclass(frozen=True)
class ModelControlState:
    """world: the name of the one that is shown; batch: pictures at a time, where controls leave it open."""

    world: str
    batch: int


class ModelControl:
    """Makes the studio what controls want, as far as it can be had.

    preset: the journey; studio: its world (or the one that was chosen instead), warm. alive: called after every
    denoising step; False cancels.

    opened: the studio of the present world as it was opened; studio: the one pictures are made in now; guard, eye: its
    decoder and its eye as the loop has them.
    """

    def __init__(
        self, preset: Preset, studio: Studio, clock: LiveClock, builder: Builder, notices: Notices,
        alive: Callable[[], bool] = lambda: True,
    ) -> None:  # fmt: skip
        self._preset, self._clock, self._builder, self._notices, self._alive = preset, clock, builder, notices, alive
        self._order: Order | None = None
        self._refused: Order | None = None
        self.opened = self._base = self.studio = studio
        self._batch, self._most = studio.decoder.profile.batch, LARGEST
        self.guard, self.eye = self._watched(studio)
        clock.batch = self._batch

    def __call__(self, controls: Controls, prompt: Prompt) -> None:
        """Change what can be changed, order the rest. prompt: what a new decoder is tried with."""
        self.shrink()
        self.deliver()
        wanted = self._wanted(controls)
        if wanted.cast == cast_of(self.studio) and wanted.world == self.studio.preset.world.name:
            self._order = None
        else:
            self._obtain(wanted, prompt)

    def save(self) -> ModelControlState:
        """What another renderer begins with."""
        return ModelControlState(self.studio.preset.world.name, self._batch)

    @property
    def defaults(self) -> Preset:
        """What decides where controls leave something open: the preset as this world's card has resolved it."""
        return self._base.preset

    def move(self, plane: Plane) -> None:
        """Make pictures of another plane of the same shape."""
        self._use(moved(self.studio, plane))

    def demand(self, settings: Mapping[str, object], prompt: Prompt) -> None:
        """Obtain the present world with these settings of a `Cast`, whatever controls say: a take's."""
        here = cast_of(self.studio)
        wanted = Order(self.studio.preset.world.name, replace(here, **settings))  # type: ignore[arg-type]
        if wanted.cast != here:
            self._obtain(wanted, prompt)

    def deliver(self) -> None:
        """Take what the builder has finished, if it is still wanted."""
        built = self._builder.finished()
        if built is None or built.order != self._order:
            return  # something else was asked for meanwhile
        self._order = None
        if built.studio is None:
            self._refused = built.order
            self._notices.fault(f"{built.fault}; the show goes on as it was")
            return
        self._refused = None
        if built.studio.preset.world.name != self.studio.preset.world.name:
            self._adopt(built.studio)
        else:
            self._use(built.studio)

    def shrink(self) -> None:
        """Where memory ran out and the decoder halved its batch: the clock deals as many, and no more are tried."""
        batch = self.studio.decoder.profile.batch
        if batch < self._clock.batch:
            self._notices.fault(f"memory ran out: {batch} pictures at a time from now on")
            self._batch = self._most = batch
            self._use(recast(self.studio, cast_of(self.studio)))
            self._notices.changed({"model.batch": batch})

    def lighten(self, controls: Controls) -> bool:
        """Not one picture fits: the scout instead of the faithful decoder. False where there is nothing lighter."""
        if self.studio.scout is self.studio.decoder:
            return False
        cast = cast_of(replace(self.studio, decoder=self.studio.scout))
        self._use(recast(self.studio, replace(cast, kind="scout")))
        self._base = self.studio
        self._refused = self._wanted(controls)
        self._notices.fault("memory ran out: the scout makes the pictures from now on")
        self._notices.changed({"model.decoder": "scout"})
        return True

    def _wanted(self, controls: Controls) -> Order:
        """World and cast that controls want; what they leave open is the world's and the preset's."""
        values: Mapping[str, Value] = controls.values
        base = cast_of(self._base)
        kind = values.get("model.decoder", base.kind)
        kind = base.kind if base.kind == "analytic" else str(kind)
        d = self._base.preset.decoder
        own = (d.scout_steps if kind == "scout" else d.steps) or base.steps
        steps = values.get("model.steps", own)
        steps = own if not isinstance(steps, int) or (kind == "scout" and steps > SCOUTING) else steps
        told = values.get("model.guidance")
        guidance = base.guidance if kind == base.kind else d.guidance or 1.0
        guidance = float(told) if isinstance(told, (int, float)) else guidance
        guidance = guidance if kind == "faithful" else 1.0
        batch = values.get("model.batch")
        batch = batch if isinstance(batch, int) and not isinstance(batch, bool) else self._batch
        batch = min(batch, self._most)
        world = values.get("model.world", self._preset.world.name)
        world = self.studio.preset.world.name if base.kind == "analytic" else str(world)
        return Order(world, Cast(kind, steps, guidance, batch))

    def _obtain(self, wanted: Order, prompt: Prompt) -> None:
        """Settings that need no other engine change now; everything else is built first, and ordered once."""
        if wanted in (self._order, self._refused):
            return
        same = wanted.world == self.studio.preset.world.name and wanted.cast.kind == cast_of(self.studio).kind
        if same:
            tuned = recast(self.studio, wanted.cast)
            if getattr(tuned.decoder, "warm", True) and tuned.eye is self.studio.eye:
                self._order = None
                self._use(tuned)
                return
        self._order = wanted
        self._builder.order(wanted, self.studio, prompt)

    def _adopt(self, studio: Studio) -> None:
        """Another world: its card decides what controls leave open; the vertices are drawn in its shape."""
        self.opened = self._base = studio
        self._batch, self._most = studio.decoder.profile.batch, LARGEST
        self._use(studio)

    def _use(self, studio: Studio) -> None:
        seen = self.eye
        self.studio = studio
        self.guard, self.eye = self._watched(studio)
        self.eye.last = seen.last if seen.dimension == self.eye.dimension else None
        self._clock.batch = studio.decoder.profile.batch

    def _watched(self, studio: Studio) -> tuple[Guard, Attentive]:
        return Guard(studio.decoder, self._alive), Attentive(studio.eye)
