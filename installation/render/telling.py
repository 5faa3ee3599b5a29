"""Ticks told on a thread of its own while the next is made, one at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

_log = logging.getLogger("render")


class Telling:
    """Does what tells a tick on its own thread: two cores that make the next pictures wait less for it than the loop.

    One tick is told at a time, and whoever brings the next waits for it, so that a show that hears slowly is sent no
    growing heap. fault: takes a line where one could not be told.
    """

    def __init__(self, fault: Callable[[str], object]) -> None:
        self._fault = fault
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="telling")
        self._before: Future[None] | None = None

    def __call__(self, act: Callable[[], None]) -> None:
        """Have this done, once what came before it is."""
        before, self._before = self._before, None
        if before is not None:
            before.result()  # whatever it raises is raised once
        self._before = self._thread.submit(self._told, act)

    def close(self) -> None:
        """End once the last one is done."""
        self._thread.shutdown()

    def _told(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:
            _log.exception("a tick could not be told")
            self._fault(f"a tick could not be told: {type(error).__name__}: {error}".splitlines()[0][:300])
