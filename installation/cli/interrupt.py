"""Ctrl-C, SIGTERM, a closed terminal: a film ends between two denoising steps with its files finished, a survey at
once."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self

import typer

from installation.terminal import ending_signals


class Interrupt:
    """While it is entered the first signal sets `asked`; the second, or one before any watching, interrupts at once."""

    def __init__(self) -> None:
        self.asked = False
        self._watching = False
        self._before: dict[signal.Signals, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle) for number in ending_signals()}
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


@contextmanager
def ending(message: Callable[[], str]) -> Iterator[None]:
    """The first signal ends what is inside at once: what `told` then says is the one line, the exit code is 130."""
    try:
        with Interrupt():
            yield
    except KeyboardInterrupt:
        # a write that was cut short leaves a coroutine that nobody awaits: its block is decoded again, no more to say
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        print(message(), file=sys.stderr)
        raise typer.Exit(130) from None


def again(*more: str) -> str:
    """The command that was typed, with these options."""
    typed = sys.argv[1:]
    return shlex.join(["latentworld", *typed, *(option for option in more if option not in typed)])
