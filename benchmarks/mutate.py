"""What the tests hold: change the code one line at a time and see whether a test notices.

    make mutate                                  the modules below, 14 changes of each
    make mutate MODULES=latentworld/pilot.py COUNT=40 SEED=2
    python benchmarks/mutate.py --again          those that nothing noticed, once more (after new tests)

Each mutant (mutants.py) runs in a fresh process in a copy of the tree, against the tests that reach the changed
function (reach.py), near and quick ones first, until one fails; one that hangs is noticed too. Results are kept as they
come in out/mutation/, so a run that was stopped goes on. Mutants that are no change of behaviour stand in
equivalents.toml with the reason; they do not count. Needs a system that forks. See
docs/decisions/0018-a-mutation-tool-of-our-own.md.
"""

from __future__ import annotations

import argparse
import compileall
import importlib
import json
import os
import py_compile
import random
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mutants import Mutant, mutants
from reach import ROOT, Reach, measure

OUT = ROOT / "out" / "mutation"
FAILS = ("FAILED ", "ERROR ")  # in pytest's summary
EQUIVALENTS = Path(__file__).with_name("equivalents.toml")
PRELOADED = (  # what tests import that is not ours: loaded once, before every fork
    "hypothesis", "numpy", "pydantic", "torch", "PIL.Image", "cv2", "typer", "rich.progress", "zarr", "scipy.spatial",
    "scipy.interpolate", "networkx", "healpix", "safetensors.torch", "httpx", "starlette.applications",
    "pythonosc.osc_message", "websockets.sync.client", "uvicorn", "mido", "prometheus_client", "psutil",
    "transformers.models.clip.modeling_clip", "diffusers.models.unets.unet_2d_condition",
    "diffusers.models.autoencoders.autoencoder_kl", "diffusers.schedulers.scheduling_ddim",
    "diffusers.schedulers.scheduling_lcm",
)  # fmt: skip
MODULES = (
    "latentworld/pilot.py", "latentworld/pacing.py", "latentworld/lipschitz.py", "latentworld/plane.py",
    "latentworld/vertices.py", "latentworld/disk.py", "latentworld/walks/arclength.py", "latentworld/walks/curves.py",
    "latentworld/walks/orbit.py", "latentworld/walks/lissajous.py", "latentworld/walks/spiral.py",
    "latentworld/walks/waypoints.py", "latentworld/walks/free.py", "latentworld/walks/wander.py",
    "latentworld/atlas/places.py", "latentworld/atlas/chunks.py", "latentworld/atlas/tour.py",
    "latentworld/atlas/tour_stops.py", "latentworld/atlas/field.py", "latentworld/atlas/survey.py",
    "latentworld/decoding/lora.py", "latentworld/decoding/scout.py", "latentworld/decoding/samplers.py",
    "latentworld/decoding/diffusion.py", "latentworld/decoding/cache.py", "installation/ipc/ring.py",
    "installation/stage/playout.py", "installation/ports/deck/auth.py", "installation/ports/osc/match.py",
    "installation/control/desk/desk.py", "installation/control/desk/motion.py", "installation/film/encoder.py",
    "installation/takes/track.py", "installation/show/state.py", "installation/control/walk_control.py",
)  # fmt: skip


@dataclass
class Under:
    """A mutant whose tests are running."""

    name: str
    mutant: Mutant
    pid: int
    copy: Path
    log: Path
    ends: float
    tests: int


def main() -> None:
    options = arguments()
    modules = [module for name in options.modules or MODULES for module in expanded(name)]
    files = [ROOT / file for file in options.tests] or sorted((ROOT / "tests").rglob("test_*.py"))
    reach = measure(files, OUT / "reach", options.fresh)
    results = Results(OUT / "results.jsonl")
    equivalent = {(each["module"], each["old"], each["new"]) for each in _table(EQUIVALENTS)}
    sources = {module: (ROOT / module).read_bytes() for module in modules}
    chosen = {module: sample(module, sources[module], options, equivalent) for module in modules}
    todo = [
        (name, mutant)
        for module in modules
        for name, mutant in chosen[module].items()
        if (known := results.of(name, sources[module])) is None or (options.again and known["how"] == "unnoticed")
    ]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run(todo, sources, reach, results, options)
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here")
    print(report(chosen, sources, results))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("modules", nargs="*", help="files, or folders for the files in them")
    parser.add_argument("--count", type=int, default=14, help="mutants of each module (0: every one)")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    parser.add_argument("--seconds", type=float, default=60.0, help="of tests a mutant, at most")
    parser.add_argument("--jobs", type=int, default=1, help="mutants at a time")
    parser.add_argument("--tests", nargs="*", default=[], help="test files to use (all)")
    parser.add_argument("--again", action="store_true", help="run those again that nothing noticed")
    parser.add_argument("--fresh", action="store_true", help="find out anew which tests reach what")
    return parser.parse_args()


def expanded(name: str) -> list[str]:
    place = ROOT / name
    if place.is_file():
        return [name]
    found = [str(path.relative_to(ROOT)) for path in sorted(place.glob("*.py")) if path.name != "__init__.py"]
    return found or sys.exit(f"no module {name}: give a file or a folder of the tree")  # type: ignore[return-value]


def sample(
    module: str, source: bytes, options: argparse.Namespace, equivalent: set[tuple[str, str, str]]
) -> dict[str, Mutant]:
    """Mutants by name, `count` of them that a seed draws, on as many different lines as there are."""
    every = [mutant for mutant in mutants(module, source) if (module, *mutant.diff(source)) not in equivalent]
    random.Random(f"{options.seed} {module}").shuffle(every)
    seen: Counter[int] = Counter()
    order: list[tuple[int, Mutant]] = []
    for mutant in every:
        order.append((seen[mutant.line], mutant))
        seen[mutant.line] += 1
    order.sort(key=lambda each: each[0])  # stable: the first of every line, then the second
    return {mutant.name(source): mutant for _, mutant in order[: options.count or None]}


class Results:
    """What became of mutants, kept as it comes; the last word on each counts."""

    def __init__(self, path: Path) -> None:
        self.path, self._known = path, dict[str, dict[str, Any]]()
        self.fresh: list[dict[str, Any]] = []  # of this run
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                with suppress(ValueError):  # a line cut short by a kill
                    told = json.loads(line)
                    self._known[told["name"]] = told

    def of(self, name: str, source: bytes) -> dict[str, Any] | None:
        """The result of a mutant; None where there is none."""
        return self._known.get(name)

    def add(self, **told: Any) -> None:
        self._known[told["name"]] = told
        self.fresh.append(told)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")


def run(
    todo: Sequence[tuple[str, Mutant]],
    sources: dict[str, bytes],
    reach: Reach,
    results: Results,
    options: argparse.Namespace,
) -> None:
    """Every mutant to do, `jobs` at a time."""
    if not todo:
        return
    print(f"{len(todo)} mutants", flush=True)
    for name in PRELOADED:
        with suppress(ImportError):
            importlib.import_module(name)
    waiting, running = list(reversed(todo)), list[Under]()
    with copies(max(1, options.jobs)) as free:
        try:
            while waiting or running:
                while waiting and free:
                    name, mutant = waiting.pop()
                    tests = within(reach.of(mutant.module, mutant.where), reach, options.seconds)
                    if tests:
                        running.append(begin(name, mutant, sources[mutant.module], tests, free.pop(), reach))
                    else:
                        results.add(name=name, how="unnoticed", tests=0, by="")
                time.sleep(0.05)
                for under in list(running):
                    if (how := ended(under)) is not None:
                        running.remove(under)
                        (under.copy / under.mutant.module).write_bytes(sources[under.mutant.module])
                        free.append(under.copy)
                        results.add(name=under.name, how=how, tests=under.tests, by=killer(under.log))
                        _tell(under, how, sources, len(waiting) + len(running))
            doubt(free[0], results, reach)
        finally:
            for under in running:
                _kill(under.pid)


def doubt(copy: Path, results: Results, reach: Reach) -> None:
    """Run the tests that noticed something on the code as it is: what fails there notices nothing."""
    noticing = sorted({each["by"] for each in results.fresh if each["how"] == "noticed"} & reach.seconds.keys())
    if not noticing:
        return
    pid, log, _ = forked(copy, [noticing], reach, [])
    os.waitpid(pid, 0)
    failing = {line.split(" ")[1] for line in log.read_text(errors="replace").splitlines() if line.startswith(FAILS)}
    for each in list(results.fresh):
        if each["by"] in failing:
            results.add(**each | {"how": "unnoticed", "by": f"(only by {each['by']}, which fails without it too)"})


def within(groups: list[list[str]], reach: Reach, seconds: float) -> list[list[str]]:
    """As many of the tests, the first ones, as take so long (each at least 20 ms), and one at least."""
    spent, chosen = 0.0, list[list[str]]()
    for group in groups:
        taken = list[str]()
        for test in group:
            spent += max(reach.seconds[test], 0.02)
            if spent <= seconds or not (chosen or taken):
                taken.append(test)
        chosen += [taken] if taken else []
    return chosen


@contextmanager
def copies(count: int) -> Iterator[list[Path]]:
    """Copies of the tree to be changed; byte code in them is checked against the text it was made of."""
    ignored = shutil.ignore_patterns(".*", "out", "dist", "build", "__pycache__", "*.egg-info")
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        made = [Path(shutil.copytree(ROOT, Path(folder) / str(k), ignore=ignored)) for k in range(count)]
        for copy in made:
            for package in ("latentworld", "installation"):
                mode = py_compile.PycInvalidationMode.CHECKED_HASH
                compileall.compile_dir(copy / package, quiet=2, invalidation_mode=mode)
        yield made


def begin(name: str, mutant: Mutant, source: bytes, tests: list[list[str]], copy: Path, reach: Reach) -> Under:
    """Change the copy and run the tests in it."""
    (copy / mutant.module).write_bytes(mutant.applied(source))
    pid, log, limit = forked(copy, tests, reach, ["-x"])
    return Under(name, mutant, pid, copy, log, time.monotonic() + limit, sum(map(len, tests)))


def forked(copy: Path, tests: list[list[str]], reach: Reach, options: list[str]) -> tuple[int, Path, float]:
    """A child that imports the copy and runs tests, group after group while they pass: its pid, its log, and how long
    it may take."""
    log = copy.with_suffix(".log")
    # a loaded machine may be several times slower than when the tests were timed
    limit = 60.0 + 6.0 * sum(max(reach.seconds[test], 0.02) for group in tests for test in group)
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            code = _child(copy, log, tests, options)
        finally:
            os._exit(code)
    return pid, log, limit


def _child(copy: Path, log: Path, tests: list[list[str]], options: list[str]) -> int:
    os.setsid()
    number = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(number, stream)
    os.chdir(copy)
    os.environ |= {"PYTHONPATH": str(copy), "CI": "1"}
    sys.path[:] = [str(copy), *(entry for entry in sys.path if not entry.startswith(str(ROOT)) or ".venv" in entry)]
    sys.argv = ["pytest"]
    quiet = ["-p", "no:cacheprovider", "--tb=line", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    options = [*quiet, "-m", "not slow", *options]
    for group in tests:  # a file at a time, so that files far away are not even imported
        if code := int(pytest.main([*options, *dict.fromkeys(map(findable, group))])):
            return code
        options += ["-o", "addopts="]  # shapes are checked already, and jaxtyping refuses to be asked twice
    return 0


def findable(test: str) -> str:
    """A test as pytest finds it again: ids with a backslash it does not, so all that the function has."""
    return test.split("[")[0] if "\\" in test else test


def ended(under: Under) -> str | None:
    """How a mutant ended, None while it runs. Raises SystemExit where the tests could not be run at all."""
    pid, status = os.waitpid(under.pid, os.WNOHANG)
    if pid == 0:
        if time.monotonic() < under.ends:
            return None
        _kill(under.pid)
        return "hung"
    _kill(under.pid, wait=False)  # what it may have left running
    code, log = os.waitstatus_to_exitcode(status), under.log.read_text(errors="replace")
    if code == 0:
        return "unnoticed"
    unread = "ERROR collecting" in log or "while loading conftest" in log  # the change fails when it is imported
    if code < 0 or code in (1, 2) or (code == 4 and unread):
        return "noticed"
    raise SystemExit(f"the tests of {under.mutant} could not be run ({code}):\n{log[-3000:]}")


def _kill(pid: int, wait: bool = True) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    if wait:
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)


def killer(log: Path) -> str:
    """The test that failed, from pytest's summary."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.startswith(FAILS)]
    return lines[0].split(" ")[1] if lines and " " in lines[0] else ""


def _tell(under: Under, how: str, sources: dict[str, bytes], left: int) -> None:
    mutant = under.mutant
    print(f"{left:4d} left  {how:9}  {mutant.module}:{mutant.line}  {mutant.kind}", flush=True)
    if how == "unnoticed":
        old, new = mutant.diff(sources[mutant.module])
        print(f"           - {old}\n           + {new}   ({under.tests} tests)", flush=True)


def report(chosen: dict[str, dict[str, Mutant]], sources: dict[str, bytes], results: Results) -> str:
    """A table of modules and kinds, and every mutant that nothing noticed; also kept as out/mutation/report.md."""
    lines, unnoticed = ["| module | mutants | noticed | share |", "|---|---:|---:|---:|"], list[str]()
    kinds: dict[str, list[int]] = {}
    total = [0, 0]
    for module, some in chosen.items():
        known = [(mutant, told) for name, mutant in some.items() if (told := results.of(name, sources[module]))]
        noticed = sum(told["how"] != "unnoticed" for _, told in known)
        for mutant, told in known:
            kinds.setdefault(mutant.kind, []).append(told["how"] != "unnoticed")
            if told["how"] == "unnoticed":
                old, new = mutant.diff(sources[module])
                why = f"{told['tests']} tests {told['by']}".strip()
                unnoticed.append(f"{module}:{mutant.line} {mutant.kind} ({why})\n  - {old}\n  + {new}")
        total = [total[0] + len(known), total[1] + noticed]
        if known:
            lines.append(f"| {module} | {len(known)} | {noticed} | {noticed / len(known):.0%} |")
    if total[0]:
        lines.append(f"| all | {total[0]} | {total[1]} | {total[1] / total[0]:.1%} |")
    lines += ["", "| kind | mutants | noticed |", "|---|---:|---:|"]
    lines += [f"| {kind} | {len(found)} | {sum(found)} |" for kind, found in sorted(kinds.items())]
    text = "\n".join([*lines, "", "Unnoticed:", "", *(unnoticed or ["none"])])
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "report.md").write_text(text + "\n", encoding="utf-8")
    return text


def _table(path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as file:
        found: list[dict[str, Any]] = tomllib.load(file)["mutant"]
    for each in found:
        if each.keys() != {"module", "old", "new", "reason"} or not each["reason"]:
            sys.exit(f"{path}: each mutant has module, old, new and reason: {each}")
    return found


if __name__ == "__main__":
    main()
