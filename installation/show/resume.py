"""Which saved state the next renderer begins with, and which one is written to disk.

A state that a renderer may have died of is offered no more until one that began without it has died as well; and it is
not written to disk meanwhile.
"""

from __future__ import annotations

from threading import Lock


class Resume:
    """saved: what was found on disk, None for nothing. Any thread may call."""

    def __init__(self, saved: str | None = None) -> None:
        self._lock = Lock()
        self._newest = saved  # what the newest picture's renderer left, or the disk
        self._proven: str | None = None  # what a renderer went on from and made pictures with
        self._offered: str | None = None  # what the present renderer began with
        self._suspect = False  # whether one died of the newest, as far as is known

    def offer(self) -> str | None:
        """For a renderer that is started now."""
        with self._lock:
            self._offered = None if self._suspect else self._newest
            return self._offered

    def update(self, state: str) -> None:
        """The present renderer made a picture, after which this is its state."""
        with self._lock:
            self._proven = self._offered or self._proven
            self._newest, self._suspect = state, False

    def refuse(self) -> bool:
        """The present renderer ended before its first picture; whether that may have been of what it began with. One
        that dies without it as well was not killed by it."""
        with self._lock:
            self._suspect = self._offered is not None
            return self._suspect

    @property
    def worth_keeping(self) -> str | None:
        """What is to be written to disk."""
        with self._lock:
            return self._proven if self._suspect else self._newest
