"""Sinks: where frames go. A sink is a context manager with `send`; whatever ends the `with`, what it left is whole."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from installation.film.encoder import Encoder
from installation.film.ffmpeg import Recipe
from installation.film.finish import Finish, fitted_in
from installation.film.imprint import Marks
from installation.fit import Fit, Size
from installation.frames import Frames
from installation.loop import Outlet
from latentworld.arrays import Pictures
from latentworld.disk import save, writing
from latentworld.errors import DiskFull, OutputError

Fault = type[BaseException] | None


class Sink(Protocol):
    """Opened by `with`, fed by `send`, closed by the end of the `with`, also after an exception."""

    def __enter__(self) -> Self: ...
    def __exit__(self, kind: Fault, error: BaseException | None, trace: TracebackType | None, /) -> None: ...
    def send(self, frames: Frames) -> None:
        """Take a batch of frames; OutputError when it cannot be kept."""
        ...


class Tee:
    """Several outlets as one; whoever made them opens and closes them."""

    def __init__(self, outlets: Sequence[Outlet]) -> None:
        self.outlets = outlets

    def send(self, frames: Frames) -> None:
        """Hand the batch to each in turn."""
        for outlet in self.outlets:
            outlet.send(frames)


class Sinks(Tee):
    """Several sinks as one: all are closed, in reverse order, whichever of them fails."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        super().__init__(sinks)
        self._sinks = sinks
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            for sink in self._sinks:
                opening.enter_context(sink)
            self._stack = opening.pop_all()
        return self

    def __exit__(self, kind: Fault, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, trace)


class Memory:
    """Keeps every batch; for tests and for short films in notebooks. The stand-in that specifies a sink."""

    def __init__(self) -> None:
        self.batches: list[Frames] = []
        self.open = False

    def __enter__(self) -> Self:
        self.open = True
        return self

    def __exit__(self, kind: Fault, *rest: object) -> None:
        self.open = False

    def send(self, frames: Frames) -> None:
        """Append a batch of frames to `batches`. Raises OutputError outside the `with` block."""
        if not self.open:
            raise OutputError("this sink is closed: send frames inside its `with` block")
        self.batches.append(frames)

    @property
    def pictures(self) -> Pictures:
        """All pictures so far, uint8[n, height, width, 3]."""
        return np.concatenate([frames.pictures for frames in self.batches])


class Forget:
    """Keeps nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Fault, *rest: object) -> None:
        pass

    def send(self, frames: Frames) -> None:
        """Forget the batch."""


class Video:
    """A film file, encoded by an ffmpeg of its own. Without a frame no file is left: it would not play."""

    def __init__(self, target: Path, recipe: Recipe, finish: Finish | None = None) -> None:
        self.target, self.recipe, self.finish = target, recipe, finish
        self._encoder: Encoder | None = None
        self._frames = 0

    def __enter__(self) -> Self:
        with writing(self.target):  # the encoder of a film that was killed may still write there: that file is its own
            self.target.unlink(missing_ok=True)
        self._encoder = Encoder(self.recipe, self.target)
        return self

    def __exit__(self, kind: Fault, *rest: object) -> None:
        encoder, self._encoder = self._encoder, None
        if encoder is None:
            return
        try:
            encoder.close()
        except OutputError:
            if kind is None:  # else the first fault is the one to report; the file plays as far as it goes
                raise
        finally:
            if not self._frames:
                self.target.unlink(missing_ok=True)

    def send(self, frames: Frames) -> None:
        """Queue the batch; waits for the encoder when it is behind."""
        if self._encoder is None:
            raise OutputError("this sink is closed: send frames inside its `with` block")
        expected = (*self.recipe.source, 3)
        for picture, number in zip(frames.pictures, frames.path.index.tolist()):
            made = picture if self.finish is None else self.finish(picture, number)
            if made.shape != expected:
                raise OutputError(f"pictures of {made.shape} do not fit a film of {expected}: send equal sizes")
            self._encoder.send(made.tobytes())
            self._frames += 1


class Stills:
    """PNG files numbered from `first` on, nine digits; each is there whole or not at all, and says how it was made."""

    def __init__(
        self, folder: Path, size: tuple[int, int], fit: Fit = "contain", first: int = 0, finish: Finish | None = None,
        marks: Marks | None = None,
    ) -> None:  # fmt: skip
        self.folder, self.size, self.fit, self.finish, self.marks = folder, size, fit, finish, marks
        self._next, self._open = first, False

    def __enter__(self) -> Self:
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        self._open = True
        return self

    def __exit__(self, kind: Fault, *rest: object) -> None:
        self._open = False

    def send(self, frames: Frames) -> None:
        """Write the batch."""
        if not self._open:
            raise OutputError("this sink is closed: send frames inside its `with` block")
        path = frames.path
        for picture, number, unit, radius in zip(frames.pictures, path.index.tolist(), path.unit, path.radius):
            made = frames.made.get(number, "")
            info = None if self.marks is None else self.marks.png(unit, float(radius), picture, number, made)
            done = picture if self.finish is None else self.finish(picture, number)
            save_png(self.folder / f"{self._next:09d}.png", done, self.size, self.fit, info)
            self._next += 1


class Room:
    """Stops a film while the disk still has room to finish it: the last seconds, the telemetry and the pictures."""

    def __init__(self, folder: Path, reserve: int = 24_000_000, free: Callable[[Path], int] | None = None) -> None:
        self.folder, self.reserve = folder, reserve
        self._free = free or (lambda path: shutil.disk_usage(path).free)

    def __enter__(self) -> Self:
        self.check("nothing was written yet")
        return self

    def __exit__(self, kind: Fault, *rest: object) -> None:
        pass

    def send(self, frames: Frames) -> None:
        """Look before the batch is written."""
        self.check("what was written so far plays")

    def check(self, state: str) -> None:
        """Raises DiskFull where there is too little. state: of the film, in words."""
        with writing(self.folder):
            left = self._free(self.folder)
        if left < self.reserve:
            raise DiskFull(
                f"the disk of {self.folder} is full ({left / 1e6:.0f} MB left); {state}: "
                f"free more than {self.reserve / 1e6:.0f} MB, or choose another folder"
            )


def save_png(
    path: Path, picture: Pictures, size: Size | None = None, fit: Fit = "contain", info: PngInfo | None = None
) -> None:
    """Write uint8[height, width, 3] as a PNG of `size` (height, width), whole or not at all. info: texts in it."""
    image = Image.fromarray(picture if size is None else fitted_in(picture, size, fit))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=4, pnginfo=info)
    save(path, buffer.getvalue())
