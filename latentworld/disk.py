"""Writing to a disk that may be full, forbidden or switched off: files are whole or not there, refusals one line."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from latentworld.errors import DiskFull, LatentWorldError, OutputError

if TYPE_CHECKING:
    from filelock import BaseFileLock

PARTIAL = ".part"  # the ending of side files


def put(path: Path, data: bytes | bytearray | memoryview) -> None:
    """Write a file whole or not at all: a side file, synced, then renamed. Raises OSError; see `writing`."""
    side = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
    try:
        with side.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        side.replace(path)
    except BaseException:
        side.unlink(missing_ok=True)
        raise


@contextmanager
def writing(
    path: str | Path,
    remedy: str = "free some space; what was written so far is kept",
    fault: type[LatentWorldError] = OutputError,
) -> Iterator[None]:
    """Turn what the system says while `path` is written into DiskFull with that remedy, or `fault`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"the disk of {path} is full: {remedy}") from error
        raise fault(f"cannot write {path} ({error.strerror or error}): choose a folder you may write to") from error


def claim(file: Path, refusal: LatentWorldError) -> BaseFileLock:
    """Take the lock file `file`, which nobody else has then until it is released or we die, on every system.

    Raises `refusal` where it is taken, also by this very process, and OSError where it cannot be made; see `writing`.
    """
    from filelock import FileLock, Timeout

    lock: BaseFileLock = FileLock(file, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:  # an OSError as well
        raise refusal from None
    return lock


def save(path: str | Path, data: bytes | bytearray | memoryview) -> None:
    """`put`, with one line where it fails. Raises DiskFull or OutputError."""
    with writing(path):
        put(Path(path), data)
