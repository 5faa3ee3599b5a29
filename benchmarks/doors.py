"""What silent connections cost a show.

    python benchmarks/doors.py [--connections 2000] [--seconds 120] [--hosts 1] [--again]

A show of the tests' stand-ins, its deck open to the network, in a process of its own. So many TCP connections are made
to the deck from 127.0.0.2 (and its neighbours, with `--hosts`) and say nothing. Meanwhile, once a second, a browser on
127.0.0.1 asks for the page with its token. Told: how long that took, whether the walk went on, and by how much the
show's stderr grew. Aims: 1 s, no gap, 1 MB. `--again`: whoever is thrown out comes again.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import math
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import psutil  # type: ignore[import-untyped]
from common import show as table

from installation.cli.show import _until_ended
from installation.ipc.messages import Tick
from installation.show.children import Programs
from installation.show.ending import Ending
from installation.show.opening import open_show
from installation.show.premises import Runtime
from installation.show.show import Show
from installation.venue import Doors, Venue, Wall
from latentworld.preset import parse

STANDINS = Path(__file__).parent.parent / "tests" / "standins" / "show"
PATIENCE = 30.0  # seconds for an answer


@dataclass
class Seen:
    """What the browser saw. answers: seconds each; refused: questions that had another answer than the page."""

    answers: list[float] = field(default_factory=list)
    refused: int = 0


class Ticks:
    """How long the walk stood still at most, from its first tick on."""

    def __init__(self) -> None:
        self._last, self.longest = math.nan, 0.0

    def __call__(self, tick: Tick) -> None:
        """A tick came."""
        now = time.monotonic()
        self.longest = max(now - self._last, self.longest) if math.isfinite(self._last) else 0.0
        self._last = now


@contextlib.contextmanager
def watched(opened: AbstractContextManager[Show], file: Path) -> Iterator[Show]:
    """The show; in the end a file says for how many seconds the walk stood still at most."""
    ticks = Ticks()
    with opened as show:
        show.watch(ticks)
        yield show
        file.write_text(f"{ticks.longest}")


def serve(folder: Path) -> int:
    """Be the show, until SIGTERM."""
    renderer, stage = (str(STANDINS / f"standin_{name}.py") for name in ("renderer", "stage"))
    venue = Venue(folder=str(folder), wall=Wall(kind="headless"), doors=Doors(osc=None, deck=0, open=True), midi=False)
    ending, runtime = Ending(), Runtime(programs=Programs(renderer, stage, stage, renderer), saving=5.0)
    announce = lambda line: print(line, file=sys.stderr, flush=True)  # noqa: E731
    show = open_show(parse({"title": "besieged"}), venue, announce, ending=ending, runtime=runtime)
    return _until_ended(watched(show, folder.with_name("stop")), ending, None)


@contextlib.contextmanager
def besieged(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, str, Path]]:
    """The show's process, the deck's port and token, and what it says on stderr."""
    said = folder / "stderr"
    with said.open("wb") as stderr:
        process = subprocess.Popen([sys.executable, __file__, "--serve", str(folder / "show")], stderr=stderr)
    try:
        while "deck: " not in said.read_text() or "renderer ready" not in said.read_text():
            if process.poll() is not None:
                sys.exit(said.read_text())
            time.sleep(0.1)
        link = next(line for line in said.read_text().splitlines() if line.startswith("deck: ")).removeprefix("deck: ")
        parts = urllib.parse.urlsplit(link)
        yield process, int(parts.port or 0), urllib.parse.parse_qs(parts.query)["token"][0], said
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(60)


def ask(port: int, path: str) -> tuple[int, bytes]:
    """A browser's question: status and body. Raises OSError, http.client.HTTPException."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def look(port: int, token: str, seen: Seen) -> None:
    """Ask for the page."""
    begun = time.monotonic()
    try:
        status, _ = ask(port, f"/?token={token}")
    except (OSError, http.client.HTTPException):
        status = 0
    seen.answers.append(time.monotonic() - begun)
    seen.refused += status not in (200, 302, 303, 307)


def connected(port: int, number: int, hosts: int) -> socket.socket | None:
    """One that says nothing; None where it was not let in."""
    silent = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        silent.settimeout(2.0)
        silent.bind((f"127.0.0.{2 + number % hosts}", 0))
        silent.connect(("127.0.0.1", port))
        silent.setblocking(False)
    except OSError:
        silent.close()
        return None
    return silent


def shut(silent: socket.socket) -> bool:
    """Whether the other end has let go of it."""
    try:
        return silent.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def siege(port: int, token: str, options: argparse.Namespace) -> tuple[Seen, int, int]:
    """Hold the connections, and look once a second: what was seen, how many stood at once, how many were thrown out."""
    seen, thrown, most = Seen(), 0, 0
    silent: list[socket.socket] = []
    wanted = options.connections
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        second = time.monotonic() + 1.0
        for number in range(wanted - len(silent)):
            if (one := connected(port, number, options.hosts)) is not None:
                silent.append(one)
            if time.monotonic() > second:
                break
        if not options.again:
            wanted = len(silent)
        most = max(most, len(silent))
        look(port, token, seen)
        gone = [one for one in silent if shut(one)]
        for one in gone:
            one.close()
        thrown += len(gone)
        silent = [one for one in silent if one.fileno() >= 0]
        if not options.again:
            wanted = len(silent)
        time.sleep(max(second - time.monotonic(), 0.0))
    for one in silent:
        one.close()
    return seen, most, thrown


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--connections", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--hosts", type=int, default=1)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        sys.exit(serve(options.serve))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with tempfile.TemporaryDirectory() as folder, besieged(Path(folder)) as (process, port, token, said):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # ours, not the show's
        crew = [child.pid for child in psutil.Process(process.pid).children()]
        before = said.stat().st_size
        seen, most, thrown = siege(port, token, options)
        grown, files = said.stat().st_size - before, psutil.Process(process.pid).num_fds()
        kept = crew == [child.pid for child in psutil.Process(process.pid).children()]
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        stopped = float((Path(folder) / "stop").read_text())
    answers = sorted(seen.answers)
    rows = [
        ["silent connections, the most at once", f"{most:,}"], ["thrown out", f"{thrown:,}"],
        ["the deck was asked with its token", f"{len(answers)} times"], ["and refused or failed", f"{seen.refused}"],
        ["answer, median", f"{answers[len(answers) // 2]:.3f} s"], ["answer, slowest", f"{answers[-1]:.3f} s"],
        ["the walk stood still for, at most", f"{stopped:.2f} s"],
        ["stderr grew by", f"{grown:,} bytes"], ["files open at the end", f"{files}"],
        ["children", "the same" if kept else "others"],
    ]  # fmt: skip
    table(f"{options.connections:,} silent connections for {options.seconds:g} s", ["", "value"], rows)


if __name__ == "__main__":
    main()
