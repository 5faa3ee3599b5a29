"""File descriptors that are kept back: whoever fills the file table, children are started and state is saved."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

KEPT = 16  # a child takes eight while it is started
MANY = 4096  # what a process may have open where the system lets us ask for more than it gives unasked
T = TypeVar("T")


class Reserve:
    """Holds descriptors of nothing, and lends them to what found the table full. Any thread may call."""

    def __init__(self, count: int = KEPT) -> None:
        self._count = count
        self._lock = threading.Lock()
        self._held: list[int] = []
        self._fill()

    def use(self, do: Callable[[], T]) -> T:
        """What it gives; where it fails because too many files are open it is done again with those kept back."""
        try:
            return do()
        except Exception as error:
            if not exhausted(error):
                raise
        with self._lent():
            return do()

    def close(self) -> None:
        """Let go of them."""
        with self._lock:
            self._empty()

    @contextlib.contextmanager
    def _lent(self) -> Iterator[None]:
        with self._lock:
            self._empty()
            try:
                yield
            finally:
                self._fill()

    def _fill(self) -> None:
        with contextlib.suppress(OSError):  # as many as there are
            while len(self._held) < self._count:
                self._held.append(os.open(os.devnull, os.O_RDONLY))

    def _empty(self) -> None:
        while self._held:
            os.close(self._held.pop())


def exhausted(error: BaseException | None) -> bool:
    """Whether an error is, or came of, a table of files that is full."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            return True
        error = error.__cause__
    return False


def allow_many() -> None:
    """Raise this process's own limit of open files to MANY, where that is allowed."""
    try:
        import resource
    except ImportError:  # not a POSIX system
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY if hard == resource.RLIM_INFINITY else min(MANY, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
