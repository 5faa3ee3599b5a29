"""What a film will take: frames are really made, nothing of them stays."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest
from test_film_resume import journey

from installation import takes
from installation.clock import Tick
from installation.film import plan
from installation.film.estimate import Estimate, Pace, _Seen, estimate, estimate_plan
from installation.takes.film import journey as filmed


def test_seconds_are_shared_among_workers_but_for_loading_and_planning() -> None:
    found = Estimate(1000, 24.0, Pace(10, 0.5, 2000.0, 4.0), 30.0, 10**8)
    assert found.seconds() == pytest.approx(30 + 4 + 500)
    assert found.seconds(4) == pytest.approx(30 + 4 + 125)
    assert found.disk == 2e6
    assert replace(found, ending=5.0).seconds(4) == pytest.approx(5 + 30 + 4 + 125)


def test_a_trial_goes_on_while_its_ticks_differ() -> None:
    def tried(each: list[float]) -> tuple[int, float]:
        clock = Clock()
        seen, ticks = _Seen(clock), 0  # type: ignore[arg-type]
        for _ in seen.until([cast(Tick, [0])] * len(each), seconds=2.0):
            clock.seconds += each[ticks]
            ticks += 1
        return ticks, seen.doubt

    assert tried([9.0] + [1.0] * 20) == (4, 0.0)  # the first is not counted
    ticks, doubt = tried([9.0] + [0.2, 1.8] * 20)
    assert ticks == 10  # four times as long
    assert doubt == pytest.approx(0.31, abs=0.01)
    assert Estimate(100, 24.0, Pace(10, 0.5, 1.0, 1.0, doubt), 0.0, 1).doubt == pytest.approx(50 * doubt)


@dataclass
class Clock:
    """A stopwatch that is set by hand."""

    seconds: float = 0.0


@pytest.mark.parametrize("settings", [[], ["film.loop=true", "walk.kind=orbit"], ["rift.policy=cut"]])
def test_a_film_is_tried(settings: list[str], tmp_path: Path) -> None:
    found = estimate(journey(*settings), seconds=0.1)
    assert found.frames == 64
    assert 12 <= found.pace.frames <= 64  # a tick that is not counted, and two that are, of four frames each
    assert found.pace.each > 0
    assert found.ending > 0
    assert found.pace.size > 10
    assert (found.planning > 0) == bool(settings)
    assert found.memory > 10**7


def test_a_plan_and_its_film_are_tried(tmp_path: Path) -> None:
    asked = journey("film.seconds=2")
    assert estimate_plan(asked, "scout", seconds=0.1).frames == 32
    way = filmed(takes.read(plan.plan(asked, tmp_path / "piece.plan").target))
    found = estimate(way.preset, way, seconds=0.1)
    assert (found.frames, found.planning) == (32, 0.0)


def test_on_the_command_line(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    small = ["--set", "decoder.height=32", "--set", "decoder.width=32", "--set", "film.seconds=1"]
    code, out, _ = run("film", "analytic", "-o", tmp_path / "film", "--dry-run", *small)
    assert code == 0
    assert "24 frames at 24 a second" in out
    assert "workers like it" in out
    assert "disk:" in out
    code, out, _ = run("film", "analytic", "-o", tmp_path / "film", "--dry-run", "--workers", 1, "--json", *small)
    assert code == 2  # workers are Ray's
    code, out, _ = run("film", "analytic", "-o", tmp_path / "film", "--dry-run", "--json", *small)
    said = json.loads(out)
    assert (code, said["frames"], said["workers"]) == (0, 24, 1)
    assert said["seconds"] > said["doubt"] >= 0
    assert said["on_workers"]["1"] == said["seconds"] > said["on_workers"]["8"]
    code, out, _ = run("plan", "analytic", "-o", tmp_path / "piece.plan", "--dry-run", *small)
    assert code == 0
    assert "24 frames" in out
    assert not list(tmp_path.iterdir())
