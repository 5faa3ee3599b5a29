"""The renderer as a process: load, say `ready`, run the loop, and go on after whatever can be survived."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from installation.clock import LiveClock, Tick
from installation.control.controls import LoopControls
from installation.control.mailbox import Mailbox
from installation.control.parameter import Value
from installation.frames import Frames
from installation.ipc.messages import Beat, Fault, LoopValues, Ready
from installation.ipc.ring import Ring
from installation.ipc.wire import Wire
from installation.loop import Inbox, Scene, run
from installation.render import saved_state
from installation.render.builder import Builder, Order, PromptEncoder
from installation.render.director import opened
from installation.render.live_pilot import LivePilot
from installation.render.live_preset import performed
from installation.render.message_reader import MessageReader
from installation.render.model_control import ModelControlState
from installation.render.notices import Notices
from installation.render.questions import Questions
from installation.render.reporter import Reporter
from installation.render.saved_state import ANEW, SavedState
from installation.render.tick_state import TickState
from installation.rig import open_studio, prior_of
from installation.studio import Studio
from installation.takes import Take
from latentworld import preset as presets
from latentworld.atlas.prior import Prior
from latentworld.errors import Cancelled, LatentWorldError, OutOfMemory
from latentworld.preset import Preset
from latentworld.walks import Walk

BEAT = 0.5  # seconds between signs of life
TRIES = 3  # faults in a row, without a picture between them, that end the process
GRACE = 3.0  # seconds a loop has to end once the show has said so, or is gone

_log = logging.getLogger("render")


@dataclass(frozen=True)
class Asked:
    """The command line."""

    ring: str
    preset: Path
    resume: str | None
    safe: bool


class Speaker:
    """Says faults, the same one at most once in `often` seconds, and beats."""

    def __init__(self, wire: Wire, now: Callable[[], float], often: float = 2.0) -> None:
        self._wire, self._now, self._often = wire, now, often
        self._said: dict[str, float] = {}
        self._beat = -1e9
        self._lock = threading.Lock()

    def fault(self, text: str) -> None:
        """A fault that was survived."""
        now = self._now()
        with self._lock:
            if now - self._said.get(text, -1e9) < self._often:
                return
            self._said = {told: at for told, at in self._said.items() if now - at < self._often} | {text: now}
        _log.warning(text)
        self._wire.send(Fault(text))

    def beat(self) -> None:
        """A sign of life, as often as it is worth one."""
        if self._now() - self._beat >= BEAT:
            self._beat = self._now()
            self._wire.send(Beat(), droppable=True)

    def values(self, values: Mapping[str, Value]) -> None:
        """Values that the loop changed."""
        self._wire.send(LoopValues(dict(values)))


class Beating:
    """Beats while the process loads; libraries give no other sign then."""

    def __init__(self, speaker: Speaker) -> None:
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, args=(speaker,), name="beat", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *unused: object) -> None:
        self._done.set()

    def _beat(self, speaker: Speaker) -> None:
        while not self._done.wait(BEAT / 5):
            speaker.beat()


def serve(asked: Asked, wire: Wire, now: Callable[[], float] = time.monotonic) -> None:
    """Be a show's renderer until it stops or is gone. Raises LatentWorldError for what cannot be survived."""
    speaker = Speaker(wire, now)
    saved = saved_state.read(asked.resume, speaker.fault)
    mailbox = Mailbox(saved.controls)
    ending = threading.Event()
    stage: list[Renderer] = []

    def end() -> None:
        ending.set()
        for renderer in stage:
            renderer.clock.stop()
        threading.Timer(GRACE, lambda: os._exit(3)).start()

    def follow(file: str) -> None:
        from installation.takes import read

        take = read(file)
        for renderer in stage:
            renderer.follow(take)

    def unfollow() -> None:
        for renderer in stage:
            renderer.follow(None)

    reader = MessageReader(wire, mailbox, speaker.fault, end, follow, unfollow)
    ring = Ring.attach(asked.ring)
    try:
        with Beating(speaker):
            renderer = open_renderer(asked, saved, ring, wire, speaker, now)
        stage.append(renderer)
        reader.questions = renderer.questions
        wire.send(renderer.ready())
        if not ending.is_set():
            renderer.run(mailbox)
    finally:
        for renderer in stage:
            renderer.close()
        ring.close()


def open_renderer(
    asked: Asked, saved: SavedState, ring: Ring, wire: Wire, speaker: Speaker, now: Callable[[], float]
) -> Renderer:  # fmt: skip
    """Load the preset's world, or the one that was shown, and warm it. Raises LatentWorldError."""
    preset = presets.load(asked.preset)
    builder = Builder(performed(preset), now)
    model = ModelControlState() if asked.safe else saved.model
    studio, seconds = first(performed(preset), model, builder, speaker.fault)
    return Renderer(preset, studio, seconds, asked.safe, saved, ring, wire, speaker, builder, now)


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


class Renderer:
    """The parts of the loop, joined; `run` runs it."""

    def __init__(
        self, preset: Preset, studio: Studio, seconds: float, safe: bool, saved: SavedState, ring: Ring, wire: Wire,
        speaker: Speaker, builder: Builder, now: Callable[[], float],
    ) -> None:  # fmt: skip
        self._wire, self._speaker, self._builder = wire, speaker, builder
        self._prompt_encoder = PromptEncoder(speaker.fault)
        show = preset.show
        self._orders: list[Callable[[], None]] = []
        begun = saved.clock
        self.clock = LiveClock(studio.settings.batch, show.rate, begun.period or seconds, begun.index, begun.time, now)
        self.director = opened(
            preset, studio, self.clock, builder, self._prompt_encoder, Notices(speaker.fault, speaker.values),
            alive=self._alive, atlas=self._atlas(studio), safe=safe, saved=ANEW if safe else saved,
        )  # fmt: skip
        pilot = LivePilot(
            preset.pilot, preset.pacing, show.step, self.director.course, lambda: self.clock.period, saved.pilot
        )
        self.tick_state = TickState(self.director, pilot, self.clock)
        self.questions = Questions(self.tick_state.moment, wire.send)
        self.reporter = Reporter(ring, wire.send, self.clock, now, self.tick_state, speaker.fault)
        self.walk = self.director.begin(LoopControls.of(saved.controls), saved.walk)

    def ready(self) -> Ready:
        """What the show is told before the first tick."""
        studio = self.director.model.studio
        decoder = studio.decoder
        return Ready(decoder.profile, studio.world, studio.seer, presets.dump(studio.document), decoder.size)

    def run(self, inbox: Inbox) -> None:
        """Run the loop until the clock is stopped; what can be survived is told, and it goes on from the last place.

        Raises what came TRIES times without a picture between.
        """
        failed, made = 0, 0
        while not self.clock.stopped:
            try:
                run(self.clock, self.tick_state.inbox(inbox), self.tick_state.walk or self.walk, self._direct,
                    self.tick_state.pilot, self)  # fmt: skip
            except Cancelled:
                continue  # only a show that ends cancels
            except OutOfMemory as error:
                if not self.director.lighten():
                    raise
                self._speaker.fault(str(error))
            except Exception as error:
                failed = failed + 1 if self.reporter.made == made else 1
                made = self.reporter.made
                if failed >= TRIES:
                    raise
                _log.exception("a tick failed")
                self._speaker.fault(f"a tick failed: {type(error).__name__}: {error}".splitlines()[0][:300])

    def follow(self, take: Take | None) -> None:
        """Replay a take from the next tick on, or no more. Any thread may call it."""
        replay = self.director.replay
        self._orders.append(replay.end if take is None else lambda: replay.begin(take))

    def send(self, frames: Frames) -> None:
        """The loop's outlet."""
        self.reporter.send(frames)
        self.questions.tick()

    def close(self) -> None:
        """End the helpers."""
        self.questions.close()
        self._builder.close()
        self._prompt_encoder.close()

    def _direct(self, walk: Walk, controls: LoopControls, tick: Tick) -> tuple[Walk, Scene]:
        while self._orders:
            self._orders.pop(0)()
        return self.tick_state.direct(walk, controls, tick)

    def _alive(self) -> bool:
        self._speaker.beat()
        return not self.clock.stopped

    def _atlas(self, studio: Studio) -> Prior | None:
        try:
            return prior_of(studio)
        except LatentWorldError as error:  # a show without its map is a show
            self._speaker.fault(f"{error}; the walk goes without it")
            return None
