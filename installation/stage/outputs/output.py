"""What an output is: where pictures go, how people name it, and what it needs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import ClassVar, Self

import numpy as np

from latentworld.arrays import Picture, Rgba
from latentworld.errors import PortError

Fault = type[BaseException] | None


@dataclass(frozen=True)
class Settings:
    """rate: pictures a second; reserve: bytes of the disk that are never touched."""

    rate: float
    reserve: int


class Output(ABC):
    """Where pictures go. Opened by `with`, closed by its end, whatever ends it; what was sent until then is kept.

    Opening, sending and closing raise OutputError or ShowError, one line that names the remedy. One kind of output is
    one file; the name before the colon is the file's, or the entry point's (docs/extending.md).
    """

    usage: ClassVar[str]
    """How it is written, as `ndi:NAME`."""
    networked: ClassVar[bool] = False
    """Whether it is heard by whoever is on the network: such a one needs open doors."""
    libraries: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Modules that it imports when it is opened, and the command that installs each."""

    @classmethod
    @abstractmethod
    def named(cls, argument: str, settings: Settings) -> Self:
        """From what stands after the colon, "" without one; opens nothing. Raises ShowError for what it cannot be."""

    @abstractmethod
    def __enter__(self) -> Self: ...
    @abstractmethod
    def __exit__(self, kind: Fault, error: BaseException | None, trace: TracebackType | None, /) -> None: ...
    @abstractmethod
    def send(self, picture: Picture, slot: int) -> None:
        """Take a picture uint8[h, w, 3] RGB, neither to be kept nor written to.

        slot: its number, counted from 0 at a constant rate; numbers are missing where the machine was late.
        """


def opaque(picture: Picture) -> Rgba:
    """RGB [h, w, 3] with an alpha of one, [h, w, 4]."""
    height, width, _ = picture.shape
    return np.dstack([picture, np.full((height, width), 255, np.uint8)])


def findable(name: str, usage: str) -> str:
    """The name by which other programs find an output; usage: how it is written. Raises PortError for none."""
    if not name:
        raise PortError(f"an output that other programs find needs a name: write {usage}")
    return name
