"""A score in a show: it sets the desk, gives way to hands, waits, comes with the walk, and is seen on the deck."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import browsing
from deck_browser import LAPTOP, opened, seen, tab
from patience import until
from standins.deck import Stagehand
from standins.messages import tick
from standins.show import heard_by, preset, put_on

from installation.backstage import ScoreStatus, ShownScene
from installation.control import parameters
from installation.control.desk import Desk, Trigger
from installation.ipc.scene import PlaneScene
from installation.ports.deck import Server
from installation.score import reading
from installation.score.player import Player, lap
from latentworld import texts, walks
from latentworld.errors import PresetError, ShowError
from latentworld.plane import Plane
from latentworld.preset import parse

SCORE = """
[[score]]
at = 1
name = "dawn"
over = 4
set = { walk.speed = 16.0, walk.radius = 1.4 }
[[score]]
at = 2
over = 3
set = { prompt.a = "the sea", walk.direction = "reverse" }
[[score]]
at = 8
set = { walk.radius = 0.5, out.blackout = true }
[[score]]
at = "rift 1"
set = { walk.position = [0.2, 0.3], walk.jump = true }
"""


class Stand:
    """A player on a desk, and a clock that goes when it is told to."""

    def __init__(self, score: str = SCORE, shown: Callable[[], ShownScene] = ShownScene) -> None:
        self.now = 100.0
        self.desk = Desk(parameters.table(), lambda: self.now)
        self.faults: list[str] = []
        journey = parse(texts.toml(score))
        read = reading.read(journey)
        assert read is not None
        self.desk.tell_base("walk.speed", journey.pacing.speed)
        self.player = Player(read, self.desk, journey, shown, self.faults.append)

    def play(self, seconds: float) -> None:
        """Go on, 60 times a second."""
        for _ in range(round(seconds * 60)):
            self.now += 1 / 60
            self.player.play(self.now)

    def begin(self) -> Stand:
        self.player.heard(tick())
        self.player.play(self.now)
        return self


def test_it_begins_with_the_first_picture() -> None:
    stand = Stand()
    stand.play(5)
    assert stand.desk.value("walk.speed") is None
    assert stand.player.status() == ScoreStatus(0.0, False, "", "dawn", 1.0, ("rift 1",), ())
    stand.begin().play(3)
    assert stand.desk.value("walk.speed") == pytest.approx(8.0, rel=0.01)  # the middle of the fader's way
    assert stand.desk.value("walk.radius") == pytest.approx(1.2, abs=0.01)
    assert stand.player.status().cue == "0:02"


def test_fades_arrive_and_texts_fade_in_the_renderer() -> None:
    stand = Stand().begin()
    stand.play(2.1)
    assert stand.desk.value("prompt.a") == "the sea"
    assert stand.desk.value("prompt.fade") == 3.0
    assert stand.desk.value("walk.direction") == "reverse"
    stand.play(4)
    assert stand.desk.value("walk.speed") == 16.0
    stand.play(3)
    assert stand.desk.value("out.blackout") is True
    assert {change.source for change in stand.desk.changes(0)[1]} == {"score"}


def test_a_hand_has_a_parameter_until_the_next_cue_on_it() -> None:
    stand = Stand().begin()
    stand.play(2)
    stand.desk.set("walk.radius", 0.9, "deck:1")
    stand.play(5)
    assert stand.desk.value("walk.radius") == 0.9
    assert stand.desk.value("walk.speed") == 16.0  # only what was touched
    assert stand.player.status().touched == ("walk.radius",)
    stand.play(2)
    assert stand.desk.value("walk.radius") == 0.5
    assert stand.player.status().touched == ()


def test_it_waits_and_goes_on() -> None:
    stand = Stand().begin()
    stand.play(3)
    stand.desk.set("score.play", False, "deck:1")
    before = stand.desk.value("walk.speed")
    stand.play(60)
    assert stand.desk.value("walk.speed") == before
    assert not stand.player.status().playing
    stand.desk.set("score.play", True, "deck:1")
    stand.play(1)
    assert stand.player.status().time == pytest.approx(4.0, abs=0.05)


def test_panic_stops_it() -> None:
    stand = Stand().begin()
    stand.play(2)
    stand.desk.press("panic", source="deck:1")
    stand.play(1 / 60)
    assert stand.desk.value("score.play") is False
    stand.desk.set("walk.speed", 1.0, "panic")
    stand.play(20)
    assert stand.desk.value("walk.speed") == 1.0


def test_an_event_comes_with_the_walk() -> None:
    stand = Stand().begin()
    calm = {"rate": (1.0, 1.0), "step": (0.5, 0.5)}
    for _ in range(20):
        stand.player.heard(tick(**calm))
    stand.player.heard(tick(rate=(30.0, 30.0), step=(0.5, 0.5)))
    stand.play(0.1)
    assert stand.desk.value("walk.position") is None
    stand.player.heard(tick(**calm))
    stand.play(0.1)
    assert stand.desk.value("walk.position") == (0.2, 0.3)
    assert stand.desk.value("walk.auto") is False  # who steers goes with it
    assert stand.desk.collect("loop") == [Trigger("walk.jump")]
    assert stand.player.status().waiting == ()
    stand.play(1)
    assert stand.desk.collect("loop") == []


def test_a_lap_is_as_long_as_the_walk_on_the_plane_that_is_shown() -> None:
    plane = Plane(np.random.default_rng(3).normal(size=(3, 4, 8, 8)))
    corners = tuple(map(tuple, plane.corners.tolist()))
    for norm in ("sphere", "global"):
        plane = Plane(plane.vertices, norm)  # type: ignore[arg-type]
        shown = ShownScene(plane=PlaneScene(norm=norm, shape=plane.shape, corners=corners))  # type: ignore[arg-type]
        journey = parse({"walk": {"kind": "lissajous"}})
        assert lap(journey, shown) == pytest.approx(walks.build(journey.walk, plane).length, rel=1e-9)
    assert lap(journey, ShownScene()) is None
    stand = Stand(
        "walk.kind = 'lissajous'\n[[score]]\nat = 'lap 0.001'\nset = { walk.speed = 9 }", lambda: shown
    ).begin()
    stand.play(0.1)
    assert stand.desk.value("walk.speed") is None
    for _ in range(20):
        stand.player.heard(tick(rate=(1.0, 1.0), step=(0.5, 0.5)))
    stand.play(0.1)
    assert stand.desk.value("walk.speed") == 9.0


def test_what_cannot_be_played_is_told_once_and_left() -> None:
    stand = Stand(
        "[[score]]\nat = 1\nset = { walk.speed = 'sqrt(30 - t)', model.world = 'atlantis', walk.radius = 1.5 }"
    )
    stand.begin().play(40)
    assert len(stand.faults) == 2
    assert any("sqrt(30 - t)" in fault and "0:01" in fault for fault in stand.faults)
    assert any("model.world" in fault for fault in stand.faults)
    assert stand.desk.value("walk.radius") == 1.5


def test_a_show_plays_it_and_a_new_renderer_goes_on(tmp_path: Path) -> None:
    cues = [
        {"at": 0.2, "over": 0.5, "name": "dawn", "set": {"walk.radius": 1.4, "view.zoom": 2.0}},
        {"at": 6, "set": {"walk.radius": 0.7}},
    ]
    with put_on(tmp_path, performed=preset(score=cues)) as (show, _):
        until(lambda: show.desk.value("walk.radius") == 1.4)
        until(lambda: heard_by(show)["values"].get("walk.radius") == 1.4)
        score = show.status().score
        assert score is not None
        assert (score.cue, score.next) == ("dawn", "0:06")
        child = show.processes.renderer.child
        assert child is not None
        os.kill(child.pid, signal.SIGKILL)
        until(lambda: show.processes.restarts == 1)

        def heard() -> object:
            with suppress(ShowError):  # nobody answers between two renderers
                return heard_by(show)["values"].get("walk.radius")
            return None

        until(lambda: heard() == 0.7)
        assert show.desk.value("view.zoom") == 2.0


def test_a_show_refuses_a_score_that_means_nothing(tmp_path: Path) -> None:
    bad = preset(score=[{"at": 1, "set": {"walk.sped": 1.0}}])
    with pytest.raises(PresetError, match=r"walk\.sped"), put_on(tmp_path / "show", performed=bad):
        pass
    assert not (tmp_path / "show" / "preset.toml").exists()


@browsing
def test_the_deck_shows_it(browser: Any, played: Server, charted: Stagehand) -> None:
    status = charted.status()
    charted.status = lambda: replace(status, score=None)  # type: ignore[method-assign]
    opened(browser, played.url, LAPTOP)
    tab(browser, "show")
    assert seen(browser, "return document.getElementById('score').hidden")
    at = ScoreStatus(75.0, True, "dawn", "the sea", 12.2, ("rift 3",), ("walk.radius",))
    charted.status = lambda: replace(status, score=at)  # type: ignore[method-assign]
    seen(browser, "return !document.getElementById('score').hidden")
    words = browser.execute_script("return document.getElementById('score').innerText")
    for told in ("1:15", "dawn", "the sea in 13 s", "rift 3", "walk.radius"):
        assert told in words
    assert browser.get_log("browser") == []
