"""Files that are whole or not there: pictures and pages."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from latentworld.errors import DiskFull, OutputError


def write(path: str | Path, data: bytes) -> None:
    """Write a file whole or not at all: a side file, synced, then renamed. Raises DiskFull or OutputError."""
    path = Path(path)
    side = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with side.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        side.replace(path)
    except OSError as error:
        side.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"no space left for {path}: free some and write it again") from error
        raise OutputError(f"cannot write {path} ({error.strerror}): choose a folder you may write to") from error
