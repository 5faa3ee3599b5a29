"""Who steers in a running show: the real renderer behind the real desk, which nobody but they tells anything."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from patience import until
from standins.show import STAGE, Said, put_on
from test_show_supervision import pid_of

from installation.ipc.messages import Tick
from installation.show.children import Programs
from installation.show.fallback import Patience
from installation.show.show import Show
from latentworld import preset

SMALL = ["decoder.height=32", "decoder.width=32", "decoder.steps=4", "show.rate=60", "pilot.mode=off"]
PLACE, OTHER = (0.6, 0.3), (0.2, 0.7)
NOWHERE = (math.nan, math.nan)


class Watched:
    """A show that runs, fast, and where its walk was last."""

    def __init__(self, show: Show, said: Said) -> None:
        self.show, self.said, self.desk, self.at = show, said, show.desk, NOWHERE
        show.watch(self._tick)
        self.desk.set("walk.speed", 24.0, "test")

    def _tick(self, tick: Tick) -> None:
        alpha, beta = tick.alpha[-1], tick.beta[-1]
        self.at = (alpha, beta) if alpha is not None and beta is not None and tick.front[-1] else NOWHERE

    def steered(self, by: str) -> None:
        """Wait until the renderer says that."""
        until(lambda: self.desk.value("walk.steering") == by)

    def goes(self, frames: int) -> None:
        """Wait for so many frames more."""
        frame = self.show.status().frame
        until(lambda: self.show.status().frame > frame + frames)

    def stays(self, place: tuple[float, float]) -> None:
        """Wait until the walk is where it is to go; there it goes round, and does not only pass."""
        until(lambda: self.near(place))
        self.goes(40)
        assert self.near(place)

    def near(self, place: tuple[float, float]) -> bool:
        return all(abs(x - y) < 0.1 for x, y in zip(self.at, place))

    def autopilot(self) -> None:
        """One press of the deck's button, which makes of what it shows the other."""
        self.desk.set("walk.auto", self.desk.value("walk.steering") != "autopilot", "deck:1")

    def replace_renderer(self) -> None:
        """Kill it, and wait for the next one's pictures."""
        restarts = self.show.status().restarts
        os.kill(pid_of(self.show, "renderer"), signal.SIGKILL)
        until(lambda: self.show.status().restarts > restarts)
        self.at = NOWHERE
        until(lambda: self.at != NOWHERE)


@contextmanager
def performed(folder: Path) -> Iterator[Watched]:
    """A show of the analytic world, with its own renderer."""
    programs = Programs(stage=STAGE, outputs=STAGE)
    journey = preset.load("analytic", SMALL)
    with put_on(folder, performed=journey, programs=programs, patience=Patience()) as (show, said):
        yield Watched(show, said)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with performed(tmp_path_factory.mktemp("steered")) as watched:
        yield watched


def test_the_desk_says_who_took_over_and_one_press_gives_back(running: Watched) -> None:
    desk = running.desk
    for name, value, who in (("walk.position", PLACE, "place"), ("walk.heading", 0.8, "hand")):
        desk.set(name, value, "osc:1")
        assert desk.value("walk.auto") is False
        running.steered(who)
        running.autopilot()
        assert desk.value("walk.auto") is True
        running.steered("autopilot")
    desk.set("walk.heading", 0.8, "osc:1")
    running.steered("hand")
    desk.set("walk.position", OTHER, "osc:1")  # while the stick was left where it was
    running.steered("place")
    running.stays(OTHER)


def test_a_snapshot_of_a_walk_to_a_place_leads_there_again(running: Watched) -> None:
    running.desk.set("walk.position", PLACE, "osc:1")
    running.steered("place")
    running.show.snapshots.save("there")
    running.desk.set("walk.position", OTHER, "osc:1")
    running.stays(OTHER)
    running.autopilot()
    running.steered("autopilot")
    running.show.snapshots.recall("there")
    running.steered("place")
    running.stays(PLACE)


def test_a_take_that_is_replayed_steers(running: Watched) -> None:
    desk = running.desk
    desk.set("walk.position", PLACE, "osc:1")
    running.steered("place")
    desk.set("record.take", True, "test")
    until(running.show.takes)
    running.goes(60)
    desk.set("record.take", False, "test")
    until(lambda: running.said.of("recorded the take"))
    desk.press("replay", running.show.takes()[0])
    running.steered("replay")
    desk.press("replay")
    running.steered("place")


def test_another_renderer_and_another_show_do_not_forget_who_steers(tmp_path: Path) -> None:
    with performed(tmp_path) as first:
        first.desk.set("walk.position", PLACE, "osc:1")
        first.steered("place")
        first.stays(PLACE)
        first.replace_renderer()
        first.stays(PLACE)
        assert first.desk.value("walk.steering") == "place"
    with performed(tmp_path) as second:
        assert (second.desk.value("walk.auto"), second.desk.value("walk.position")) == (False, PLACE)
        second.steered("place")
        second.stays(PLACE)
        second.desk.set("walk.heading", -0.8, "osc:1")
        second.desk.set("walk.heading", 0.0, "osc:1")  # let go of: straight on, until it is given back
        second.steered("hand")
        second.replace_renderer()
        assert second.desk.value("walk.steering") == "hand"
        assert second.desk.value("walk.auto") is False
