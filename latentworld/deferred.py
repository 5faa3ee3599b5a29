"""What is made when it is first asked for: networks that a cached engine needs no more are never read."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Generic, TypeVar

T = TypeVar("T")


class Deferred(Generic[T]):
    """`deferred()` is what `make` makes: once, whichever thread asks first; where that raises, the next one tries."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: list[T] = []
        self._lock = RLock()

    def __call__(self) -> T:
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]


class Held(Generic[T]):
    """A field of a dataclass that is given as it is or `Deferred`, and always read as it is."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._place = f"_{name}"

    def __get__(self, instance: object | None, owner: type) -> T:
        if instance is None:
            raise AttributeError(self._place)  # a dataclass takes that for a field without a default
        held: T | Deferred[T] = vars(instance)[self._place]
        return held() if isinstance(held, Deferred) else held

    def __set__(self, instance: object, value: T | Deferred[T]) -> None:
        vars(instance)[self._place] = value


def held(instance: object, name: str) -> object:
    """What a `Held` field was given: nothing is made."""
    return vars(instance)[f"_{name}"]


def now(value: T | Deferred[T]) -> T:
    """What was given as it is or deferred, as it is."""
    return value() if isinstance(value, Deferred) else value


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage is looked for while libraries are imported and files read: there is none, and looking for it takes a
    tenth of torch's import (1.35 instead of 1.5 s)."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
