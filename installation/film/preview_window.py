"""A window to watch a film being made. For looking only: OpenCV's windows are no stage."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Self

from installation.frames import Frames
from latentworld.errors import OutputError

_REMEDY = "leave --preview out, or start from a desktop session"
_TRY = "import cv2; cv2.namedWindow('latentworld'); cv2.destroyAllWindows()"


def display() -> str | None:
    """The display a window would open on; None when there is none."""
    if sys.platform in ("win32", "darwin"):
        return "desktop"
    return os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY") or None


class PreviewWindow:
    """Shows each batch's frames; closing the window, or q, ends the watching and not the film."""

    def __init__(self, title: str = "latentworld") -> None:
        if (where := display()) is None:
            raise OutputError(f"no display for the preview window: {_REMEDY}")
        # in a process of its own: OpenCV's Qt aborts the one it is in where a display is named but does not answer
        tried = [] if where == "desktop" else [sys.executable, "-c", _TRY]
        if tried and subprocess.run(tried, capture_output=True, check=False).returncode:
            raise OutputError(f"OpenCV opens no window on display {where}: {_REMEDY}")
        self.title = title
        self._shown = False

    def __enter__(self) -> Self:
        import cv2

        try:
            cv2.namedWindow(self.title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        except cv2.error as error:
            first = str(error).strip().splitlines()[0]
            raise OutputError(f"OpenCV opened no window ({first}): {_REMEDY}") from None
        self._shown = True
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._close()

    def send(self, frames: Frames) -> None:
        """Show the batch, unless the window was closed."""
        if not self._shown:
            return
        import cv2

        for picture in frames.pictures:
            cv2.imshow(self.title, picture[:, :, ::-1])
            key = cv2.waitKey(1) & 0xFF
            if key in (27, ord("q")) or cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) < 1:
                self._close()
                return

    def _close(self) -> None:
        if self._shown:
            import cv2

            self._shown = False
            cv2.destroyWindow(self.title)
