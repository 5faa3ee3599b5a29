"""Takes to be replayed, read on a thread of their own: a disk may take its time while controls are heard."""

from __future__ import annotations

import threading
from collections.abc import Callable

from installation.takes import Take, read
from latentworld.errors import LatentWorldError


class TakeReader:
    """deliver: takes the take that was asked for last, or None for none any more; fault: why there is none."""

    def __init__(self, deliver: Callable[[Take | None], None], fault: Callable[[str], None]) -> None:
        self._deliver, self._fault = deliver, fault
        self._ready = threading.Condition()
        self._wanted: str | None = None
        self._asked = 0  # times that something else was wanted
        threading.Thread(target=self._run, name="takes", daemon=True).start()

    def follow(self, file: str) -> None:
        """Read one, and deliver it, unless another is asked for before that."""
        with self._ready:
            self._wanted, self._asked = file, self._asked + 1
            self._ready.notify()

    def unfollow(self) -> None:
        """Whatever was asked for is wanted no more."""
        with self._ready:
            self._wanted, self._asked = None, self._asked + 1
            self._deliver(None)

    def _run(self) -> None:
        while True:
            with self._ready:
                while self._wanted is None:
                    self._ready.wait()
                file, self._wanted, asked = self._wanted, None, self._asked
            try:
                take = read(file)
            except LatentWorldError as error:
                self._fault(str(error))
                continue
            except Exception as error:
                self._fault(f"the take {file} cannot be read: {type(error).__name__}: {error}".splitlines()[0][:300])
                continue
            with self._ready:
                if asked == self._asked:
                    self._deliver(take)
