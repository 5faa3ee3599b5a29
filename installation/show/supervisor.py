"""The show: it holds the desk, the ports and the files, and keeps renderer, stage and outputs alive.

Two threads of its own. The pump, 60 times a second: what is played goes to the children, and the children are tended;
it alone starts and ends them. The chores, once a second: what may wait for a disk.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from installation.atlas import chart
from installation.backstage import AnswerContent, Question, Status
from installation.control.controls import RIFT_VALUE
from installation.control.desk import Desk, Trigger
from installation.control.desk.snapshots import Snapshots
from installation.control.parameters import PANIC, REPLAY, table
from installation.health.log import close_log, open_log
from installation.health.notify import Notifier
from installation.health.watchdog import Watchdog
from installation.ipc.messages import (
    Answer,
    Card,
    Fault,
    Follow,
    LoopValues,
    Message,
    Ready,
    SceneChange,
    StageReport,
    Tick,
    Unfollow,
    WindowClosed,
)
from installation.ipc.ring import Ring
from installation.show import preset_controls, state
from installation.show.callbacks import Callbacks, Listener
from installation.show.children import Programs
from installation.show.chores import Chore, Chores, resident, temperature
from installation.show.fallback import Patience
from installation.show.newest_picture import NewestPicture
from installation.show.ports import Ports
from installation.show.processes import Ears, Processes
from installation.show.recordings import Recordings
from installation.show.requests import Requests
from installation.show.resume import Resume
from installation.show.status import StatusCollector
from installation.venue import Venue
from latentworld import disk
from latentworld.errors import LatentWorldError, ShowError
from latentworld.preset import Preset, dump, load

RATE = 60.0  # passes of the pump a second
PANIC_FADE = 2.0  # seconds to the safe preset
SAVED = 30.0  # seconds between two states on disk
LARGEST = 1024  # pixels of a picture's side that there is always room for

USUAL, OURS = Patience(), Programs()


class Show:
    """A `Backstage` (see `contract`): a preset, performed at a venue. `start`, then `stop`; or `run`.

    tell: one readable line about whatever happens, called on any thread; fresh: forget where the walk was; programs:
    what is run as children; clock: seconds of the monotonic clock that they share. Raises what the start refuses:
    ShowError and its kin, PresetError for the safe preset, OutputError for the folder.
    """

    def __init__(
        self,
        preset: Preset,
        venue: Venue,
        tell: Callable[[str], None],
        *,
        fresh: bool = False,
        patience: Patience = USUAL,
        programs: Programs = OURS,
        clock: Callable[[], float] = time.monotonic,
        today: Callable[[], datetime.datetime] = datetime.datetime.now,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self.preset, self.venue, self.folder = preset, venue, Path(venue.folder)
        self.safe = load(venue.safe)
        self._tell, self._fresh, self._patience, self._programs = tell, fresh, patience, programs
        self._clock, self._today = clock, today
        self._notifier = Notifier(environment)
        self._ending, self._saving = threading.Event(), threading.Lock()
        self._callbacks, self._resume = Callbacks(), Resume()
        self._atlas: Mapping[str, Any] | None = None
        self._refused: str | None = None
        self._closing = contextlib.ExitStack()

    # ---- from beginning to end

    def start(self) -> None:
        """Begin: returns when the children are being started and the ports are open."""
        with self._closing as undo:
            self._open_folder(undo)
            self._open_rooms(undo)
            before = self._remember()
            self._assemble(before)
            self._pump.start()
            undo.callback(self._end_pump)
            self._ports.start()
            undo.callback(self._ports.stop)
            self._chores.start()
            undo.callback(self._chores.stop)
            threading.Thread(target=self._read_atlas, name="atlas", daemon=True).start()
            self._closing = undo.pop_all()

    def stop(self) -> None:
        """End everything in good order, and keep the state. May be called again."""
        self._notifier.send("STOPPING=1")
        self._closing.close()

    def run(self, seconds: float | None = None) -> None:
        """The whole show, until `seconds` have passed or `end` is called. Raises ShowError where it cannot begin."""
        self.start()
        try:
            self._ending.wait(seconds)
        finally:
            self.stop()
        if self._refused:
            raise ShowError(self._refused)

    def end(self) -> None:
        """Let `run` return; may be called from a signal's handler."""
        self._ending.set()

    # ---- Backstage

    @property
    def desk(self) -> Desk:
        """Where controls are set and presses made."""
        return self._desk

    def status(self) -> Status:
        """The show as it is now."""
        restarts = max(self._processes.renderer.starts - 1, 0)
        return self._status_collector.status(self._clock(), self._processes.renderer_state, restarts)

    def ask(self, question: Question) -> Future[AnswerContent]:
        """A question to the renderer; the future fails with ShowError when it dies or does not answer in time."""
        child = self._processes.renderer.child
        return self._requests.ask(child.wire if child else None, question)

    def picture(self) -> tuple[int, bytes] | None:
        """The newest frame's number and its JPEG; None before the first."""
        return self._preview.newest()

    def watch(self, listener: Listener) -> Callable[[], None]:
        """Be told of every tick; returns what ends it."""
        return self._callbacks.join(listener)

    def atlas(self) -> Mapping[str, Any] | None:
        """The atlas underneath, see `charts.chart`; None without one, or while it is read."""
        return self._atlas

    def takes(self) -> list[str]:
        """Names of recorded takes, newest first."""
        return self.recordings.names()

    # ---- setting up

    def _open_folder(self, undo: contextlib.ExitStack) -> None:
        with disk.writing(self.folder, fault=ShowError):
            self.folder.mkdir(parents=True, exist_ok=True)
            undo.callback(state.claim(self.folder).release)
        self.log = open_log(self.folder / "log.jsonl")
        undo.callback(close_log, self.log)
        for name, preset in (("preset", self.preset), ("safe", self.safe)):
            state.keep(self.folder / f"{name}.toml", dump(preset))

    def _open_rooms(self, undo: contextlib.ExitStack) -> None:
        d = self.preset.decoder
        self.ring = Ring.create(size=(max(d.height or 0, LARGEST), max(d.width or 0, LARGEST)))
        undo.callback(self._close_ring)
        self._desk = Desk(table(preset_controls.worlds(self.preset, self.safe)), self._clock)
        for name, value in preset_controls.fitting(self._desk.table, preset_controls.played(self.preset)).items():
            self._desk.tell_base(name, value)
        self._status_collector = StatusCollector(self._clock())
        self._preview = NewestPicture(self.ring)
        self._requests = Requests(self._clock)
        self.snapshots = Snapshots(self.folder / "snapshots", self._desk)
        interval = self._notifier.interval or 60.0
        self._watchdog = Watchdog(interval, self._patience.loading, self._clock())
        self._ports = Ports(self, self.venue, self.say, self.log)

    def _remember(self) -> state.State | None:
        """What was kept of the last time, when it was the same preset; the desk then stands as it did."""
        try:
            before = None if self._fresh else state.load(self.folder)
        except ShowError as error:
            self.say(str(error))
            return None
        if before is None or before.preset != state.identity(self.preset):
            return None
        self._resume = Resume(before.resume)
        for name, value in before.values.items():
            with contextlib.suppress(LatentWorldError):  # a parameter that is no more
                self._desk.set(name, value, "state")
        self.say(f"going on where the show of {before.saved} was")
        return before

    def _assemble(self, before: state.State | None) -> None:
        """Who tends what, and when."""
        # someone who types a wrong preset wants to know; a show that ran here yesterday goes on with what is left
        strict = before is None
        same = state.identity(self.safe) == state.identity(self.preset)
        hears = Ears(self._hear_renderer, self._hear_stage, self._hear_output, self._lost, self._requests.lost)
        self._processes = Processes(
            self.ring.name, self.folder, self.venue, not same, strict, self._desk, hears, self._resume,
            self._patience, self._programs, self._clock, self.log,
        )  # fmt: skip
        self.recordings = Recordings(
            self.folder, self._desk, self._processes.record, self.venue.reserve, self.say, self._clock, self._today
        )
        self._pump = threading.Thread(target=self._play, name="pump", daemon=True)
        self._chores = Chores(
            [Chore(1.0, self._systemd), Chore(5.0, self._weigh), Chore(SAVED, self._save), Chore(10.0, self._spare)],
            self._clock, self.log,
        )  # fmt: skip

    # ---- what they say

    def _hear_renderer(self, message: Message) -> None:
        match message:
            case Tick():
                self._tick(message)
            case Answer():
                self._requests.answered(message)
            case LoopValues(values=values):
                for name, value in values.items():
                    self._desk.tell(name, value)
            case SceneChange():
                self._status_collector.changed(message)
                self.recordings.scene(message)
            case Ready():
                self._ready(message)
            case Fault(text=text):
                self.fault(text)

    def _tick(self, tick: Tick) -> None:
        self._status_collector.tick(self._clock(), tick)
        if not tick.place:  # the pre-rendered loop: it has pictures, and is nowhere
            return
        life = self._processes.renderer.life
        if life is not None and life.rung == "preset" and tick.resume is not None:
            self._resume.tell(tick.resume)
        rate = tick.rate[-1] if tick.rate else None
        if rate is not None:
            self._desk.tell(RIFT_VALUE.name, rate)
        self.recordings.tick(tick)
        self._callbacks.call(tick, self.log)

    def _ready(self, ready: Ready) -> None:
        self._status_collector.ready(ready)
        self.recordings.ready(ready)
        resolved = preset_controls.parsed(ready.preset)
        for name, value in preset_controls.fitting(self._desk.table, resolved).items():
            self._desk.tell_base(name, value)
        self.say(f"renderer ready: {preset_controls.described(self._status_collector.scene)}")

    def _hear_stage(self, message: Message) -> None:
        self._hear_output(message)
        if not isinstance(message, StageReport):
            return
        now, life = self._clock(), self._processes.stage.life
        self._status_collector.stage(now, message)
        self._watchdog.report(now, self._status_collector.fresh)
        if life is not None and life.last == life.first:
            monitor = message.monitor or self.venue.wall.kind
            self.say(f"stage: {monitor}, {preset_controls.dimensions(message.size)} pixels")
            self._notifier.send("READY=1")

    def _hear_output(self, message: Message) -> None:
        match message:
            case Fault(text=text):
                self.fault(text)
            case WindowClosed():
                self.say("the window was closed: the show ends")
                self.end()

    def say(self, line: str) -> None:
        """Something worth knowing happened. The deck's token is for those who stand here, not for who reads files."""
        self.log.info(re.sub(r"token=[\w-]+", "token=...", line))
        self._tell(line)

    def fault(self, line: str) -> None:
        """Something went wrong and was survived; repeated, it is no news."""
        if line and self._status_collector.fault(self._clock(), line):
            self.log.warning(line)
            self._tell(line)

    def _lost(self, line: str) -> None:
        """A child ended: news every time."""
        if self._status_collector.fault(self._clock(), line, again=0.0):
            self.log.warning(line)
            self._tell(line)

    # ---- the pump

    def _play(self) -> None:
        while not self._ending.is_set():
            now = self._clock()
            try:
                self._pass(now)
            except Exception as error:  # the children die with this thread: it must not
                if self._status_collector.fault(now, f"the pump: {error!r:.200}"):
                    self.log.exception("the pump failed and goes on")
            self._ending.wait(max(now + 1 / RATE - self._clock(), 0.001))
        self._dismiss()

    def _pass(self, now: float) -> None:
        self._processes.tend(now)
        refused = self._processes.stage.refusal or self._processes.renderer.refusal
        if refused and not self._refused:
            self._refused = refused
            self._ending.set()
        for press in self._desk.collect("desk"):
            self._press(press)
        self.recordings.tend()
        deck = self._ports.get("deck")
        card = None if deck is None else Card(deck.address, deck.port.token)
        self._processes.play(now, self.recordings.video, card)
        self._requests.expire()

    def _press(self, press: Trigger) -> None:
        if press.name == PANIC.name:
            self.panic()
        elif press.name == REPLAY.name:
            self._replay(press.value)
        else:
            for line in self.snapshots.act(press):
                self.fault(line)

    def panic(self) -> None:
        """Fade to the safe preset and stop all modulation."""
        self._desk.calm(PANIC.name)
        self._desk.recall(preset_controls.calm(self._desk.table, self.safe), PANIC_FADE, PANIC.name)
        self._replay(None)
        self.say("panic: to the safe preset")

    def _replay(self, name: object) -> None:
        child = self._processes.renderer.child
        if child is None:
            return
        if not isinstance(name, str) or not name:
            child.wire.send(Unfollow())
            return
        try:
            child.wire.send(Follow(str(self.recordings.find(name).resolve())))
            self.say(f"the take {name} is read, to be replayed")
        except LatentWorldError as error:
            self.fault(str(error))

    def _end_pump(self) -> None:
        self._ending.set()
        self._pump.join()
        self._save(self._clock())

    def _dismiss(self) -> None:
        self.recordings.close()
        self._processes.dismiss()
        self._requests.lost()

    # ---- chores

    def _systemd(self, now: float) -> None:
        status = self.status()
        words = f"STATUS={status.renderer}, {status.rate:.1f} pictures/s, frame {status.frame}"
        fed = self._watchdog.due(now, self._desk.held, status.renderer in ("loading", "restarting"))
        self._notifier.send(words, *(("WATCHDOG=1",) if fed else ()))

    def _weigh(self, now: float) -> None:
        self._status_collector.memory = resident({"show": os.getpid(), **self._processes.pids()})
        self._status_collector.temperature = temperature()

    def _spare(self, now: float) -> None:
        self.recordings.spare()

    def _save(self, now: float) -> None:
        kept = state.standing(self._desk)
        saved = self._today().isoformat(sep=" ", timespec="seconds")
        with self._saving:
            try:
                state.save(
                    self.folder, state.State(state.identity(self.preset), self._resume.worth_keeping, kept, saved)
                )
            except LatentWorldError as error:
                self.fault(str(error))

    def _read_atlas(self) -> None:
        path = self.preset.pilot.atlas
        if path is not None:
            try:
                self._atlas = chart.chart(path)
            except Exception as error:  # a map that is missing leaves a show without a map
                self.fault(f"no atlas underneath: {error}")

    def _close_ring(self) -> None:
        self._preview.close()
        self.ring.unlink()
