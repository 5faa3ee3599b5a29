"""How long from a command to its first picture, and from a killed renderer to the next one; another tree beside it.

    python benchmarks/start.py [--tree OTHER] [--repeats 5] [--kills 5] [--spare]

Each tree has a cache of its own, filled by a first turn that is not counted; then the trees take turns. Aims on two
cores with the embedded world: `latentworld still` within 3 s, a killed renderer's wall moving again within 3.5 s, and
with `show.spare` within 0.5 s. Besides: seconds of processor, and whether the trees' pictures are the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
KINDS = ("scout", "faithful")
# a show in a process of its own: of a tree that may be an older one, so that only what both have is used
SHOW = """
import json, os, signal, sys, tempfile, threading, time
import psutil
from installation.show.opening import open_show
from installation.venue import Doors, Venue, Wall
from latentworld import preset as presets
kills, wait, keys = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
moments, arrived = [], threading.Condition()
def heard(tick):
    with arrived:
        moments.append(time.monotonic())
        arrived.notify_all()
def after(moment):
    with arrived:
        while not [one for one in moments if one > moment]:
            if not arrived.wait(120.0):
                sys.exit("no picture came")
        return next(one for one in moments if one > moment)
with tempfile.TemporaryDirectory() as folder:
    venue = Venue(folder=folder, wall=Wall(kind="headless"), doors=Doors(osc=None, deck=None), midi=False)
    began = time.monotonic()
    say = lambda line: print(line, file=sys.stderr)
    with open_show(presets.load("first-light", keys), venue, say, fresh=True) as show:
        show.watch(heard)
        first, took = after(began) - began, []
        for _ in range(kills):
            time.sleep(wait)
            pid = show.processes.renderer.child.pid
            begun = time.monotonic()
            os.kill(pid, signal.SIGKILL)
            while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.001)
            time.sleep(0.05)  # what it had sent before is heard
            took.append(after(time.monotonic()) - begun)
        print(json.dumps({"first": first, "kills": took}), flush=True)
"""


@dataclass
class Tree:
    """A version of this project. seconds, processor: of each command, by kind of decoder; pictures: their digests."""

    name: str
    root: Path
    home: Path
    seconds: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    processor: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    pictures: dict[str, str] = field(default_factory=dict)
    shows: list[dict[str, float | list[float]]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """Of its processes."""
        return {**os.environ, "PYTHONPATH": str(self.root), "LATENTWORLD_CACHE": str(self.home / "cache")}

    def still(self, kind: str) -> tuple[float, float]:
        """Seconds and processor seconds of a command that makes one picture."""
        picture = self.home / f"{kind}.png"
        command = [sys.executable, "-m", "installation", "still", "--alpha", "0.2", "--beta", "0.3", "-o", str(picture)]
        before, began = _children(), time.perf_counter()
        subprocess.run(
            [*command, "--decoder", kind], cwd=self.root, env=self.environment, check=True, stdout=subprocess.DEVNULL
        )
        took, spent = time.perf_counter() - began, _children() - before
        self.pictures[kind] = hashlib.sha256(Image.open(picture).tobytes()).hexdigest()[:16]
        return took, spent

    def show(self, kills: int, wait: float, keys: list[str]) -> dict[str, float | list[float]]:
        """Seconds to a show's first picture, and from each kill to the next one."""
        command = [sys.executable, "-c", SHOW, str(kills), str(wait), *keys]
        done = subprocess.run(command, cwd=self.root, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"error: the show of {self.root} ended: {done.stderr[-2000:]}")
        found: dict[str, float | list[float]] = json.loads(done.stdout)
        print(f"{self.name}: show {done.stdout.strip()}", file=sys.stderr, flush=True)
        return found


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def stills(trees: list[Tree], repeats: int) -> None:
    """All trees' commands, in turns; a first one fills the cache."""
    for turn in range(repeats + 1):
        for kind in KINDS:
            for tree in trees:
                took, spent = tree.still(kind)
                print(f"{tree.name}: {kind} {took:.2f} s{'' if turn else ', not counted'}", file=sys.stderr, flush=True)
                if turn:
                    tree.seconds[kind].append(took)
                    tree.processor[kind].append(spent)


def rows(trees: list[Tree], spare: dict[str, float | list[float]] | None) -> list[tuple[str, ...]]:
    """The table's: what, of each tree, the aim."""
    found = []
    for kind in KINDS:
        each = [
            f"{statistics.median(tree.seconds[kind]):.2f} s ({min(tree.seconds[kind]):.2f}), "
            f"{statistics.median(tree.processor[kind]):.2f} s of a processor"
            for tree in trees
        ]
        found.append((f"first picture, {kind}: median (least)", *each, "<= 3 s"))
    if all(tree.shows for tree in trees):
        loading = [f"{statistics.median([float(show['first']) for show in tree.shows]):.2f} s" for tree in trees]  # type: ignore[arg-type]
        found.append(("first picture of a show", *loading, ""))
        kills = [_spread([took for show in tree.shows for took in show["kills"]]) for tree in trees]  # type: ignore[union-attr]
        found.append(("killed renderer to next picture", *kills, "<= 3.5 s"))
    if spare is not None:
        found.append(("  with show.spare", _spread(spare["kills"]), *[""] * (len(trees) - 1), "<= 0.5 s"))  # type: ignore[arg-type]
    return found


def _spread(took: list[float]) -> str:
    return f"{statistics.median(took):.2f} s ({min(took):.2f} .. {max(took):.2f}, {len(took)})" if took else "-"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", type=Path, help="another version's checkout, measured in turns with this one")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--spare", action="store_true", help="a show of this tree with a spare renderer, too")
    parser.add_argument("--wait", type=float, default=4.0, help="seconds between kills")
    parser.add_argument("--wait-spare", type=float, default=60.0, help="seconds between kills where a spare is kept")
    asked = parser.parse_args()
    from common import show

    with tempfile.TemporaryDirectory() as home:
        trees = [Tree("this", ROOT, Path(home) / "this")]
        trees += [Tree("other", asked.tree.resolve(), Path(home) / "other")] if asked.tree else []
        for tree in trees:
            tree.home.mkdir()
        stills(trees, asked.repeats)
        spare = None
        if asked.kills:
            for tree in trees:
                tree.show(0, 0.0, [])  # fills the cache with a show's shapes
            for tree in trees:
                tree.shows.append(tree.show(asked.kills, asked.wait, []))
            if asked.spare:
                spare = trees[0].show(asked.kills, asked.wait_spare, ["show.spare=true"])
        same = [kind for kind in KINDS if len({tree.pictures[kind] for tree in trees}) == 1]
        notes = [f"pictures of the same bytes: {', '.join(same) or 'none'}"] if len(trees) > 1 else []
        columns = ("", *(tree.name for tree in trees), "aim")
        show(f"from cold, load {os.getloadavg()[0]:.1f}", columns, rows(trees, spare), notes)


if __name__ == "__main__":
    main()
