"""Pictures from the renderer to everybody, through shared memory: one writer, any number of readers, no locks.

A mapped file in `/dev/shm` holds a few slots; picture `sequence` lies in slot `sequence % slots`. A slot's mark is
`2 * sequence + 1` while it is written and `2 * sequence` when it is whole, so that a reader who finds the wrong mark
before or after its copy knows that the copy is torn. Neither side ever waits for the other.

A file of our own and not `multiprocessing.shared_memory`: the resource tracker of Python 3.11 unlinks a segment when
any process that attached it dies, and a segment that is merely truncated kills its writer (SIGBUS) where `/dev/shm`
is full, as it soon is in a container.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import secrets
import struct
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from latentworld.arrays import Picture
from latentworld.errors import ShowError

_MAGIC = b"lwring01"
_HEAD = struct.Struct("8sQQ")  # magic, slots, bytes a slot; then the newest sequence number
_NEWEST, _FIRST = 32, 64  # offsets: of that number, of the first slot
# native order and alignment: the standard sizes are written byte by byte, and could be seen half written
_MARK = struct.Struct("Q")
_SHOT = struct.Struct("QIIqddd")  # mark, height, width, frame, made, period, stamp
_NAME = re.compile(r"lw-(\d{1,10})-[0-9a-f]{8}")


@dataclass(frozen=True, eq=False)
class Shot:
    """A picture, uint8[h, w, 3] RGB, and where it comes from.

    sequence: its number in the ring; frame: its number in the walk; made: when it was ready; period: the renderer's
    smoothed seconds per picture; stamp: `Controls.stamp` of its tick. Moments are seconds of `time.monotonic()`.
    """

    sequence: int
    picture: Picture
    frame: int
    made: float
    period: float
    stamp: float


class Ring:
    """Shared memory for the newest pictures. Use `create` or `attach`; `put` is for one process only."""

    def __init__(self, path: Path, memory: mmap.mmap) -> None:
        self.name = path.name
        self._path, self._memory = path, memory
        magic, self.slots, self._size = _HEAD.unpack_from(memory, 0)
        if magic != _MAGIC or len(memory) < _FIRST + self.slots * self._size:
            memory.close()
            raise ShowError(f"{path.name} is no ring of this version: restart the whole show")

    @classmethod
    def create(cls, slots: int = 8, size: tuple[int, int] = (1024, 1024)) -> Ring:
        """A new ring for pictures of at most height x width; rings whose creators are dead are removed.

        Raises ShowError where there is no memory for it.
        """
        if slots < 2 or min(size) < 1:
            raise ValueError("a ring has at least 2 slots of at least a pixel")
        sweep()
        slot = -(-(_SHOT.size + size[0] * size[1] * 3) // 64) * 64
        path = _folders()[0] / f"lw-{os.getpid()}-{secrets.token_hex(4)}"
        try:
            memory = _map(path, _FIRST + slots * slot)
        except OSError as error:
            path.unlink(missing_ok=True)
            needed = (_FIRST + slots * slot) / 2**20
            raise ShowError(
                f"no shared memory for pictures ({error.strerror}): give {path.parent} {needed:.0f} MB"
                " (docker run --shm-size)"
            ) from None
        _HEAD.pack_into(memory, 0, _MAGIC, slots, slot)
        return cls(path, memory)

    @classmethod
    def attach(cls, name: str) -> Ring:
        """The ring of that name, made by another process. Raises ShowError where there is none."""
        path = next((f / name for f in _folders() if _NAME.fullmatch(name) and (f / name).is_file()), None)
        if path is None:
            raise ShowError(f"no ring {name!r:.80}: its show has ended; start the show, which starts the rest")
        try:
            return cls(path, _map(path))
        except (OSError, ValueError, struct.error) as error:
            raise ShowError(f"the ring {name} cannot be read ({error}): restart the whole show") from None

    @property
    def newest(self) -> int:
        """Sequence number of the newest picture that was put; 0 before the first."""
        return int(_MARK.unpack_from(self._memory, _NEWEST)[0])

    def put(self, picture: Picture, frame: int, made: float, period: float, stamp: float) -> None:
        """Put a picture uint8[h, w, 3] as the newest; see `Shot`. Never waits. Raises ShowError where it is no such
        picture, or too large."""
        height, width, channels = picture.shape
        if channels != 3 or picture.dtype != np.uint8 or not 0 < picture.size <= self._size - _SHOT.size:
            raise ShowError(
                f"a picture {picture.dtype}{list(picture.shape)} does not fit the ring: make it smaller, or the ring"
                " larger"
            )
        sequence = self.newest + 1
        at = self._offset(sequence)
        _MARK.pack_into(self._memory, at, 2 * sequence + 1)
        _fence()
        _SHOT.pack_into(self._memory, at, 2 * sequence + 1, height, width, frame, made, period, stamp)
        self._view(at, picture.shape)[:] = picture
        _fence()
        _MARK.pack_into(self._memory, at, 2 * sequence)
        _MARK.pack_into(self._memory, _NEWEST, sequence)

    def get(self, sequence: int) -> Shot | None:
        """A copy of that picture; None where it is not there yet, was overwritten, or was while it was copied."""
        if sequence < 1:
            return None
        at = self._offset(sequence)
        mark, height, width, frame, made, period, stamp = _SHOT.unpack_from(self._memory, at)
        if mark != 2 * sequence or not 0 < height * width * 3 <= self._size - _SHOT.size:
            return None
        _fence()
        picture = self._view(at, (height, width, 3)).copy()
        _fence()
        if _MARK.unpack_from(self._memory, at)[0] != mark:
            return None
        return Shot(sequence, picture, frame, made, period, stamp)

    def close(self) -> None:
        """Let go of the memory; the ring goes on for others."""
        self._memory.close()

    def unlink(self) -> None:
        """Remove the ring (the creator's duty); whoever has it attached keeps the memory until it closes."""
        self._path.unlink(missing_ok=True)

    def _offset(self, sequence: int) -> int:
        return int(_FIRST + (sequence % self.slots) * self._size)

    def _view(self, at: int, shape: tuple[int, ...]) -> Picture:
        count = shape[0] * shape[1] * shape[2]
        return np.frombuffer(self._memory, np.uint8, count, at + _SHOT.size).reshape(shape)


def sweep() -> list[str]:
    """Remove rings whose creators are dead; their names."""
    swept = []
    for folder in _folders():
        for path in folder.glob("lw-*"):
            match = _NAME.fullmatch(path.name)
            if match and not _alive(int(match[1])):
                with contextlib.suppress(OSError):  # another user's, or another show swept it
                    path.unlink()
                    swept.append(path.name)
    return swept


def _map(path: Path, size: int = 0) -> mmap.mmap:
    """Map a file; with a size, make it, and have the system set all of it aside now."""
    flags = os.O_RDWR | (os.O_CREAT | os.O_EXCL if size else 0) | getattr(os, "O_NOFOLLOW", 0)
    handle = os.open(path, flags, 0o600)
    try:
        if size and hasattr(os, "posix_fallocate"):
            os.posix_fallocate(handle, 0, size)
        elif size:
            os.ftruncate(handle, size)
        return mmap.mmap(handle, size)
    finally:
        os.close(handle)


def _folders() -> list[Path]:
    """Where rings lie: memory that looks like files where the system has it."""
    memory = Path("/dev/shm")
    return [memory] if memory.is_dir() and os.access(memory, os.W_OK) else [Path(tempfile.gettempdir())]


def _alive(pid: int) -> bool:
    import psutil  # type: ignore[import-untyped]

    return bool(psutil.pid_exists(pid))


_order = threading.Lock()


def _fence() -> None:
    """Keep what is written before from being seen after: taking a lock twice orders memory on every processor (x86
    needs none; ARM reorders plain stores)."""
    for _ in range(2):
        with _order:
            pass
