"""The renderer: the loop with its parts and its helpers, which goes on after whatever can be survived."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from installation.clock import LiveClock, Tick
from installation.control.controls import LoopControls
from installation.control.notices import Notices
from installation.frames import Frames
from installation.ipc.messages import Ready
from installation.ipc.ring import Ring
from installation.ipc.wire import Wire
from installation.loop import Inbox, Scene, run
from installation.render.builder import Workers
from installation.render.director import Journey, open_director
from installation.render.live_pilot import LivePilot
from installation.render.questions import Questions
from installation.render.reporter import Reporter
from installation.render.saved_state import ANEW, SavedState
from installation.render.speaker import Speaker
from installation.render.telling import Telling
from installation.render.tick_state import TickState
from installation.takes import Take
from latentworld import preset as presets
from latentworld.errors import Cancelled, OutOfMemory, WalkRefused
from latentworld.registry import blamed
from latentworld.walks import Walk

TRIES = 3  # faults in a row, without a picture between them, that end the process

_log = logging.getLogger("render")


@dataclass(frozen=True, eq=False)
class ShowLink:
    """The way to the show. ring: takes pictures; wire: messages; speaker: faults and signs of life; now: their time."""

    ring: Ring
    wire: Wire
    speaker: Speaker
    now: Callable[[], float]


class Renderer:
    """The parts of the loop, joined; `run` runs it. seconds: that a picture takes; safe: as in `Director`."""

    def __init__(
        self, journey: Journey, seconds: float, workers: Workers, link: ShowLink, saved: SavedState, safe: bool
    ) -> None:
        self._speaker, self._workers = link.speaker, workers
        preset, fault, begun = journey.preset, link.speaker.fault, saved.clock
        self._orders: list[Callable[[], None]] = []
        self.clock = LiveClock(
            journey.studio.settings.batch, preset.show.rate, begun.period or seconds, begun.index, begun.time, link.now
        )
        self.director = open_director(
            journey, self.clock, workers, Notices(fault, link.speaker.values),
            alive=self._alive, safe=safe, saved=ANEW if safe else saved,
        )  # fmt: skip
        pilot = LivePilot(
            preset.pilot, preset.pacing, preset.show.step, self.director.course, lambda: self.clock.period, saved.pilot
        )
        self.tick_state = TickState(self.director, pilot, self.clock)
        self.questions = Questions(self.tick_state.moment, link.wire.send, self.adopt)
        self._telling = Telling(fault)
        self.reporter = Reporter(link.ring, link.wire.send, self.clock, link.now, self.tick_state, fault, self._telling)
        self.walk = self.director.begin(LoopControls.of(saved.controls), saved.walk)

    def ready(self) -> Ready:
        """What the show is told before the first tick."""
        studio = self.director.scene_control.model.studio
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
            except WalkRefused as error:
                self.tick_state.walk = self.director.give_way(error, self.tick_state.walk or self.walk)
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
                brief = f"{type(error).__name__}: {error}".splitlines()[0]
                self._speaker.fault(f"a tick failed: {blamed(error) or brief}"[:300])

    def follow(self, take: Take | None) -> None:
        """Replay a take from the next tick on, or no more. Any thread may call it."""
        replay = self.director.replay
        self._orders.append(replay.end if take is None else lambda: replay.begin(take))

    def adopt(self, file: str) -> None:
        """Be on the plane of a vertex file from the next tick on. Any thread may call it."""
        self._orders.append(lambda: self.director.adopt(file))

    def send(self, frames: Frames) -> None:
        """The loop's outlet."""
        self.reporter.send(frames)
        self.questions.tick()

    def close(self) -> None:
        """Tell the last tick, and end the helpers."""
        self._telling.close()
        self.questions.close()
        self._workers.close()

    def _direct(self, walk: Walk, controls: LoopControls, tick: Tick) -> tuple[Walk, Scene]:
        while self._orders:
            self._orders.pop(0)()
        return self.tick_state.direct(walk, controls, tick)

    def _alive(self) -> bool:
        self._speaker.beat()
        return not self.clock.stopped
