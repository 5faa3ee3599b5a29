"""The show's pump: a thread on which children are tended and what is played is passed on, 60 times a second."""

from __future__ import annotations

import threading
from collections.abc import Callable

from installation.score.player import Player
from installation.show.announcer import Announcer
from installation.show.ending import Ending
from installation.show.ports import Ports
from installation.show.presses import Presses
from installation.show.processes import Processes
from installation.show.pulse import Pulse
from installation.show.recordings import Recordings
from installation.show.requests import Requests

RATE = 60.0  # passes a second
PATIENCE = 40.0  # seconds in which recordings and children end: each of them has less


class Upkeep:
    """What is done in a pass, and at the end. One thread does it all: it alone starts and ends children."""

    def __init__(
        self, processes: Processes, presses: Presses, recordings: Recordings, requests: Requests, ports: Ports,
        ending: Ending, player: Player | None = None,
    ) -> None:  # fmt: skip
        self._processes, self._presses, self._recordings = processes, presses, recordings
        self._requests, self._ports, self._ending, self._player = requests, ports, ending, player

    def do(self, now: float) -> None:
        """One pass."""
        self._processes.tend()
        if self._processes.refusal:
            self._ending.refuse(self._processes.refusal)
        self._presses.obey()
        self._recordings.tend()
        if self._player is not None:
            self._player.play(now)
        self._processes.play(now, self._recordings.video, self._ports.card)
        self._requests.expire()

    def close(self) -> None:
        """End recordings and children."""
        self._recordings.close()
        self._processes.dismiss()
        self._requests.lost()


class Pump:
    """Does the upkeep until the show ends."""

    def __init__(
        self, upkeep: Upkeep, ending: Ending, announcer: Announcer, pulse: Pulse, clock: Callable[[], float]
    ) -> None:
        self._upkeep, self._ending, self._announcer = upkeep, ending, announcer
        self._pulse, self._clock = pulse, clock
        self._thread = threading.Thread(target=self._run, name="pump", daemon=True)

    def start(self) -> None:
        """Begin: children are being started."""
        self._thread.start()

    def stop(self) -> None:
        """End the show, and its children; one that is held up is left, and they die with us."""
        self._ending.end()
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        while not self._ending.ended:
            now = self._clock()
            try:
                self._upkeep.do(now)
                self._pulse.beat()
            except Exception as error:  # the children die with this thread: it must not
                self._announcer.failed("the pump", error)
            self._ending.pause(max(now + 1 / RATE - self._clock(), 0.001))
        self._upkeep.close()
