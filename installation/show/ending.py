"""When a show ends, and why."""

from __future__ import annotations

import threading

from latentworld.errors import ShowError


class Ending:
    """Any thread may call, a signal's handler as well."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._refusal = ""

    @property
    def ended(self) -> bool:
        """Whether the show is to end, or has."""
        return self._event.is_set()

    def end(self) -> None:
        """Let the show end."""
        self._event.set()

    def refuse(self, why: str) -> None:
        """Let it end because it cannot begin."""
        self._refusal = self._refusal or why
        self._event.set()

    def pause(self, seconds: float) -> None:
        """Wait for so long, or until the show ends."""
        self._event.wait(seconds)

    def wait(self, seconds: float | None = None) -> None:
        """Wait until the show ends or `seconds` have passed. Raises ShowError where it could not begin."""
        self._event.wait(seconds)
        if self._refusal:
            raise ShowError(self._refusal)
