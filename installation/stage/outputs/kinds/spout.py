"""Spout (Windows): pictures to other programs of the same machine, on the graphics card.

Written after the examples of SpoutGL 0.1.1 (examples/image/sender.py), and tested against stand-ins of it: it does not
run on Linux.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any, ClassVar, Self

from installation.stage.outputs.output import Fault, Output, Settings, findable, opaque
from latentworld.arrays import Picture
from latentworld.errors import PortError
from latentworld.extras import install, need

_GL_RGBA = 0x1908


class Spout(Output):
    """An output that is the Spout sender `name`. Raises PortError; ShowError where SpoutGL is missing."""

    usage: ClassVar[str] = "spout:NAME"
    libraries: ClassVar[Mapping[str, str]] = {"SpoutGL": install("spout")}

    @classmethod
    def named(cls, argument: str, settings: Settings) -> Self:
        """NAME as other programs list it."""
        return cls(findable(argument, cls.usage))

    def __init__(self, name: str, library: ModuleType | None = None) -> None:
        self.name = name
        self._library = library
        self._sender: Any = None

    def __enter__(self) -> Self:
        library = self._library or need("SpoutGL")
        self._sender = library.SpoutSender().__enter__()
        self._sender.setSenderName(self.name)
        return self

    def __exit__(self, kind: Fault, *rest: object) -> None:
        self._sender.__exit__(None, None, None)

    def send(self, picture: Picture, slot: int) -> None:
        """Hand a picture, uint8 RGB [h, w, 3], to Spout's receivers. Raises PortError where Spout takes none."""
        height, width, _ = picture.shape
        if not self._sender.sendImage(opaque(picture).tobytes(), width, height, _GL_RGBA, False, 0):
            raise PortError(f"Spout takes no pictures from {self.name}: check that this machine has a graphics card")
        self._sender.setFrameSync(self.name)
