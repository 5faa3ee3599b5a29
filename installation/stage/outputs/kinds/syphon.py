"""Syphon (macOS): pictures to other programs of the same machine, on the graphics card.

Written after the examples of syphon-python (README.md, examples/MetalServerVideoExample.py), and tested against
stand-ins of it: it does not run on Linux.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, ClassVar, Self

from installation.stage.outputs.output import Fault, Output, Settings, findable, opaque
from latentworld.arrays import Picture
from latentworld.errors import PortError
from latentworld.extras import install, need


class Syphon(Output):
    """An output that is the Syphon server `name`. Raises PortError; ShowError where syphon-python is missing."""

    usage: ClassVar[str] = "syphon:NAME"
    libraries: ClassVar[Mapping[str, str]] = {"syphon": install("syphon")}

    @classmethod
    def named(cls, argument: str, settings: Settings) -> Self:
        """NAME as other programs list it."""
        return cls(findable(argument, cls.usage))

    def __init__(self, name: str, libraries: Sequence[ModuleType] = ()) -> None:
        self.name = name
        self._libraries: Sequence[ModuleType] = libraries  # syphon, syphon.utils.raw, syphon.utils.numpy
        self._server: Any = None
        self._texture: Any = None
        self._size = (0, 0)

    def __enter__(self) -> Self:
        names = ("syphon", "syphon.utils.raw", "syphon.utils.numpy")
        self._libraries = self._libraries or [need(name) for name in names]
        self._server = self._libraries[0].SyphonMetalServer(self.name)
        return self

    def __exit__(self, kind: Fault, *rest: object) -> None:
        self._server.stop()

    def send(self, picture: Picture, slot: int) -> None:
        """Publish a picture, uint8 RGB [h, w, 3], to Syphon's clients."""
        height, width, _ = picture.shape
        _, raw, arrays = self._libraries
        if self._size != (height, width):
            self._texture = raw.create_mtl_texture(self._server.device, width, height)
            self._size = (height, width)
        if self._texture is None:
            raise PortError(f"Metal gives no texture for the Syphon server {self.name}: check the graphics card")
        arrays.copy_image_to_mtl_texture(opaque(picture), self._texture)
        # rows of ours begin at the top, those of Syphon at the bottom
        self._server.publish_frame_texture(self._texture, is_flipped=True)
