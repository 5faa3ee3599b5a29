"""Writing a take: a line for everything as it happens, by a thread of its own, so that no disk can hold up the show."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import RawIOBase
from pathlib import Path
from threading import Condition, Thread
from typing import Any

from installation.control.controls import Trigger
from installation.control.desk import Change
from installation.ipc.jsonable import plain
from installation.takes.take import FORMAT, heard
from latentworld import __version__
from latentworld.disk import writing
from latentworld.errors import DiskFull, TakeError
from latentworld.prompts import Mixture

MOST = 20_000  # lines that wait for a disk which does not take them: some minutes of a busy show
OFTEN, SYNCED = 0.1, 1.0  # seconds between writes, and between syncs
Header = dict[str, Any]


def header(ready: Mapping[str, Any], values: Mapping[str, Any], started: str, period: float = 0.0) -> Header:
    """A take's first line, of what the renderer said when it was `ready` and the desk's values by name.

    started: when, as ISO 8601; period: seconds from picture to picture so far. The preset becomes a table.
    """
    import tomllib

    kept = {key: ready.get(key) for key in ("world", "seer", "profile", "size")}
    told = {name: value for name, value in values.items() if value is not None}
    first = {"take": FORMAT, "latentworld": __version__, "started": started, **kept, "period": period}
    return {**first, "values": told, "preset": tomllib.loads(str(ready.get("preset", "")))}


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
        header: Header,
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
        self._file = _begin(path, _line(header))
        self._writer = Thread(target=self._run, name="take", daemon=True)
        self._writer.start()

    def change(self, change: Change) -> None:
        """A parameter was set."""
        line = {"at": self._at(change.stamp), "set": change.name, "to": change.value, "by": change.source}
        self._put([line], key=change.name)

    def press(self, trigger: Trigger, source: str = "") -> None:
        """A trigger was pressed."""
        self._put([{"at": self._at(), "press": trigger.name, "value": trigger.value, "by": source}])

    def scene(self, message: Mapping[str, Any]) -> None:
        """The renderer's `scene` message: what pictures are made with from its first tick on."""
        at = self._at()
        with self._understood(), self._ready:
            words, lines = self._told(*heard(message["prompt"]), at)
            kept = {key: message[key] for key in ("plane", "decoder", "world", "walk")}
            self._put([*lines, {"at": at, "scene": message["scene"], "prompt": words, **kept}])
            self._scenes.add(message["scene"])

    def tick(self, message: Mapping[str, Any]) -> None:
        """The renderer's `tick` message: the frames it made."""
        at, columns = self._at(), ("index", "time", "place", "rate", "step", "sum")
        with self._understood(), self._ready:
            if message["scene"] not in self._scenes:
                raise ValueError(f"scene {message['scene']} was not told before its frames")
            rows = [dict(zip(columns, row)) for row in zip(*(message[name] for name in columns), strict=True)]
            if rows:
                self._go_on(rows[0], at)
            index, time = self._shift
            shifted = [{**row, "index": row["index"] + index, "time": row["time"] + time} for row in rows]
            self._put([{"at": at, **row, "scene": message["scene"]} for row in shifted])
            self._last = (shifted[-1]["index"], shifted[-1]["time"], at) if shifted else self._last

    def listen(self, event: Change | Trigger) -> None:
        """What the desk tells its listeners."""
        if isinstance(event, Change):
            self.change(event)
        else:
            self.press(event)

    def close(self, patience: float = 5.0) -> None:
        """End the take; waits at most `patience` seconds for the disk."""
        self._put([{"at": self._at(), "end": "closed"}])
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
        """A message that is not what was agreed on ends the take, not the show."""
        try:
            yield
        except (KeyError, TypeError, ValueError) as error:
            fault = TakeError(f"the renderer said what fits no take ({error!r}): the take ends; record another")
            with self._ready:
                self._end(fault)

    def _at(self, stamp: float | None = None) -> float:
        return round(max((self._clock() if stamp is None else stamp) - self._began, 0.0), 4)

    def _go_on(self, first: Mapping[str, Any], at: float) -> None:
        """A renderer that began anew may count anew: in the take numbers and times go on."""
        if self._last is None:
            return
        index, time, heard = self._last
        if first["index"] + self._shift[0] <= index or first["time"] + self._shift[1] <= time:
            now = time + max(at - heard, 1e-3)
            self._shift = (index + 1 - first["index"], now - first["time"])

    def _told(self, toward: Mixture, away: Mixture, at: float) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """A prompt with its texts by number, and lines for those that were not told before."""
        lines = []
        for text, _ in (*toward, *away):
            if text not in self._texts:
                self._texts[text] = len(self._texts) + 1
                lines.append({"at": at, "text": self._texts[text], "is": text})
        mix, against = ([[self._texts[text], weight] for text, weight in part] for part in (toward, away))
        return {"mix": mix, "not": against}, lines

    def _put(self, lines: Sequence[Mapping[str, Any]], key: str | None = None) -> None:
        made = [_line(line) for line in lines]
        with self._ready:
            if self._closed:
                return
            if len(self._lines) >= MOST:
                self._end(TakeError(f"the disk of {self.path} takes no more: the take ends; what was written plays"))
                return
            for line in made:
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
            lines, self._lines, told = list(self._lines.values()), {}, self._count
            closed = self._closed
        self._write(lines)
        with self._ready:
            self._written = told
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


def _line(content: Mapping[str, Any]) -> str:
    return json.dumps(plain(content), allow_nan=False, ensure_ascii=False) + "\n"
