"""The show's child processes: how they are started, spoken to, and ended."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from logging import Logger
from pathlib import Path
from typing import IO, Any

from installation.ipc.messages import Message, Stop
from installation.ipc.wire import Wire
from installation.venue import Venue, Wall

DYING = 2.0  # seconds that a killed process may take to be gone
Receive = Callable[["Child", Message], None]


@dataclass(frozen=True)
class Programs:
    """Modules (or, in tests, .py files) that are run as children."""

    renderer: str = "installation.render"
    stage: str = "installation.stage"
    outputs: str = "installation.stage.outputs"
    loop: str = "installation.stage.fallback_film"

    def render(self, ring: str, preset: Path, resume: bool, safe: bool = False, spare: bool = False) -> list[str]:
        """The renderer of a preset's file. resume: it goes on where another was, and is told first from what; safe:
        deaf to what may have broken that; spare: loaded, it waits to take over."""
        flags = {"--resume": resume, "--safe": safe, "--spare": spare}
        asked = [flag for flag, is_set in flags.items() if is_set]
        return [self.renderer, "--ring", ring, "--preset", str(preset), *asked]

    def present(self, ring: str, wall: Wall) -> list[str]:
        """The stage of a wall."""
        return [self.stage, "--ring", ring, "--wall", wall.model_dump_json()]

    def put_out(self, ring: str, target: str, venue: Venue) -> list[str]:
        """An output; target: as a venue's `outputs` has it, `ndi:NAME`."""
        place = ["--wall", venue.wall.model_dump_json(), "--reserve", str(venue.reserve)]
        return [self.outputs, "--ring", ring, "--to", target, *place]

    def play(self, ring: str, video: str | None) -> list[str]:
        """The player of the pre-rendered loop, which stands in for the renderer; None: the one that comes along."""
        return [self.loop, "--ring", ring, *([] if video is None else ["--file", video])]


class Child:
    """A process that speaks over a `Wire`. `receive(child, message)` is called on a thread of the child's own.

    Must be started by a thread that lives as long as the show: the child dies with that thread (see `tether`).
    Raises OSError where no process can be had.
    """

    def __init__(self, role: str, arguments: Sequence[str], receive: Receive, log: Logger) -> None:
        self.role = role
        self._log, self._receive = log, receive
        self._tail: deque[str] = deque(maxlen=8)
        pipe = subprocess.PIPE
        # a group of its own: Ctrl-C reaches the show alone, which then ends its children in good order
        apart: dict[str, Any] = {"creationflags": 0x200} if sys.platform == "win32" else {"start_new_session": True}
        command = [sys.executable, "-m", "installation.ipc.tether", str(os.getpid()), *arguments]
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, **apart)
        self.pid = self._process.pid
        self._threads = [
            threading.Thread(target=target, name=f"{role}-{what}", daemon=True)
            for what, target in (("hears", self._listen), ("stderr", self._drain))
        ]
        try:
            self.wire = Wire(_pipe(self._process.stdout), _pipe(self._process.stdin), peer=f"the {role}")
            for thread in self._threads:
                thread.start()
        except RuntimeError as error:  # no thread is to be had
            self._process.kill()
            self._process.communicate()
            raise OSError(errno.EAGAIN, str(error)) from error

    @property
    def alive(self) -> bool:
        """Whether it runs, or hangs."""
        return self._process.poll() is None

    @property
    def code(self) -> int | None:
        """Its exit status; below zero the signal that ended it; None while it is alive."""
        return self._process.poll()

    def why(self) -> str:
        """How it ended, in words, and the last it said on stderr."""
        code = self.code
        if code is None:
            return "it is alive"
        name = next((sign.name for sign in signal.Signals if sign == -code), "") if code < 0 else ""
        ended = f"ended by {name or code}" if code < 0 else f"ended with status {code}"
        last = self.refusal or (self._tail[-1] if self._tail else "")
        return f"{ended}: {last}" if last and code > 0 else ended

    @property
    def refusal(self) -> str:
        """What it gave as the reason for its end, as a command does: `error: ...` on stderr."""
        reasons = [line.removeprefix("error: ") for line in self._tail if line.startswith("error: ")]
        return reasons[-1] if reasons else ""

    def kill(self) -> None:
        """End it, even when it is stopped; one that waits for a driver dies when the driver lets it. `wait` for it."""
        if self.alive:
            self._process.kill()
            _end_group(self.pid)

    def stop(self) -> None:
        """Ask it to end in good order; `wait` for it then."""
        self.wire.send(Stop())
        self.wire.close(0.0)

    def wait(self, patience: float) -> bool:
        """Wait until it ended; False when it would not for so long and was killed."""
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(DYING)
            self._done()
            return False
        self._done()
        return True

    def _done(self) -> None:
        _end_group(self.pid)
        self.wire.close(0.2)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(1.0)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None and not any(thread.is_alive() for thread in self._threads):
                stream.close()

    def _listen(self) -> None:
        for message in self.wire.read():
            try:
                self._receive(self, message)
            except Exception:  # one message that means nothing must not make the show deaf
                self._log.exception(
                    "a message could not be used", extra={"role": self.role, "kind": type(message).__name__}
                )

    def _drain(self) -> None:
        for raw in _pipe(self._process.stderr):
            line = raw.decode(errors="replace").rstrip()[:2000]
            if line:
                self._tail.append(line)
                self._log.info(line, extra={"role": self.role})


def _end_group(leader: int) -> None:
    """Kill what a child left behind: a process that a library forked (OpenVINO's telemetry does) and that hangs since
    was seen to outlive its renderer with all of its memory."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # opened with PIPE
    return stream
