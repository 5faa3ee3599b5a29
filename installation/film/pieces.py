"""How the frames of a chunk lie on disk: a piece of video, or stills."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from installation.film.ffmpeg import Recipe
from installation.film.finish import Finish
from installation.film.formats import SUFFIX
from installation.film.imprint import Marks
from installation.film.join import counted, frame, join, sums
from installation.film.label import Label
from installation.film.sinks import Forget, Sink, Stills, Video
from installation.film.soundtrack import SoundTrack
from installation.fit import Fit, Size
from latentworld.arrays import Picture
from latentworld.disk import writing
from latentworld.errors import EncoderFailed

SOUND = "sound.wav"  # beside stills


@dataclass(frozen=True)
class Kept:
    """What is on disk of some frames: bytes, their SHA-256, and a digest of the frames that come out again."""

    size: int
    sha256: str
    decoded: str


class Pieces(Protocol):
    """One way to keep chunks. `first` and `frames`: number of a chunk's first frame, and how many it has."""

    def path(self, first: int) -> Path:
        """A chunk that is whole."""

    def partial(self, first: int) -> Path:
        """A chunk under way; it plays as far as it goes."""

    def files(self, first: int, frames: int) -> list[Path]:
        """Every file of a chunk that is whole."""

    def sink(self, first: int) -> Sink:
        """Takes the frames of a chunk; what it leaves is no part of the film yet."""

    def commit(self, first: int, frames: int) -> Kept:
        """Make what the sink left part of the film: synced and under its own name. Raises OutputError."""

    def there(self, first: int, frames: int, size: int) -> bool:
        """Whether the chunk's files are there, by their names and sizes."""

    def sha256(self, first: int, frames: int) -> str:
        """Of all bytes of the chunk's files, which are there."""

    def found(self, first: int, frames: int) -> Kept | None:
        """What is on disk of a chunk now, read whole; None where something is missing."""

    def picture(self, first: int, offset: int) -> Picture | None:
        """A frame of a chunk, also of one that is not whole, uint8[height, width, 3]; None where it cannot be had."""

    def join(self, chunks: Sequence[tuple[int, int]], label: Label | None = None) -> Path:
        """Put all chunks, (first, frames) each, together; where the film then is. label: what its file says of itself.
        Raises OutputError."""


@dataclass(frozen=True)
class VideoPieces:
    """A file of video a chunk, joined as `target`, with its sound."""

    folder: Path
    recipe: Recipe
    target: Path
    finish: Finish | None = None
    sound: SoundTrack | None = None

    def path(self, first: int) -> Path:
        """A chunk that is whole."""
        return self.folder / f"{first:09d}{SUFFIX[self.recipe.codec]}"

    def partial(self, first: int) -> Path:
        """A chunk under way; it plays as far as it goes."""
        return self.folder / f"{first:09d}.part{SUFFIX[self.recipe.codec]}"

    def files(self, first: int, frames: int) -> list[Path]:
        """One."""
        return [self.path(first)]

    def sink(self, first: int) -> Sink:
        """An encoder."""
        return Video(self.partial(first), self.recipe, self.finish)

    def commit(self, first: int, frames: int) -> Kept:
        """Count what comes out again, sync, rename."""
        side, path = self.partial(first), self.path(first)
        kept = _video(side)
        count, decoded = counted(sums(side))
        if count != frames:
            raise EncoderFailed(f"{side} has {count} frames of {frames}: film again; try `latentworld doctor`")
        with writing(path):
            side.replace(path)
            sync_folder(self.folder)
        return replace(kept, decoded=decoded)

    def there(self, first: int, frames: int, size: int) -> bool:
        """Whether the file has its size."""
        path = self.path(first)
        return path.is_file() and path.stat().st_size == size

    def sha256(self, first: int, frames: int) -> str:
        """Of the file."""
        return _sha256(self.files(first, frames))

    def found(self, first: int, frames: int) -> Kept | None:
        """The file, read and decoded."""
        path = self.path(first)
        return replace(_video(path), decoded=counted(sums(path))[1]) if path.is_file() else None

    def picture(self, first: int, offset: int) -> Picture | None:
        """Decoded from the file."""
        path = self.path(first) if self.path(first).is_file() else self.partial(first)
        return frame(path, offset, self.recipe.fps, self.recipe.size)

    def join(self, chunks: Sequence[tuple[int, int]], label: Label | None = None) -> Path:
        """Copy them into one file."""
        names = [self.path(first).name for first, _ in chunks]
        join(self.folder, names, self.target, sum(frames for _, frames in chunks), label, self.recipe.fps, self.sound)
        return self.target


@dataclass(frozen=True)
class StillPieces:
    """A folder of stills, numbered through: a chunk is some of them, and nothing is left to join. Their sound lies
    beside them."""

    folder: Path
    size: Size
    fit: Fit = "contain"
    finish: Finish | None = None
    marks: Marks | None = None
    sound: SoundTrack | None = None

    def path(self, first: int) -> Path:
        """A still."""
        return self.folder / f"{first:09d}.png"

    def partial(self, first: int) -> Path:
        """Stills are whole from the beginning."""
        return self.folder

    def files(self, first: int, frames: int) -> list[Path]:
        """One a frame."""
        return [self.path(index) for index in range(first, first + frames)]

    def sink(self, first: int) -> Sink:
        """Each still is whole or not there."""
        return Stills(self.folder, self.size, self.fit, first, self.finish, self.marks)

    def commit(self, first: int, frames: int) -> Kept:
        """They are synced already, one by one."""
        kept = self.found(first, frames)
        if kept is None:
            raise EncoderFailed(f"{self.folder} lacks stills from {first:09d} on: film again")
        with writing(self.folder):
            sync_folder(self.folder)
        return kept

    def there(self, first: int, frames: int, size: int) -> bool:
        """Whether all are there, and together have that size."""
        paths = self.files(first, frames)
        return all(path.is_file() for path in paths) and sum(path.stat().st_size for path in paths) == size

    def sha256(self, first: int, frames: int) -> str:
        """Of them, one after the other."""
        return _sha256(self.files(first, frames))

    def found(self, first: int, frames: int) -> Kept | None:
        """The stills, read and decoded."""
        size, total, decoded = 0, hashlib.sha256(), hashlib.sha256()
        for index in range(first, first + frames):
            path = self.path(index)
            if not path.is_file():
                return None
            data = path.read_bytes()
            size += len(data)
            total.update(data)
            with suppress(OSError, SyntaxError), Image.open(path) as image:  # a damaged one adds nothing
                decoded.update(np.asarray(image).tobytes())
        return Kept(size, total.hexdigest(), decoded.hexdigest())

    def picture(self, first: int, offset: int) -> Picture | None:
        """Read from its file."""
        with suppress(OSError), Image.open(self.path(first + offset)) as image:
            return np.asarray(image.convert("RGB"))
        return None

    def join(self, chunks: Sequence[tuple[int, int]], label: Label | None = None) -> Path:
        """Nothing to do but to write the sound."""
        if self.sound:
            self.sound.save(self.folder.with_name(SOUND))
        return self.folder


@dataclass(frozen=True)
class NoPieces:
    """Places alone are kept: a plan has no pictures."""

    def path(self, first: int) -> Path:
        """Nowhere."""
        return Path(os.devnull)

    def partial(self, first: int) -> Path:
        """Nowhere."""
        return Path(os.devnull)

    def files(self, first: int, frames: int) -> list[Path]:
        """None."""
        return []

    def sink(self, first: int) -> Sink:
        """Takes every batch and keeps none."""
        return Forget()

    def commit(self, first: int, frames: int) -> Kept:
        """Nothing to make whole."""
        return Kept(0, "", "")

    def there(self, first: int, frames: int, size: int) -> bool:
        """It always is."""
        return True

    def sha256(self, first: int, frames: int) -> str:
        """Of nothing, as it is kept."""
        return ""

    def found(self, first: int, frames: int) -> Kept | None:
        """Nothing."""
        return Kept(0, "", "")

    def picture(self, first: int, offset: int) -> Picture | None:
        """There is none."""
        return None

    def join(self, chunks: Sequence[tuple[int, int]], label: Label | None = None) -> Path:
        """Nowhere."""
        return Path(os.devnull)


def _sha256(paths: Sequence[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        with writing(path), path.open("rb") as file:
            while data := file.read(1 << 20):
                total.update(data)
    return total.hexdigest()


def sync_folder(folder: Path) -> None:
    """Make names that were given or changed in a folder last through a power cut; systems that cannot are left be."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _video(path: Path) -> Kept:
    """A file's size and digest, and the file synced."""
    with writing(path), path.open("rb") as file:
        os.fsync(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Kept(path.stat().st_size, digest, "")
