"""The renderer as a process: read what the show says, load, say `ready`, and run until the show ends it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from installation.control.mailbox import Mailbox
from installation.ipc.messages import ResumeFrom, TakeOver, Waiting
from installation.ipc.ring import Ring
from installation.ipc.wire import Wire
from installation.render import saved_state
from installation.render.builder import Builder, Order, PromptEncoder, Workers
from installation.render.director import Journey
from installation.render.live_preset import performed
from installation.render.message_reader import MessageReader
from installation.render.model_control import ModelControlState
from installation.render.renderer import Renderer, ShowLink
from installation.render.saved_state import SavedState
from installation.render.speaker import Beating, Speaker
from installation.render.take_reader import TakeReader
from installation.rig import open_studio, prior_of
from installation.studio import Studio
from installation.takes import Take
from latentworld import preset as presets
from latentworld import worlds
from latentworld.atlas.prior import Prior
from latentworld.device import choose, free_bytes
from latentworld.errors import LatentWorldError, ShowError
from latentworld.preset import Preset
from latentworld.worlds import needs

ROOM = 1.5  # times the weights: what a picture takes beside them
LIVE = 12.0  # pictures a second, below which a walk is a row of pictures
GRACE = 3.0  # seconds a loop has to end once the show has said so, or is gone


@dataclass(frozen=True)
class Arguments:
    """Of the command line. resume: whether what to go on from is said first; spare: whether it waits, loaded, until it
    is told to take over."""

    ring: str
    preset: Path
    resume: bool
    safe: bool
    spare: bool = False


def serve(arguments: Arguments, wire: Wire, now: Callable[[], float] = time.monotonic) -> None:
    """Be a show's renderer until it stops or is gone. Raises LatentWorldError for what cannot be survived."""
    speaker = Speaker(wire, now)
    saved = saved_state.read(told(wire) if arguments.resume else None, speaker.fault)
    link = ShowLink(Ring.attach(arguments.ring), wire, speaker, now)
    try:
        opening = Opening(arguments, link)
        if arguments.spare:
            with Beating(speaker):
                opening.prepare(saved)
            wire.send(Waiting())
            called = next(wire.read(), None)  # until somebody dies
            if not isinstance(called, TakeOver):
                return
            saved = saved_state.read(called.state, speaker.fault)
        _perform(opening, saved, link)
    finally:
        link.ring.close()


def _perform(opening: Opening, saved: SavedState, link: ShowLink) -> None:
    """Say `ready`, and run until the show ends it."""
    speaker, wire = link.speaker, link.wire
    mailbox = Mailbox(saved.controls)
    ending = threading.Event()
    stage: list[Renderer] = []

    def end() -> None:
        ending.set()
        for renderer in stage:
            renderer.clock.stop()
        threading.Timer(GRACE, lambda: os._exit(3)).start()

    def deliver(take: Take | None) -> None:
        for renderer in stage:
            renderer.follow(take)

    takes = TakeReader(deliver, speaker.fault)
    reader = MessageReader(wire, mailbox, speaker.fault, end, takes.follow, takes.unfollow)
    try:
        with Beating(speaker):
            renderer = opening.renderer(saved)
        stage.append(renderer)
        reader.questions = renderer.questions
        wire.send(renderer.ready())
        if not ending.is_set():
            renderer.run(mailbox)
    finally:
        for renderer in stage:
            renderer.close()


def told(wire: Wire) -> str | None:
    """What is to be gone on from: the show's first message. None where it says something else, or is gone."""
    first = next(wire.read(), None)
    return first.state if isinstance(first, ResumeFrom) else None


@dataclass(frozen=True, eq=False)
class Prepared:
    """A world, warm, and the seconds a picture takes. own, model: of which preset and state it is."""

    own: Preset
    model: ModelControlState
    journey: Journey
    seconds: float


class Opening:
    """From arguments and a state to a renderer: at once, or in two steps, of which the first one takes long."""

    def __init__(self, arguments: Arguments, link: ShowLink) -> None:
        self._arguments, self._link = arguments, link
        self._preset = presets.load(arguments.preset)
        self._builder = Builder(performed(self._preset), link.now)
        self._prepared: Prepared | None = None

    def prepare(self, saved: SavedState) -> None:
        """Load the preset's world, or the one that was shown, and warm it. Raises LatentWorldError, also where the card
        has no memory for it beside another renderer."""
        room_on_card(self._preset)
        self._prepared = self._warm(saved)

    def renderer(self, saved: SavedState) -> Renderer:
        """What goes on from a state; of another world than was prepared it takes as long as ever. Raises
        LatentWorldError."""
        is_safe, fault, known = self._arguments.safe, self._link.speaker.fault, self._prepared
        if known is None or (known.own, known.model) != self._wanted(saved):
            known = self._warm(saved)
        workers = Workers(self._builder, PromptEncoder(fault))
        return Renderer(known.journey, known.seconds, workers, self._link, saved, is_safe)

    def _wanted(self, saved: SavedState) -> tuple[Preset, ModelControlState]:
        if self._arguments.safe:
            return self._preset, ModelControlState()
        return saved.plane.of(self._preset), saved.model

    def _warm(self, saved: SavedState) -> Prepared:
        preset, fault, (own, model) = self._preset, self._link.speaker.fault, self._wanted(saved)
        try:
            studio, seconds = first(performed(own), model, self._builder, fault)
        except LatentWorldError as error:
            if own is preset:
                raise
            fault(f"the vertices that were given last cannot be had ({error}): the preset's own are shown")
            studio, seconds = first(performed(preset), model, self._builder, fault)
        return Prepared(own, model, Journey(preset, studio, surveyed(studio, fault)), seconds)


def room_on_card(preset: Preset) -> None:
    """Raises ShowError where a graphics card has no memory for another renderer of a preset."""
    device = choose(preset.decoder.device).device
    free = None if preset.decoder.kind == "analytic" else free_bytes(device)
    if free is None:
        return
    seen, wanted = worlds.inspect(preset.world.name), choose(preset.decoder.device, preset.decoder.dtype)
    needed = ROOM * needs.weights_gb(seen, wanted.dtype)
    if free / 1e9 < needed:
        raise ShowError(
            f"a second renderer needs some {needed:.1f} GB of the card, and {free / 1e9:.1f} GB are free: "
            f"set show.spare = false"
        )


def first(
    preset: Preset, model: ModelControlState, builder: Builder, fault: Callable[[str], None]
) -> tuple[Studio, float]:
    """The world to begin with, warm, and the seconds a picture takes: the one that was shown last, if it can still be
    had, else the preset's. Raises LatentWorldError where that cannot be had either."""
    studio = open_studio(preset)
    settings = studio.settings if model.batch is None else replace(studio.settings, batch=model.batch)
    fit = model.batch is None and preset.show.batch == "auto" and settings.kind != "analytic"
    own = preset.world.name

    def built(world: str) -> tuple[Studio, float]:
        return in_time(preset, builder.build(Order(world, settings, fit), studio, studio.prompt), builder, fault)

    if model.world not in (None, own):
        try:
            return built(str(model.world))
        except LatentWorldError as error:
            fault(f"the world that was shown last cannot be had ({error}): {own} is shown")
    return built(own)


def in_time(
    preset: Preset, built: tuple[Studio, float], builder: Builder, fault: Callable[[str], None]
) -> tuple[Studio, float]:
    """What `show.decoder = auto` plays: what was built where it makes `show.rate` pictures a second (LIVE where that
    is open), else the scout where that is quicker."""
    (studio, seconds), wanted = built, preset.show.rate or LIVE
    if preset.show.decoder != "auto" or studio.settings.kind != "faithful" or seconds * wanted <= 1.0:
        return built
    fit = preset.show.batch == "auto"
    scout = replace(studio.own["scout"], batch=1 if fit else studio.settings.batch)
    quicker = builder.build(Order(studio.preset.world.name, scout, fit), studio, studio.prompt)
    if quicker[1] >= seconds:
        return built
    fault(
        f"faithful pictures come {1 / seconds:.2g} a second here, and {wanted:g} are wanted: the scout plays, "
        f'{1 / quicker[1]:.2g} a second (set show.decoder = "faithful" for the others)'
    )
    return quicker


def surveyed(studio: Studio, fault: Callable[[str], None]) -> Prior | None:
    """The preset's atlas of the studio's world; a show without its map is a show."""
    try:
        return prior_of(studio)
    except LatentWorldError as error:
        fault(f"{error}; the walk goes without it")
        return None
