"""What of a film is there: a line of JSON a chunk, appended and synced; the first line says which film it is.

Each line of a chunk carries a digest of itself and of the first line, its seal: what was changed since is not believed.

A film's state at the end of a chunk is what the next one begins with: how far the walk went tick by tick, what the
pilot knows, and the trail. So any chunk can be made again, alone, when those before it are in the manifest.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from installation.ipc.jsonable import Json, line, table
from installation.score.performance import Stand
from latentworld.archive import Archive
from latentworld.disk import put, writing
from latentworld.errors import OutputError, OutputExists
from latentworld.lipschitz import Trail
from latentworld.pilot import PilotState

VERSION = 1
SEAL = b',"seal":"'
LARGEST = 1 << 30  # bytes of a manifest: a year of film has fewer


class Identity(msgspec.Struct, frozen=True):
    """What decides a film's pictures and how they are cut into chunks: what differs here is another film."""

    version: int
    program: str
    preset: dict[str, object]
    world: str
    eye: str
    vertices: str
    profile: dict[str, object]
    take: str | None
    chunk: int  # frames of a chunk, before it is rounded up to whole ticks
    enlarger: str | None = None  # digest of the network that enlarges pictures
    sound: str | None = None  # digest of the file that goes with the pictures

    def differences(self, other: Identity) -> list[str]:
        """What the other one has otherwise, in words: key, its own value, the other's."""
        mine, others = flat(table(self)), flat(table(other))
        keys = sorted(key for key in mine.keys() | others.keys() if mine.get(key) != others.get(key))
        return [f"{key} {mine.get(key)!s:.60}, now {others.get(key)!s:.60}" for key in keys]


class Sight(msgspec.Struct, frozen=True):
    """A `PilotState` as JSON takes it."""

    unit: list[float] | None
    feature: list[float] | None
    spacing: float | None
    trend: float
    looked: float | None  # None: it never looked
    attraction: float
    curvature: float
    holds: float
    archive: str = ""  # empty: nothing was seen

    @classmethod
    def of(cls, state: PilotState) -> Sight:
        """What a pilot knows."""
        return cls(
            unit=None if state.unit is None else state.unit.tolist(),
            feature=None if state.feature is None else state.feature.tolist(),
            spacing=None if state.spacing is None else float(state.spacing),
            trend=float(state.trend), looked=float(state.looked) if np.isfinite(state.looked) else None,
            attraction=float(state.attraction), curvature=float(state.curvature), holds=float(state.holds),
            archive=state.archive.text if len(state.archive) else "",
        )  # fmt: skip

    def state(self) -> PilotState:
        """The state of a pilot that goes on from here, to the last bit."""
        return PilotState(
            unit=None if self.unit is None else np.array(self.unit),
            feature=None if self.feature is None else np.array(self.feature),
            spacing=self.spacing, trend=self.trend, looked=-np.inf if self.looked is None else self.looked,
            attraction=self.attraction, curvature=self.curvature, holds=self.holds,
            archive=Archive.read(self.archive),
        )  # fmt: skip


class Chunk(msgspec.Struct, frozen=True):
    """One chunk of a film, whole on disk, and the state of the loop at its end."""

    first: int  # number of its first frame
    frames: int
    size: int  # bytes of its file, or of all its stills
    sha256: str  # of the same
    decoded: str  # of the frames that come out of the file again
    telemetry: str  # SHA-256 of its lines
    pictures: str  # of the pictures as the model made them
    edges: tuple[str, str]  # digests of the first and the last of them
    repeated: int  # frames that repeat the one before, within the chunk
    seconds: float  # it took
    moves: list[tuple[float, float]]  # of each tick: how far the walk went (latent arc), at what curvature
    pilot: Sight | None
    features: list[float]  # of the trail
    point: list[float]
    score: Stand | None = None  # where the score stands, in a film that has one

    @property
    def end(self) -> int:
        """Number of the frame after its last."""
        return self.first + self.frames

    @property
    def trail(self) -> Trail:
        """Where its last frame left off."""
        return Trail(np.array(self.features), np.array(self.point))


class Manifest:
    """The manifest of a folder, read and appended to. Only one process may have it open: see `output.claimed`."""

    def __init__(self, path: Path, identity: Identity, chunks: Iterable[Chunk] = ()) -> None:
        self.path, self.identity = path, identity
        self._chunks = {chunk.first: chunk for chunk in chunks}  # the last word on each counts

    @property
    def chunks(self) -> list[Chunk]:
        """In the order of the film."""
        return [self._chunks[first] for first in sorted(self._chunks)]

    def get(self, first: int) -> Chunk | None:
        """The chunk that begins with that frame."""
        return self._chunks.get(first)

    def add(self, chunk: Chunk) -> None:
        """Enter a chunk that is whole: with this it is part of the film. Raises OutputError."""
        data = sealed(_line(chunk), _line(self.identity)) + b"\n"
        with writing(self.path), self.path.open("ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self._chunks[chunk.first] = chunk

    def rewrite(self, chunks: Iterable[Chunk]) -> None:
        """Hold these chunks and no other. Raises OutputError."""
        kept = list(chunks)
        head = _line(self.identity)
        with writing(self.path):
            put(self.path, b"".join(text + b"\n" for text in [head, *(sealed(_line(chunk), head) for chunk in kept)]))
        self._chunks = {chunk.first: chunk for chunk in kept}

    def drop(self, chunks: Iterable[Chunk]) -> None:
        """Forget chunks whose files are gone or damaged: they are made again."""
        for chunk in chunks:
            del self._chunks[chunk.first]


def read(path: Path) -> Manifest:
    """A folder's manifest, without a last line that is cut short: it may be under way, or a power cut left it.

    Raises OutputError for a damaged one or a newer version's.
    """
    return _parsed(path, _lines(path))


def begun(path: Path, identity: Identity) -> Manifest:
    """A new manifest. Raises OutputError."""
    manifest = Manifest(path, identity)
    with writing(path):
        put(path, _line(identity) + b"\n")
    return manifest


def resumed(path: Path, identity: Identity, anew: bool = False) -> Manifest | None:
    """The manifest of this very film that lies there, its last line cut off where it was left short; None for a damaged
    one or another's, where that may be replaced (`anew`).

    Raises OutputExists where it may not, and says what differs; OutputError as `read`.
    """
    try:
        lines = _lines(path)
        manifest = _parsed(path, lines)
    except OutputError:
        if anew:
            return None
        raise
    other = manifest.identity.differences(identity)
    if not other:
        with writing(path):
            put(path, b"".join(text + b"\n" for text in lines))
        return manifest
    if anew:
        return None
    more = f" and {len(other) - 3} more" if len(other) > 3 else ""
    raise OutputExists(
        f"{path.parent} was begun otherwise ({'; '.join(other[:3])}{more}): go on with it as it was begun, give "
        f"--overwrite, or another folder"
    )


def sealed(text: bytes, head: bytes) -> bytes:
    """A line of a chunk, an object of JSON, with its seal."""
    return text[:-1] + SEAL + hashlib.sha256(head + text).hexdigest().encode() + b'"}'


def _line(value: Identity | Chunk) -> bytes:
    return line(value, compact=True).encode()


def _lines(path: Path) -> list[bytes]:
    with writing(path):
        if path.stat().st_size > LARGEST:
            raise OutputError(f"{path} is too large for a manifest: choose another folder")
        return path.read_bytes().split(b"\n")[:-1]


def _parsed(path: Path, lines: Sequence[bytes]) -> Manifest:
    if not lines:
        raise OutputError(f"{path} is empty: film into another folder, or --overwrite")
    try:
        head, *rest = lines
        version = msgspec.json.decode(head, type=dict[str, object]).get("version")
        if version != VERSION:
            raise OutputError(f"{path} was written by another version ({version!s:.20}): film into another folder")
        own = msgspec.json.decode(head, type=Identity)
    except (ValueError, RecursionError) as error:
        raise OutputError(f"{path} is damaged ({error!s:.120}): film into another folder, or --overwrite") from None
    chunks = []
    for number, text in enumerate(rest, 2):
        if (chunk := _chunk(text, head)) is None:
            remedy = "take that line out of it, and the chunk is made again"
            raise OutputError(f"{path}, line {number} is not as it was written: {remedy}")
        chunks.append(chunk)
    return Manifest(path, own, chunks)


def _chunk(text: bytes, head: bytes) -> Chunk | None:
    """The chunk of a line; None where it is not as it was written."""
    body = text.rpartition(SEAL)[0] + b"}"
    return msgspec.json.decode(body, type=Chunk) if text == sealed(body, head) else None


def flat(value: Mapping[str, Json], above: str = "") -> dict[str, Json]:
    """Tables in tables as one, with dotted keys."""
    found: dict[str, Json] = {}
    for key, part in value.items():
        name = f"{above}{key}"
        found |= flat(part, f"{name}.") if isinstance(part, dict) else {name: part}
    return found
