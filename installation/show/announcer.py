"""Lines about what happens in a show: for who stands there, for the log, and faults for the status."""

from __future__ import annotations

import re
from collections.abc import Callable
from logging import Logger

from installation.show.status import StatusCollector


class Announcer:
    """Thread-safe. announce: takes one readable line, on any thread."""

    def __init__(
        self, announce: Callable[[str], None], log: Logger, status: StatusCollector, clock: Callable[[], float]
    ) -> None:
        self._announce, self._log, self._status, self._clock = announce, log, status, clock

    def say(self, line: str) -> None:
        """Something worth knowing happened. The deck's token is for those who stand here, not for who reads files."""
        self._log.info(re.sub(r"token=[\w-]+", "token=...", line))
        self._announce(line)

    def fault(self, line: str) -> None:
        """Something went wrong and was survived; repeated, it is no news."""
        if line and self._status.fault(self._clock(), line):
            self._log.warning(line)
            self._announce(line)

    def incident(self, line: str) -> None:
        """A child ended or could not be started: news every time."""
        if self._status.fault(self._clock(), line, again=0.0):
            self._log.warning(line)
            self._announce(line)

    def failed(self, what: str, error: Exception) -> None:
        """Nobody foresaw this: its traceback goes into the log. Call it while the error is handled."""
        if self._status.fault(self._clock(), f"{what}: {error!r:.200}"):
            self._log.exception(f"{what} failed and goes on")
