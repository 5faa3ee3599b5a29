"""Does the show endure? Processes killed and stopped while it runs, and hours of it measured.

    python benchmarks/endurance.py kills [PRESET] [--kills 20]       the renderer killed, stopped; everything killed
    python benchmarks/endurance.py soak [PRESET] --hours 2 --csv soak.csv      (72 for an opening's long weekend)
    python benchmarks/endurance.py table soak.csv                    of a soak that is under way or was cut short

Headless, without OSC and deck. `--standins all` takes the children of tests/show, which need no model: what is then
measured is the show itself; `--standins stage` a stage that needs no OpenGL. PRESET is `first-light` unless said.
"""

from __future__ import annotations

import argparse
import csv
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]

from installation.live.children import Programs
from installation.live.supervisor import OURS, Show
from installation.live.venue import Doors, Venue, Wall
from installation.live.wire import Message
from latentworld.preset import load

STANDINS = Path(__file__).parent.parent / "tests" / "show"
PATIENCE = 900.0  # seconds in which whatever is waited for has to happen
COLUMNS = ("seconds", "process", "rss", "threads", "files", "presented", "missed", "frames", "restarts")


class Watched(Show):
    """A show that keeps what its stage and renderer report, with the moment."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.reports: list[tuple[float, Message]] = []
        self.ticks: list[tuple[float, Message]] = []
        self.said: list[tuple[float, str]] = []
        self.arrived = threading.Condition()
        venue = Venue(folder=str(folder), wall=Wall(kind="headless"), doors=Doors(osc=None, deck=None), midi=False)
        super().__init__(load(options.preset, options.set or []), venue, self._tell_us, programs=programs(options))
        self.keeping = True

    def _tell_us(self, line: str) -> None:
        self._keep(self.said, line)
        print(f"  {line}", file=sys.stderr, flush=True)

    def _keep(self, where: list[tuple[float, Any]], what: Any) -> None:
        with self.arrived:
            if self.keeping:
                where.append((time.monotonic(), what))
            self.arrived.notify_all()

    def _hear_stage(self, message: Message) -> None:
        super()._hear_stage(message)
        if message["kind"] == "stage":
            self._keep(self.reports, message)

    def _hear_renderer(self, message: Message) -> None:
        super()._hear_renderer(message)
        if message["kind"] == "tick":
            self._keep(self.ticks, message)

    def await_(self, what: Callable[[], Any]) -> Any:
        """The first thing that is not false, looked for whenever something is reported."""
        end = time.monotonic() + PATIENCE
        with self.arrived:
            while not (found := what()):
                self.arrived.wait(1.0)
                if time.monotonic() > end:
                    raise SystemExit("it did not happen within a quarter of an hour: see what was said above")
            return found


def programs(options: argparse.Namespace) -> Programs:
    """The show's own children, or those of the tests."""
    renderer, stage = (str(STANDINS / f"standin_{name}.py") for name in ("renderer", "stage"))
    if options.standins == "all":
        return Programs(renderer, stage, stage, renderer)
    return replace(OURS, stage=stage, outputs=stage) if options.standins else OURS


# ---- kills


def kills(options: argparse.Namespace) -> None:
    """Kill the renderer again and again, stop it once, then kill everything; print what happened."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        show = Watched(options, Path(folder))
        began = time.monotonic()
        show.start()
        try:
            loading = show.await_(lambda: show.ticks)[0][0] - began
            show.await_(lambda: [1 for _, report in show.reports if report.get("sequence")])
            for number in range(options.kills):
                time.sleep(options.between)
                rows.append(_hurt(show, f"kill -9, {number + 1}", signal.SIGKILL))
            time.sleep(options.between)
            rows.append(_hurt(show, "stopped (hangs)", signal.SIGSTOP))
        finally:
            show.stop()
    _show_kills(rows, loading, options)
    print(_everything(options))


def _hurt(show: Watched, name: str, how: signal.Signals) -> dict[str, Any]:
    child = show._company.renderer.child
    assert child is not None
    last = show.ticks[-1][1]
    reported, said = len(show.reports), len(show.said)
    sequence = show.ring.newest
    hurt = time.monotonic()
    os.kill(child.pid, how)
    noticed = show.await_(lambda: [when for when, line in show.said[said:] if "the renderer" in line])[0]
    after = show.await_(lambda: [tick for when, tick in show.ticks if when > noticed])[0]
    # what was in the ring when it was hurt is shown first; a picture of the next renderer is beyond it
    moving = show.await_(
        lambda: [when for when, report in show.reports[reported:] if report.get("sequence", 0) > sequence + 1]
    )[0]
    lights = [report["light"] for _, report in show.reports[reported:] if report.get("sequence")]
    return {
        "name": name, "noticed": noticed - hurt, "moving": max(moving, noticed) - hurt, "light": min(lights),
        "skipped": after["index"][0] - last["index"][-1] - 1, "gap": _angle(last["place"][-1], after["place"][0]),
        "stride": _stride(show),
    }  # fmt: skip


def _angle(one: list[float], other: list[float]) -> float:
    """Degrees on the globe."""
    u, v = np.array(one[:3]), np.array(other[:3])
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(u, v)), u @ v)))


def _stride(show: Watched) -> float:
    """Median degrees between neighbouring pictures, lately."""
    places = [place for _, tick in show.ticks[-40:] for place in tick["place"]]
    return float(np.median([_angle(a, b) for a, b in pairwise(places)]))


def _everything(options: argparse.Namespace) -> str:
    """Kill the show and all its children at once, start it again; says where it went on."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(_command(options, folder), stderr=subprocess.DEVNULL)
        kept = Path(folder) / "state.json"
        end = time.monotonic() + PATIENCE
        while not (kept.is_file() and '"resume":{' in kept.read_text(encoding="utf-8")):
            if time.monotonic() > end or process.poll() is not None:
                raise SystemExit("the show kept no state: run it by hand")
            time.sleep(0.2)
        crew = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        psutil.wait_procs(crew, 10)
        left = [child.pid for child in crew if child.is_running() and child.status() != "zombie"]
        show = Watched(options, Path(folder))
        show.start()
        try:
            first = show.await_(lambda: show.ticks)[0][1]
            told = next((line for _, line in show.said if line.startswith("going on")), "it did NOT go on")
        finally:
            show.stop()
    return f"kill -9 of everything: {len(left)} orphans; {told}, with frame {first['index'][0]}"


def _command(options: argparse.Namespace, folder: str) -> list[str]:
    settings = [part for setting in options.set or [] for part in ("--set", setting)]
    stand = ["--standins", options.standins] if options.standins else []
    return [sys.executable, __file__, "perform", options.preset, "--folder", folder, *settings, *stand]


def perform(options: argparse.Namespace) -> None:
    """A show and nothing else, until somebody kills it."""
    Watched(options, Path(options.folder)).run()


def _show_kills(rows: list[dict[str, Any]], loading: float, options: argparse.Namespace) -> None:
    from common import show as table

    limit = loading + 5
    columns = [
        "what was done",
        "noticed s",
        "moving again s",
        "lowest light",
        "frames skipped",
        "gap deg",
        "stride deg",
    ]
    cells = [
        [row["name"], f"{row['noticed']:.2f}", f"{row['moving']:.2f}", f"{row['light']:.3f}", str(row["skipped"]),
         f"{row['gap']:.3f}", f"{row['stride']:.3f}"]
        for row in rows
    ]  # fmt: skip
    late = sum(row["moving"] > limit for row in rows if row["name"].startswith("kill"))
    dark = sum(row["light"] < 0.01 for row in rows)
    notes = [
        f"loading took {loading:.1f} s at first: {late} of {len(rows) - 1} kills took longer than that + 5 s",
        f"{dark} times the wall was black (mean light under 0.01); a hang is noticed within 5 s:"
        f" {'yes' if rows[-1]['noticed'] <= 5 else 'NO'}",
    ]
    stand = f", stand-ins: {options.standins}" if options.standins else ""
    table(f"{options.preset}{stand}: the renderer hurt while it runs", columns, cells, notes)


# ---- soak


def soak(options: argparse.Namespace) -> None:
    """Run for hours, play a little all the time, write a line for each process now and then."""
    with tempfile.TemporaryDirectory() as folder, open(options.csv, "a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if file.tell() == 0:
            writer.writerow(COLUMNS)
        show = Watched(options, Path(folder))
        show.keeping = False
        show.start()
        try:
            _soak(show, options, lambda rows: (writer.writerows(rows), file.flush()))
        except KeyboardInterrupt:
            print("interrupted: what was measured so far counts", file=sys.stderr)
        finally:
            show.stop()
    summary(options)


def _soak(show: Watched, options: argparse.Namespace, write: Callable[[list[list[Any]]], Any]) -> None:
    start, step = time.monotonic(), 0
    show.desk.set("lfo.1.target", "rift.attraction", "soak")
    show.desk.set("lfo.1.depth", 0.3, "soak")
    due = start + options.every
    while time.monotonic() < start + options.hours * 3600:
        time.sleep(0.5)
        step += 1
        show.picture()  # a deck looks
        show.desk.set("walk.speed", 3.0 + 2.0 * np.sin(step / 20), "soak")
        if step % 240 == 0:
            show.desk.set("prompt.mix", 0.25 * (step // 240 % 4), "soak")
        if time.monotonic() >= due:
            due += options.every
            write(_sample(show, time.monotonic() - start))


def _sample(show: Watched, seconds: float) -> list[list[Any]]:
    status, rows = show.status(), []
    for name, pid in {"show": os.getpid(), **show._company.pids()}.items():
        try:
            process = psutil.Process(pid)
            rss, threads, files = process.memory_info().rss, process.num_threads(), process.num_fds()
        except psutil.Error:
            continue
        presented = show._gauges._stage.get("presented", 0)
        rows.append([f"{seconds:.1f}", name, rss, threads, files, presented, status.missed, status.frame,
                     status.restarts])  # fmt: skip
    return rows


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
        rows = [row for row in samples if row["process"] == name and row["seconds"] >= warm]
        if len(rows) >= 3:
            slope, error = trend([row["seconds"] / 3600 for row in rows], [row["rss"] / 1e6 for row in rows])
            threads, files = ([row[key] for row in rows] for key in ("threads", "files"))
            counts = [f"{many[0]:.0f} → {many[-1]:.0f} (max {max(many):.0f})" for many in (threads, files)]
            sizes = [f"{row['rss'] / 1e6:.1f}" for row in (rows[0], rows[-1])]
            cells.append([name, *sizes, f"{slope:+.2f} ± {error:.2f}", *counts])
    last = samples[-1]
    share = last["missed"] / max(last["presented"], 1)
    notes = [
        f"{span / 3600:.2f} h; slopes by least squares without the first {warm / 60:.1f} min, ± one standard error",
        f"{last['presented']:.0f} presentations, {last['missed']:.0f} missed ({share:.2%});"
        f" {last['frames']:.0f} frames; {last['restarts']:.0f} restarts",
    ]
    columns = ["process", "MB after warm-up", "MB at the end", "slope MB/h", "threads", "files"]
    table(f"soak of {options.csv}", columns, cells, notes)


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
    for name, run in (("kills", kills), ("soak", soak), ("perform", perform)):
        command = commands.add_parser(name)
        command.add_argument("preset", nargs="?", default="first-light")
        command.add_argument("--set", action="append", metavar="SECTION.KEY=VALUE")
        command.add_argument("--standins", choices=["all", "stage"])
        command.set_defaults(run=run)
    commands.choices["perform"].add_argument("--folder", required=True)
    commands.choices["kills"].add_argument("--kills", type=int, default=20)
    commands.choices["kills"].add_argument("--between", type=float, default=7.0, help="seconds of show between two")
    commands.choices["soak"].add_argument("--hours", type=float, default=2.0)
    commands.choices["soak"].add_argument("--every", type=float, default=10.0, help="seconds between two samples")
    table = commands.add_parser("table")
    table.set_defaults(run=summary)
    for command in (table, commands.choices["soak"]):
        command.add_argument("csv" if command is table else "--csv", default="soak.csv")
        command.add_argument("--warmup", type=float, help="minutes; default: a quarter, ten at most")
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
