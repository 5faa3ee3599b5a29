"""Hours of a show, measured: resident memory, threads and file handles of every process, missed presentations.

    python benchmarks/soak.py run [PRESET] --hours 2 --csv soak.csv [--wall window]      (72: an opening's weekend)
    python benchmarks/soak.py table soak.csv             of a soak that is under way or was cut short

What runs is `latentworld show` itself, with its doors, and it is played all the time from outside: OSC twice a second
and a subscription to its feedback; a deck that looks at the preview, turns the prompt, saves and recalls a snapshot,
records a take for a while and comes anew every minute; `/health` and `/metrics` are read. PRESET is `first-light`.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import math
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

PATIENCE = 900.0  # seconds in which the show has to begin
COLUMNS = ("seconds", "process", "rss", "threads", "files", "presented", "missed", "frames", "restarts")
NAMES = {"installation.render": "renderer", "installation.stage": "stage"}
PROMPTS = ("a ringed planet", "a city skyline at dusk", "a coral reef", "a spiral galaxy")


class Played:
    """A show in a process of its own. Its lines go on to stderr; the ports are read from them."""

    def __init__(self, options: argparse.Namespace, folder: Path, environment: dict[str, str]) -> None:
        wall = [f"--{options.wall}", *(["--size", options.size] if options.wall != "fullscreen" else [])]
        doors = ["--osc", "0", "--deck", "0", "--folder", str(folder), "--fresh"]
        settings = [part for setting in options.set or [] for part in ("--set", setting)]
        command = [sys.executable, "-m", "installation", "show", *wall, *doors, *settings, options.preset]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stderr=pipe, stdout=subprocess.DEVNULL, text=True, env=environment)
        self._said: list[str] = []
        self._told = threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            print(f"  {line.rstrip()}", file=sys.stderr, flush=True)
            with self._told:
                if len(self._said) < 100:
                    self._said.append(line)
                self._told.notify_all()
        with self._told:
            self._said.append("")
            self._told.notify_all()

    def await_(self, pattern: str) -> re.Match[str]:
        """The first line in which a pattern is found."""
        with self._told:
            self._told.wait_for(lambda: self._found(pattern) or "" in self._said, PATIENCE)
            found = self._found(pattern)
        if found is None:
            raise SystemExit("error: the show did not begin; its last words are above")
        return found

    def _found(self, pattern: str) -> re.Match[str] | None:
        return next((found for line in self._said if (found := re.search(pattern, line))), None)

    @property
    def running(self) -> bool:
        """Whether it is."""
        return self._process.poll() is None

    def crew(self) -> Iterator[tuple[str, psutil.Process]]:
        """Its processes by name."""
        show = psutil.Process(self._process.pid)
        yield "show", show
        for child in show.children(recursive=True):
            name = next((name for part, name in NAMES.items() if part in child.cmdline()), None)
            if name:
                yield name, child

    def close(self) -> None:
        """End it in good order."""
        self._process.terminate()
        self._process.wait(60)


def soak(options: argparse.Namespace) -> None:
    """Run for hours, play all the time, write a line for each process now and then."""
    from standins.show import display

    with (
        tempfile.TemporaryDirectory() as folder,
        open(options.csv, "a", newline="", encoding="utf-8") as file,
        display(options.wall) as environment,
    ):
        writer = csv.writer(file)
        if file.tell() == 0:
            writer.writerow(COLUMNS)
        show = Played(options, Path(folder), environment)
        ended = threading.Event()
        try:
            osc, deck = show.await_(r"udp port (\d+)")[1], show.await_(r"http://([\d.:]+)")[1]
            show.await_("renderer ready")
            threads = [
                threading.Thread(target=play, args=(ended, *told), daemon=True)
                for told in ((_osc, int(osc)), (_deck, deck))
            ]
            for thread in threads:
                thread.start()
            _measure(show, deck, options, lambda rows: (writer.writerows(rows), file.flush()))
        except KeyboardInterrupt:
            print("interrupted: what was measured so far counts", file=sys.stderr)
        finally:
            ended.set()
            show.close()
    summary(options)


def _measure(show: Played, deck: str, options: argparse.Namespace, write: Any) -> None:
    start = time.monotonic()
    due = start + options.every
    while time.monotonic() < start + options.hours * 3600:
        time.sleep(max(due - time.monotonic(), 0.0))
        due += options.every
        if not show.running:
            raise SystemExit("error: the show ended; its last words are above")
        write(_sample(show, deck, time.monotonic() - start))


def _sample(show: Played, deck: str, seconds: float) -> list[list[Any]]:
    text = _read(f"http://{deck}/metrics")
    if not text:
        return []
    counts = [_metric(text, name) for name in ("presentations_total", "missed_total", "frames_total", "restarts_total")]
    rows = []
    for name, process in show.crew():
        with contextlib.suppress(psutil.Error), process.oneshot():
            usage = process.memory_info().rss, process.num_threads(), process.num_fds()
            rows.append([f"{seconds:.1f}", name, *usage, *counts])
    return rows


def _read(address: str) -> str:
    try:
        with urllib.request.urlopen(address, timeout=30) as answer:
            return str(answer.read().decode())
    except OSError as error:
        print(f"  {address}: {error}", file=sys.stderr)
        return ""


def _metric(text: str, name: str) -> float:
    found = re.search(rf"^latentworld_{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else math.nan


# ---- the players


def play(ended: threading.Event, how: Any, where: Any) -> None:
    """Play until it has ended; whoever is cut off comes again."""
    while not ended.is_set():
        try:
            how(ended, where)
        except Exception as error:
            print(f"  {how.__name__[1:]}: {error}", file=sys.stderr)
            ended.wait(1.0)


def _osc(ended: threading.Event, port: int) -> None:
    from pythonosc.osc_message_builder import OscMessageBuilder

    def send(address: str, *arguments: Any) -> None:
        builder = OscMessageBuilder(address)
        for argument in arguments:
            builder.add_arg(argument)
        line.sendto(builder.build().dgram, ("127.0.0.1", port))

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))
        line.setblocking(False)
        send("/lw/lfo/1/target", "rift.attraction")
        send("/lw/lfo/1/depth", 0.3)
        step = 0
        while not ended.wait(0.5):
            if step % 40 == 0:
                send("/lw/subscribe", 0, 60.0)
            send("/lw/walk/speed/raw", 3.0 + 2.0 * math.sin(step / 20))
            step += 1
            with contextlib.suppress(BlockingIOError):
                while True:
                    line.recv(65536)


def _deck(ended: threading.Event, address: str) -> None:
    from websockets.sync.client import connect

    for visit in range(10**9):
        with (
            connect(f"ws://{address}/ws", proxy=None) as deck,
            connect(f"ws://{address}/preview", proxy=None) as preview,
        ):
            looking = threading.Thread(target=_look, args=(preview,))
            looking.start()
            for name, value in _plays(visit):
                key = "press" if name in ("snapshot.save", "snapshot.recall") else "set"
                deck.send(json.dumps({"do": key, "name": name, "value": value}))
                if _listen(deck, ended, 10.0):
                    return
            for path in ("health", "metrics", ""):
                _read(f"http://{address}/{path}")
        looking.join()


def _plays(visit: int) -> list[tuple[str, Any]]:
    """What a visit of the deck does: one thing every ten seconds, for a minute."""
    prompt = ("prompt.b" if visit % 2 else "prompt.a", PROMPTS[visit % len(PROMPTS)])
    return [
        prompt,
        ("prompt.mix", 0.25 * (visit % 4)),
        ("snapshot.save", f"soak {visit % 5}"),
        ("record.take", visit % 5 == 1),
        ("snapshot.recall", [f"soak {max(visit - 2, 0) % 5}", 2.0]),
        ("rift.attraction", 0.2 * (visit % 3)),
    ]


def _listen(deck: Any, ended: threading.Event, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and not ended.is_set():
        with contextlib.suppress(TimeoutError):
            deck.recv(timeout=min(left, 1.0))
    return ended.is_set()


def _look(preview: Any) -> None:
    from websockets.exceptions import ConnectionClosed

    with contextlib.suppress(ConnectionClosed):
        while True:
            preview.recv()
            preview.send("seen")


# ---- the table


def summary(options: argparse.Namespace) -> None:
    """Print the table of a soak's CSV, whole or not."""
    from common import show as table

    samples = read(Path(options.csv))
    if not samples:
        raise SystemExit(f"{options.csv} holds no sample yet: wait for the first")
    span = max(row["seconds"] for row in samples)
    warm = min(600.0, 0.25 * span) if options.warmup is None else options.warmup * 60
    cells = []
    for name in dict.fromkeys(row["process"] for row in samples):
        rows = [row for row in samples if row["process"] == name]
        if name == "renderer":  # another process since its last restart
            rows = [row for row in rows if row["restarts"] == rows[-1]["restarts"]]
        rows = [row for row in rows if row["seconds"] >= rows[0]["seconds"] + warm]
        if len(rows) >= 3:
            slope, error = trend([row["seconds"] / 3600 for row in rows], [row["rss"] / 1e6 for row in rows])
            threads, files = ([row[key] for row in rows] for key in ("threads", "files"))
            counts = [f"{_some(many[:9])} → {_some(many[-9:])} (max {max(many):.0f})" for many in (threads, files)]
            sizes = [f"{row['rss'] / 1e6:.1f}" for row in (rows[0], rows[-1])]
            cells.append([name, *sizes, f"{slope:+.2f} ± {error:.2f}", *counts])
    last = samples[-1]
    share = last["missed"] / max(last["presented"], 1)
    notes = [
        f"{span / 3600:.2f} h; slopes by least squares without the first {warm / 60:.1f} min, ± one standard error;"
        " threads and files: medians of nine samples",
        f"{last['presented']:.0f} presentations, {last['missed']:.0f} missed ({share:.2%});"
        f" {last['frames']:.0f} frames; {last['restarts']:.0f} restarts",
    ]
    columns = ["process", "MB after warm-up", "MB at the end", "slope MB/h", "threads", "files"]
    table(f"soak of {options.csv}", columns, cells, notes)


def _some(many: list[float]) -> str:
    return f"{np.median(many):.0f}"


def read(path: Path) -> list[dict[str, Any]]:
    """Samples of a CSV; a last line that was cut short is left out."""
    found = []
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            try:
                found.append({key: row[key] if key == "process" else float(row[key]) for key in COLUMNS})
            except (TypeError, ValueError):
                continue
    return found


def trend(hours: list[float], values: list[float]) -> tuple[float, float]:
    """Least-squares slope and its standard error."""
    x, y = np.array(hours), np.array(values)
    x = x - x.mean()
    spread = float(x @ x)
    slope = float(x @ (y - y.mean())) / spread
    rest = y - y.mean() - slope * x
    return slope, float(np.sqrt(rest @ rest / max(len(x) - 2, 1) / spread))


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run")
    run.set_defaults(run=soak)
    run.add_argument("preset", nargs="?", default="first-light")
    run.add_argument("--set", action="append", metavar="SECTION.KEY=VALUE")
    run.add_argument("--wall", choices=["headless", "window", "fullscreen"], default="headless")
    run.add_argument("--size", default="720x1280", metavar="HxW")
    run.add_argument("--hours", type=float, default=2.0)
    run.add_argument("--every", type=float, default=10.0, help="seconds between two samples")
    table = commands.add_parser("table")
    table.set_defaults(run=summary)
    for command in (table, run):
        command.add_argument("csv" if command is table else "--csv", default="soak.csv")
        command.add_argument("--warmup", type=float, help="minutes; default: a quarter, ten at most")
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
