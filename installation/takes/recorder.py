"""Writing a take: a line for everything as it happens, by a thread of its own, so that no disk can hold up the show."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import RawIOBase
from pathlib import Path
from threading import Condition, Thread

from installation.control.desk import Change, Trigger
from installation.control.parameter import Value
from installation.ipc.messages import Ready, SceneChange, Tick
from installation.takes.records import (
    FORMAT,
    EndLine,
    FrameLine,
    HeaderLine,
    PressLine,
    PromptLine,
    Record,
    SceneLine,
    SetLine,
    TextLine,
    written,
)
from latentworld import __version__
from latentworld.disk import writing
from latentworld.errors import DiskFull, TakeError
from latentworld.prompts import Prompt

MOST = 20_000  # lines that wait for a disk which does not take them: some minutes of a busy show
OFTEN, SYNCED = 0.1, 1.0  # seconds between writes, and between syncs


def header(ready: Ready, values: Mapping[str, Value | None], started: str, period: float = 0.0) -> HeaderLine:
    """A take's first line, of what the renderer said when it was `ready` and the desk's values by name.

    started: when, as ISO 8601; period: seconds from picture to picture so far. The preset becomes a table. Raises
    ValueError where that is no TOML.
    """
    profile = {} if ready.profile is None else ready.profile.record() | {"hash": ready.profile.hash}
    return HeaderLine(
        take=FORMAT,
        latentworld=__version__,
        started=started,
        world=ready.world,
        seer=ready.seer,
        profile=profile,
        size=ready.size,
        period=period,
        values={name: value for name, value in values.items() if value is not None},
        preset=tomllib.loads(ready.preset),
    )


class Recorder:
    """An open take. Every method may be called from any thread and returns at once; none of them raises.

    What is heard is in the file within a tenth of a second and on the disk within about one. Of the changes of one
    parameter that come between two writes the last is kept: the loop hears no more of them either. When the take can
    no longer be written it ends: `fault` says why, and `failed` is told once, on the writing thread.

    path: must not exist yet. clock: seconds, monotonic, as changes are stamped. reserve: bytes of the disk left free.
    Raises TakeError when the file cannot be begun.
    """

    def __init__(
        self,
        path: Path,
        header: HeaderLine,
        clock: Callable[[], float] = time.monotonic,
        reserve: int = 0,
        failed: Callable[[TakeError], None] = lambda fault: None,
    ) -> None:
        self.path = path
        self.fault: TakeError | None = None
        self._clock, self._reserve, self._failed = clock, reserve, failed
        self._began = clock()
        self._lines: dict[str | int, str] = {}  # by parameter, and by number where each counts
        self._texts: dict[str, int] = {}
        self._scenes: set[int] = set()
        self._count = self._written = 0  # lines that were told, and those of them that are in the file or gone
        self._shift: tuple[int, float] = (0, 0.0)  # of frame numbers and of their times
        self._last: tuple[int, float, float] | None = None  # number, time and `at` of the last frame
        self._ready = Condition()  # its lock may be taken twice
        self._closed = False
        self._file = _begin(path, written(header))
        self._writer = Thread(target=self._run, name="take", daemon=True)
        self._writer.start()

    def change(self, change: Change) -> None:
        """A parameter was set."""
        self._put([SetLine(self._at(change.stamp), change.name, change.value, change.source)], key=change.name)

    def press(self, trigger: Trigger, source: str = "") -> None:
        """A trigger was pressed."""
        self._put([PressLine(self._at(), trigger.name, trigger.value, source)])

    def scene(self, change: SceneChange) -> None:
        """What pictures are made with from the first tick on that names this scene."""
        at, scene = self._at(), change.scene
        with self._ready:
            prompt, texts = self._numbered(scene.prompt, at)
            walk = {**scene.walk.spec, "mode": scene.walk.steering}
            line = SceneLine(at, change.number, prompt, scene.plane, scene.decoder, scene.world, walk)
            self._put([*texts, line])
            self._scenes.add(change.number)

    def tick(self, tick: Tick) -> None:
        """Frames were made."""
        at = self._at()
        with self._understood(), self._ready:
            if tick.scene not in self._scenes:
                raise ValueError(f"scene {tick.scene} was not told before its frames")
            columns = (tick.index, tick.time, tick.place, tick.rate, tick.step, tick.digest)
            rows = list(zip(*columns, strict=True))
            if not rows:
                return
            self._go_on(tick.index[0], tick.time[0], at)
            index, time = self._shift
            frames = [
                FrameLine(at=at, index=number + index, time=due + time, place=place, rate=rate, step=step,
                          digest=digest, scene=tick.scene)
                for number, due, place, rate, step, digest in rows
            ]  # fmt: skip
            self._put(frames)
            self._last = (frames[-1].index, frames[-1].time, at)

    def listen(self, event: Change | Trigger) -> None:
        """What the desk tells its listeners."""
        if isinstance(event, Change):
            self.change(event)
        else:
            self.press(event)

    def close(self, patience: float = 5.0) -> None:
        """End the take; waits at most `patience` seconds for the disk."""
        self._put([EndLine(self._at(), "closed")])
        with self._ready:
            self._closed = True
            self._ready.notify_all()
        self._writer.join(patience)

    def flush(self, patience: float = 5.0) -> None:
        """Wait, at most `patience` seconds, until what was told is in the file."""
        with self._ready:
            self._ready.notify_all()
            self._ready.wait_for(lambda: self._closed or self._written >= self._count, patience)

    @property
    def open(self) -> bool:
        """Whether what happens is still being written."""
        return not self._closed

    @contextlib.contextmanager
    def _understood(self) -> Iterator[None]:
        """A tick that is not what was agreed on ends the take, not the show."""
        try:
            yield
        except ValueError as error:
            fault = TakeError(f"the renderer said what fits no take ({error}): the take ends; record another")
            with self._ready:
                self._end(fault)

    def _at(self, stamp: float | None = None) -> float:
        return round(max((self._clock() if stamp is None else stamp) - self._began, 0.0), 4)

    def _go_on(self, index: int, time: float, at: float) -> None:
        """A renderer that began anew may count anew, from this frame: in the take numbers and times go on."""
        if self._last is None:
            return
        last, due, heard = self._last
        if index + self._shift[0] <= last or time + self._shift[1] <= due:
            self._shift = (last + 1 - index, due + max(at - heard, 1e-3) - time)

    def _numbered(self, prompt: Prompt, at: float) -> tuple[PromptLine, list[TextLine]]:
        """A prompt with its texts by number, and lines for those that were not told before."""
        lines = []
        for text, _ in (*prompt.toward, *prompt.away):
            if text not in self._texts:
                self._texts[text] = len(self._texts) + 1
                lines.append(TextLine(at, self._texts[text], text))
        mix, against = (
            tuple((self._texts[text], weight) for text, weight in part) for part in (prompt.toward, prompt.away)
        )
        return PromptLine(mix, against), lines

    def _put(self, records: Sequence[Record], key: str | None = None) -> None:
        lines = [written(record) for record in records]
        with self._ready:
            if self._closed:
                return
            if len(self._lines) >= MOST:
                self._end(TakeError(f"the disk of {self.path} takes no more: the take ends; what was written plays"))
                return
            for line in lines:
                self._count += 1
                place = self._count if key is None else key
                self._lines.pop(place, None)  # the newest goes to the end, so that lines stay in the order of time
                self._lines[place] = line

    def _end(self, fault: TakeError) -> None:
        self.fault, self._closed = fault, True
        self._lines.clear()
        self._ready.notify_all()

    def _run(self) -> None:
        synced = time.monotonic()
        try:
            with writing(self.path, "the take ends; what was written plays", TakeError):
                while self._pass():
                    if time.monotonic() - synced >= SYNCED:
                        self._sync()
                        synced = time.monotonic()
                self._sync()
        except (TakeError, DiskFull) as error:
            with self._ready:
                self._end(error if isinstance(error, TakeError) else TakeError(str(error)))
        with contextlib.suppress(OSError):
            self._file.close()
        if self.fault is not None:
            self._failed(self.fault)

    def _pass(self) -> bool:
        """Write what waits; False when no more will come."""
        with self._ready:
            if not self._closed:
                self._ready.wait(OFTEN)
            lines, self._lines, count = list(self._lines.values()), {}, self._count
            closed = self._closed
        self._write(lines)
        with self._ready:
            self._written = count
            self._ready.notify_all()
        return not closed

    def _write(self, lines: Sequence[str]) -> None:
        data = memoryview("".join(lines).encode())
        while len(data):
            data = data[self._file.write(data) or 0 :]  # a disk that fills up takes a part first

    def _sync(self) -> None:
        os.fsync(self._file.fileno())
        if shutil.disk_usage(self.path.parent).free < self._reserve:
            raise TakeError(f"the disk of {self.path} has no room to spare: the take ends; free some space")


def _begin(path: Path, line: str) -> RawIOBase:
    """A new file with its first line."""
    try:
        with writing(path, fault=TakeError):
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                raise TakeError(f"there is a take {path} already: choose another name")
            file = path.open("xb", buffering=0)
            file.write(line.encode())
            return file
    except DiskFull as full:
        raise TakeError(str(full)) from full
