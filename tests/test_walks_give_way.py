"""Another package's walk that breaks gives way in a running show, the real renderer behind the real desk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from patience import until
from standins import breaking_walks
from standins.film import PLANE
from standins.show import STAGE, Said, put_on

from installation.show.children import Programs
from installation.show.fallback import Patience
from installation.show.show import Show
from latentworld import preset, walks
from latentworld.errors import WalkRefused

SMALL = ["decoder.height=32", "decoder.width=32", "decoder.steps=4", "show.rate=60", "pilot.mode=off"]
TOLD = {
    "unbuilt": "KeyError: 'no map'",
    "nothing": "built None, which is no Fixed",
    "stumbling": "RuntimeError: tripped",
    "lost": "gave places that are none",
    "gusty": "ZeroDivisionError: a gust",
}
Shown = tuple[Show, Said]


@pytest.fixture(scope="module", autouse=True)
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with breaking_walks.installed(tmp_path_factory.mktemp("site")):
        yield


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    with performed(tmp_path_factory.mktemp("shown")) as shown:
        yield shown


def performed(folder: Path, *settings: str) -> AbstractContextManager[Shown]:
    journey = preset.load("analytic", [*SMALL, *settings])
    return put_on(folder, performed=journey, programs=Programs(stage=STAGE, outputs=STAGE), patience=Patience())


def told(said: Said, kind: str) -> list[str]:
    """What was said of a walk that broke."""
    return [line for line in said if f"the walk '{kind}': breakers 0.3" in line and TOLD[kind] in line]


def goes_on(show: Show) -> None:
    """Pictures are made still, by the renderer that began."""
    frame = show.status().frame
    until(lambda: show.status().frame > frame + 30)
    assert (show.status().restarts, show.status().renderer) == (0, "running")


@pytest.mark.parametrize("before", ["wander", "orbit", "calm"])
@pytest.mark.parametrize("kind", TOLD)
def test_a_walk_that_breaks_gives_way_to_the_one_before(running: Shown, kind: str, before: str) -> None:
    show, said = running
    show.desk.set("walk.kind", before, "test")
    until(lambda: show.status().scene.walk is not None and show.status().scene.walk.spec["kind"] == before)
    said.clear()
    show.desk.set("walk.kind", kind, "test")
    until(lambda: told(said, kind))
    until(lambda: show.desk.value("walk.kind") == before)
    goes_on(show)
    assert show.status().scene.walk.spec["kind"] == before
    assert len([line for line in said if kind in line]) == 1, "told once"


@pytest.mark.parametrize("kind", TOLD)
def test_a_presets_own_walk_that_breaks_gives_way_to_ours(tmp_path: Path, kind: str) -> None:
    with performed(tmp_path, f"walk.kind={kind}", "pacing.speed=20") as (show, said):
        until(lambda: told(said, kind))
        until(lambda: show.desk.value("walk.kind") == walks.DEFAULT)
        goes_on(show)


def walked(walk: walks.Walk) -> None:
    """Walk it for a while."""
    for _ in range(2000):
        walk.ahead(np.array([1.0, 2.0]))
        walk = walk.advance(1.0)


@pytest.mark.parametrize("kind", ["stumbling", "lost", "gusty"])
def test_a_walk_that_breaks_says_whose_it_is(kind: str) -> None:
    walk = walks.build(walks.plain(kind), PLANE)
    with pytest.raises(WalkRefused, match=r"breakers 0\.3") as refused:
        walked(walk)
    assert refused.value.kind == kind
