"""The newest lines of a show's log, for people who look at it from elsewhere."""

from __future__ import annotations

import json
import os
from pathlib import Path

from installation.backstage import LogLine

TAIL = 1 << 17  # bytes from the end that are looked at
LONGEST = 600  # characters of a line that are shown


def last(path: Path, count: int) -> list[LogLine]:
    """The last lines of a log, oldest first; what is no line of ours is passed over. Empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL))
            lines = file.read().splitlines()
    except OSError:
        return []
    found = [line for raw in lines[-4 * count :] if (line := _read(raw)) is not None]
    return found[-count:]


def _read(raw: bytes) -> LogLine | None:
    try:
        said = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    return LogLine(*(str(said.get(key, ""))[:LONGEST] for key in ("time", "level", "text")))
