"""Ctrl-C that asks first: the film under way ends between two denoising steps, and its files are finished."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Self


class Interrupt:
    """While it is entered the first Ctrl-C sets `asked`; the second, or one before any watching, interrupts at once."""

    def __init__(self) -> None:
        self.asked = False
        self._watching = False
        self._before: object = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *fault: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)  # type: ignore[arg-type]

    def watch(self, done: int, total: int) -> bool:
        """A decoder's Watch: go on until asked to stop."""
        self._watching = True
        return not self.asked

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked or not self._watching:
            raise KeyboardInterrupt
        self.asked = True
