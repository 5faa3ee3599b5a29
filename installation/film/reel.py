"""A film under way: its chunks, whole or absent, in the folder's `chunks/`, and what is still to be rendered.

::

    reel = Reel(folder, manifest, pieces, plane)
    for first, ticks, begin in reel.missing(parts):  # in the film's order; state of the loop before each
        with reel.writing(first) as written: ... # a sink
        reel.keep(written, ...)                  # it becomes part of the film, while the next one is rendered
    reel.settle()                                # now it is
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path as File
from types import TracebackType
from typing import Self

import msgspec
import numpy as np

from installation.clock import Tick
from installation.film import telemetry
from installation.film.label import Label
from installation.film.manifest import Chunk, Manifest, Sight
from installation.film.pieces import Pieces, sync_folder
from installation.film.sinks import Fault, Sinks
from installation.frames import Frames, digest
from installation.loop import Scene
from installation.score.performance import Performance, ScoredParts, Stand, State
from installation.takes import Parts
from latentworld.arrays import Picture, Pictures
from latentworld.disk import put, save, writing
from latentworld.errors import Notice, OutputError
from latentworld.lipschitz import Trail, along
from latentworld.pilot import PilotState
from latentworld.plane import Path, Plane
from latentworld.walks import Walk


@dataclass(frozen=True, eq=False)
class Begin:
    """What a chunk begins with: where the walk stands, the trail, what the pilot knows (None: at the film's
    beginning), and where its score stands, if it has one."""

    walk: Walk
    trail: Trail | None = None
    pilot: PilotState | None = None
    score: State | None = None


class Tally:
    """Counts frames, and those that repeat the one before; knows digests of all pictures, of the first and the last."""

    def __init__(self) -> None:
        self.frames = self.repeated = 0
        self.edges = ("", "")
        self._all = hashlib.sha256()
        self._last: Pictures | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        if self._last is not None:
            self.edges = (self.edges[0], digest(self._last))
        self._last = None

    def send(self, frames: Frames) -> None:
        """Count the batch."""
        for picture in frames.pictures:
            if self._last is None:
                self.edges = (digest(picture), "")
            self.repeated += self._last is not None and bool(np.array_equal(picture, self._last))
            self._all.update(picture)
            self._last = picture
        self.frames += len(frames)
        if len(frames):
            self._last = frames.pictures[-1].copy()  # not a view, which would keep the whole batch alive

    @property
    def pictures(self) -> str:
        """A digest of all of them."""
        return self._all.hexdigest()


class Written:
    """The sink of one chunk: its frames, its lines of telemetry, its tally. check: asked before each batch, and raises
    where the chunk before could not be kept."""

    def __init__(
        self, pieces: Pieces, lines: File, plane: Plane, first: int, check: Callable[[], None] | None = None
    ) -> None:
        self.first, self.tally, self._check = first, Tally(), check
        self._sinks = Sinks([pieces.sink(first), telemetry.Recorder(lines, plane), self.tally])

    def __enter__(self) -> Self:
        self._sinks.__enter__()
        return self

    def __exit__(self, kind: Fault, error: BaseException | None, trace: TracebackType | None) -> None:
        self._sinks.__exit__(kind, error, trace)

    def send(self, frames: Frames) -> None:
        """Keep the batch."""
        if self._check is not None:
            self._check()
        self._sinks.send(frames)


@dataclass(frozen=True)
class _Kept:
    """A chunk whose files are looked at, counted and synced. chunk: all that is known without them."""

    chunk: Chunk
    done: Future[None]


class Reel:
    """The chunks of one film. folder: where they lie; length: frames of a chunk, rounded up to whole ticks."""

    def __init__(self, folder: File, manifest: Manifest, pieces: Pieces, plane: Plane, length: int) -> None:
        self.folder, self.manifest, self.pieces, self.plane, self.length = folder, manifest, pieces, plane, length
        self._begun: int | None = None  # the first frame of a chunk under way
        self._kept: _Kept | None = None
        self._keeper = ThreadPoolExecutor(1, "keep")
        self.lost = [chunk for chunk in manifest.chunks if not self._is_whole(chunk)]
        manifest.drop(self.lost)
        if self.lost:
            parts = ", ".join(f"{chunk.first} to {chunk.end - 1}" for chunk in self.lost[:3])
            more = f" and {len(self.lost) - 3} chunks more" if len(self.lost) > 3 else ""
            warnings.warn(
                f"frames {parts}{more} are gone or not as they were made: they are made again", Notice, stacklevel=3
            )
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)

    def _is_whole(self, chunk: Chunk) -> bool:
        """Whether a chunk's files are those that were kept, to the byte: whatever was written to them since would be
        joined with the rest, and seen by nobody."""
        lines = self.lines(chunk.first)
        return (
            self.pieces.there(chunk.first, chunk.frames, chunk.size)
            and lines.is_file()
            and hashlib.sha256(lines.read_bytes()).hexdigest() == chunk.telemetry
            and self.pieces.sha256(chunk.first, chunk.frames) == chunk.sha256
        )

    def lines(self, first: int) -> File:
        """The telemetry of a chunk."""
        return self.folder / f"{first:09d}.csv"

    def partial_lines(self, first: int) -> File:
        """The telemetry of a chunk under way."""
        return self.folder / f"{first:09d}.part.csv"

    def missing(self, parts: Parts, wanted: range | None = None) -> Iterator[tuple[int, list[Tick], Begin]]:
        """Each chunk that is not there, in order: which frame of the film is its first, its ticks, and what it begins
        with. Each is to be kept before the next is asked for. wanted: only chunks that these frames lie in, of a way
        that is known beforehand."""
        if parts.after is not None:
            for first, ticks, before in self._absent(parts, wanted):
                yield first, ticks, Begin(parts.walk) if before is None else _after(*parts.after(before))
            return
        score = parts.played if isinstance(parts, ScoredParts) else None
        begin = Begin(parts.walk, score=None if score is None else score.state)
        for first, ticks in numbered(parts.clock, self.length):
            if self._chunk(first, ticks) is None:
                yield first, ticks, begin
            chunk = self._chunk(first, ticks)
            if chunk is None:
                return
            begin = _onward(begin, chunk) if score is None else _played_on(score, begin, ticks, chunk)

    def absent(self, parts: Parts, wanted: range | None = None) -> list[int]:
        """First frames of the chunks that are not there, of a way that is known beforehand."""
        return [first for first, _, _ in self._absent(parts, wanted)]

    def _absent(self, parts: Parts, wanted: range | None) -> Iterator[tuple[int, list[Tick], Tick | None]]:
        """Those chunks, with their ticks and the tick before."""
        before: Tick | None = None
        for first, ticks in numbered(parts.clock, self.length):
            end = first + sum(map(len, ticks))
            asked = wanted is None or (first < wanted.stop and end > wanted.start)
            if asked and self._chunk(first, ticks) is None:
                yield first, ticks, before
            before = ticks[-1]

    def _chunk(self, first: int, ticks: Sequence[Tick]) -> Chunk | None:
        """A chunk that is there; none of a way that has become longer since, whose last one was shorter."""
        kept = self._kept
        chunk = kept.chunk if kept is not None and kept.chunk.first == first else self.manifest.get(first)
        return chunk if chunk is not None and chunk.frames == sum(map(len, ticks)) else None

    def writing(self, first: int) -> Written:
        """A sink for the chunk that begins with that frame. What it leaves is no part of the film until it is kept."""
        self._begun = first
        return Written(self.pieces, self.partial_lines(first), self.plane, first, self._check)

    def keep(
        self, written: Written, moves: Sequence[tuple[float, float]], pilot: PilotState | None, trail: Trail,
        seconds: float, score: Stand | None = None,
    ) -> None:  # fmt: skip
        """Make a chunk part of the film, by the time that `settle` returns, while the next one may be rendered: all its
        frames are decoded once more, a tenth of a second for a minute at 64 pixels. Raises OutputError as `settle`, for
        the chunk before."""
        self.settle()
        first, tally = written.first, written.tally
        chunk = Chunk(
            first, tally.frames, 0, "", "", "",
            tally.pictures, tally.edges, tally.repeated, seconds, list(moves),
            None if pilot is None else Sight.of(pilot), trail.features.tolist(), trail.point.tolist(), score,
        )  # fmt: skip
        self._begun = None
        self._kept = _Kept(chunk, self._keeper.submit(self._commit, chunk))

    def settle(self) -> None:
        """Wait until what was kept is part of the film. Raises OutputError where it cannot be, also where it was there
        before with other pictures."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.done.result()

    def _check(self) -> None:
        """Settle what has ended: that a disk is full is told at once, and not a chunk later."""
        if self._kept is not None and self._kept.done.done():
            self.settle()

    def _commit(self, chunk: Chunk) -> None:
        """Name a chunk's files as whole, and enter it."""
        side, lines = self.partial_lines(chunk.first), self.lines(chunk.first)
        files = self.pieces.commit(chunk.first, chunk.frames)
        with writing(lines):
            data = side.read_bytes()
            put(lines, data)
            side.unlink()
            sync_folder(self.folder)
        self._enter(
            msgspec.structs.replace(
                chunk, size=files.size, sha256=files.sha256, decoded=files.decoded,
                telemetry=hashlib.sha256(data).hexdigest(),
            )
        )  # fmt: skip

    def adopt(self, chunk: Chunk, files: Sequence[bytes], lines: bytes) -> None:
        """Make a chunk part of the film that was made elsewhere. files: as `Pieces.files`; lines: its telemetry. Raises
        OutputError as `keep`, and where they are not what the chunk says."""
        paths = self.pieces.files(chunk.first, chunk.frames)
        whole = hashlib.sha256()
        for data in files:
            whole.update(data)
        told = (sum(map(len, files)), whole.hexdigest(), hashlib.sha256(lines).hexdigest())
        if len(paths) != len(files) or told != (chunk.size, chunk.sha256, chunk.telemetry):
            raise OutputError(f"the chunk from frame {chunk.first} on arrived damaged: film again, and it is made anew")
        for path, data in (*zip(paths, files), (self.lines(chunk.first), lines)):
            with writing(path):
                path.parent.mkdir(exist_ok=True)
            save(path, data)
        self._enter(chunk)

    def _enter(self, chunk: Chunk) -> None:
        """Enter a chunk whose files are whole."""
        first = chunk.first
        for before in self.lost:
            if before.first == first and before.pictures != chunk.pictures:
                raise OutputError(
                    f"the chunk from frame {first} on has other pictures than before it was lost, though nothing they "
                    f"depend on is known to differ: film into another folder"
                )
        self.manifest.add(chunk)

    @property
    def frames(self) -> int:
        """How many frames are part of the film."""
        return sum(chunk.frames for chunk in self.manifest.chunks)

    @property
    def repeated(self) -> int:
        """Frames that repeat the one before."""
        chunks = self.manifest.chunks
        across = sum(one.end == two.first and one.edges[1] == two.edges[0] for one, two in pairwise(chunks))
        return sum(chunk.repeated for chunk in chunks) + across

    @property
    def seconds(self) -> float:
        """What they took."""
        return sum(chunk.seconds for chunk in self.manifest.chunks)

    @property
    def newest(self) -> File:
        """Where the newest frames can be seen."""
        if self._begun is not None and (partial := self.pieces.partial(self._begun)).exists():
            return partial
        return self.pieces.path(self.manifest.chunks[-1].first) if self.manifest.chunks else self.folder

    def shown(self, wanted: range) -> File:
        """Where some frames can be seen: in their chunk, or in the folder of those that they lie in."""
        chunks = [chunk for chunk in self.manifest.chunks if chunk.first < wanted.stop and chunk.end > wanted.start]
        return self.pieces.path(chunks[0].first) if len(chunks) == 1 else self.folder

    def picture(self, index: int) -> Picture | None:
        """A frame of the film by its place in it, None where it cannot be had."""
        firsts = [chunk.first for chunk in self.manifest.chunks] + [self._begun or 0]
        first = max((first for first in firsts if first <= index), default=0)
        return self.pieces.picture(first, index - first)

    def tell(self, target: File) -> None:
        """Write the telemetry of the film so far, that of an unfinished chunk too, into one file."""
        files = [self.lines(chunk.first) for chunk in self.manifest.chunks]
        if self._begun is not None and (partial := self.partial_lines(self._begun)).is_file():
            files.append(partial)
        telemetry.join(files, target)

    def join(self, label: Label | None = None) -> File:
        """Put the film together. label: what its file says of itself. Raises OutputError."""
        return self.pieces.join([(chunk.first, chunk.frames) for chunk in self.manifest.chunks], label)


def _onward(begin: Begin, chunk: Chunk) -> Begin:
    """What the chunk after one begins with: the walk is taken the same way once more, which any walk can be."""
    walk = begin.walk
    for stride, curvature in chunk.moves:
        walk = walk.advance(stride, curvature)
    return Begin(walk, chunk.trail, None if chunk.pilot is None else chunk.pilot.state())


def _played_on(score: Performance, begin: Begin, ticks: Sequence[Tick], chunk: Chunk) -> Begin:
    """The same where a score leads the walk: it leads it once more."""
    if chunk.score is None or begin.score is None:
        raise OutputError(f"the chunk from frame {chunk.first} on does not say where its score stands: film anew")
    walk, state = score.again(begin.walk, begin.score, ticks, chunk.moves, chunk.score)
    return Begin(walk, chunk.trail, None if chunk.pilot is None else chunk.pilot.state(), state)


def _after(walk: Walk, path: Path, scene: Scene) -> Begin:
    """What a chunk begins with whose way is known: the frame before it is decoded once more, for its feature."""
    _, trail = along(scene.seen(path).features, scene.plane.points(path.unit, path.radius))
    return Begin(walk, trail)


def numbered(clock: Iterable[Tick], length: int) -> Iterator[tuple[int, list[Tick]]]:
    """The ticks of every chunk, and the number of its first frame in the film: counted, since a take's frames may have
    numbers of their own."""
    first = 0
    for ticks in dealt(clock, length):
        yield first, ticks
        first += sum(map(len, ticks))


def dealt(clock: Iterable[Tick], length: int) -> Iterator[list[Tick]]:
    """A clock's ticks, in parts of at least `length` frames but for the last."""
    ticks, frames = list[Tick](), 0
    for tick in clock:
        ticks.append(tick)
        frames += len(tick)
        if frames >= length:
            yield ticks
            ticks, frames = [], 0
    if ticks:
        yield ticks
