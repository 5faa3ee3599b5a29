"""Questions to the renderer and their answers; none waits for ever."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock

from installation.backstage import AnswerContent, Question
from installation.ipc.messages import Answer, Ask, Cancel
from installation.ipc.wire import Wire
from latentworld.errors import ShowError

MOST = 32  # questions at a time


@dataclass(frozen=True)
class _Open:
    future: Future[AnswerContent]
    until: float
    wire: Wire
    patience: float


class Requests:
    """Thread-safe. patience: seconds a renderer has to answer."""

    def __init__(self, clock: Callable[[], float], patience: float = 60.0) -> None:
        self._clock, self._patience = clock, patience
        self._lock = Lock()
        self._open: dict[int, _Open] = {}
        self._next = 1

    def ask(self, wire: Wire | None, question: Question, patience: float = 0.0) -> Future[AnswerContent]:
        """Send it; the future fails with ShowError when there is nobody to ask, too much is asked, or no answer.

        patience: seconds, where more than usual.
        """
        future: Future[AnswerContent] = Future()
        with self._lock:
            number, self._next = self._next, self._next + 1
            refused = "the renderer is not there: ask again when it runs" if wire is None else None
            if len(self._open) >= MOST:
                refused = f"{MOST} questions are open: wait for their answers"
            if refused is None and wire is not None:
                patience = max(self._patience, patience)
                self._open[number] = _Open(future, self._clock() + patience, wire, patience)
        if refused is not None or wire is None:
            future.set_exception(ShowError(refused or ""))
            return future
        future.add_done_callback(lambda done: self._cancelled(number, done))
        wire.send(Ask(number, question))
        return future

    def answered(self, answer: Answer) -> None:
        """An answer came; one that nobody waits for is dropped."""
        with self._lock:
            found = self._open.pop(answer.id, None)
        if found is None or not found.future.set_running_or_notify_cancel():
            return
        if answer.content is None:
            found.future.set_exception(ShowError(answer.fault or "the renderer had no answer: ask again"))
        else:
            found.future.set_result(answer.content)

    def expire(self) -> None:
        """Fail those that waited too long."""
        now = self._clock()
        self._fail(lambda waiting: now >= waiting.until, "no answer within {:g} s: ask again")

    def lost(self) -> None:
        """The renderer is gone: fail all."""
        self._fail(lambda _: True, "the renderer was lost: ask again when it runs")

    def _fail(self, which: Callable[[_Open], bool], why: str) -> None:
        with self._lock:
            gone = [number for number, waiting in self._open.items() if which(waiting)]
            failed = [self._open.pop(number) for number in gone]
        for waiting in failed:
            if waiting.future.set_running_or_notify_cancel():
                waiting.future.set_exception(ShowError(why.format(waiting.patience)))

    def _cancelled(self, number: int, future: Future[AnswerContent]) -> None:
        if future.cancelled():
            with self._lock:
                found = self._open.pop(number, None)
            if found is not None:
                found.wire.send(Cancel(number))
