"""Lines to a file or a terminal that may not take them: written by a thread of its own, and bounded."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

MOST = 1000  # lines that wait


class LineWriter:
    """`put` returns at once, on any thread. write: takes a line, and may wait or raise OSError; `lost` counts the lines
    that it did not take, and those that found too many waiting; done: called after the last."""

    def __init__(
        self, write: Callable[[str], object], done: Callable[[], object] = lambda: None, most: int = MOST
    ) -> None:
        self._write, self._done, self._most = write, done, most
        self._lines: deque[str] = deque()
        self._ready = threading.Condition()
        self._ended = False
        self.lost = 0
        self._thread = threading.Thread(target=self._run, name="lines", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        """Let it be written."""
        with self._ready:
            if len(self._lines) >= self._most or self._ended:
                self.lost += 1
                return
            self._lines.append(line)
            self._ready.notify()

    def close(self, patience: float = 2.0) -> None:
        """Write what waits, for at most so many seconds, and no more."""
        with self._ready:
            self._ended = True
            self._ready.notify()
        self._thread.join(patience)

    def _run(self) -> None:
        while True:
            with self._ready:
                while not self._lines and not self._ended:
                    self._ready.wait()
                if not self._lines:
                    break
                line = self._lines.popleft()
            try:
                self._write(line)
            except (OSError, ValueError):  # a full disk, a terminal that is gone: ValueError where it was closed
                self.lost += 1
        self._done()


class Pace:
    """Whether one more of something is borne: `burst` at once, `rate` a second on the whole. Not thread-safe."""

    def __init__(self, burst: float, rate: float, now: float) -> None:
        self._burst, self._rate = burst, rate
        self._left, self._at = burst, now
        self.refused = 0  # since one was last borne

    def bears(self, now: float) -> bool:
        """One more, at a moment."""
        self._left = min(self._left + (now - self._at) * self._rate, self._burst)
        self._at = now
        if self._left < 1.0:
            self.refused += 1
            return False
        self._left -= 1.0
        return True
