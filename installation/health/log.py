"""The show's log: one JSON object a line, rotated and bounded on disk, and never a reason to stop or to wait."""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
import os
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from installation.health.line_writer import LineWriter, Pace
from installation.ipc.jsonable import Json, jsonable
from latentworld.disk import open_own, writing
from latentworld.errors import ShowError

LONGEST = 4000  # characters of one text
PRIVATE = 0o600  # prompts and addresses stand in it
BURST, RATE = 200, 2.0  # lines from one place in the code: at once, and a second on the whole
PLACES = 500  # in the code that are told apart
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class Lines(logging.Formatter):
    """`{"time": ..., "level": ..., "text": ..., further fields as given by extra=}`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever the record holds."""
        when = datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(timespec="milliseconds")
        entry: dict[str, object] = {
            "time": when,
            "level": record.levelname.lower(),
            "text": record.getMessage()[:LONGEST],
        }
        entry |= {key: _plain(value) for key, value in record.__dict__.items() if key not in _STANDARD}
        if record.exc_info:
            entry["trace"] = self.formatException(record.exc_info)[-LONGEST:]
        return json.dumps(entry, allow_nan=False)


def _plain(value: object) -> Json:
    """What a log line may hold of a value: itself where JSON has a place for it, else its text."""
    try:
        return jsonable(value)
    except TypeError:
        return str(value)[:LONGEST]


class RotatingFile:
    """At most `keep` + 1 files of `size` bytes: the newest at `path`, older ones numbered. Links are not followed.

    Belongs to one thread; what the system refuses is raised as OSError, and the next line is another try.
    """

    def __init__(self, path: Path, size: int, keep: int) -> None:
        self._path, self._size, self._keep = path, size, keep
        self._handle = self._open()

    def write(self, line: str) -> None:
        """Add a line."""
        data = line.encode() + b"\n"
        if os.fstat(self._handle).st_size + len(data) > self._size:
            self._rotate()
        os.write(self._handle, data)

    def close(self) -> None:
        """Let go of it."""
        os.close(self._handle)

    def _open(self) -> int:
        return open_own(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE)

    def _rotate(self) -> None:
        names = [self._path, *(self._path.with_name(f"{self._path.name}.{n}") for n in range(1, self._keep + 1))]
        for newer, older in reversed(list(pairwise(names))):
            with contextlib.suppress(FileNotFoundError):
                newer.replace(older)
        before, self._handle = self._handle, self._open()
        os.close(before)


class Bounded(logging.Handler):
    """Hands lines to a writer. What comes from one place in the code faster than anybody reads is counted, and the next
    line from there says how many `more` there were."""

    def __init__(self, writer: LineWriter, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.writer, self._clock = writer, clock
        self._paces: dict[tuple[str, int], Pace] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler, which holds a lock meanwhile."""
        place, now = (record.pathname, record.lineno), self._clock()
        pace = self._paces.get(place)
        if pace is None:
            if len(self._paces) >= PLACES:
                self._paces.clear()
            pace = self._paces[place] = Pace(BURST, RATE, now)
        if not pace.bears(now):
            return
        if pace.refused:
            record.__dict__["more"], pace.refused = pace.refused, 0
        self.writer.put(self.format(record))


def open_log(path: Path, size: int = 2_000_000, keep: int = 4) -> logging.Logger:
    """A logger of its own that writes to `path`, as do all others of this process, which would speak on stderr;
    `close_log` ends it.

    Raises ShowError or DiskFull.
    """
    with writing(path, "free some space", ShowError):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = RotatingFile(path, size, keep)
    handler = Bounded(LineWriter(file.write, file.close))
    handler.setFormatter(Lines())
    logger = logging.Logger("latentworld.show", logging.INFO)  # not from the registry: two shows share nothing
    logger.addHandler(handler)
    logging.getLogger().addHandler(handler)
    return logger


def close_log(logger: logging.Logger) -> None:
    """Write what waits, unless the disk does not answer, and write no more."""
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        logging.getLogger().removeHandler(handler)
        if isinstance(handler, Bounded):
            handler.writer.close()
        handler.close()
