"""A film's chunks made by Ray workers: each with a rig of its own, this process alone writes the film.

A worker renders and encodes a chunk as this process would, in a folder of its own, and sends its files and its line of
the manifest. Only a way that is known beforehand can be made so, a plan's or a take's.
"""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec

from installation.film.finish import Showing
from installation.film.manifest import Chunk, Identity
from installation.film.opening import identity, opened, pieces_of, told
from installation.film.output import Folder
from installation.film.reel import Reel
from installation.film.rendering import render
from installation.film.showing import showing
from installation.film.sinks import Forget, Room
from installation.ipc.jsonable import table
from installation.rig import Rig, build, open_studio
from installation.takes import Parts
from installation.takes.film import Journey
from latentworld.cluster.crew import Means, Vouched, hired
from latentworld.errors import WorldMismatch
from latentworld.preset import dump, parse


@dataclass(frozen=True)
class Sent:
    """A chunk on its way: its line of the manifest, the bytes of its files (`Pieces.files`), and its telemetry."""

    chunk: Chunk
    files: list[bytes]
    lines: bytes


class Arrivals(Protocol):
    """What counts frames that were made elsewhere."""

    def arrived(self, frames: int, done: int) -> None:
        """So many more are part of the film, which has `done` now."""


@dataclass(frozen=True)
class OnRay:
    """That a film is made on Ray. say: for a line that says which cluster; arrivals: are told of every chunk."""

    means: Means
    say: Callable[[str], None]
    arrivals: Sequence[Arrivals] = ()


def render_on(
    ray: OnRay, rig: Rig, reel: Reel, journey: Journey, parts: Parts, room: Room, wanted: range | None = None
) -> None:
    """Make every chunk that is not there, of `wanted` frames if given, part of the film.

    room: stops it before the disk is full. Raises as `crew.hired`, and WorldMismatch where a worker would make other
    pictures; what arrived by then is part of the film.
    """
    firsts = reel.absent(parts, wanted)
    if not firsts:
        return
    text = dump(rig.preset.changed(sound={"file": None}))
    factory = partial(chunk_maker, text, journey, reel.manifest.identity.sound, showing(rig.preset))
    chunks = _Chunks(reel, room, ray.arrivals)
    with hired(chunks, factory, ray.means, rig.decoder.profile, ray.say) as work:
        work(firsts)


def chunk_maker(
    text: str, journey: Journey, sound: str | None = None, stage: Showing | None = None
) -> Vouched:  # fmt: skip
    """What a worker makes chunks with, by the number of their first frame. text: of the resolved preset, its sound left
    out, which is joined elsewhere; sound: its digest; stage: what the score, which may need it, makes of frames."""
    rig = build(parse(tomllib.loads(text)))
    parts = journey.parts(rig, open_studio)
    own = msgspec.structs.replace(identity(rig, journey.digest), sound=sound)

    def make(first: int) -> Sent:
        with tempfile.TemporaryDirectory(prefix="latentworld-chunk-") as path:
            folder = Folder(Path(path))
            pieces = pieces_of(rig, folder, told(journey), stage)
            reel = opened(rig, folder, own, pieces, overwrite=True)
            render(rig, reel, parts, Forget(), [], range(first, first + 1))
            (chunk,) = reel.manifest.chunks
            files = [file.read_bytes() for file in pieces.files(first, chunk.frames)]
            return Sent(chunk, files, reel.lines(first).read_bytes())

    return Vouched(make, table(own))


@dataclass(eq=False)
class _Chunks:
    """A film's chunks as jobs, by the number of their first frame."""

    reel: Reel
    room: Room
    arrivals: Sequence[Arrivals]
    noun = "the chunk from frame"

    def arguments(self, job: int) -> tuple[int]:
        """Its first frame."""
        return (job,)

    def check(self, machine: str, settings: Mapping[str, object]) -> None:
        """Raises WorldMismatch where a worker's film would be another."""
        found = self.reel.manifest.identity.differences(msgspec.convert(settings, Identity))
        if found:
            raise WorldMismatch(
                f"the worker on {machine} would make other pictures: {'; '.join(found[:3])}; set it up alike"
            )

    def take(self, job: int, result: Sent, last: bool) -> None:
        """Make a chunk part of the film."""
        self.room.check("what arrived so far is kept")
        self.reel.adopt(result.chunk, result.files, result.lines)
        for each in self.arrivals:
            each.arrived(result.chunk.frames, self.reel.frames)
