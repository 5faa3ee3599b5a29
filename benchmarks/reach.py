"""Which tests reach which function, and how long each takes: a plugin of pytest, and the map it leaves.

`pytest -p reach` with REACH_TO=FILE in the environment runs tests under coverage, a context a test, and writes what was
seen. A map is made of such files, one a test file, and made again where a test file has changed.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import coverage
import pytest
from mutants import functions

ROOT = Path(__file__).parent.parent
PACKAGES = ("latentworld", "installation")
HERE = str(Path(__file__).parent)


class Plugin:
    """Switches coverage's context from test to test."""

    def __init__(self, to: Path) -> None:
        self.to, self.seconds, self.failed = to, dict[str, float](), set[str]()
        sources = [str(ROOT / package) for package in PACKAGES]
        self.coverage = coverage.Coverage(data_file=None, config_file=False, source=sources, messages=False)
        self.coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.coverage.switch_context(item.nodeid)
        result = yield
        self.coverage.switch_context("")
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration
        if not report.passed:  # skipped ones notice nothing either
            self.failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        self.coverage.stop()
        data, reached = self.coverage.get_data(), dict[str, dict[str, list[str]]]()
        for file in data.measured_files():
            names, found = functions(Path(file).read_bytes()), dict[str, set[str]]()
            for line, contexts in data.contexts_by_lineno(file).items():
                if line in names:
                    found.setdefault(names[line], set()).update(contexts)
            reached[str(Path(file).relative_to(ROOT))] = {name: sorted(tests - {""}) for name, tests in found.items()}
        told = {"seconds": self.seconds, "failed": sorted(self.failed), "reached": reached}
        self.to.write_text(json.dumps(told), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    if to := os.environ.get("REACH_TO"):
        config.pluginmanager.register(Plugin(Path(to)))


@dataclass(frozen=True)
class Reach:
    """seconds: of each test that passes; tests: of each module, of each of its functions; importers: of each module,
    the tests of files that import it, and over how many modules."""

    seconds: dict[str, float]
    tests: dict[str, dict[str, list[str]]]
    importers: dict[str, dict[str, int]]

    def of(self, module: str, where: str) -> list[list[str]]:
        """Tests that run a function, or at the top of a module import it or run any of its functions; file by file,
        those that import the module first, then the quick ones; last the others of these files, which may share what
        those set up."""
        reached, importing = self.tests.get(module, {}), self.importers.get(module, {})
        exact = set(reached.get(where, ()))
        if not where or not exact:
            exact = {test for tests in reached.values() for test in tests} | importing.keys()
        files: dict[str, list[str]] = {}
        for test in sorted(exact & self.seconds.keys(), key=self.seconds.__getitem__):
            files.setdefault(test.split("::")[0], []).append(test)

        def rank(file: str) -> tuple[int, float]:
            far = min((importing[test] for test in files[file] if test in importing), default=9)
            return far, sum(self.seconds[test] for test in files[file])

        order = sorted(files, key=rank)
        beside: dict[str, list[str]] = {file: [] for file in order}
        for test in self.seconds:
            file = test.split("::")[0]
            if file in beside and test not in exact:
                beside[file].append(test)
        return [files[file] for file in order] + [beside[file] for file in order if beside[file]]


def measure(files: Iterable[Path], folder: Path, fresh: bool = False) -> Reach:
    """The map of test files; those whose text has not changed since are not run again, unless `fresh`."""
    folder.mkdir(parents=True, exist_ok=True)
    seconds: dict[str, float] = {}
    tests: dict[str, dict[str, list[str]]] = {}
    importers: dict[str, dict[str, int]] = {}
    for file in sorted(files):
        told = _measured(file, folder, fresh)
        passed = {test: each for test, each in told["seconds"].items() if test not in told["failed"]}
        seconds |= passed
        for module, reached in told["reached"].items():
            for name, found in reached.items():
                tests.setdefault(module, {}).setdefault(name, []).extend(found)
        for module, far in _imported(file).items():
            importers.setdefault(module, {}).update(dict.fromkeys(passed, far))
    return Reach(seconds, tests, importers)


def _measured(file: Path, folder: Path, fresh: bool) -> dict[str, Any]:
    sign = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    kept = folder / f"{'-'.join(file.relative_to(ROOT).with_suffix('').parts)}.{sign}.json"
    if fresh or not kept.exists():
        print(f"  which code {file.relative_to(ROOT)} reaches", flush=True)
        environment = os.environ | {"REACH_TO": str(kept), "CI": "1", "PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}"}
        # a file may reach nothing of ours: no fault; Ray's tests are among them, in a process of their own as they want
        quiet = ["-p", "no:cacheprovider", "-m", "not slow", "-W", "ignore::coverage.exceptions.CoverageWarning"]
        command = [sys.executable, "-m", "pytest", "-p", "reach", *quiet, str(file.relative_to(ROOT))]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if not kept.exists():
            raise SystemExit(f"{file} could not be run:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return told


def _imported(file: Path, most: int = 3) -> dict[str, int]:
    """Modules of ours that a file imports, and over how many others (1: itself), at most `most`."""
    found: dict[str, int] = {}
    front = [file]
    for far in range(1, most + 1):
        named = {name for each in front for name in _names(each)} - found.keys()
        found |= dict.fromkeys(named, far)
        front = [ROOT / name for name in named]
    return found


@cache
def _names(file: Path) -> frozenset[str]:
    """Modules of ours whose names a file takes, those that their packages hand on among them."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in PACKAGES:
            names = [f"{node.module}.{alias.name}" for alias in node.names] + [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.split(".")[0] in PACKAGES]
        else:
            continue
        for name in names:
            place = ROOT.joinpath(*name.split("."))
            if place.with_suffix(".py").is_file():
                found.add(str(place.with_suffix(".py").relative_to(ROOT)))
            elif place.is_dir() and name.count(".") > 0:
                found |= {str(path.relative_to(ROOT)) for path in place.glob("*.py")}
    return frozenset(found)
