"""ffmpeg as a process of its own: rgb24 in by a pipe, a film out that plays whatever happens.

Three things were learnt the hard way by others and are settled here. Its stderr is drained all the time: a full pipe
stops it. It lives in a session of its own: Ctrl-C reaches us alone, and when we are killed its input ends and it
finishes the file. H.264 goes into a hybrid fragmented mp4, which plays even when ffmpeg itself is killed: 234 of 300
frames were there in a test with a key frame each 48.
"""

from __future__ import annotations

import queue
import shutil
import subprocess
import sys
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import IO, Literal

from latentworld.errors import DiskFull, EncoderFailed, OutputError

Codec = Literal["h264", "ffv1"]
SUFFIX: dict[Codec, str] = {"h264": ".mp4", "ffv1": ".mkv"}
# one thread: x264 writes the same bytes only at the same number of threads
_THREADS = "1"
_TAGS = "color_primaries=bt709:color_trc=bt709"


@dataclass(frozen=True)
class Recipe:
    """How a film is written: picture sizes as (height, width), before and after scaling; effort of x264."""

    codec: Codec
    fps: float
    source: tuple[int, int]
    size: tuple[int, int]
    crf: int = 17
    grain: bool = False
    effort: Literal["medium", "veryfast"] = "medium"


def binary() -> str:
    """The ffmpeg that imageio-ffmpeg ships, or the one IMAGEIO_FFMPEG_EXE names."""
    import imageio_ffmpeg

    try:
        found = str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:
        raise EncoderFailed("no ffmpeg found: pip install imageio-ffmpeg, or set IMAGEIO_FFMPEG_EXE to one") from None
    if shutil.which(found) is None:
        raise EncoderFailed(f"{found} is no ffmpeg to run: reinstall imageio-ffmpeg, or set IMAGEIO_FFMPEG_EXE to one")
    return found


def command(recipe: Recipe, target: Path) -> list[str]:
    """The whole command line; nothing is left to a default that may change between versions."""
    (height, width), (high, wide) = recipe.source, recipe.size
    read = [
        "-f",
        "rawvideo",
        "-pixel_format",
        "rgb24",
        "-video_size",
        f"{width}x{height}",
        "-framerate",
        str(recipe.fps),
    ]
    resize = f"scale={wide}:{high}:flags=lanczos+accurate_rnd+full_chroma_int"
    if recipe.codec == "h264":
        # options such as -color_trc lose against what the frames say (seen in ffmpeg 9), hence setparams
        picture = f"{resize}:in_range=full:out_range=limited:out_color_matrix=bt709,format=yuv420p"
        picture += f",setparams=range=limited:colorspace=bt709:{_TAGS}"
        write = ["-c:v", "libx264", "-preset", recipe.effort, "-profile:v", "high", "-crf", str(recipe.crf)]
        write += ["-tune", "grain"] if recipe.grain else []
        write += ["-g", str(max(1, round(recipe.fps)))]
        write += ["-movflags", "hybrid_fragmented+negative_cts_offsets", "-f", "mp4"]
    else:
        picture = f"{resize},format=bgr0,setparams=range=full:{_TAGS}"
        write = ["-c:v", "ffv1", "-level", "3", "-g", "1", "-slices", "4", "-slicecrc", "1", "-f", "matroska"]
    quiet = ["-y", "-nostdin", "-hide_banner", "-loglevel", "error"]
    output = ["-an", "-vf", picture, *write, "-threads", _THREADS, "-flush_packets", "1", str(target)]
    return [binary(), *quiet, *read, "-i", "pipe:0", *output]


class Encoder:
    """One ffmpeg at work. `send` frames as bytes, then `close`; faults surface in either as OutputErrors."""

    def __init__(self, recipe: Recipe, target: Path, depth: int = 32) -> None:
        self.target = target
        self._tail: deque[str] = deque(maxlen=12)
        self._queue: queue.Queue[bytes | None] = queue.Queue(maxsize=depth)
        self._broken = False
        self._process = _start(command(recipe, target))
        self._threads = [Thread(target=self._drain, daemon=True), Thread(target=self._write, daemon=True)]
        for thread in self._threads:
            thread.start()

    def send(self, frame: bytes) -> None:
        """Queue one frame; waits while the queue is full, and raises as soon as ffmpeg is gone."""
        while True:
            if self._broken:
                raise self._fault()
            try:
                self._queue.put(frame, timeout=0.1)
                return
            except queue.Full:
                continue

    def close(self, patience: float = 300.0) -> None:
        """Let ffmpeg finish the file, and raise if it could not, or if it took no frame or did not end for so long."""
        try:
            self._queue.put(None, timeout=patience)
            self._threads[1].join(patience)
            self._process.wait(patience)
        except (queue.Full, subprocess.TimeoutExpired):
            pass
        if self._process.poll() is None:
            self._process.kill()
        code = self._process.wait()
        self._threads[0].join()
        if code != 0:
            raise self._fault()

    def _write(self) -> None:
        stdin = _pipe(self._process.stdin)
        while (frame := self._queue.get()) is not None:
            if self._broken:
                continue  # keep emptying the queue, so that nobody waits at a dead encoder
            try:
                stdin.write(frame)
                stdin.flush()
            except OSError:
                self._broken = True
        try:
            stdin.close()
        except OSError:
            self._broken = True

    def _drain(self) -> None:
        with _pipe(self._process.stderr) as stderr:
            for line in stderr:
                self._tail.append(line.decode(errors="replace").strip())

    def _fault(self) -> OutputError:
        try:
            code: int | str = self._process.wait(10)
        except subprocess.TimeoutExpired:
            code = "still running"
        self._threads[0].join(1)
        said = [line for line in self._tail if line]
        if any("No space left on device" in line for line in said):
            return DiskFull(f"the disk of {self.target} is full; what was written so far plays: free some space")
        words = " | ".join(said[-3:]) or "it said nothing"
        return EncoderFailed(f"ffmpeg ended early (status {code}) on {self.target}: {words}; try `latentworld doctor`")


def _start(arguments: list[str]) -> subprocess.Popen[bytes]:
    on_windows = sys.platform == "win32"  # a process group of its own, so that Ctrl-C reaches us alone
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(
            arguments,
            stdin=pipe,
            stdout=subprocess.DEVNULL,
            stderr=pipe,
            creationflags=0x200 if on_windows else 0,
            start_new_session=not on_windows,
        )
    except OSError as error:
        why = f"{arguments[0]}: {error.strerror}"
        raise EncoderFailed(
            f"ffmpeg did not start ({why}): reinstall imageio-ffmpeg, or set IMAGEIO_FFMPEG_EXE"
        ) from None


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # opened with PIPE
    return stream
