"""Files of sound as numbers: one channel, at one rate, read block by block."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from latentworld.errors import PresetError
from latentworld.extras import need

RATE = 22050  # samples a second of what is analysed
BLOCK = 1 << 20  # samples read at a time
OURS = frozenset((".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff", ".opus"))  # what libsndfile reads; else ffmpeg

Samples = NDArray[np.float32]


def mono(path: Path, ffmpeg: Callable[[], str]) -> Samples:
    """The mean of a file's channels at `RATE`, float32 [n]. ffmpeg: finds the program that reads what soundfile does
    not. Raises PresetError for a file that is not there or cannot be read."""
    if not path.is_file():
        raise PresetError(f"sound.file = {str(path)!r}: no such file; check the path")
    blocks = _ours(path) if path.suffix.lower() in OURS else _others(path, ffmpeg())
    found = list(blocks)
    samples = np.concatenate(found) if found else np.zeros(0, np.float32)
    if len(samples) < RATE // 2 or not np.isfinite(samples).all():
        raise unreadable(path, "less than half a second of sound in it")
    return samples


def _ours(path: Path) -> Iterator[Samples]:
    soundfile, soxr = need("soundfile"), need("soxr")
    with _readable(path, soundfile.LibsndfileError), soundfile.SoundFile(str(path)) as file:
        stream = soxr.ResampleStream(file.samplerate, RATE, 1, dtype="float32") if file.samplerate != RATE else None
        while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
            plain = block.mean(axis=1, dtype=np.float32)
            yield plain if stream is None else stream.resample_chunk(plain)
        if stream is not None:
            yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def _others(path: Path, ffmpeg: str) -> Iterator[Samples]:
    form = ["-map", "0:a:0", "-ac", "1", "-ar", str(RATE), "-f", "f32le", "-"]
    arguments = [ffmpeg, "-nostdin", "-loglevel", "error", "-i", f"file:{path.absolute()}", *form]
    with subprocess.Popen(
        arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None  # opened with PIPE
        while data := process.stdout.read(4 * BLOCK):
            yield np.frombuffer(data[: len(data) // 4 * 4], np.float32)
    if process.returncode:
        raise unreadable(path, "ffmpeg finds no sound in it")


@contextmanager
def _readable(path: Path, fault: type[Exception]) -> Iterator[None]:
    try:
        yield
    except (fault, OSError, EOFError) as error:
        raise unreadable(path, str(error).rpartition(": ")[2].strip(". ")) from None


def unreadable(path: Path, why: str) -> PresetError:
    """What is said of a file that is no sound."""
    return PresetError(f"sound.file = {str(path)!r} cannot be read ({why}): give a whole .wav, .flac, .ogg or .mp3")
