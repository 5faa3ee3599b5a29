"""A whole film that was damaged since, taken apart into its chunks again: what is sound stays, the film command makes
the rest anew."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from installation.film import manifest
from installation.film.ffmpeg import QUIET, binary, named
from installation.film.join import FORMS
from installation.film.manifest import Chunk
from installation.film.output import Folder, claimed
from installation.film.pieces import Pieces, VideoPieces
from installation.film.verify import Damage, pieces_in
from latentworld.disk import put, writing
from latentworld.errors import OutputError


def repair(folder: Folder, damages: Sequence[Damage]) -> int:
    """Make a film of which `damages` are known one that was not finished: the command that made it makes what is
    missing and joins it. Returns how many frames stay. The damaged film stays until the new one is whole.

    Raises OutputError where the folder holds no whole film of ours, and OutputExists where somebody makes one there.
    """
    with claimed(folder.path):
        if not folder.joined:
            raise OutputError(f"{folder.path} holds no finished film: the command that began it goes on with it")
        return taken_apart(folder, damages)


def taken_apart(folder: Folder, damages: Sequence[Damage] = ()) -> int:
    """As `repair`, in a folder that is claimed already."""
    found = manifest.read(folder.manifest)
    pieces = pieces_in(folder, found)
    with writing(folder.chunks):
        folder.chunks.mkdir(exist_ok=True)
    sound = list[Chunk]()
    for chunk, lines in _told(folder.telemetry, found.chunks):
        harmed = any(damage.first < chunk.end and damage.end > chunk.first for damage in damages)
        again = None if harmed and not _only_lines(damages) else _taken_out(folder, pieces, chunk)
        if again is not None and hashlib.sha256(lines).hexdigest() == chunk.telemetry:
            put(folder.chunks / f"{chunk.first:09d}.csv", lines)
            sound.append(again)
    found.rewrite(sound)
    with writing(folder.summary):
        folder.summary.unlink(missing_ok=True)  # last: from here on it is a film under way
    return sum(chunk.frames for chunk in sound)


def _only_lines(damages: Sequence[Damage]) -> bool:
    """Whether the telemetry alone is damaged, which says nothing about pictures."""
    return all("telemetry" in damage.why for damage in damages)


def _told(telemetry: Path, chunks: Sequence[Chunk]) -> Iterator[tuple[Chunk, bytes]]:
    """Each chunk, and its lines of the film's telemetry under their heading; nothing of a file that is gone."""
    try:
        with telemetry.open("rb") as file:
            head = file.readline()
            for chunk in chunks:
                yield chunk, head + b"".join(islice(file, chunk.frames))
    except OSError:
        return


def _taken_out(folder: Folder, pieces: Pieces, chunk: Chunk) -> Chunk | None:
    """A chunk cut out of the film again, its pictures as they are; None where they are not what they were. Of stills,
    which lie there one by one, itself."""
    if not isinstance(pieces, VideoPieces):
        return chunk
    film, path, fps = pieces.target, pieces.path(chunk.first), pieces.recipe.fps
    # each chunk begins with a frame that needs no other: the last such before a place a little behind its begin
    begin = ["-noaccurate_seek", "-ss", f"{(chunk.first + 0.25) / fps:.6f}"]
    # its first picture at 0, as the encoder left it: frames are stored in another order than they are shown in, and a
    # piece whose storing begins at 0 is shown late (seen: two frames of hole where it was joined again)
    even = ["-bsf:v", "setts=pts=PTS-STARTPTS:dts=DTS-STARTPTS", "-avoid_negative_ts", "disabled"]
    only = ["-map", "0:v", "-frames:v", str(chunk.frames), "-c", "copy", *even, *FORMS[path.suffix]]
    cut = ["-i", named(film), *only, named(path)]
    subprocess.run([binary(), *QUIET, *begin, *cut], capture_output=True, check=False, stdin=subprocess.DEVNULL)
    kept = pieces.found(chunk.first, chunk.frames)
    if kept is None or kept.decoded != chunk.decoded:
        path.unlink(missing_ok=True)
        return None
    return msgspec.structs.replace(chunk, size=kept.size, sha256=kept.sha256)
