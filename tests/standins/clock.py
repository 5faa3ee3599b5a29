"""Time for tests."""

from __future__ import annotations


class Clock:
    """Seconds that pass when they are told to: called it says what time it is; who sleeps by it moves it on."""

    def __init__(self, now: float = 100.0) -> None:
        self.now, self.sleeps = now, list[float]()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let them pass at once."""
        assert seconds >= 0, "nobody sleeps backwards"
        self.sleeps.append(seconds)
        self.now += seconds
