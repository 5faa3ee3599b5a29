"""ffmpeg as a process of its own: rgb24 in by a pipe, a film out that plays whatever happens.

Three things were learnt the hard way by others and are settled here. Its stderr is drained all the time: a full pipe
stops it. It lives in a session of its own: Ctrl-C reaches us alone, and when we are killed its input ends and it
finishes the file. H.264 goes into an mp4 in fragments, which plays even when ffmpeg itself is killed: all but what x264
still looks at, some 27 frames.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
from collections import deque
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import IO

from installation.film.ffmpeg import ENVIRONMENT, WANTED, Recipe, command, plays
from latentworld.errors import DiskFull, EncoderFailed, OutputError


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

    def _kept(self) -> str:
        """What there is of a film that ended early; a file that holds nothing goes, it would be in the way."""
        if plays(self.target):
            return "what was written so far plays"
        with suppress(OSError):
            self.target.unlink()
        return "nothing of it was kept"

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
        with suppress(OSError):  # of an ffmpeg that is gone, which its status says
            stdin.close()

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
            return DiskFull(f"the disk of {self.target} is full; {self._kept()}: free some space")
        words, where = " | ".join(said[-3:]) or "it said nothing", f"(status {code}) on {self.target}"
        return EncoderFailed(f"ffmpeg ended early {where}: {words}; {self._kept()}; try `latentworld doctor`")


def _start(arguments: list[str]) -> subprocess.Popen[bytes]:
    on_windows = sys.platform == "win32"  # a process group of its own, so that Ctrl-C reaches us alone
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(
            arguments,
            stdin=pipe,
            stdout=subprocess.DEVNULL,
            stderr=pipe,
            env=os.environ | ENVIRONMENT,
            creationflags=0x200 if on_windows else 0,
            start_new_session=not on_windows,
        )
    except OSError as error:
        why = f"{arguments[0]}: {error.strerror}"
        raise EncoderFailed(f"ffmpeg did not start ({why}): {WANTED}") from None


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # opened with PIPE
    return stream
