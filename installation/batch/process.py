"""The process of a job: begun in a session of its own, its words in a log, recognised again by who asks later."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec
import psutil  # type: ignore[import-untyped]

from installation.terminal import one_line

PROGRAM = (sys.executable, "-m", "installation")
PATIENCE = 60.0  # seconds that a process has to end by itself
TAIL = 1 << 16  # bytes of a log that are looked at for why a job failed


class Running(msgspec.Struct, frozen=True):
    """A process that may outlive who began it. born: when, as the system has it, which tells it from a later one of
    the same number."""

    pid: int
    born: float

    def process(self) -> psutil.Process | None:
        """It, if it still runs."""
        try:
            found = psutil.Process(self.pid)
            if abs(found.create_time() - self.born) < 1.0 and found.status() != psutil.STATUS_ZOMBIE:
                return found
        except psutil.Error:
            pass
        return None


def begin(program: Sequence[str], arguments: Sequence[str], log: BinaryIO) -> subprocess.Popen[bytes]:
    """Run a program with these arguments, its words into a log, out of reach of the terminal's Ctrl-C:
    whoever began it passes that on. Raises OSError."""
    log.write(f"$ {shlex.join(['latentworld', *arguments])}\n".encode())
    log.flush()
    here = str(Path(__file__).resolve().parents[2])  # where this very program lies, whatever folder it was begun in
    paths = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
    own = {"PYTHONUNBUFFERED": "1", "COLUMNS": "110", "NO_COLOR": "1", "PYTHONPATH": paths}
    return subprocess.Popen(
        [*program, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        env={**os.environ, **own}, start_new_session=True,
    )  # fmt: skip


def recognised(process: subprocess.Popen[bytes]) -> Running | None:
    """How a process is known later; None where it is gone already."""
    try:
        return Running(process.pid, float(psutil.Process(process.pid).create_time()))
    except psutil.Error:
        return None


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and see to it that it does; whoever is in a hurry meanwhile has it ended at once."""
    process.terminate()
    try:
        process.wait(PATIENCE)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        process.wait()


def why(code: int, log: Path, begun: int) -> str:
    """Why a job failed: its error, or what ended it. begun: bytes of the log before it."""
    lines = last_lines(log, begun)
    told = [line for line in lines if line.startswith(("error: ", "interrupted"))]
    if told:
        return told[-1].removeprefix("error: ")
    if code < 0:
        name = signal.Signals(-code).name if -code in {one.value for one in signal.Signals} else f"signal {-code}"
        return f"killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    return lines[-1] if lines else f"exit code {code}, without a word"


def last_lines(log: Path, begun: int = 0) -> list[str]:
    """What was said at the end of a log, its command left out; none where it cannot be read."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(begun, size - TAIL))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [one_line(line) for line in text.splitlines() if line.strip() and not line.startswith("$ ")]
