"""The newest picture as a JPEG, made when somebody asks for it and at most once a picture."""

from __future__ import annotations

from threading import Lock
from typing import Any

from installation.ipc.ring import Ring

EDGE = 640  # pixels of the longest side at most
QUALITY = 80


class NewestPicture:
    """Thread-safe."""

    def __init__(self, ring: Ring) -> None:
        self.ring = ring
        self._lock = Lock()
        self._made: tuple[int, int, bytes] | None = None  # sequence, frame, JPEG
        self._closed = False

    def newest(self) -> tuple[int, bytes] | None:
        """The newest frame's number and its JPEG; None before the first."""
        with self._lock:
            if self._closed:
                return None
            sequence = self.ring.newest
            if sequence and (self._made is None or self._made[0] != sequence):
                shot = self.ring.get(sequence)
                if shot is not None:  # overwritten meanwhile: the one before will do
                    self._made = sequence, shot.frame, jpeg(shot.picture)
            return None if self._made is None else self._made[1:]

    def close(self) -> None:
        """Let go of the ring."""
        with self._lock:
            self._closed = True
            self.ring.close()


def jpeg(picture: Any) -> bytes:
    """A picture uint8[h, w, 3] RGB as a JPEG whose longest side has at most EDGE pixels."""
    import cv2

    height, width = picture.shape[:2]
    scale = EDGE / max(height, width)
    if scale < 1:
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return bytes(data)
