"""The show as a whole: new pictures a second, how evenly they are presented, control-to-picture latency, CPU, memory.

    python benchmarks/show.py [first-light] [--wall headless window] [--seconds 60] [--flood] [--gpu]

A show is performed on this machine (under Xvfb for `window`) and played over OSC: another heading every 0.4 s. Aims on
two cores with the embedded world at 128 px: at least 10 new pictures a second, presented evenly at 30 Hz or more, 99 in
100 changes on the wall within 250 ms.

`--flood` takes turns of --turn seconds: 5,000 messages a second to a port where nobody listens, which costs what
sending them costs; the same to the show. The senders are one Python client and `oscsend` of liblo-tools, 10 processes a
second. What the show pays is the second against the first; aim: less than 5% of the picture rate. A turn's rate differs
from the next by some percent with nothing going on, so many short turns tell more than a few long ones.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from installation.ipc.jsonable import table
from installation.ipc.messages import StageReport, Tick
from latentworld.errors import ShowError

EVERY = 0.4  # seconds between two changes
WARM = 10.0  # seconds of pictures before anything is counted


# ---- inside: the show, in a process of its own, as with `latentworld show`


@dataclass
class Window:
    """What happened in a stretch of time; intervals between presentations are counted between `edges`, in ms."""

    seconds: float = 0.0
    pictures: int = 0
    periods: list[float] = field(default_factory=list)  # between two ticks, of one picture each
    latency: list[float] = field(default_factory=list)
    presented: int = 0
    missed: int = 0
    counts: list[int] = field(default_factory=list)
    edges: list[float] = field(default_factory=list)
    cpu: dict[str, float] = field(default_factory=dict)  # of a core
    memory: dict[str, float] = field(default_factory=dict)  # MB
    dark: float = 1.0  # the lowest mean light on the wall


class Watch:
    """Counts what the renderer and the stage report. `cut` gives what came since the last cut."""

    def __init__(self, show: Any) -> None:
        self._show, self._lock = show, threading.Lock()
        self._ticks: list[tuple[float, int]] = []
        self._reports: list[StageReport] = []
        self._first: StageReport | None = None
        self._begun, self._cpu = time.monotonic(), self._times()
        show.watch(self._tick)
        heard = show.status_collector.stage
        show.status_collector.stage = lambda now, message: (self._report(message), heard(now, message))[1]

    def pictures(self) -> int:
        """Since the last cut."""
        with self._lock:
            return sum(count for _, count in self._ticks)

    def cut(self) -> Window:
        """What came since the last time."""
        with self._lock:
            ticks, self._ticks = self._ticks, []
            reports, self._reports = self._reports, []
        now, cpu = time.monotonic(), self._times()
        seconds = now - self._begun
        window = Window(seconds, sum(count for _, count in ticks))
        moments = [when for when, _ in ticks]
        window.periods = [(b - a) / n for a, b, (_, n) in zip(moments, moments[1:], ticks[1:])]
        if reports:
            self._count(window, reports)
        window.cpu = {who: (spent - self._cpu.get(who, 0.0)) / seconds for who, spent in cpu.items()}
        window.memory = {who: process.memory_info().rss / 1e6 for who, process in self._processes().items()}
        self._begun, self._cpu = now, cpu
        return window

    def _count(self, window: Window, reports: list[StageReport]) -> None:
        last, before = reports[-1], self._first or reports[0]
        assert last.intervals is not None
        assert before.intervals is not None
        window.presented, window.missed = last.presented - before.presented, last.missed - before.missed
        counts = np.array(last.intervals.counts) - np.array(before.intervals.counts)
        window.counts, window.edges = counts.tolist(), list(last.intervals.edges)
        window.latency = [sample for report in reports for sample in report.latency]
        window.dark = min(report.light for report in reports)
        self._first = last

    def _tick(self, tick: Tick) -> None:
        with self._lock:
            self._ticks.append((time.monotonic(), len(tick.index)))

    def _report(self, report: StageReport) -> None:
        with self._lock:
            self._reports.append(report)

    def _processes(self) -> dict[str, psutil.Process]:
        return {
            "show": psutil.Process(),
            **{who: psutil.Process(pid) for who, pid in self._show.processes.pids().items()},
        }

    def _times(self) -> dict[str, float]:
        return {who: sum(process.cpu_times()[:2]) for who, process in self._processes().items()}


def inside(asked: dict[str, Any]) -> None:
    """Perform; `cut` on stdin is answered by a window on stdout, the end of stdin ends the show."""
    from installation.show.opening import open_show
    from installation.venue import Doors, Venue, Wall
    from latentworld import preset as presets

    wall = Wall(kind=asked["wall"], size=tuple(asked["size"]), rate=asked["rate"])
    venue = Venue(folder=asked["folder"], wall=wall, doors=Doors(osc=0, deck=0), midi=False)
    preset = presets.load(asked["preset"], asked["set"])
    lines: list[str] = []

    def announce(line: str) -> None:
        lines.append(line)
        print(line, file=sys.stderr, flush=True)

    with open_show(preset, venue, announce, fresh=True) as show:
        watch = Watch(show)
        while watch.pictures() < asked["warm"]:
            try:
                show.ending.wait(0.1)
            except ShowError as error:
                raise SystemExit(f"error: {error}") from None
        port = next(int(found[1]) for line in lines if (found := re.match(r"osc: udp port (\d+)", line)))
        print(json.dumps({"osc": port, "scene": table(show.status().scene)}), flush=True)
        for _ in sys.stdin:
            print(json.dumps(asdict(watch.cut())), flush=True)


# ---- outside: the player, the flood and the figures


class Performance:
    """A running show that is played."""

    def __init__(self, asked: argparse.Namespace, wall: str, folder: Path, environment: dict[str, str]) -> None:
        told = {
            "preset": asked.preset, "wall": wall, "size": asked.size, "rate": asked.rate, "folder": str(folder),
            "set": asked.set, "warm": 50,
        }  # fmt: skip
        command = [sys.executable, __file__, "--inside", json.dumps(told)]
        pipe = subprocess.PIPE
        self._child = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)
        self.told = self._read()
        self._ended = threading.Event()
        self._player = threading.Thread(target=self._play, args=(int(self.told["osc"]),), daemon=True)
        self._player.start()

    def measure(self, seconds: float) -> Window:
        """What happens in so many seconds from now."""
        self._cut()
        time.sleep(seconds)
        return self._cut()

    def close(self) -> None:
        """End the show."""
        self._ended.set()
        self._player.join()
        assert self._child.stdin
        self._child.stdin.close()
        self._child.wait(60)

    def _cut(self) -> Window:
        assert self._child.stdin
        self._child.stdin.write("cut\n")
        self._child.stdin.flush()
        return Window(**self._read())

    def _read(self) -> Any:
        assert self._child.stdout
        line = self._child.stdout.readline()
        if not line:
            raise SystemExit("error: the show ended; its last words are above")
        return json.loads(line)

    def _play(self, port: int) -> None:
        from pythonosc.udp_client import SimpleUDPClient

        client, side = SimpleUDPClient("127.0.0.1", port), np.random.default_rng(0)
        while not self._ended.wait(EVERY * side.uniform(0.8, 1.2)):  # not in step with anything
            client.send_message("/lw/walk/heading", float(side.uniform(0.3, 0.7)))


@contextlib.contextmanager
def display(wall: str) -> Iterator[dict[str, str]]:
    """The environment of a show: with a virtual display for a window, where there is none."""
    if wall == "headless" or os.environ.get("DISPLAY"):
        yield dict(os.environ)
        return
    read, write = os.pipe()
    screen = ["-screen", "0", "1280x720x24", "-nolisten", "tcp", "-displayfd", str(write)]
    server = subprocess.Popen(["Xvfb", *screen], pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read) as told:
            number = told.readline().strip()
        yield {**os.environ, "DISPLAY": f":{number}"}
    finally:
        server.terminate()
        server.wait()


def figures(window: Window) -> list[tuple[str, str, str]]:
    """Rows of the table: what, found, aim."""
    rate, hertz = window.pictures / window.seconds, window.presented / window.seconds
    latency = np.array(window.latency) * 1000
    p50, p99 = np.percentile(latency, [50, 99]) if len(latency) else (np.nan, np.nan)
    gaps = np.array(window.periods) * 1000
    spread = f"{np.percentile(gaps, 5):.0f} .. {np.percentile(gaps, 95):.0f} ms" if len(gaps) else "-"
    rows = [
        ("new pictures a second", f"{rate:.1f}", ">= 10"),
        ("time between them, 5..95%", spread, "even"),
        ("presentations a second", f"{hertz:.1f}", ">= 30"),
        ("  of which late by a period or more", f"{window.missed} of {window.presented}", "few"),
        (f"control to picture, p50 of {len(latency)}", f"{p50:.0f} ms", ""),
        ("control to picture, p99", f"{p99:.0f} ms", "<= 250 ms"),
        ("darkest moment, mean light 0..1", f"{window.dark:.3f}", "> 0"),
    ]
    rows += [(f"CPU, {who}", f"{100 * spent:.0f}% of a core", "") for who, spent in window.cpu.items()]
    return rows + [(f"memory, {who}", f"{size:.0f} MB", "") for who, size in window.memory.items()]


def histogram(window: Window) -> list[str]:
    """Intervals between presentations, as lines."""
    total, lines, low = max(sum(window.counts), 1), ["intervals between presentations:"], 0.0
    for high, count in zip([*window.edges, float("inf")], window.counts):
        if count:
            share = count / total
            lines.append(f"  {low:5.0f} .. {high:5.0f} ms {count:7d} {share:7.2%} {'#' * round(40 * share)}")
        low = high
    return lines


def gpu_note() -> str:
    """The render side at 512 px with SD-1.5 shapes, where there is CUDA."""
    import torch

    if not torch.cuda.is_available():
        return "render side at 512 px, SD-1.5 shapes: not run: no CUDA device"
    import gpu

    from latentworld.decoding import scout_decoder

    kind, notes = torch.float16, []
    world, look = gpu.world(kind), gpu.eye(kind)
    for batch in (1, 4):
        scout = scout_decoder(world, steps=4, batch=batch, engine="graphs")
        z = torch.randn(batch, 4, 64, 64)
        found = gpu.rate(lambda scout=scout, z=z: look(scout(z, gpu.PROMPT)), batch, 12)
        notes.append(f"batches of {batch}: {found:.1f} pictures a second, {1000 * batch / found:.0f} ms a batch")
    card = torch.cuda.get_device_name()
    return f"render side at 512 px, SD-1.5 shapes, scout of 4 steps with CLIP, {card}: {'; '.join(notes)}"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", nargs="?", default="first-light")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument(
        "--wall", nargs="+", default=["headless", "window"], choices=["headless", "window", "fullscreen"]
    )
    parser.add_argument("--size", type=int, nargs=2, default=[720, 1280], metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--rate", type=float, default=30.0, help="presentations a second without a display")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--flood", action="store_true")
    parser.add_argument("--turn", type=float, default=5.0)
    parser.add_argument("--turns", type=int, default=24)
    parser.add_argument("--gpu", action="store_true", help="the render side alone, at 512 px, where there is CUDA")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.inside:
        inside(json.loads(asked.inside))
        return
    from common import show
    from flood import cost

    for wall in asked.wall:
        with tempfile.TemporaryDirectory() as folder, display(wall) as environment:
            performance = Performance(asked, wall, Path(folder) / "show", environment)
            try:
                time.sleep(WARM)
                window = performance.measure(asked.seconds)
                port = int(performance.told["osc"])
                flooded = cost(performance.measure, port, asked.turns, asked.turn) if asked.flood else []
            finally:
                performance.close()
        height, width = asked.size
        scene = performance.told["scene"]
        profile = scene.get("profile") or {}
        made = ", ".join(
            f"{key} {profile[key]}" for key in ("kind", "variant", "engine", "batch", "steps") if key in profile
        )
        title = f"{asked.preset}, {wall}, {height}x{width}, {window.seconds:.0f} s, load {os.getloadavg()[0]:.1f}"
        show(title, ("", "found", "aim"), figures(window), [made, *histogram(window), *flooded])
    if asked.gpu:
        print(gpu_note())


if __name__ == "__main__":
    main()
