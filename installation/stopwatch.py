"""How long something takes, for the record. It loads nothing: every command's help comes through here."""

from __future__ import annotations

import time as _time


def running() -> float:
    """Seconds since this process began, its imports included; for the record only."""
    import psutil  # type: ignore[import-untyped]

    return max(_time.time() - float(psutil.Process().create_time()), 0.0)


class Stopwatch:
    """Wall time, for the record only: nothing that reaches a picture may depend on it."""

    def __init__(self) -> None:
        self._start = _time.perf_counter()

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return _time.perf_counter() - self._start
