"""What a renderer's process says for itself: faults that it survived, signs of life, values that its loop changed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from installation.control.parameter import Value
from installation.ipc.messages import Beat, Fault, LoopValues
from installation.ipc.wire import Wire

BEAT = 0.5  # seconds between signs of life

_log = logging.getLogger("render")


class Speaker:
    """Says faults, the same one at most once in `often` seconds, and beats."""

    def __init__(self, wire: Wire, now: Callable[[], float], often: float = 2.0) -> None:
        self._wire, self._now, self._often = wire, now, often
        self._said: dict[str, float] = {}
        self._beat = -1e9
        self._lock = threading.Lock()

    def fault(self, text: str) -> None:
        """A fault that was survived."""
        now = self._now()
        with self._lock:
            if now - self._said.get(text, -1e9) < self._often:
                return
            self._said = {other: at for other, at in self._said.items() if now - at < self._often} | {text: now}
        _log.warning(text)
        self._wire.send(Fault(text))

    def beat(self) -> None:
        """A sign of life, as often as it is worth one."""
        if self._now() - self._beat >= BEAT:
            self._beat = self._now()
            self._wire.send(Beat(), droppable=True)

    def values(self, values: Mapping[str, Value]) -> None:
        """Values that the loop changed."""
        self._wire.send(LoopValues(dict(values)))


class Beating:
    """Beats while the process loads; libraries give no other sign then."""

    def __init__(self, speaker: Speaker) -> None:
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, args=(speaker,), name="beat", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *unused: object) -> None:
        self._done.set()

    def _beat(self, speaker: Speaker) -> None:
        while not self._done.wait(BEAT / 5):
            speaker.beat()
