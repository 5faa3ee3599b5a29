"""The show's log: one JSON object a line, rotated and bounded on disk, and never a reason to stop."""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

from installation.ipc.jsonable import Json, jsonable
from latentworld.disk import writing
from latentworld.errors import ShowError

OURS = "installation"  # what our modules' own loggers descend from
LONGEST = 4000  # characters of one text
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


class Bounded(RotatingFileHandler):
    """At most `keep` + 1 files of `size` bytes. A full disk loses lines and nothing else; `lost` counts them."""

    def __init__(self, path: Path, size: int, keep: int) -> None:
        super().__init__(path, maxBytes=size, backupCount=keep, encoding="utf-8")
        self.lost = 0

    def handleError(self, record: logging.LogRecord) -> None:
        """A line could not be written (the disk is full, say): add one to `lost`, and go on."""
        self.lost += 1


def open_log(path: Path, size: int = 2_000_000, keep: int = 4) -> logging.Logger:
    """A logger of its own that writes to `path`, as do those of our modules; `close_log` ends it.

    Raises ShowError or DiskFull.
    """
    with writing(path, "free some space", ShowError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = Bounded(path, size, keep)
    handler.setFormatter(Lines())
    logger = logging.Logger("latentworld.show", logging.INFO)  # not from the registry: two shows share nothing
    logger.addHandler(handler)
    logging.getLogger(OURS).addHandler(handler)
    return logger


def close_log(logger: logging.Logger) -> None:
    """Close its files."""
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        logging.getLogger(OURS).removeHandler(handler)
        with contextlib.suppress(OSError):  # a full disk: what is still held is lost
            handler.close()
