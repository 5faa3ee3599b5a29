"""Does the show endure? Its renderer killed and stopped while it runs, then everything killed at once.

    python benchmarks/endurance.py kills [PRESET] [--kills 20]

Hours of it are benchmarks/soak.py. Headless, without OSC and deck. `--standins all` takes the children of
tests/standins/show, which need no model: what is then measured is the show itself; `--standins stage` a stage that
needs no OpenGL. PRESET is `first-light` unless said.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]

from installation.ipc.messages import Place, StageReport, Tick
from installation.show.children import Programs
from installation.show.opening import open_show
from installation.show.premises import Runtime
from installation.show.show import Show
from installation.venue import Doors, Venue, Wall
from latentworld.preset import load

STANDINS = Path(__file__).parent.parent / "tests" / "standins" / "show"
PATIENCE = 900.0  # seconds in which whatever is waited for has to happen


class Watch:
    """Keeps what a show announces, and what its stage and renderer report, with the moment."""

    def __init__(self) -> None:
        self.reports: list[tuple[float, StageReport]] = []
        self.ticks: list[tuple[float, Tick]] = []
        self.said: list[tuple[float, str]] = []
        self.arrived = threading.Condition()

    def announce(self, line: str) -> None:
        """A show's line."""
        self._keep(self.said, line)
        print(f"  {line}", file=sys.stderr, flush=True)

    def look(self, show: Show) -> None:
        """Keep what it reports from now on."""
        collect = show.status_collector.stage

        def stage(now: float, report: StageReport) -> None:
            collect(now, report)
            self._keep(self.reports, report)

        show.status_collector.stage = stage  # type: ignore[method-assign]
        show.watch(lambda tick: self._keep(self.ticks, tick))

    def _keep(self, where: list[tuple[float, Any]], what: Any) -> None:
        with self.arrived:
            where.append((time.monotonic(), what))
            self.arrived.notify_all()

    def await_(self, what: Callable[[], Any]) -> Any:
        """The first thing that is not false, looked for whenever something is reported."""
        end = time.monotonic() + PATIENCE
        with self.arrived:
            while not (found := what()):
                self.arrived.wait(1.0)
                if time.monotonic() > end:
                    raise SystemExit("it did not happen within a quarter of an hour: see what was said above")
            return found


@contextlib.contextmanager
def watched(options: argparse.Namespace, folder: Path) -> Iterator[tuple[Show, Watch]]:
    """A show that is watched."""
    venue = Venue(folder=str(folder), wall=Wall(kind="headless"), doors=Doors(osc=None, deck=None), midi=False)
    watch, runtime = Watch(), Runtime(programs=programs(options))
    with open_show(load(options.preset, options.set or []), venue, watch.announce, runtime=runtime) as show:
        watch.look(show)
        yield show, watch


def programs(options: argparse.Namespace) -> Programs:
    """The show's own children, or those of the tests."""
    renderer, stage = (str(STANDINS / f"standin_{name}.py") for name in ("renderer", "stage"))
    if options.standins == "all":
        return Programs(renderer, stage, stage, renderer)
    return Programs(stage=stage, outputs=stage) if options.standins else Programs()


# ---- kills


def kills(options: argparse.Namespace) -> None:
    """Kill the renderer again and again, stop it once, then kill everything; print what happened."""
    rows = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, watched(options, Path(folder)) as (show, watch):
        loading = watch.await_(lambda: watch.ticks)[0][0] - began
        watch.await_(lambda: [1 for _, report in watch.reports if report.sequence])
        for number in range(options.kills):
            time.sleep(options.between)
            rows.append(_hurt(show, watch, f"kill -9, {number + 1}", signal.SIGKILL))
        time.sleep(options.between)
        rows.append(_hurt(show, watch, "stopped (hangs)", signal.SIGSTOP))
    _show_kills(rows, loading, options)
    print(_everything(options))


def _hurt(show: Show, watch: Watch, name: str, how: signal.Signals) -> dict[str, Any]:
    child = show.processes.renderer.child
    assert child is not None
    last = watch.ticks[-1][1]
    reported, said = len(watch.reports), len(watch.said)
    sequence = show.newest_picture.ring.newest
    hurt = time.monotonic()
    os.kill(child.pid, how)
    noticed = watch.await_(lambda: [when for when, line in watch.said[said:] if "the renderer" in line])[0]
    after = watch.await_(lambda: [tick for when, tick in watch.ticks if when > noticed])[0]
    # what was in the ring when it was hurt is shown first; a picture of the next renderer is beyond it
    moving = watch.await_(
        lambda: [when for when, report in watch.reports[reported:] if report.sequence > sequence + 1]
    )[0]
    lights = [report.light for _, report in watch.reports[reported:] if report.sequence]
    return {
        "name": name, "noticed": noticed - hurt, "moving": max(moving, noticed) - hurt, "light": min(lights),
        "skipped": after.index[0] - last.index[-1] - 1, "gap": _angle(last.place[-1], after.place[0]),
        "stride": _stride(watch),
    }  # fmt: skip


def _angle(one: Place, other: Place) -> float:
    """Degrees on the globe."""
    u, v = np.array(one[:3]), np.array(other[:3])
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(u, v)), u @ v)))


def _stride(watch: Watch) -> float:
    """Median degrees between neighbouring pictures, lately."""
    places = [place for _, tick in watch.ticks[-40:] for place in tick.place]
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
        with watched(options, Path(folder)) as (_, watch):
            first = watch.await_(lambda: watch.ticks)[0][1]
            went_on = next((line for _, line in watch.said if line.startswith("going on")), "it did NOT go on")
    return f"kill -9 of everything: {len(left)} orphans; {went_on}, with frame {first.index[0]}"


def _command(options: argparse.Namespace, folder: str) -> list[str]:
    settings = [part for setting in options.set or [] for part in ("--set", setting)]
    stand = ["--standins", options.standins] if options.standins else []
    return [sys.executable, __file__, "perform", options.preset, "--folder", folder, *settings, *stand]


def perform(options: argparse.Namespace) -> None:
    """A show and nothing else, until somebody kills it."""
    with watched(options, Path(options.folder)) as (show, _):
        show.ending.wait()


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


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, run in (("kills", kills), ("perform", perform)):
        command = commands.add_parser(name)
        command.add_argument("preset", nargs="?", default="first-light")
        command.add_argument("--set", action="append", metavar="SECTION.KEY=VALUE")
        command.add_argument("--standins", choices=["all", "stage"])
        command.set_defaults(run=run)
    commands.choices["perform"].add_argument("--folder", required=True)
    commands.choices["kills"].add_argument("--kills", type=int, default=20)
    commands.choices["kills"].add_argument("--between", type=float, default=7.0, help="seconds of show between two")
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
