"""Spout (Windows) and Syphon (macOS): pictures to other programs of the same machine, on the graphics card.

Written after the examples of SpoutGL 0.1.1 (examples/image/sender.py) and syphon-python (README.md,
examples/MetalServerVideoExample.py), and tested
against stand-ins of them: neither runs on Linux.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any, Self

import numpy as np

from installation.extras import need
from installation.stage.outputs.output import Fault
from latentworld.arrays import Picture
from latentworld.errors import PortError

_GL_RGBA = 0x1908


def _opaque(picture: Picture) -> Picture:
    """RGB with an alpha of one."""
    height, width, _ = picture.shape
    return np.dstack([picture, np.full((height, width), 255, np.uint8)])


class Spout:
    """A `Sink` that is the Spout sender `name`. Raises PortError; ShowError where SpoutGL is missing."""

    def __init__(self, name: str, library: ModuleType | None = None) -> None:
        self.name = name
        self._library: Any = library
        self._sender: Any = None

    def __enter__(self) -> Self:
        library = self._library or need("SpoutGL", "spout")
        self._sender = library.SpoutSender().__enter__()
        self._sender.setSenderName(self.name)
        return self

    def __exit__(self, kind: Fault, *rest: object) -> None:
        self._sender.__exit__(None, None, None)

    def send(self, picture: Picture, slot: int) -> None:
        """Share it."""
        height, width, _ = picture.shape
        if not self._sender.sendImage(_opaque(picture).tobytes(), width, height, _GL_RGBA, False, 0):
            raise PortError(f"Spout takes no pictures from {self.name}: check that this machine has a graphics card")
        self._sender.setFrameSync(self.name)


class Syphon:
    """A `Sink` that is the Syphon server `name`. Raises PortError; ShowError where syphon-python is missing."""

    def __init__(self, name: str, libraries: Sequence[ModuleType] = ()) -> None:
        self.name = name
        self._libraries: Sequence[Any] = libraries  # syphon, syphon.utils.raw, syphon.utils.numpy
        self._server: Any = None
        self._texture: Any = None
        self._size = (0, 0)

    def __enter__(self) -> Self:
        names = ("syphon", "syphon.utils.raw", "syphon.utils.numpy")
        self._libraries = self._libraries or [need(name, "syphon") for name in names]
        self._server = self._libraries[0].SyphonMetalServer(self.name)
        return self

    def __exit__(self, kind: Fault, *rest: object) -> None:
        self._server.stop()

    def send(self, picture: Picture, slot: int) -> None:
        """Share it."""
        height, width, _ = picture.shape
        _, raw, arrays = self._libraries
        if self._size != (height, width):
            self._texture = raw.create_mtl_texture(self._server.device, width, height)
            self._size = (height, width)
        if self._texture is None:
            raise PortError(f"Metal gives no texture for the Syphon server {self.name}: check the graphics card")
        arrays.copy_image_to_mtl_texture(_opaque(picture), self._texture)
        # rows of ours begin at the top, those of Syphon at the bottom
        self._server.publish_frame_texture(self._texture, is_flipped=True)
