"""Fixtures that several files share."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import jaxtyping
import pytest
from standins.stores import surveyed

from installation import cli
from installation.cli import progress
from installation.film import chart, sheet
from installation.ipc.ring import Ring

if TYPE_CHECKING:  # what the show's extra brings is imported where it is used
    from standins.deck import Stagehand
    from standins.osc import Port

    from installation.ports.deck import Server

# At the desk examples are drawn anew each time, so that rare ones are found; where others wait for the answer (CI) they
# are the same each time, so that a failure belongs to the change. No deadline: a busy machine is no failure.
hypothesis.settings.register_profile("desk", deadline=None, print_blob=True)
hypothesis.settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "desk")


if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    # under nohup, which tests' own processes must not inherit: a handler is none of theirs, and keeps this one alive
    signal.signal(signal.SIGHUP, lambda number, frame: None)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Arguments to exit code, stdout and stderr; what a slow machine would say of its work is left out."""
    monkeypatch.setattr(progress, "FIRST", 1e9)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["latentworld", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else int(bool(exit_.code))
        return code, *capfd.readouterr()

    return call


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Films without chart and sheet: those take seconds, and are looked at in films of their own."""
    monkeypatch.setattr(chart, "draw", lambda *_: None)
    monkeypatch.setattr(sheet, "save", lambda *_: None)


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """No shapes are checked, as outside tests: for what the core itself says of arrays that fit nowhere."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small atlas that nothing happened to; not to be written."""
    return surveyed(tmp_path_factory.mktemp("once") / "atlas")


@pytest.fixture
def copied(tmp_path: Path, undisturbed: Path) -> Path:
    """A copy of it, to be hurt."""
    return Path(shutil.copytree(undisturbed, tmp_path / "atlas"))


@pytest.fixture
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Conversions of these tests alone, kept from one test to the next."""
    monkeypatch.setenv("LATENTWORLD_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def ring() -> Iterator[Ring]:
    """What pictures go through from the renderer to the stage."""
    made = Ring.create(8, (128, 128))
    yield made
    made.close()
    made.unlink()


@pytest.fixture
def port() -> Port:
    """OSC without a socket."""
    from standins.osc import Port

    return Port()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium; see `chromium.browsing`."""
    from chromium import chromium

    with chromium() as driver:
        yield driver


@pytest.fixture
def hand(tmp_path: Path) -> Stagehand:
    """The show behind a deck."""
    from standins.deck import Stagehand

    return Stagehand(tmp_path)


@pytest.fixture
def server(hand: Stagehand) -> Iterator[Server]:
    """A deck."""
    from standins.deck import serving

    with serving(hand) as deck:
        yield deck


@pytest.fixture
def charted(hand: Stagehand) -> Stagehand:
    """A show with an atlas underneath."""
    from standins.deck import window_atlas

    hand.chart = window_atlas()
    return hand


@pytest.fixture
def played(charted: Stagehand) -> Iterator[Server]:
    """Its deck, while it moves."""
    from standins.deck import moving, serving

    charted.step()
    with serving(charted) as deck, moving(charted):
        yield deck
