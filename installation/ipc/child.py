"""How a child process of the show begins and ends: its wire, the signals that end it, its last words."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from installation.ipc.wire import Wire
from installation.terminal import ending_signals
from latentworld.registry import blamed


def standard() -> Wire:
    """The wire on standard input and output; what a library prints from now on goes to stderr, among no messages."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return Wire(sys.stdin.buffer, out)


@contextmanager
def ended_by_signals(ended: threading.Event) -> Iterator[None]:
    """SIGTERM, Ctrl-C and a closed terminal end a child in good order too. On the main thread."""

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    before = {number: signal.signal(number, end) for number in ending_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def refused(text: str, status: int = 1) -> int:
    """Say why there is nothing to be done, in a line on stderr, which whoever started it reads; the exit status."""
    print(f"error: {' '.join(text.split())}", file=sys.stderr)
    return status


def run(main: Callable[[], int]) -> NoReturn:
    """Run a child and end with its status; what nobody foresaw is 1 and one line, after its traceback."""
    try:
        status = main()
    except Exception as error:
        traceback.print_exc()
        status = refused(blamed(error) or f"{type(error).__name__}: {error}")
    leave(status)


def leave(status: int) -> NoReturn:
    """End at once. An ordinary end would stumble over the thread that reads standard input, and wait for threads that
    still build and for libraries' own."""
    sys.stderr.flush()
    os._exit(status)
