"""A virtual camera, which video calls and OBS take for a webcam: v4l2loopback on Linux, OBS's own elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any, ClassVar, Self

from installation.stage.outputs.output import Fault, Output, Settings
from latentworld.arrays import Picture
from latentworld.errors import PortError
from latentworld.extras import install, need

REMEDY = {
    "linux": "sudo modprobe v4l2loopback exclusive_caps=1 card_label=latentworld (Debian: v4l2loopback-dkms)",
    "darwin": "install OBS and start its virtual camera once",
    "win32": "install OBS, which brings a virtual camera",
}


class Camera(Output):
    """An output that is a webcam for other programs. device: `/dev/video2`, or "" for the first that is free. Raises
    PortError that says how to get one, and ShowError where pyvirtualcam is missing."""

    usage: ClassVar[str] = "camera, camera:DEVICE"
    libraries: ClassVar[Mapping[str, str]] = {"pyvirtualcam": install("camera")}

    @classmethod
    def named(cls, argument: str, settings: Settings) -> Self:
        """DEVICE as /dev/video2; without one, the first that is free."""
        return cls(argument, settings.rate)

    def __init__(self, device: str, rate: float, library: ModuleType | None = None) -> None:
        self.device, self.rate = device, rate
        self._library = library
        self._camera: Any = None
        self._size = (0, 0)

    def __enter__(self) -> Self:
        self._library = self._library or need("pyvirtualcam")
        return self

    def __exit__(self, kind: Fault, *rest: object) -> None:
        self._close()

    def send(self, picture: Picture, slot: int) -> None:
        """Show it to whoever looks."""
        if self._camera is None or self._size != picture.shape[:2]:
            self._open(picture.shape[0], picture.shape[1])
        try:
            self._camera.send(picture)
        except Exception as error:  # each backend raises its own
            raise PortError(f"the virtual camera failed ({error}): it has to be started again") from error

    def _open(self, height: int, width: int) -> None:
        self._close()
        library = self._library = self._library or need("pyvirtualcam")
        device = {"device": self.device} if self.device else {}
        try:
            self._camera = library.Camera(width, height, self.rate, fmt=library.PixelFormat.RGB, **device)
        except Exception as error:
            remedy = REMEDY.get(sys.platform, "install a virtual camera that pyvirtualcam knows")
            raise PortError(f"no virtual camera {self.device or 'at all'} ({error}): {remedy}") from error
        self._size = (height, width)

    def _close(self) -> None:
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()
