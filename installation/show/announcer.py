"""Lines about what happens in a show: for who stands there, for the log, and faults for the status."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from logging import Logger

from installation.health.line_writer import Pace
from installation.show.status import StatusCollector
from installation.terminal import one_line

BURST, RATE = 100, 2.0  # lines for people: at once, and a second on the whole


class Announcer:
    """Thread-safe. announce: takes one readable line, on any thread, and returns at once. Of more lines than anybody
    reads some stand in the log alone."""

    def __init__(
        self, announce: Callable[[str], None], log: Logger, status: StatusCollector, clock: Callable[[], float]
    ) -> None:
        self._announce, self._log, self._status, self._clock = announce, log, status, clock
        self._pace, self._lock = Pace(BURST, RATE, clock()), threading.Lock()

    def say(self, line: str) -> None:
        """Something worth knowing happened. The deck's token is for those who stand here, not for who reads files."""
        line = one_line(line)
        self._log.info(re.sub(r"token=[\w-]+", "token=...", line))
        self._tell(line)

    def fault(self, line: str) -> None:
        """Something went wrong and was survived; repeated, it is no news."""
        line = one_line(line)
        if line and self._status.fault(self._clock(), line):
            self._log.warning(line)
            self._tell(line)

    def incident(self, line: str) -> None:
        """A child ended or could not be started: news every time."""
        line = one_line(line)
        if self._status.fault(self._clock(), line, again=0.0):
            self._log.warning(line)
            self._tell(line)

    def failed(self, what: str, error: Exception) -> None:
        """Nobody foresaw this: its traceback goes into the log. Call it while the error is handled."""
        if self._status.fault(self._clock(), f"{what}: {error!r:.200}"):
            self._log.exception(f"{what} failed and goes on")

    def _tell(self, line: str) -> None:
        with self._lock:
            borne = self._pace.bears(self._clock())
            untold, self._pace.refused = (self._pace.refused, 0) if borne else (0, self._pace.refused)
        if untold:
            self._announce(f"{untold} further lines are in the log")
        if borne:
            self._announce(line)
