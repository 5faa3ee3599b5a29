"""What a command says while it works: one line that is written anew in a terminal, elsewhere a line now and then.

::

    with speaking("loading the world") as speaker:         # which networks, what is compiled: from the library's log
        ...
        speaker("surveying", 12, 480)                      # part, done, in all
"""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from installation.cli.consoles import Telling, on_stderr
from installation.stopwatch import Stopwatch

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

FIRST, EVERY = 5.0, 60.0  # seconds before the first line of a part, and from one line to the next, in a pipe
WINDOW = 60.0  # seconds over which a rate is taken
LIBRARY = "latentworld"  # the logger on which the core says what it loads and compiles


@dataclass
class Part:
    """What is being done. done, total: how much of it, None where nobody counts; detail: what of it just now; note:
    of what was done last."""

    what: str
    done: int | None = None
    total: int | None = None
    unit: str = ""
    detail: str = ""
    note: str = ""
    clock: Stopwatch = field(default_factory=Stopwatch)
    samples: deque[tuple[float, int]] = field(default_factory=deque)

    def count(self, done: int, total: int) -> None:
        """So many are done; what was in hand is among them."""
        now = self.clock.seconds
        self.done, self.total, self.detail = done, total, ""
        self.samples.append((now, done))
        while len(self.samples) > 2 and self.samples[1][0] < now - WINDOW:
            self.samples.popleft()

    @property
    def rate(self) -> float | None:
        """So many a second lately; None before that is known."""
        if len(self.samples) < 2:
            return None
        (since, before), (until, done) = self.samples[0], self.samples[-1]
        return (done - before) / (until - since) if done > before and until > since else None

    @property
    def words(self) -> str:
        """How far it is."""
        if self.done is None or self.total is None:
            said = [duration(self.clock.seconds)]
        else:
            said = [f"{self.done} of {self.total}{' ' if self.unit else ''}{self.unit}"]
            if (rate := self.rate) is not None:
                said.append(f"{rate:.1f} a second" if rate >= 0.1 else f"{1 / rate:.0f} s each")
                if self.done < self.total:
                    said.append(f"{duration((self.total - self.done) / rate)} left")
        return ", ".join([*said, *filter(None, (self.note, self.detail))])


class Speaker:
    """Tells how far a command is, while it is entered. telling: a moving line (`bar`), lines now and then, or nothing
    (JSON is somebody else's); by itself what suits the console. first: seconds of silence before a line."""

    def __init__(
        self, console: Console, what: str, telling: Telling = Telling.AUTO, first: float | None = None,
        every: float = EVERY,
    ) -> None:  # fmt: skip
        self.console = console
        self.telling = telling if telling is not Telling.AUTO else _suiting(console)
        self._part, self._first, self._every = Part(what), FIRST if first is None else first, every
        self._clock, self._last, self._told = Stopwatch(), 0.0, ("", "")
        self._over, self._lock = threading.Event(), threading.Lock()
        self._bar: Progress | None = None
        self._library, self._heard = _FromLibrary(self._hear), ""

    def __enter__(self) -> Self:
        self._library.listen()
        if self.telling is Telling.BAR:
            self._bar = _moving(lambda: self._part, self.console)
            self._bar.start()
        elif self.telling is Telling.LINES:
            threading.Thread(target=self._watch, name="progress", daemon=True).start()
        return self

    def __exit__(self, *fault: object) -> None:
        self._over.set()
        self._library.leave()
        if self._bar is not None:
            self._bar.stop()

    def part(self, what: str) -> None:
        """Something else is being done now; the same once more changes nothing."""
        if self._part.what != what:
            self._part = Part(what)

    def __call__(self, what: str, done: int, total: int) -> None:
        """So many of so many are done of it."""
        self.count(what, done, total)

    def count(self, what: str, done: int, total: int, unit: str = "", note: str = "", before: int = -1) -> None:
        """The same with what is counted, a word on the last of them, and how many there were when it began."""
        if self._part.what != what:
            self._part = Part(what)
        here = self._part
        if not here.samples and before >= 0:
            here.samples.append((0.0, before))
        here.unit, here.note = unit, note
        here.count(done, total)
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, total=total)

    def detail(self, text: str) -> None:
        """What is being done just now, until something is counted."""
        self._part.detail = text

    def _hear(self, text: str) -> None:
        """What the library says it does, which may last: each is a line, where lines are told."""
        self._heard = text
        self.detail(text)

    def stepping(self, watch: Callable[[int, int], bool]) -> Callable[[int, int], bool]:
        """A decoder's Watch that also tells its steps."""

        def watched(done: int, total: int) -> bool:
            self.detail(f"step {done} of {total}")
            return watch(done, total)

        return watched

    def say(self) -> None:
        """A line now, where lines are told."""
        if self.telling is not Telling.LINES:
            return
        with self._lock, suppress(OSError):  # whoever read it may be gone, which ends no work
            here = self._part
            self._last, self._told = self._clock.seconds, (here.what, self._heard)
            self.console.file.write(f"{here.what}: {here.words}\n")
            self.console.file.flush()

    def _watch(self) -> None:
        while not self._over.wait(0.25):
            silent = self._clock.seconds - self._last
            if silent >= self._every or (silent >= self._first and (self._part.what, self._heard) != self._told):
                self.say()


def speaking(what: str, telling: Telling = Telling.AUTO) -> Speaker:
    """A speaker on stderr."""
    return Speaker(on_stderr(), what, telling)


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, as many as it takes."""
    if not math.isfinite(seconds):
        return "very long"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _suiting(console: Console) -> Telling:
    return Telling.BAR if console.is_terminal else Telling.LINES


def _moving(part: Callable[[], Part], console: Console) -> Progress:
    """The moving line: what, a bar where something is counted, how far."""
    from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task
    from rich.text import Text

    class Said(ProgressColumn):
        def __init__(self, text: Callable[[Part], str], style: str) -> None:
            super().__init__()
            self._text, self._style = text, style

        def render(self, task: Task) -> Text:
            return Text(self._text(part()), style=self._style)

    class Bar(BarColumn):
        def render(self, task: Task):  # type: ignore[no-untyped-def]  # as rich's
            return super().render(task) if part().total else Text("")

    columns = (SpinnerColumn(), Said(lambda it: it.what, "bold"), Bar(bar_width=24), Said(lambda it: it.words, ""))
    made = Progress(*columns, console=console, refresh_per_second=4, transient=True)
    made.add_task("", total=None)
    return made


class _FromLibrary(logging.Handler):
    """Hears what the core says of its loading and compiling."""

    def __init__(self, told: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._told, self._logger, self._level = told, logging.getLogger(LIBRARY), logging.NOTSET

    def listen(self) -> None:
        self._level = self._logger.level
        self._logger.setLevel(logging.INFO)
        self._logger.addHandler(self)

    def leave(self) -> None:
        self._logger.removeHandler(self)
        self._logger.setLevel(self._level)

    def emit(self, record: logging.LogRecord) -> None:
        self._told(record.getMessage())
