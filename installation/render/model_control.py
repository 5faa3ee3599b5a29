"""Which world is shown, by which decoder, in how many steps, with what guidance, how many pictures at a time.

Settings that the engines fit already change at once; everything else is ordered from the builder and comes warm. What
cannot be built is refused once, and the show goes on with what it has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from msgspec import Meta

from installation.clock import LiveClock
from installation.control.controls import MODEL_BATCH, MODEL_DECODER, MODEL_WORLD, ModelControls
from installation.control.notices import Notices
from installation.ipc.fields import Part, read_part
from installation.render.builder import LARGEST, Builder, Order
from installation.render.guard import Attentive, Guard
from installation.studio import Studio
from latentworld.decoding import DecoderSettings
from latentworld.decoding.settings import HoldSettings
from latentworld.errors import LatentWorldError
from latentworld.plane import Plane
from latentworld.preset import Preset
from latentworld.prompts import Prompt

VERSION = 1  # of the saved state
SCOUTING = 8  # steps from which more are no scout's business; a preset's many are the faithful decoder's


@dataclass(frozen=True)
class ModelControlState:
    """world: the name of the one that is shown; batch: pictures at a time, where controls leave it open. None: the
    preset's."""

    world: Annotated[str, Meta(min_length=1)] | None = None
    batch: Annotated[int, Meta(ge=1, le=LARGEST)] | None = None

    @staticmethod
    def read(written: object) -> Part[ModelControlState]:
        """From what was saved, whatever that is."""
        return read_part(ModelControlState, written, VERSION)


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
        self._batch, self._most = studio.settings.batch, LARGEST
        self._strengths: Sequence[float | None] = ()
        self._told: frozenset[int] = frozenset()
        self.guard, self.eye = self._watched(studio)
        clock.batch = self._batch

    def __call__(self, controls: ModelControls, prompt: Prompt, strengths: Sequence[float | None] = ()) -> None:
        """Change what can be changed, order the rest. prompt: what a new decoder is tried with; strengths: of LoRA."""
        self._strengths = strengths
        self._tell_of_lacking(strengths)
        self.shrink()
        self.deliver(prompt)
        wanted = self._wanted(controls)
        if wanted.settings == self.studio.settings and wanted.world == self.studio.preset.world.name:
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
        self._use(self.studio.on(plane))

    def refit(self, preset: Preset, plane: Plane, hold: HoldSettings | None) -> None:
        """Hold the pictures of another vertex file; the faithful decoder follows with the next tick."""
        base = self._base
        own = {kind: replace(each, hold=hold if kind == "faithful" else None) for kind, each in base.own.items()}
        decoder = base.decoder
        if base.settings.kind == "faithful":
            decoder = decoder.variant(replace(base.settings, hold=hold))
        self.opened = self._base = replace(base, preset=preset, plane=plane, own=own, decoder=decoder)
        self._use(replace(self.studio, preset=preset, own=own))

    def demand(self, settings: DecoderSettings, prompt: Prompt) -> None:
        """Obtain the present world with these settings, whatever controls say: a take's."""
        if settings != self.studio.settings:
            self._obtain(Order(self.studio.preset.world.name, settings), prompt)

    def deliver(self, prompt: Prompt) -> None:
        """Take what the builder has finished, if it is still wanted. prompt: what it is to make pictures of now."""
        built = self._builder.finished()
        if built is None or built.order != self._order:
            return  # something else was asked for meanwhile
        if built.studio is not None and not built.studio.decoder.fits(prompt):  # a longer text came meanwhile
            self._builder.order(built.order, built.studio, prompt)
            return
        self._order = None
        if built.studio is None:
            self._refused = built.order
            self._notices.fault(f"{built.fault}; the show goes on as it was")
            if built.order.world != self.studio.preset.world.name:
                self._notices.changed({MODEL_WORLD.name: self.studio.preset.world.name})
            return
        self._refused = None
        if built.studio.preset.world.name != self.studio.preset.world.name:
            self._adopt(built.studio)
        else:
            self._use(built.studio)

    def shrink(self) -> None:
        """Where memory ran out and the decoder halved its batch: the clock deals as many, and no more are tried."""
        batch = self.studio.settings.batch
        if batch < self._clock.batch:
            self._notices.fault(f"memory ran out: {batch} pictures at a time from now on")
            self._batch = self._most = batch
            self._use(self.studio.variant(self.studio.settings))
            self._notices.changed({MODEL_BATCH.name: batch})

    def lighten(self, controls: ModelControls) -> bool:
        """Not one picture fits: the scout instead of the faithful decoder. False where there is nothing lighter."""
        if self.studio.scout is self.studio.decoder:
            return False
        ahead = self.studio.scout.settings
        self._use(self.studio.variant(replace(self.studio.own["scout"], batch=ahead.batch)))
        self._base = self.studio
        self._refused = self._wanted(controls)
        self._notices.fault("memory ran out: the scout makes the pictures from now on")
        self._notices.changed({MODEL_DECODER.name: "scout"})
        return True

    def _wanted(self, controls: ModelControls) -> Order:
        """World and settings that controls want; what they leave open is the world's and the preset's."""
        own, steps = self._base.default(controls.decoder), controls.steps
        steps = own.steps if steps is None or (own.kind == "scout" and steps > SCOUTING) else steps
        guidance = own.guidance if controls.guidance is None or own.kind != "faithful" else controls.guidance
        batch = min(self._batch if controls.batch is None else controls.batch, self._most)
        # the analytic world is one of its own, with a decoder of its own
        world = self.studio.preset.world.name if own.kind == "analytic" else controls.world or self._preset.world.name
        settings = replace(own, steps=steps, guidance=guidance, batch=batch)
        return Order(world, settings.styled(self._strengths))

    def _tell_of_lacking(self, strengths: Sequence[float | None]) -> None:
        """Say once of a LoRA that is played that there is none."""
        here = len(self._base.settings.loras)
        lacking = frozenset(number for number, one in enumerate(strengths, 1) if one is not None and number > here)
        for number in sorted(lacking - self._told):
            has = f"{here} LoRA" if here else "no LoRA"
            self._notices.fault(f"lora.{number}.strength moves nothing: there is {has} here; name files in world.loras")
        self._told = lacking

    def _obtain(self, wanted: Order, prompt: Prompt) -> None:
        """Settings that need no other engine change now; everything else is built first, and ordered once."""
        if wanted in (self._order, self._refused) or self._is_underway(wanted):
            return
        same_world = wanted.world == self.studio.preset.world.name
        alike = same_world and wanted.settings.kind == self.studio.settings.kind
        if alike and self.studio.decoder.has(wanted.settings):
            try:
                tuned = self.studio.variant(wanted.settings)
            except LatentWorldError:  # told once: steps that residuals are not of, or that no schedule has
                self._refused = wanted
                raise
            if tuned.decoder.warm and tuned.decoder.fits(prompt) and tuned.eye is self.studio.eye:
                self._order = None
                self._use(tuned)
                return
        self._order = wanted
        self._builder.order(wanted, self.studio, prompt)

    def _is_underway(self, wanted: Order) -> bool:
        """Whether the same is being built at other strengths: a fade shows each that is finished, and orders the next
        one then."""
        order = self._order
        if order is None:
            return False
        return replace(order, settings=replace(order.settings, loras=wanted.settings.loras)) == wanted

    def _adopt(self, studio: Studio) -> None:
        """Another world: its card decides what controls leave open; the vertices are drawn in its shape."""
        self.opened = self._base = studio
        self._batch, self._most = studio.settings.batch, LARGEST
        self._use(studio)

    def _use(self, studio: Studio) -> None:
        seen = self.eye
        self.studio = studio
        self.guard, self.eye = self._watched(studio)
        self.eye.last = seen.last if seen.dimension == self.eye.dimension else None
        self._clock.batch = studio.settings.batch

    def _watched(self, studio: Studio) -> tuple[Guard, Attentive]:
        return Guard(studio.decoder, self._alive), Attentive(studio.eye)
