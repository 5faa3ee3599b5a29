"""NDI: a source on the network that mixers, OBS and Resolume find by name.

Uncompressed pictures go to the NDI library, which compresses them and sends them to whoever asked. NDI knows no
password: who reaches this machine by network sees the source. See docs/outputs.md for what it opens.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from types import ModuleType
from typing import Any, ClassVar, Self

import numpy as np

from installation.stage.outputs.output import Fault, Output, Settings
from latentworld.arrays import Picture
from latentworld.errors import PortError
from latentworld.extras import install, need


class Ndi(Output):
    """An output that sends as the NDI source `name`, `rate` pictures a second. Raises PortError, and ShowError where
    cyndilib is missing."""

    usage: ClassVar[str] = "ndi:NAME"
    networked: ClassVar[bool] = True
    libraries: ClassVar[Mapping[str, str]] = {"cyndilib": install("ndi")}

    @classmethod
    def named(cls, argument: str, settings: Settings) -> Self:
        """NAME as mixers list it."""
        return cls(argument, settings.rate)

    def __init__(self, name: str, rate: float, library: ModuleType | None = None) -> None:
        if not name.strip() or not name.isprintable() or len(name.encode()) > 200:
            raise PortError(f"{name!r:.80} is no name for an NDI source: use up to 200 printable characters")
        self.name, self.rate = name, rate
        self._library = library
        self._sender: Any = None
        self._pixels: Picture = np.zeros((0, 0, 4), np.uint8)

    def __enter__(self) -> Self:
        self._library = self._library or need("cyndilib")
        return self

    def __exit__(self, kind: Fault, *rest: object) -> None:
        self._close()

    def send(self, picture: Picture, slot: int) -> None:
        """Send it; NDI works on while this returns."""
        if self._pixels.shape[:2] != picture.shape[:2]:
            self._open(picture.shape[0], picture.shape[1])
        self._pixels[..., :3] = picture
        try:
            self._sender.write_video_async(self._pixels.reshape(-1))
        except Exception as error:  # cyndilib raises plain exceptions
            raise PortError(f"the NDI source {self.name} failed ({error}): it has to be started again") from error

    @property
    def receivers(self) -> int:
        """How many receivers are connected to the source."""
        return 0 if self._sender is None else int(self._sender.get_num_connections(0))

    def _open(self, height: int, width: int) -> None:
        self._close()
        library = self._library = self._library or need("cyndilib")
        try:
            frame = library.VideoSendFrame()
            frame.set_resolution(width, height)
            frame.set_fourcc(library.FourCC.RGBX)
            frame.set_frame_rate(Fraction(self.rate).limit_denominator(1001))
            # it must not hold us back to that rate: we keep time ourselves
            sender = library.Sender(self.name, clock_video=False, clock_audio=False)
            sender.set_video_frame(frame)
            sender.open()
        except Exception as error:
            raise PortError(
                f"the NDI source {self.name} cannot be opened ({error}): another program may use that name, or this"
                " machine has no network"
            ) from error
        self._sender = sender
        self._pixels = np.full((height, width, 4), 255, np.uint8)

    def _close(self) -> None:
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.close()
