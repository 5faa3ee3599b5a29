"""Pieces of film put together without encoding anew, and the sums of what comes out of them again."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from installation.film.ffmpeg import QUIET, WHOLE, binary, named
from installation.film.label import Label
from installation.film.soundtrack import SoundTrack
from installation.fit import Size
from latentworld.arrays import Picture
from latentworld.disk import PARTIAL, put, writing
from latentworld.errors import DiskFull, EncoderFailed

_LIST = "ffconcat version 1.0\n"
HEADERS = "6-9"  # types of H.264's units: remarks, parameters of sequences and pictures, delimiters
FORMS = {
    ".mp4": (*WHOLE, "-f", "mp4"),
    ".mov": (*WHOLE, "-f", "mov"),
    ".mkv": ("-fflags", "+bitexact", "-f", "matroska"),  # else every file has a random number of its own
}


def join(
    folder: Path, pieces: Sequence[str], target: Path, frames: int, label: Label | None = None,
    fps: float | None = None, sound: SoundTrack | None = None,
) -> None:  # fmt: skip
    """Put pieces of one recipe together as `target`, whole or not at all: their frames and no other, evenly in time; an
    .mp4 or .mov carries its index before its pictures, so that it plays while it is being fetched. pieces: their names
    in the folder; label: the film's chapters and tags; fps: frames a second, without which an .mkv, whose unit is the
    millisecond, drifts by a part of one with every piece; sound: goes with it.

    Raises EncoderFailed, and DiskFull where the pieces have no room a second time.
    """
    side = target.with_name(f".{target.name}{PARTIAL}")
    second, heard = (sound.source, ["-map", "2:a:0", *sound.written(target.suffix)]) if sound else ([], [])
    text = folder / ".pieces.ffconcat"  # beside them: names alone mean the same whatever the folder is called
    says = folder / ".label.ffmetadata"
    with writing(target):
        put(text, (_LIST + "".join(f"file '{piece}'\n" for piece in pieces)).encode())
        # "file:" and nothing else may be opened by what the list names
        # by its name alone, from where it lies: of "a?b" or "a#b" ffmpeg would look for pieces beside the folder
        source = ("-f", "concat", "-safe", "0", "-protocol_whitelist", "file", "-i", text.name)
        put(says, (Label(0.0) if label is None else label).text.encode())
        told, tell = ("-f", "ffmetadata", "-i", named(says)), ("-map_metadata", "1", "-map_chapters", "1")
        # .mp4 and .mov count in frames; only what is stored in the order it is shown in can be given times anew
        even = () if fps is None or target.suffix != ".mkv" else ("-bsf:v", f"setts=ts=round(N/({fps}*TB))")
        side.unlink(missing_ok=True)  # of a film that was killed: its ffmpeg may still write there
        try:
            form = [*tell, "-map", "0:v", "-c", "copy", *heard, *even, *FORMS[target.suffix], named(side)]
            run = subprocess.run(
                [binary(), *QUIET, *source, *told, *second, *form],
                capture_output=True, check=False, stdin=subprocess.DEVNULL, cwd=folder,
            )  # fmt: skip
            if run.returncode:
                raise _fault(target, run.stderr.decode(errors="replace"))
            if (count := counted(sums(side, decode=False))[0]) != frames:
                raise _fault(target, f"it put {count} frames of {frames} together")
            if not _is_of(side, [folder / piece for piece in pieces], frames):
                raise _fault(target, "it put other frames together than its pieces have")
            _sync(side)
            side.replace(target)
        finally:
            side.unlink(missing_ok=True)
            text.unlink(missing_ok=True)
            says.unlink(missing_ok=True)


def sums(film: Path, decode: bool = True, bare: bool = False) -> Iterator[tuple[int, bytes]]:
    """The time of every frame that comes out of a film, in frames, and a digest of it; frames that cannot be decoded
    are left out. Without `decode`: of every frame as it is stored, and when in other units, which is quick; bare:
    without H.264's headers, of no other codec.

    Raises EncoderFailed where there is no ffmpeg.
    """
    as_stored = [] if decode else ["-c", "copy", *(["-bsf:v", f"filter_units=remove_types={HEADERS}"] if bare else [])]
    arguments = [binary(), *QUIET, "-i", named(film), "-map", "0:v", *as_stored, "-f", "framemd5", "-"]
    with subprocess.Popen(
        arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None  # opened with PIPE
        for text in process.stdout:
            if not text.startswith(b"#"):
                _, _, time, *_, digest = text.split(b",")
                yield int(time), digest.strip()


def frame(film: Path, index: int, fps: float, size: Size) -> Picture | None:
    """Frame number `index` of a film of that size (height, width), uint8[height, width, 3]; None where it is not there.

    Raises EncoderFailed where there is no ffmpeg.
    """
    seek = ["-ss", f"{max(index - 0.5, 0.0) / fps:.6f}"]  # the first frame from there on
    form = ["-map", "0:v", "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    run = subprocess.run(
        [binary(), *QUIET, *seek, "-i", named(film), *form], capture_output=True, check=False, stdin=subprocess.DEVNULL
    )
    height, width = size
    whole = len(run.stdout) == height * width * 3
    return np.frombuffer(run.stdout, np.uint8).reshape(height, width, 3) if whole else None


def counted(frames: Iterable[tuple[int, bytes]]) -> tuple[int, str]:
    """How many frames come, and one digest of all of them."""
    total, count = hashlib.sha256(), 0
    for _, each in frames:
        total.update(each)
        count += 1
    return count, total.hexdigest()


def _is_of(film: Path, pieces: Sequence[Path], frames: int) -> bool:
    """Whether a film's frames, as they are stored, are those of its pieces, in order. Joined H.264 has its headers once
    more before each key frame, so what differs is compared without them."""
    for bare in (False, True):
        found = counted(sums(film, decode=False, bare=bare))
        if found[0] == frames and found == counted(
            frame for piece in pieces for frame in sums(piece, decode=False, bare=bare)
        ):
            return True
    return False


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _fault(target: Path, said: str) -> EncoderFailed | DiskFull:
    if "No space left on device" in said:
        return DiskFull(
            f"the disk of {target} is full: its pieces are whole; free as much as they take, and film again"
        )
    words = " | ".join(said.strip().splitlines()[-3:]) or "it said nothing"
    return EncoderFailed(f"ffmpeg did not join {target} ({words}): its pieces are whole; try `latentworld doctor`")
