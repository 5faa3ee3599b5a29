"""Pictures of the wall on their way to a disk, which nobody waits for: a dead one costs screenshots alone."""

from __future__ import annotations

import io
import time
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from installation.disk_worker import DiskWorker
from latentworld import disk
from latentworld.arrays import Picture
from latentworld.errors import LatentWorldError, OutputError

MOST = 4  # that wait: each is a whole picture
FAREWELL = 2.0  # seconds in which those that wait are written at the end


class Screenshots:
    """Belongs to one thread; entered and left by it."""

    def __init__(self) -> None:
        self._worker = DiskWorker(time.monotonic)
        self._waiting: list[Future[None]] = []

    def __enter__(self) -> Screenshots:
        self._worker.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self._worker.stop(FAREWELL)

    def save(self, picture: Picture, file: Path) -> None:
        """Have a picture uint8[h, w, 3] written as PNG. Raises OutputError where too many wait."""
        if sum(not future.done() for future in self._waiting) >= MOST:
            raise OutputError(f"the disk of {file} does not keep up: this screenshot was left out; look after the disk")
        self._waiting.append(self._worker.submit(partial(_write, picture.copy(), file)))  # the next is drawn over it

    def faults(self) -> list[str]:
        """What became of those since the last time that could not be written, a line each."""
        done = [future for future in self._waiting if future.done()]
        self._waiting = [future for future in self._waiting if not future.done()]
        errors = [error for future in done if (error := future.exception()) is not None]
        for error in errors:
            if not isinstance(error, LatentWorldError):
                raise error
        return [str(error) for error in errors]


def _write(picture: Picture, file: Path) -> None:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    disk.save(file, buffer.getvalue())
