"""What a show does when its children send messages, and when they end. Messages come on threads of the children."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from installation.control.controls import RIFT_VALUE, WALK_STEERING
from installation.control.desk import Desk
from installation.ipc.messages import (
    Answer,
    Fault,
    LoopValues,
    Message,
    Ready,
    SceneChange,
    StageReport,
    Tick,
    WindowClosed,
)
from installation.show import preset_controls
from installation.show.announcer import Announcer
from installation.show.callbacks import Callbacks
from installation.show.ending import Ending
from installation.show.recordings import Recordings
from installation.show.requests import Requests
from installation.show.resume import Resume
from installation.show.status import StatusCollector
from installation.show.supervised import Life
from installation.show.systemd import Systemd


class OutputObserver:
    """Of an output: its faults are announced, and a window that is closed ends the show."""

    def __init__(self, announcer: Announcer, ending: Ending) -> None:
        self._announcer, self._ending = announcer, ending

    def message(self, life: Life, message: Message) -> None:
        """See `Observer`."""
        self.obey(message)

    def obey(self, message: Message) -> None:
        """A message, also of an output that is not supervised."""
        match message:
            case Fault(text=text):
                self._announcer.fault(text)
            case WindowClosed():
                self._announcer.say("the window was closed: the show ends")
                self._ending.end()

    def incident(self, line: str) -> None:
        """See `Observer`."""
        self._announcer.incident(line)

    def gone(self) -> None:
        """Another will be started: nothing to do."""

    def forgives(self, life: Life) -> bool:
        """No end is forgiven."""
        return False


class StageObserver(OutputObserver):
    """Of the stage, whose reports say that the show is on the wall. wall: what its kind is called."""

    def __init__(
        self, announcer: Announcer, ending: Ending, status: StatusCollector, systemd: Systemd,
        clock: Callable[[], float], wall: str,
    ) -> None:  # fmt: skip
        super().__init__(announcer, ending)
        self._status, self._systemd, self._clock, self._wall = status, systemd, clock, wall

    def message(self, life: Life, message: Message) -> None:
        """See `Observer`."""
        self.obey(message)
        if not isinstance(message, StageReport):
            return
        now = self._clock()
        self._status.stage(now, message)
        self._systemd.presented(now, self._status.fresh)
        if life.last == life.first:
            size = preset_controls.dimensions(message.size)
            self._announcer.say(f"stage: {message.monitor or self._wall}, {size} pixels")
            self._systemd.ready()


@dataclass(frozen=True, eq=False)
class RendererObserver:
    """Of the renderer: what it makes goes to the desk, to recordings, to who watches, and into what is saved."""

    desk: Desk
    status: StatusCollector
    requests: Requests
    recordings: Recordings
    callbacks: Callbacks
    resume: Resume
    announcer: Announcer
    clock: Callable[[], float]

    def message(self, life: Life, message: Message) -> None:
        """See `Observer`."""
        match message:
            case Tick():
                self._tick(life, message)
            case Answer():
                self.requests.answered(message)
            case LoopValues(values=values):
                for name, value in values.items():
                    self.desk.tell(name, value)
            case SceneChange():
                self.status.changed(message)
                self.desk.tell(WALK_STEERING.name, message.scene.walk.steering)
                self.recordings.scene(message)
            case Ready():
                self._ready(message)
            case Fault(text=text):
                self.announcer.fault(text)

    def incident(self, line: str) -> None:
        """See `Observer`."""
        self.announcer.incident(line)

    def gone(self) -> None:
        """Nobody answers any more."""
        self.requests.lost()

    def forgives(self, life: Life) -> bool:
        """Whether it may have died of the state that it began with."""
        return life.rung == "preset" and self.resume.refuse()

    def _tick(self, life: Life, tick: Tick) -> None:
        self.status.tick(self.clock(), tick)
        if not tick.place:  # the pre-rendered loop: it has pictures, and is nowhere
            return
        if life.rung == "preset" and tick.resume is not None:
            self.resume.update(tick.resume)
        rate = tick.rate[-1] if tick.rate else None
        if rate is not None:
            self.desk.tell(RIFT_VALUE.name, rate)
        self.recordings.tick(tick)
        self.callbacks.call(tick)

    def _ready(self, ready: Ready) -> None:
        self.status.ready(ready)
        self.recordings.ready(ready)
        resolved = preset_controls.parsed(ready.preset)
        for name, value in preset_controls.fitting(self.desk.table, resolved).items():
            self.desk.tell_base(name, value)
        self.announcer.say(f"renderer ready: {preset_controls.described(self.status.scene)}")
