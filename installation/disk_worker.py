"""What is done on a disk: one thing after another, on a thread of its own, for a disk may never answer."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from latentworld.errors import ShowError

MOST = 256  # things that wait
T = TypeVar("T")


class Help(Protocol):
    """Who helps what fails for want of descriptors."""

    def use(self, do: Callable[[], T]) -> T:
        """What `do` gives."""
        ...


@dataclass(frozen=True)
class _Job(Generic[T]):
    do: Callable[[], T]
    future: Future[T]
    key: Hashable
    commutes: bool

    def run(self, reserve: Help | None) -> None:
        if self.future.set_running_or_notify_cancel():
            try:
                self.future.set_result(self.do() if reserve is None else reserve.use(self.do))
            except Exception as error:
                self.future.set_exception(error)


class DiskWorker:
    """Any thread may submit. clock: seconds, by which `stalled` is told; reserve: what a full file table leaves,
    None: nothing."""

    def __init__(self, clock: Callable[[], float], reserve: Help | None = None) -> None:
        self._clock, self._reserve = clock, reserve
        self._waiting: deque[_Job] = deque()  # type: ignore[type-arg]
        self._ready = threading.Condition()
        self._ending = False
        self._begun: float | None = None  # when the present job was
        self._thread = threading.Thread(target=self._run, name="disk", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def submit(self, do: Callable[[], T], key: Hashable = None, commutes: bool = False) -> Future[T]:
        """Let it be done after what was submitted before; the future fails with ShowError where too much waits.

        One of the same key that waits is replaced in its place, and cancelled: where it is the last, or where it and
        all behind it commute. key None: each counts.
        """
        future: Future[T] = Future()
        job = _Job(do, future, key, commutes)
        with self._ready:
            place = self._place(job)
            if place is not None:
                replaced, self._waiting[place] = self._waiting[place], job
            elif len(self._waiting) >= MOST or self._ending:
                replaced = None
                future.set_exception(ShowError("the disk does not keep up: this was left out; look after the disk"))
            else:
                replaced = None
                self._waiting.append(job)
                self._ready.notify()
        if replaced is not None:
            replaced.future.cancel()
        return future

    @property
    def stalled(self) -> float:
        """Seconds that the disk has not answered."""
        begun = self._begun
        return 0.0 if begun is None else self._clock() - begun

    def stop(self, patience: float) -> bool:
        """Do what waits, then end; False where that was not done within `patience` seconds."""
        with self._ready:
            self._ending = True
            self._ready.notify()
        if self._thread.is_alive():
            self._thread.join(patience)
        return not self._thread.is_alive()

    def _place(self, job: _Job[T]) -> int | None:
        """Of the one that waits and is replaced by it."""
        if job.key is None:
            return None
        for place in range(len(self._waiting) - 1, -1, -1):
            other = self._waiting[place]
            if other.key == job.key:
                return place
            if not (job.commutes and other.commutes):
                return None
        return None

    def _run(self) -> None:
        while True:
            with self._ready:
                while not self._waiting and not self._ending:
                    self._ready.wait()
                if not self._waiting:
                    return
                job = self._waiting.popleft()
            self._begun = self._clock()
            job.run(self._reserve)
            self._begun = None
