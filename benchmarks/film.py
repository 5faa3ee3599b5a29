"""Long films: what chunks cost, and whether memory and open files stay.

    python benchmarks/film.py chunks [--frames 5760] [--turns 3]     chunks of a minute against one piece, in turns
    python benchmarks/film.py memory [--frames 100000]               resident memory and open files while one is made
    python benchmarks/film.py kills [--frames 20000] [--kills 20]    SIGKILL at random moments: film, encoder, both,
                                                                     Ray workers; is it the film that nothing stopped?
    python benchmarks/film.py whole [--frames 345600]                plan, film, verify: time and memory of each
    python benchmarks/film.py estimates [PRESET …] [--set K=V]      what --dry-run says, and what the film then takes
    python benchmarks/film.py workers [--chunks 64]                  Ray workers that sleep: what handing out costs

All film the analytic world at 64 pixels, where a frame costs least and everything around it therefore most.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from common import machine

from installation import takes
from installation.film import make, remote
from installation.film import plan as planning
from installation.film.finish import Showing
from installation.film.join import counted, sums
from installation.film.remote import OnRay, chunk_maker
from installation.takes.film import Journey
from installation.takes.film import journey as filmed
from latentworld import preset
from latentworld.cluster.crew import Means, Vouched

SMALL = [
    "decoder.height=64", "decoder.width=64", "decoder.steps=10", "decoder.batch=16", "analytic.modes=8", "film.scale=1",
    "pacing.kind=latent",
]  # fmt: skip


def film(folder: Path, frames: int, chunk: float) -> subprocess.Popen[bytes]:
    """A film in a process of its own."""
    settings = [*SMALL, f"film.seconds={frames / 24}", f"film.chunk={chunk}"]
    told = [part for setting in settings for part in ("--set", setting)]
    arguments = [sys.executable, "-m", "installation", "film", "analytic", "-o", str(folder), *told]
    return subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def seconds(frames: int, chunk: float) -> float:
    """What a film takes, loading and joining included."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        if film(Path(folder, "film"), frames, chunk).wait():
            sys.exit("the film failed: run it by hand to see why")
        return time.perf_counter() - began


def chunks(frames: int, turns: int) -> None:
    """Times of one piece and of chunks of a minute, one after the other."""
    print(machine())
    whole, cut = [], []
    for _ in range(turns):
        whole.append(seconds(frames, 3600.0))
        cut.append(seconds(frames, 60.0))
        print(f"one piece {whole[-1]:.1f} s, chunks {cut[-1]:.1f} s", flush=True)
    ratio = np.array(cut) / np.array(whole) - 1
    print(f"{frames} frames, {frames / 1440:g} chunks: {100 * ratio.mean():+.1f} ± "
          f"{100 * ratio.std(ddof=1) / np.sqrt(turns):.1f}% of the time")  # fmt: skip


def memory(frames: int) -> None:
    """Samples of a film's process once a second, while it makes frames: slope of its resident memory, most of it, most
    open files; and the most memory at its end, when telemetry, sheet and chart are drawn."""
    print(machine())
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path, "film")
        process = film(folder, frames, 60.0)
        watched, samples = psutil.Process(process.pid), []
        began = time.perf_counter()
        while process.poll() is None:
            try:
                row = (time.perf_counter() - began, watched.memory_info().rss / 1e6, watched.num_fds(), done(folder))
            except psutil.Error:
                break
            samples.append(row)
            time.sleep(1.0)
        if process.wait():
            sys.exit("the film failed: run it by hand to see why")
    times, resident, handles, made = np.array(samples).T
    at_work = (made > frames / 20) & (made < frames)
    slope = np.polyfit(times[at_work] / 3600, resident[at_work], 1)[0]
    grown = np.median(resident[at_work][-20:]) - np.median(resident[at_work][:20])
    few, many = handles[at_work].min(), handles[at_work].max()
    most = f"at most {resident[at_work].max():.0f} MB, {resident.max():.0f} MB at the end"
    print(f"{frames} frames in {times[-1]:.0f} s: {slope:+.2f} MB an hour, {grown:+.1f} MB over the film, {most}; "
          f"open files {few:.0f} to {many:.0f}")  # fmt: skip


def done(folder: Path) -> int:
    """Frames that are made, as `progress.json` says."""
    try:
        return int(json.loads((folder / "progress.json").read_text())["frames"])
    except (OSError, ValueError, KeyError):
        return 0


PAUSE = {"film": 8.0, "encoder": 2.0, "both": 8.0, "worker": 2.0}  # seconds between two kills, at most
"""A film is at work some four seconds after it was started, a worker somewhat later; others go on meanwhile."""


def told(*settings: str) -> list[str]:
    """Settings as the command line takes them."""
    return [part for setting in settings for part in ("--set", setting)]


def command(*arguments: str | Path) -> subprocess.Popen[bytes]:
    """A command of ours in a process group of its own."""
    words = [sys.executable, "-m", "installation", *map(str, arguments)]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def victims(process: subprocess.Popen[bytes], who: str) -> list[psutil.Process]:
    """Whom to kill: of a film, of its encoder, or one of the workers that are at work for it."""
    film, encoders, workers = psutil.Process(process.pid), list[psutil.Process](), list[psutil.Process]()
    for child in film.children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has ended meanwhile
            name = child.name()
            encoders += [child] if "ffmpeg" in name else []
            workers += [child] if name.startswith("ray::Worker") else []
    return {"film": [film], "encoder": encoders, "both": [film, *encoders], "worker": workers[:1]}[who]


def killed(arguments: Sequence[str | Path], who: str, kills: int, pause: float, draw: random.Random) -> tuple[int, int]:
    """Start a film again and again until it is whole, killing at most `kills` times, at moments within `pause` seconds
    of each other. Returns how often it was killed, and started."""
    done, starts = 0, 0
    while True:
        process, starts = command(*arguments), starts + 1
        while process.poll() is None:
            time.sleep(draw.uniform(0.2, pause))
            with contextlib.suppress(psutil.Error):
                marked = victims(process, who) if done < kills else []
                for each in marked:
                    each.kill()
                done += bool(marked)
                if marked and who != "worker":
                    process.wait()  # a film whose encoder died says so and ends
        if process.returncode == 0:
            return done, starts


def content(folder: Path) -> tuple[str, bytes, dict[str, object]]:
    """A film's decoded frames, telemetry and summary, but for what its machine took."""
    summary = json.loads((folder / "film.json").read_text())
    for key in ("wall_seconds", "frames_per_second"):
        summary.pop(key)
    return counted(sums(folder / "film.mp4"))[1], (folder / "telemetry.csv").read_bytes(), summary


def kills(frames: int, count: int, seed: int, victims: Sequence[str]) -> None:
    """Films that are killed on purpose against one that nobody stopped."""
    print(machine())
    draw = random.Random(seed)
    asked = told(*SMALL, f"film.seconds={frames / 24}", "film.chunk=10")
    with tempfile.TemporaryDirectory() as path:
        base, plan = Path(path), Path(path, "piece.plan")
        for arguments in (["plan", "analytic", "-o", plan], ["film", "analytic", "-o", base / "whole"]):
            if command(*arguments, *asked).wait():
                sys.exit(f"{arguments[0]} failed: run it by hand to see why")
        if command("film", "--plan", plan, "-o", base / "planned").wait():
            sys.exit("the planned film failed: run it by hand to see why")
        whole, planned = content(base / "whole"), content(base / "planned")
        for who in victims:
            on_ray = who == "worker"
            arguments = ["film", "--plan", plan, "--ray", "local", "--workers", "2"] if on_ray else ["film", "analytic"]
            began, done, starts, same, films = time.perf_counter(), 0, 0, True, 0
            while done < count:  # one film is whole before so many
                folder, films = base / f"{who}-{films}", films + 1
                whole_command = [*arguments, "-o", folder, *([] if on_ray else asked)]
                more, started = killed(whole_command, who, count - done, PAUSE[who], draw)
                done, starts = done + more, starts + started
                same = same and content(folder) == (planned if on_ray else whole)
            print(f"{who}: {films} films of {frames} frames, {done} kills, started {starts} times, "
                  f"{time.perf_counter() - began:.0f} s: {'the same film' if same else 'ANOTHER FILM'}",
                  flush=True)  # fmt: skip


def whole(frames: int) -> None:
    """A plan of so many frames, its film, and its verification: seconds, and the most memory of each process."""
    print(machine())
    asked = told(*SMALL, f"film.seconds={frames / 24}")
    with tempfile.TemporaryDirectory() as path:
        plan, folder = Path(path, "piece.plan"), Path(path, "film")
        for name, arguments in {
            "plan": ["plan", "analytic", "-o", plan, *asked],
            "film": ["film", "--plan", plan, "-o", folder],
            "verify": ["film", "verify", folder],
        }.items():
            began, process, most = time.perf_counter(), command(*arguments), 0
            while process.poll() is None:
                with contextlib.suppress(psutil.Error):
                    most = max(most, psutil.Process(process.pid).memory_info().rss)
                time.sleep(0.5)
            took = time.perf_counter() - began
            print(f"{name}: {took:.0f} s, {frames / took:.0f} frames a second, {most / 1e6:.0f} MB, "
                  f"exit {process.returncode}", flush=True)  # fmt: skip
        size, text = (folder / "film.mp4").stat().st_size, plan.stat().st_size
        print(f"film.mp4 {size / 1e6:.0f} MB, the plan {text / 1e6:.0f} MB")


def estimates(presets: Sequence[str], settings: Sequence[str]) -> None:
    """What `--dry-run` says of a film against what it then takes, on a machine that does nothing else."""
    print(machine())
    for name in presets:
        with tempfile.TemporaryDirectory() as path:
            folder = f"{path}/film"
            asked = [sys.executable, "-m", "installation", "film", name, "-o", folder, *told(*settings), "--json"]
            dry = subprocess.run([*asked, "--dry-run"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
            said = json.loads(dry.stdout)
            began = time.perf_counter()
            subprocess.run(asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
            took = time.perf_counter() - began
        promise = f"{said['frames']} frames, said {said['seconds']:.0f} ± {said['doubt']:.0f} s ({said['tried']} tried)"
        print(f"{name}: {promise}, took {took:.0f} s: {100 * (said['seconds'] / took - 1):+.0f}%", flush=True)


SLEEP = 1.0  # seconds that a sleeping worker takes for a chunk


def sleeping(text: str, way: Journey, sound: str | None, stage: Showing | None) -> Vouched:
    """A worker whose decoder sleeps: it makes a chunk, and what is left of the time it sleeps."""
    work = chunk_maker(text, way, sound, stage)

    def make(first: int) -> object:
        began = time.perf_counter()
        made = work(first)
        time.sleep(max(SLEEP - (time.perf_counter() - began), 0.0))
        return made

    return Vouched(make, work.settings)


def workers(chunks: int) -> None:
    """Chunks a second of one, two and four workers that sleep, from the first chunk to the last."""
    print(machine())
    remote.chunk_maker = sleeping  # type: ignore[assignment]
    tiny = ["decoder.height=32", "decoder.width=32", "decoder.steps=4", "film.fps=8", "film.chunk=1", "film.scale=1"]
    asked = preset.load("analytic", [*tiny, "pacing.kind=latent", f"film.seconds={chunks}"])
    with tempfile.TemporaryDirectory() as path:
        way = filmed(takes.read(planning.plan(asked, Path(path, "piece.plan")).target))
        alone = None
        for count in (1, 2, 4):
            arrivals = Arrivals([])
            on_ray = OnRay(Means("local", count, cpus=1), lambda line: None, [arrivals])
            make.film(way.preset, Path(path, str(count)), journey=way, ray=on_ray)
            rate = (len(arrivals.times) - count) / (arrivals.times[-1] - arrivals.times[count - 1])
            alone = alone or rate
            print(f"{count} workers: {rate:.2f} chunks a second, {rate / alone / count:.3f} of linear", flush=True)


@dataclass
class Arrivals:
    """When chunks arrived."""

    times: list[float]

    def arrived(self, frames: int, done: int) -> None:
        self.times.append(time.perf_counter())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    cost = commands.add_parser("chunks")
    cost.add_argument("--frames", type=int, default=5760)
    cost.add_argument("--turns", type=int, default=3)
    grown = commands.add_parser("memory")
    grown.add_argument("--frames", type=int, default=100_000)
    hard = commands.add_parser("kills")
    hard.add_argument("--frames", type=int, default=20_000)
    hard.add_argument("--kills", type=int, default=20)
    hard.add_argument("--seed", type=int, default=1)
    hard.add_argument("--who", nargs="+", choices=list(PAUSE), default=list(PAUSE))
    full = commands.add_parser("whole")
    full.add_argument("--frames", type=int, default=345_600)
    promised = commands.add_parser("estimates")
    promised.add_argument("presets", nargs="*", default=["analytic", "first-light", "ornaments"])
    promised.add_argument("--set", action="append", default=[], dest="settings")
    crew = commands.add_parser("workers")
    crew.add_argument("--chunks", type=int, default=64)
    options = parser.parse_args()
    match options.command:
        case "chunks":
            chunks(options.frames, options.turns)
        case "memory":
            memory(options.frames)
        case "kills":
            os.environ.setdefault("OMP_NUM_THREADS", "1")  # many processes, each of them small
            kills(options.frames, options.kills, options.seed, options.who)
        case "whole":
            whole(options.frames)
        case "estimates":
            estimates(options.presets, options.settings)
        case "workers":
            workers(options.chunks)


if __name__ == "__main__":
    main()
