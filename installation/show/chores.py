"""What a show does once a second beside playing: it looks after memory and systemd, and lets its state be kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from logging import Logger


@dataclass(frozen=True)
class Chore:
    """Something to do every so many seconds. name: what the log calls it."""

    name: str
    every: float
    do: Callable[[float], None]


class Chores:
    """A thread of its own. One that fails is logged, and done again when it is due."""

    def __init__(self, chores: list[Chore], clock: Callable[[], float], log: Logger) -> None:
        self._chores, self._clock, self._log = chores, clock, log
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chores", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after what is being done."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(10.0)

    def _run(self) -> None:
        due = [self._clock()] * len(self._chores)
        while not self._ending.wait(1.0):
            now = self._clock()
            for i, chore in enumerate(self._chores):
                if now >= due[i]:
                    due[i] = now + chore.every
                    try:
                        chore.do(now)
                    except Exception:
                        self._log.exception("a chore failed", extra={"chore": chore.name})


def resident(processes: Mapping[str, int]) -> dict[str, int]:
    """Bytes of resident memory, by name, of processes given by name and number; those that are gone are left out."""
    import psutil  # type: ignore[import-untyped]

    found = {}
    for name, pid in processes.items():
        try:
            size = int(psutil.Process(pid).memory_info().rss)
        except psutil.Error:
            continue
        if size:  # a process that was killed and not waited for yet has none
            found[name] = size
    return found


def temperature() -> float | None:
    """Of the processor's hottest sensor, degrees Celsius; of any where none is known as the processor's."""
    import psutil  # type: ignore[import-untyped]

    sensors = psutil.sensors_temperatures() if hasattr(psutil, "sensors_temperatures") else {}
    known = [name for name in sensors if name in ("coretemp", "k10temp", "zenpower", "cpu_thermal", "acpitz")]
    found = [part.current for name in known or sensors for part in sensors[name] if part.current]
    return max(found) if found else None
