"""A second renderer, loaded and waiting: what takes over where the first one dies, within half a second.

It is started when the first has made pictures for a while, and loads in small bites: it is stopped whenever it has had
more than its share of a processor, so that the show's pictures come as before. A lower priority would do that too, and
could never be given back: raising it again is the superuser's right. Once it is ready it waits for a line from us, and
costs memory alone.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
from collections.abc import Callable

from installation.backstage import SpareState
from installation.ipc.messages import Fault, Message, TakeOver, Waiting
from installation.show.children import Child, Receive
from latentworld.errors import ShowError

SHARE = 1 / 8  # of a processor, while it loads: some 4 s of one in half a minute
AHEAD = 0.02  # seconds of a processor that it may be ahead of its share
LATER = 30.0  # seconds until memory is looked at again, or a spare that failed is tried again (doubled each time)
TRIES = 3  # failures after which there is no spare
Start = Callable[[Receive], Child]
CAN_PAUSE = sys.platform != "win32"


def spent(pid: int) -> float:
    """Seconds of a processor that a process has had; 0 where it is gone."""
    import psutil  # type: ignore[import-untyped]

    try:
        return float(sum(psutil.Process(pid).cpu_times()[:2]))
    except psutil.Error:
        return 0.0


class Ear:
    """Hears one spare, on a thread of its own. receive: whom its messages go to, once it has taken over; ready: whether
    it waits; fault: what it complained of last."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.receive: Receive | None = None
        self.ready, self.fault = False, ""

    def __call__(self, child: Child, message: Message) -> None:
        """A message came."""
        if self.receive is not None:
            self.receive(child, message)
        elif isinstance(message, Waiting):
            self.ready = True
            self._say("a spare renderer is loaded, and waits")
        elif isinstance(message, Fault):
            self.fault = message.text


class Spare:
    """Belongs to the thread that starts and ends children. start: starts one; room: why there is no memory for
    another process like that one, None where there is; say: takes a line about what happens; spent: seconds of a
    processor that a process has had."""

    def __init__(
        self, start: Start, room: Callable[[int], str | None], say: Callable[[str], None],
        spent: Callable[[int], float] = spent,
    ) -> None:  # fmt: skip
        self._start, self._room, self._say, self._spent = start, room, say, spent
        self._begun = 0.0
        self._child: Child | None = None
        self._ear = Ear(say)  # of the present one
        self._at, self._failed, self._told = -math.inf, 0, ""
        self._paused = False

    @property
    def state(self) -> SpareState:
        """`none`: there is none now; `off`: there will be none."""
        if self._child is not None:
            return "waiting" if self._ear.ready else "loading"
        return "off" if self._failed >= TRIES else "none"

    @property
    def pid(self) -> int | None:
        """Of its process."""
        return self._child.pid if self._child else None

    def tend(self, now: float, beside: int | None) -> None:
        """Start it where it is missing, let it load, and notice that it died. beside: the process of the show's own
        renderer, None where that does not run, or not for long."""
        child = self._child
        if child is None:
            if beside is not None and now >= self._at and self._failed < TRIES:
                self._begin(now, beside)
        elif not child.alive:
            self._lost(now, child)
        elif self._ear.ready:
            self._failed = 0
            self._pause(child, False)
        else:
            self._pause(child, self._spent(child.pid) > AHEAD + SHARE * (now - self._begun))

    def take(self, receive: Receive, state: str | None) -> Child | None:
        """The spare, which is the renderer from now on, even if it is still loading; None where there is none. state:
        what it goes on from."""
        child, self._child = self._child, None
        if child is None or not child.alive:
            return None
        self._ear.receive = receive
        self._pause(child, False)
        child.wire.send(TakeOver(state))
        self._at = -math.inf
        return child

    def dismiss(self) -> None:
        """End it."""
        if self._child is not None:
            self._child.kill()
            self._child.wait(0.0)
            self._child = None

    def _begin(self, now: float, beside: int) -> None:
        lacking = self._room(beside)
        if lacking is not None:
            self._at = now + LATER
            if lacking != self._told:
                self._told = lacking
                self._say(f"no spare renderer: {lacking}")
            return
        self._ear, self._paused, self._told, self._begun = Ear(self._say), False, "", now
        try:
            self._child = self._start(self._ear)
        except (OSError, ShowError) as error:
            self._put_off(now, f"it cannot be started: {error}")

    def _lost(self, now: float, child: Child) -> None:
        child.wait(0.0)
        self._child = None
        self._put_off(now, child.refusal or self._ear.fault or child.why())

    def _put_off(self, now: float, why: str) -> None:
        self._failed += 1
        self._at = now + LATER * 2.0 ** (self._failed - 1)
        last = "there will be none" if self._failed >= TRIES else "it is tried again"
        self._say(f"the spare renderer is lost ({why}): {last}")

    def _pause(self, child: Child, wanted: bool) -> None:
        if not CAN_PAUSE or wanted == self._paused:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGSTOP if wanted else signal.SIGCONT)
        self._paused = wanted
