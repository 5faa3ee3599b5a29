"""The desk: the newest value of every parameter, presses in their order, and what is really sent of them.

Everything may be called from any thread and returns at once. What was set is exact; what is sent (`effective`) comes
after slews, fades of snapshots and modulation, all of them on the fader's way 0..1.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

import msgspec

from installation.control.desk.modulation import Beat, Modulation
from installation.control.desk.motion import Motion
from installation.control.parameter import Parameter, Value, Where, said
from installation.control.parameters import TEMPO, depths, modulators, slew, slewed
from installation.control.steering import taken_over
from latentworld.errors import ControlError

QUEUE = 256  # presses of a `where` that nobody has collected
Argument = Value | tuple[str, float] | None
_log = logging.getLogger(__name__)
_MODULATORS = modulators()
_SHOW = "show"


class Change(msgspec.Struct, frozen=True):
    """A parameter was set (value None: given back to the preset), by `source`, heard at `stamp` (monotonic s)."""

    name: str
    value: Value | None
    source: str
    stamp: float
    version: int


@dataclass(frozen=True)
class Trigger:
    """One press of a button: its name and, where it has one, its argument."""

    name: str
    value: Value | None = None


Listener = Callable[[Change | Trigger], None]


class Desk:
    """The state of everything that can be played. Thread-safe; nothing here blocks.

    clock: seconds, monotonic, shared by the processes of a machine. Names that are not in the table raise
    ControlError, as do values that mean nothing.
    """

    def __init__(self, table: Mapping[str, Parameter], clock: Callable[[], float] = time.monotonic) -> None:
        self.table = table
        self._clock = clock
        self._lock = Lock()
        self._values: dict[str, Value | None] = {n: row.default for n, row in table.items() if row.kind != "trigger"}
        self._bases: dict[str, Value] = {}
        self._steady: dict[Where, dict[str, Value]] = {"loop": {}, "stage": {}, "desk": {}}  # what is sent at rest
        self._moving: dict[str, Motion] = {}
        self._changes: dict[str, Change] = {}
        self._version = 0
        self._presses: dict[Where, deque[Trigger]] = {"loop": deque(), "stage": deque(), "desk": deque()}
        self._listeners: list[Listener] = []
        self._stamp = 0.0
        self.dropped = 0  # presses that found their queue full
        self._modulation = Modulation(clock())
        self._modulation.configure(self._values, clock())
        for name in self._values:
            self._settle(table[name])

    # ---- what people do

    def set(self, name: str, value: object, source: str = "") -> Value:
        """Set a parameter in real units; gives the value as it is kept (clamped, rounded)."""
        row = self._row(name, "w")
        checked = row.check(value)
        self._put([(row, checked)], source)
        return checked

    def fade(self, name: str, x: float, source: str = "") -> Value:
        """Set a float or int by a fader's place 0..1."""
        row = self._row(name, "w")
        if not row.numeric:
            raise ControlError(f"{name} is no fader: set it by its value")
        return self.set(name, row.real(x), source)

    def release(self, name: str, source: str = "") -> None:
        """Give a parameter back to the preset, or to its default where the preset has no say."""
        row = self._row(name, "w")
        self._put([(row, row.default)], source)

    def press(self, name: str, value: Argument = None, source: str = "") -> None:
        """Press a trigger; a name with seconds is kept as "name|seconds". It is queued behind those before it, unless
        the last of them is the same and nobody counts them; one that is urgent is, however many wait."""
        row = self.table.get(name)
        if row is None or row.kind != "trigger":
            raise ControlError(f"{name!r:.60} is no trigger: {'set it' if row else 'see the address table'}")
        trigger = Trigger(name, _argument(row, value))
        with self._lock:
            queued = self._queue(row, trigger)
            if queued:
                self._stamp = max(self._stamp, self._clock())
        if queued:
            self._notify(trigger)

    def recall(self, values: Mapping[str, object], seconds: float = 0.0, source: str = "") -> None:
        """Set many at one moment: all, or, where one means nothing, none. None gives back to the preset.

        Smooth ones fade there from where they are now, modulation aside, in so many seconds whatever their slews;
        others switch at the beginning.
        """
        rows = {name: self._row(name, "w") for name in values}
        checked = [
            (row, row.default if values[name] is None else row.check(values[name])) for name, row in rows.items()
        ]
        self._put(checked, source, seconds)

    def calm(self, source: str = "") -> None:
        """Stop everything that moves by itself: LFOs, audio and fades (which jump to their end)."""
        for name in depths():
            self.set(name, 0.0, source)
        with self._lock:
            self._moving = {name: motion for name, motion in self._moving.items() if not motion.straight}

    # ---- what the show finds out

    def tell(self, name: str, value: object) -> None:
        """What the show found out: `r` parameters, values that the loop changed. Numbers that are not finite and what
        is known already are no news; nobody's latency is counted from here."""
        row = self._row(name, "")
        if isinstance(value, float) and not math.isfinite(value):
            return
        checked = row.check(value)
        with self._lock:
            known = self._values[name] == checked
        if not known:
            self._put([(row, checked)], _SHOW, 0.0)

    def tell_base(self, name: str, value: object) -> None:
        """What the preset has for a parameter: where modulation and slews begin while nobody has set it."""
        row = self._row(name, "")
        checked = row.check(value)
        with self._lock:
            self._bases[name] = checked
            if self._values[name] is None and name in self._steady[row.where]:
                self._steady[row.where][name] = checked

    def lock(self, beat: float, at: float, tempo: float) -> None:
        """The music was at `beat` (quarter notes) at the moment `at`, and goes on at `tempo`: what LFOs in beats keep
        to. `tempo` itself is told when it differs by a twentieth."""
        heard = TEMPO.check(round(tempo, 1))
        with self._lock:
            self._modulation.beat = Beat(beat, at, tempo)
            known = self._values[TEMPO.name] == heard
        if not known:
            self._put([(TEMPO, heard)], _SHOW)

    # ---- what is read

    @property
    def stamp(self) -> float:
        """When the newest change or press by people was heard; 0 before any."""
        return self._stamp

    @property
    def version(self) -> int:
        """Of the newest change."""
        return self._version

    def beat(self, now: float) -> float:
        """Quarter notes since the music began, by the tempo or as the MIDI clock has it."""
        with self._lock:
            return self._modulation.beat.position(now)

    def value(self, name: str) -> Value | None:
        """As set; None: the preset's."""
        self._row(name, "")
        with self._lock:
            return self._values[name]

    def shown(self, name: str) -> Value | None:
        """As set, else what the preset is known to have, else None: what a control should show."""
        self._row(name, "")
        with self._lock:
            value = self._values[name]
            return self._bases.get(name) if value is None else value

    def values(self) -> dict[str, Value | None]:
        """Of every parameter but triggers, as set."""
        with self._lock:
            return dict(self._values)

    @property
    def held(self) -> bool:
        """Whether the wall is still on purpose: frozen, black, or the test card."""
        with self._lock:
            return any(bool(self._values[name]) for name, row in self.table.items() if row.scope == "held")

    def bases(self) -> dict[str, Value]:
        """What the preset is known to have, by name."""
        with self._lock:
            return dict(self._bases)

    def effective(self, where: Where, now: float) -> dict[str, Value]:
        """What is sent to the loop or the stage at a moment: after slews, fades and modulation.

        Parameters that the preset decides are absent until they were once set or modulated.
        """
        with self._lock:
            steady = self._steady[where]
            found = dict(steady)
            for name, motion in tuple(self._moving.items()):
                x = motion.at(now)
                if x is None:
                    del self._moving[name]
                elif name in found:
                    found[name] = self.table[name].real(x)
            for name, push in self._modulation.pushes(self._values, now).items():
                row = self.table[name]
                if row.where != where:
                    continue
                if name not in found and name in self._bases:
                    found[name] = steady[name] = self._bases[name]
                if name in found:
                    found[name] = row.real(row.normal(_number(found[name])) + push)
            return found

    def collect(self, where: Where) -> list[Trigger]:
        """Presses since the last call, in their order."""
        with self._lock:
            found = list(self._presses[where])
            self._presses[where].clear()
            return found

    def changes(self, since: int) -> tuple[int, list[Change]]:
        """The newest version, and the newest change of each parameter after version `since`, oldest first."""
        with self._lock:
            if since >= self._version:
                return self._version, []
            found = [change for change in self._changes.values() if change.version > since]
            return self._version, sorted(found, key=lambda change: change.version)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Be told of every change and press at once, on the thread that made it; returns what ends it.

        A listener must return at once. One that raises is logged and heard of no more.
        """
        with self._lock:
            self._listeners = [*self._listeners, listener]
        return lambda: self._forget(listener)

    # ---- within

    def _queue(self, row: Parameter, trigger: Trigger) -> bool:
        """Whether a press is news; the lock is held."""
        queue = self._presses[row.where]
        if queue and queue[-1] == trigger and row.press != "counted":
            return False
        if row.press == "urgent":
            if trigger in queue:
                queue.remove(trigger)
        elif len(queue) >= QUEUE:
            self.dropped += 1
            return False
        queue.append(trigger)
        return True

    def _row(self, name: str, access: str) -> Parameter:
        row = self.table.get(name) if isinstance(name, str) else None
        if row is None:
            raise ControlError(f"there is no parameter {name!r:.60}: see the address table")
        if row.kind == "trigger":
            raise ControlError(f"{name} is a trigger: press it")
        if access not in row.access:
            raise ControlError(f"{name} can only be read")
        return row

    def _put(
        self, checked: Sequence[tuple[Parameter, Value | None]], source: str, seconds: float | None = None
    ) -> None:
        """Set parameters at one moment; seconds: of a fade, None for their slews. What is taken over from others with
        them changes at once, and is news to the source too."""
        others = taken_over({row.name: value for row, value in checked})
        with self._lock:
            now = self._clock()
            news = [self._change(row, value, source, now, seconds) for row, value in checked]
            for name, value in others.items():
                if self._values[name] != value:
                    news.append(self._change(self.table[name], value, _SHOW, now, 0.0))
            if source != _SHOW and checked:
                self._stamp = max(self._stamp, now)
        for change in news:
            self._notify(change)

    def _change(self, row: Parameter, value: Value | None, source: str, now: float, seconds: float | None) -> Change:
        """Set one of them."""
        if row.smooth:
            self._aim(row, value, now, seconds)
        self._values[row.name] = value
        self._version += 1
        change = self._changes[row.name] = Change(row.name, value, source, now, self._version)
        self._settle(row)
        self._follow_up(change)
        return change

    def _settle(self, row: Parameter) -> None:
        """What of a parameter is sent at rest."""
        if row.access == "r":
            return
        steady, value = self._steady[row.where], self._values[row.name]
        if value is None and row.name in steady:
            value = self._bases.get(row.name)
        if value is not None:
            steady[row.name] = value

    def _aim(self, row: Parameter, value: Value | None, now: float, seconds: float | None) -> None:
        """Set a smooth parameter in motion, from where it is."""
        start, goal = self._place(row, now), value if value is not None else self._bases.get(row.name)
        self._moving.pop(row.name, None)
        straight = seconds is not None
        seconds = _number(self._values.get(slew(row.name))) if seconds is None else seconds
        if seconds > 0 and start is not None and goal is not None:
            self._moving[row.name] = Motion(start, row.normal(_number(goal)), now, seconds, straight)

    def _place(self, row: Parameter, now: float) -> float | None:
        """Where a smooth parameter is on the fader's way, modulation aside; None where nobody knows."""
        motion = self._moving.get(row.name)
        x = motion.at(now) if motion else None
        if x is not None:
            return x
        value = self._values[row.name]
        value = self._bases.get(row.name) if value is None else value
        return None if value is None else row.normal(_number(value))

    def _follow_up(self, change: Change) -> None:
        """What else changes with a parameter of the desk itself."""
        name, now = change.name, change.stamp
        if name in _MODULATORS:
            self._modulation.configure(self._values, now)
        elif name == TEMPO.name and change.source != _SHOW:  # what the clock told, `lock` has told better
            self._modulation.pace(_number(change.value), now)
        elif follower := slewed(name):
            target = self.table[follower]
            motion = self._moving.get(target.name)
            if motion and not motion.straight:
                self._aim(target, self._values[target.name], now, None)

    def _notify(self, news: Change | Trigger) -> None:
        for listener in self._listeners:
            try:
                listener(news)
            except Exception:
                _log.warning("a listener of the desk failed and is heard of no more", exc_info=True)
                self._forget(listener)

    def _forget(self, listener: Listener) -> None:
        with self._lock:
            self._listeners = [other for other in self._listeners if other is not listener]


def _number(value: Value | None) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _argument(row: Parameter, value: Argument) -> Value | None:
    """A press's argument as it is queued. Raises ControlError."""
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):
        value = f"{value[0]}|{Parameter(row.name, 'float', '', high=math.inf).check(value[1]):g}"
    if isinstance(value, str):
        return Parameter(row.name, "text", "").check(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return Parameter(row.name, "float", "", low=-math.inf, high=math.inf).check(value)
    if isinstance(value, tuple):
        return Parameter(row.name, "point", "", low=-math.inf, high=math.inf).check(value)
    raise ControlError(f"{row.name} takes a name or a finite number, not {said(value)}")
