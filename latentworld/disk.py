"""Writing to a disk that may be full, forbidden or switched off: files are whole or not there, refusals one line."""

from __future__ import annotations

import errno
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from latentworld.errors import DiskFull, LatentWorldError, OutputError

if TYPE_CHECKING:
    from filelock import BaseFileLock

PARTIAL = ".part"  # the ending of side files
ASKED = 0.2  # seconds: who asks whether a lock file is taken has it for a moment
if sys.platform == "win32":
    _NO_LINK = _AT_ONCE = os.O_BINARY
else:
    import fcntl

    _NO_LINK, _AT_ONCE = os.O_NOFOLLOW, os.O_NONBLOCK


@contextmanager
def whole(path: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    """A file to be written that is there whole or not at all: a side file, synced and renamed where nothing was raised.

    mode: who may do what, less the umask. Raises OSError; see `writing`.
    """
    side = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
    try:
        side.unlink(missing_ok=True)  # of a process that was killed and had our number, or of somebody who means ill
        with os.fdopen(open_own(side, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        side.replace(path)
    except BaseException:
        side.unlink(missing_ok=True)
        raise


def put(path: Path, data: bytes | bytearray | memoryview, mode: int = 0o666) -> None:
    """Write a file `whole`. Raises OSError."""
    with whole(path, mode) as file:
        file.write(data)


def read(path: Path, largest: int) -> bytes:
    """What a file holds, at most `largest` bytes. Raises OSError for what is no file, ValueError for what is larger."""
    with os.fdopen(os.open(path, os.O_RDONLY | _AT_ONCE), "rb") as file:
        there = os.fstat(file.fileno())
        if not stat.S_ISREG(there.st_mode):
            raise OSError(errno.EINVAL, "it is no file")
        data = file.read(largest + 1) if there.st_size <= largest else b""  # a file may say less than it holds
    if max(there.st_size, len(data)) > largest:
        raise ValueError(f"it is larger than {largest / 1e6:g} MB: is it the right file?")
    return data


def open_own(path: Path, flags: int, mode: int) -> int:
    """A descriptor of a file of ours: a link in its place is not followed, and nobody is waited for at a pipe's other
    end. Raises OSError."""
    handle = os.open(path, flags | _NO_LINK | _AT_ONCE, mode)
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    raise OSError(errno.EINVAL, "it is no file")


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
        if error.errno == errno.EFBIG:
            raise fault(
                f"cannot write {path}: no file may become so large here: raise the limit (ulimit -f)"
            ) from error
        raise fault(f"cannot write {path} ({error.strerror or error}): choose a folder you may write to") from error


def claim(file: Path, refusal: LatentWorldError) -> BaseFileLock:
    """Take the lock file `file`, which nobody else has then until it is released or we die, on every system.

    Raises `refusal` where it is taken, also by this very process, and OSError where it cannot be made; see `writing`.
    """
    from filelock import FileLock, Timeout

    lock: BaseFileLock = FileLock(file, mode=0o600, thread_local=False)
    try:
        lock.acquire(timeout=ASKED)
    except Timeout:  # an OSError as well
        raise refusal from None
    return lock


def claimed(file: Path) -> bool:
    """Whether somebody has the lock file `file` now, who may have been killed since (False then). However many ask at
    once, none of them takes it from another: they share it. Windows shares none, so that one may wait for another."""
    if not file.exists():
        return False
    try:
        if sys.platform == "win32":
            claim(file, OutputError("")).release()
            return False
        with os.fdopen(open_own(file, os.O_RDONLY, 0), "rb") as found:
            fcntl.flock(found, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False  # released since
    except (OutputError, OSError):
        return True
    return False


def save(path: str | Path, data: bytes | bytearray | memoryview, mode: int = 0o666) -> None:
    """`put`, with one line where it fails. Raises DiskFull or OutputError."""
    with writing(path):
        put(Path(path), data, mode)


def writable(path: str | Path) -> None:
    """Whether a file can be written there, asked before the work that it is for. Raises OutputError."""
    path = Path(path)
    with writing(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
        with tempfile.TemporaryFile(dir=path.parent):
            pass  # a folder may exist and still take none


def cache_folder() -> Path:
    """Where what took long is kept: LATENTWORLD_CACHE, else the system's folder for caches."""
    if folder := os.environ.get("LATENTWORLD_CACHE"):
        return Path(folder)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "latentworld" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "latentworld"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "latentworld"
