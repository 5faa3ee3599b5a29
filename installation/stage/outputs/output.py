"""What an output is to the process around it."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from latentworld.arrays import Picture

Fault = type[BaseException] | None


class Sink(Protocol):
    """Where pictures go. Opened by `with`, closed by its end, whatever ends it; what was sent until then is kept.

    Opening, sending and closing raise OutputError or ShowError, one line that names the remedy.
    """

    def __enter__(self) -> Self: ...
    def __exit__(self, kind: Fault, error: BaseException | None, trace: TracebackType | None, /) -> None: ...
    def send(self, picture: Picture, slot: int) -> None:
        """Take a picture uint8[h, w, 3] RGB, neither to be kept nor written to.

        slot: its number, counted from 0 at a constant rate; numbers are missing where the machine was late.
        """
        ...
