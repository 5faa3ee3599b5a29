"""Ctrl-C and SIGTERM that ask first: the film under way ends between two denoising steps, its files are finished."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Self


class Interrupt:
    """While it is entered the first signal sets `asked`; the second, or one before any watching, interrupts at once."""

    def __init__(self) -> None:
        self.asked = False
        self._watching = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *fault: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def watch(self, done: int, total: int) -> bool:
        """A decoder's Watch: go on until asked to stop."""
        self._watching = True
        return not self.asked

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked or not self._watching:
            raise KeyboardInterrupt
        self.asked = True
