"""What systemd is told of a show, where it asked: that it is ready, how it is, and that it lives."""

from __future__ import annotations

from installation.backstage import Status
from installation.health.notify import Notifier
from installation.health.watchdog import Watchdog
from installation.show.premises import Runtime

INTERVAL = 60.0  # seconds of a watchdog that nobody asked for


class Systemd:
    """The show begins when this is made."""

    def __init__(self, runtime: Runtime) -> None:
        self._notifier = Notifier(runtime.environment)
        self._watchdog = Watchdog(self._notifier.interval or INTERVAL, runtime.patience.loading, runtime.clock())

    def ready(self) -> None:
        """The stage presents."""
        self._notifier.send("READY=1")

    def presented(self, now: float, fresh: float | None) -> None:
        """The stage reported a picture `fresh` seconds old, see `Watchdog.report`."""
        self._watchdog.report(now, fresh)

    def report(self, now: float, status: Status) -> None:
        """How the show is, and a sign of life where it has earned one."""
        words = f"STATUS={status.renderer}, {status.rate:.1f} pictures/s, frame {status.frame}"
        fed = self._watchdog.due(now, status.held, status.renderer in ("loading", "restarting"), status.pulse)
        self._notifier.send(words, *(("WATCHDOG=1",) if fed else ()))

    def stopping(self) -> None:
        """The show ends."""
        self._notifier.send("STOPPING=1")
