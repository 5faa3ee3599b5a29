"""Whether a film is what its manifest says: every chunk's file, its decoded frames and its telemetry."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pydantic

from installation.film import manifest
from installation.film.ffmpeg import Recipe
from installation.film.formats import SUFFIX
from installation.film.join import counted, sums
from installation.film.manifest import Chunk, Manifest
from installation.film.output import Folder, busy
from installation.film.pieces import Pieces, StillPieces, VideoPieces
from latentworld.disk import writing
from latentworld.errors import OutputError
from latentworld.sections import FilmSpec

DAMAGED = ".damaged"  # the ending of a piece that was put aside


@dataclass(frozen=True)
class Standing:
    """How far a film is. missing: parts of it that no chunk holds, as (first frame, frame after the last); busy:
    somebody is making it now; one_file: its chunks are joined, whether or not its summary is there."""

    frames: int
    planned: int
    fps: float
    seconds: float  # that its chunks took
    joined: bool
    busy: bool
    missing: list[tuple[int, int]]
    one_file: bool = False

    @property
    def left(self) -> float | None:
        """Seconds that the rest takes at the rate so far; None where nothing says."""
        return (self.planned - self.frames) * self.seconds / self.frames if self.frames else None


@dataclass(frozen=True)
class Damage:
    """Frames of a film that are not what they were, and why."""

    first: int
    end: int
    why: str

    def __str__(self) -> str:
        return f"frames {self.first} to {self.end - 1}: {self.why}"


def status(folder: Folder) -> Standing:
    """How far the film in a folder is. Raises OutputError where there is none, or its manifest cannot be read."""
    found = _manifest(folder)
    spec, chunks = _spec(found), found.chunks
    if not folder.joined:
        chunks = [chunk for chunk in chunks if _is_there(pieces_in(folder, found), folder, chunk)]
    missing, end = [], 0
    for chunk in chunks:
        if chunk.first > end:
            missing.append((end, chunk.first))
        end = max(end, chunk.end)
    if end < spec.frames:
        missing.append((end, spec.frames))
    made = sum(chunk.frames for chunk in chunks)
    return Standing(
        made,
        spec.frames,
        spec.fps,
        sum(chunk.seconds for chunk in chunks),
        folder.whole,
        busy(folder.path),
        missing,
        folder.joined,
    )


def _is_there(pieces: Pieces, folder: Folder, chunk: Chunk) -> bool:
    """By names and sizes: how far a film is must be told at once."""
    return pieces.there(chunk.first, chunk.frames, chunk.size) and _lines_of(folder, chunk).is_file()


def _lines_of(folder: Folder, chunk: Chunk) -> Path:
    return folder.chunks / f"{chunk.first:09d}.csv"


def verify(folder: Folder, watch: Callable[[Chunk], object] = lambda chunk: None) -> list[Damage]:
    """What of a film is not as its manifest says; everything is read and decoded. watch: is told of each chunk.

    A piece that is damaged is put aside, so that it is made again, unless somebody is making the film now. Raises
    OutputError as `status`.
    """
    found, aside = _manifest(folder), not folder.joined and not busy(folder.path)
    spec, pieces = _spec(found), pieces_in(folder, found)
    damages = _joined(folder, found, watch) if folder.joined and spec.codec != "frames" else []
    if not folder.joined or spec.codec == "frames":
        for chunk in found.chunks:
            watch(chunk)
            if why := _harm(pieces, folder, chunk, folder.joined):
                damages.append(Damage(chunk.first, chunk.end, why))
                path = pieces.path(chunk.first)
                if aside and path.is_file():
                    with writing(path):
                        path.replace(path.with_name(path.name + DAMAGED))
    if folder.joined and (why := _lines(folder, found.chunks)):
        damages.append(Damage(0, spec.frames, why))
    return damages + [Damage(*gap, "not there") for gap in status(folder).missing if folder.joined]


def _joined(folder: Folder, found: Manifest, watch: Callable[[Chunk], object]) -> list[Damage]:
    """The damages of a film whose chunks are one file."""
    video = folder.video(SUFFIX[_spec(found).codec])  # type: ignore[index]
    if not video.is_file():
        return [Damage(0, found.chunks[-1].end, f"{video} is gone")]
    frames, damages = sums(video), list[Damage]()
    waiting = next(frames, None)
    for chunk in found.chunks:
        watch(chunk)
        own = list[tuple[int, bytes]]()
        while waiting is not None and waiting[0] < chunk.end:
            own.append(waiting)
            waiting = next(frames, None)
        if len(own) < chunk.frames:
            lost = chunk.frames - len(own)
            damages.append(Damage(chunk.first, chunk.end, f"{lost} cannot be decoded"))
        elif counted(own)[1] != chunk.decoded:
            damages.append(Damage(chunk.first, chunk.end, "other frames come out than went in"))
    if waiting is not None:
        damages.append(Damage(waiting[0], waiting[0] + 1 + sum(1 for _ in frames), "they are no part of the film"))
    return damages


def _harm(pieces: Pieces, folder: Folder, chunk: Chunk, whole: bool) -> str:
    """What is wrong with a chunk on disk, "" for nothing."""
    kept = pieces.found(chunk.first, chunk.frames)
    if kept is None:
        return "the file is gone"
    if (kept.size, kept.sha256) != (chunk.size, chunk.sha256):
        return "the file is another"
    if kept.decoded != chunk.decoded:
        return "other frames come out than went in"
    lines = _lines_of(folder, chunk)
    if not whole and (not lines.is_file() or hashlib.sha256(lines.read_bytes()).hexdigest() != chunk.telemetry):
        return "its telemetry is another"
    return ""


def _lines(folder: Folder, chunks: list[Chunk]) -> str:
    """What is wrong with the telemetry of a whole film."""
    try:
        with folder.telemetry.open("rb") as file:
            head = file.readline()
            for chunk in chunks:
                digest = hashlib.sha256(head)
                for line in islice(file, chunk.frames):
                    digest.update(line)
                if digest.hexdigest() != chunk.telemetry:
                    return f"{folder.telemetry.name} is another from frame {chunk.first} on"
    except OSError as error:
        return f"{folder.telemetry.name} cannot be read ({error.strerror})"
    return ""


def _manifest(folder: Folder) -> Manifest:
    if not folder.manifest.is_file():
        raise OutputError(f"{folder.path} holds no film in chunks: name the folder of one")
    return manifest.read(folder.manifest)


def _spec(found: Manifest) -> FilmSpec:
    try:
        return FilmSpec.model_validate(found.identity.preset.get("film", {}))
    except pydantic.ValidationError:
        raise OutputError(f"{found.path} is damaged (no film of ours): film into another folder") from None


def pieces_in(folder: Folder, found: Manifest) -> Pieces:
    """What reads them; how large the pictures are does not matter for that."""
    spec = _spec(found)
    if spec.codec == "frames":
        return StillPieces(folder.frames, (0, 0))
    return VideoPieces(folder.chunks, Recipe(spec.codec, spec.fps, (0, 0), (0, 0)), folder.video(SUFFIX[spec.codec]))
