"""The renderer as a process: read what the show says, load, say `ready`, and run until the show ends it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from installation.control.mailbox import Mailbox
from installation.ipc.messages import ResumeFrom
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
from latentworld.atlas.prior import Prior
from latentworld.errors import LatentWorldError
from latentworld.preset import Preset

GRACE = 3.0  # seconds a loop has to end once the show has said so, or is gone


@dataclass(frozen=True)
class Arguments:
    """Of the command line. resume: whether what to go on from is said first."""

    ring: str
    preset: Path
    resume: bool
    safe: bool


def serve(arguments: Arguments, wire: Wire, now: Callable[[], float] = time.monotonic) -> None:
    """Be a show's renderer until it stops or is gone. Raises LatentWorldError for what cannot be survived."""
    speaker = Speaker(wire, now)
    saved = saved_state.read(told(wire) if arguments.resume else None, speaker.fault)
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
    ring = Ring.attach(arguments.ring)
    try:
        with Beating(speaker):
            renderer = open_renderer(arguments, saved, ShowLink(ring, wire, speaker, now))
        stage.append(renderer)
        reader.questions = renderer.questions
        wire.send(renderer.ready())
        if not ending.is_set():
            renderer.run(mailbox)
    finally:
        for renderer in stage:
            renderer.close()
        ring.close()


def told(wire: Wire) -> str | None:
    """What is to be gone on from: the show's first message. None where it says something else, or is gone."""
    first = next(wire.read(), None)
    return first.state if isinstance(first, ResumeFrom) else None


def open_renderer(arguments: Arguments, saved: SavedState, link: ShowLink) -> Renderer:
    """Load the preset's world, or the one that was shown, and warm it. Raises LatentWorldError."""
    preset, fault = presets.load(arguments.preset), link.speaker.fault
    builder = Builder(performed(preset), link.now)
    model = ModelControlState() if arguments.safe else saved.model
    own = preset if arguments.safe else saved.plane.of(preset)
    try:
        studio, seconds = first(performed(own), model, builder, fault)
    except LatentWorldError as error:
        if own is preset:
            raise
        fault(f"the vertices that were given last cannot be had ({error}): the preset's own are shown")
        studio, seconds = first(performed(preset), model, builder, fault)
    journey = Journey(preset, studio, surveyed(studio, fault))
    return Renderer(journey, seconds, Workers(builder, PromptEncoder(fault)), link, saved, arguments.safe)


def first(
    preset: Preset, model: ModelControlState, builder: Builder, fault: Callable[[str], None]
) -> tuple[Studio, float]:
    """The world to begin with, warm, and the seconds a picture takes: the one that was shown last, if it can still be
    had, else the preset's. Raises LatentWorldError where that cannot be had either."""
    studio = open_studio(preset)
    settings = studio.settings if model.batch is None else replace(studio.settings, batch=model.batch)
    fit = model.batch is None and preset.show.batch == "auto" and settings.kind != "analytic"
    own = preset.world.name
    if model.world not in (None, own):
        try:
            return builder.build(Order(str(model.world), settings, fit), studio, studio.prompt)
        except LatentWorldError as error:
            fault(f"the world that was shown last cannot be had ({error}): {own} is shown")
    return builder.build(Order(own, settings, fit), studio, studio.prompt)


def surveyed(studio: Studio, fault: Callable[[str], None]) -> Prior | None:
    """The preset's atlas of the studio's world; a show without its map is a show."""
    try:
        return prior_of(studio)
    except LatentWorldError as error:
        fault(f"{error}; the walk goes without it")
        return None
