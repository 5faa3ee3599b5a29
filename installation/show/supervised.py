"""Keeps one child alive: notices that it died or hangs, and starts it again, or what stands in for it.

`tend` belongs to one thread, which starts and ends the children; messages are received on threads of the children.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from installation.ipc.messages import Beat, Fault, Message, OutputReport, Ready, SceneChange, StageReport, Tick
from installation.show.children import DYING, Child, Receive
from installation.show.fallback import Fallbacks, Patience
from latentworld.errors import ShowError

WORK = (Tick, StageReport, OutputReport)
ALIVE = (*WORK, Beat, Ready, SceneChange)
CROWDED, MOST = 1.5, 4.0  # load of a processor from which silence is borne for longer; by how much at the most
State = Literal["loading", "running", "hung", "restarting", "fallback"]
Start = Callable[[str, Receive], Child]  # of a rung's name, and of whom messages go to


def crowd() -> float:
    """Load of a processor: those who want to run, of the last minute; 0 where the system does not tell."""
    return os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else 0.0


@dataclass
class Life:
    """One child from its start to its end; moments by the clock of who supervises it."""

    child: Child
    rung: str
    born: float
    sign: float  # of the last sign of life
    ready: bool = False
    first: float | None = None  # when its first work came
    last: float | None = None
    killed: float | None = None  # when it was
    why: str = ""
    retried: bool = False  # it was killed for the real thing, which comes next

    def progressed(self, settle: float) -> bool:
        """Whether it worked for so long."""
        return self.first is not None and self.last is not None and self.last - self.first >= settle


class Observer(Protocol):
    """Who hears of a supervised child. Its messages come on a thread of the child's, all else on that of `tend`."""

    def message(self, life: Life, message: Message) -> None:
        """The present child sent one."""

    def incident(self, line: str) -> None:
        """A child ended or could not be started: how, and what is next."""

    def gone(self) -> None:
        """The present child is no more."""

    def forgives(self, life: Life) -> bool:
        """Whether a life that ended before its first work does not count as a failure of its rung."""


@dataclass(frozen=True)
class Role:
    """What a child does. name: in words; start: starts it; rungs: what there is to start, the real thing first; strict:
    where the very first child refuses to begin, nobody is started again."""

    name: str
    start: Start
    rungs: tuple[str, ...]
    strict: bool = True


class SupervisedChild:
    """crowd: how crowded the machine is, where slow is not hung (two other jobs on two cores once held a sound renderer
    up for 4.5 s)."""

    def __init__(
        self,
        role: Role,
        observer: Observer,
        patience: Patience,
        clock: Callable[[], float],
        crowd: Callable[[], float] = crowd,
    ) -> None:
        self.name, self.fallbacks = role.name, Fallbacks(role.rungs, patience)
        self._role, self._observer, self._patience = role, observer, patience
        self._clock, self._crowd = clock, crowd
        self._lock = threading.Lock()  # a child speaks from the moment it is started
        self._life: Life | None = None
        self._at = -math.inf  # when to start the next
        self._unwanted: Life | None = None  # a life that somebody wants ended
        self._denied = 0  # times in a row that no process was to be had
        self.starts = 0
        self.refusal: str | None = None  # why the very first child would not begin, in its own words
        self._fault = ""

    @property
    def child(self) -> Child | None:
        """The present one."""
        return self._life.child if self._life else None

    @property
    def life(self) -> Life | None:
        """Of the present child."""
        return self._life

    @property
    def state(self) -> State:
        """How the present child is; `fallback`: it runs, on another rung than the first."""
        life = self._life
        if life is None or life.first is None:
            return "loading" if self.starts <= 1 else "restarting"
        if self._clock() - life.sign > self._patience.silence / 2:
            return "hung"
        return "running" if life.rung == self.fallbacks.first else "fallback"

    @property
    def settled(self) -> bool:
        """Whether the real thing runs, and has for a while."""
        life = self._life
        return life is not None and life.rung == self.fallbacks.first and life.progressed(self._patience.settle)

    def receive(self, child: Child, message: Message) -> None:
        """A message came; of a child that was replaced it is no news."""
        with self._lock:
            life = self._life
        if life is None or life.child is not child:
            return
        now = self._clock()
        if isinstance(message, ALIVE):
            life.sign = now
        if isinstance(message, WORK):
            life.first = now if life.first is None else life.first
            life.last = now
        match message:
            case Ready():
                life.ready = True
            case Fault(text=text):
                self._fault = text
        self._observer.message(life, message)

    def tend(self, now: float) -> None:
        """Start, restart, or leave it as it is."""
        life = self._life
        if life is None:
            if now >= self._at:
                self.fallbacks.trial(now)
                self._begin(now)
        elif life.killed is not None:
            self._dying(now, life, life.killed)
        elif self._unwanted is life:
            self._kill(now, life, f"the {self.name} is started again, as somebody asked", retried=True)
        elif not life.child.alive:
            life.child.wait(0.0)  # reaps it, and hears its last words
            self._lost(now, life, f"the {self.name} {life.child.why()}")
        elif (missing := self._hung(now, life)) is not None:
            self._kill(now, life, f"the {self.name} hung ({missing}) and was killed")
        elif life.progressed(self._patience.settle):
            self.fallbacks.settled()
            if self.fallbacks.trial(now):
                self._retry(now, life)

    def replace(self) -> None:
        """End the present child with the next `tend`, and start another on the same rung: no failure of this one."""
        self._unwanted = self._life

    def stop(self) -> None:
        """Ask the child to end; `wait` for it then."""
        if self._life:
            self._life.child.stop()

    def wait(self, patience: float) -> None:
        """Until it ended, or was killed for taking longer."""
        if self._life and not self._life.child.wait(patience):
            self._observer.incident(f"the {self.name} did not end within {patience:g} s and was killed")
        self._life = None

    def _hung(self, now: float, life: Life) -> str | None:
        """What is missing for too long, in words."""
        p = self._patience
        silent, borne = now - life.sign, p.still if life.first is None else p.silence
        if silent > borne and silent > borne * min(self._crowd() / CROWDED, MOST):
            return f"no sign of life for {now - life.sign:.1f} s"
        since = life.born if life.last is None else life.last
        return f"nothing made for {now - since:.0f} s" if now - since > p.loading else None

    def _begin(self, now: float) -> None:
        rung = self.fallbacks.rung
        self.starts += 1
        self._fault = ""
        with self._lock:
            try:
                self._life = Life(self._role.start(rung, self.receive), rung, now, now)
                self._denied = 0
                return
            except (OSError, ShowError) as error:
                why = str(error)
        # nothing of the rung was tried: that there is no process to be had is no failure of what it was to do
        self._at = now + min(2.0**self._denied, max(self._patience.longest, 1.0))
        self._denied = min(self._denied + 1, 16)
        self._observer.incident(f"the {self.name} cannot be started: {why}; it is tried again")

    def _kill(self, now: float, life: Life, why: str, retried: bool = False) -> None:
        """End it, without waiting for a driver to let it go; nothing else is started before it did, or DYING seconds
        have passed."""
        life.killed, life.why, life.retried = now, why, retried
        life.child.kill()
        self._dying(now, life, now)

    def _dying(self, now: float, life: Life, killed: float) -> None:
        if not life.child.alive:
            life.child.wait(0.0)
        elif now - killed < DYING:
            return
        if life.retried:
            self._life, self._at = None, now
            self._observer.gone()
            self._observer.incident(life.why)
        else:
            self._lost(now, life, life.why)

    def _lost(self, now: float, life: Life, why: str) -> None:
        # its words count for more than its status: a Python that ends while a thread reads stdin may abort (SIGABRT)
        self._life = None
        self._observer.gone()
        words = life.child.refusal or self._fault
        first = self.starts == 1 and not life.ready and life.first is None
        if self._role.strict and first and (words or (life.child.code or 0) > 0):
            self.refusal, self._at = words or why, math.inf
            return
        if life.first is None and self._observer.forgives(life):
            self._at = now
            self._observer.incident(f"{why}: perhaps of the state it began with; it starts again without")
            return
        self._at = self.fallbacks.failed(now, life.progressed(self._patience.settle))
        pause = f" in {self._at - now:.0f} s" if self._at >= now + 0.5 else ""
        same = self.fallbacks.rung == life.rung
        self._observer.incident(f"{why}: {'it starts again' if same else f'next is the {self.fallbacks.rung}'}{pause}")

    def _retry(self, now: float, life: Life) -> None:
        """From a lower rung, try the real thing. What runs is ended first: two would not fit into a GPU."""
        self._kill(now, life, f"the {self.name} is tried with the {self.fallbacks.rung} again", retried=True)
