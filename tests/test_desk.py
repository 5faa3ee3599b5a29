"""The desk: what is set, what is pressed, what is really sent, and who hears of it."""

from __future__ import annotations

import logging
import math
import sys
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standins.clock import Clock

from installation.control.desk import Change, Desk, Trigger
from installation.control.desk.desk import QUEUE
from installation.control.desk.motion import Motion
from installation.control.parameters import table
from latentworld.errors import ControlError, ShowError

TABLE = table()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(clock: Clock) -> Desk:
    return Desk(TABLE, clock)


def test_a_value_is_kept_as_it_can_be(desk: Desk) -> None:
    assert desk.value("walk.speed") is None
    assert desk.set("walk.speed", 99) == 24.0
    assert desk.set("model.steps", 7.6) == 8
    assert desk.set("walk.position", [1, -2]) == (1.0, -2.0)
    assert desk.fade("out.gamma", 0.5) == pytest.approx(1.45)
    assert desk.values()["walk.speed"] == 24.0
    assert "panic" not in desk.values()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("walk.sped", 1.0),
        ("walk.speed", math.nan),
        ("walk.speed", 10**400),
        ("walk.speed", "fast"),
        ("walk.kind", "crawl"),
        ("prompt.a", "a\x07b"),
        ("prompt.a", "x" * 2001),
        ("rift.value", 1.0),
        ("panic", 1.0),
        ("walk.position", (1.0, math.inf)),
        (["walk.speed"], 1.0),
    ],
)
def test_what_means_nothing_is_refused_by_name_and_changes_nothing(desk: Desk, name: str, value: object) -> None:
    before = desk.values()
    with pytest.raises(ControlError, match=r"walk|prompt|rift|panic"):
        desk.set(name, value)
    assert (desk.values(), desk.version, desk.stamp) == (before, 0, 0.0)


@pytest.mark.parametrize(("name", "value"), [("walk.speed", None), ("nothing", None), ("panic", math.inf)])
def test_a_press_that_means_nothing_is_refused(desk: Desk, name: str, value: float | None) -> None:
    with pytest.raises(ControlError):
        desk.press(name, value)
    with pytest.raises(ControlError, match="no fader"):
        desk.fade("walk.auto", 1.0)


def test_presses_are_queued_in_their_order_for_who_acts_on_them(desk: Desk) -> None:
    for name, value in (("walk.jump", None), ("snapshot.recall", ("dusk", 2.5)), ("snapshot.save", "dusk")):
        desk.press(name, value)
    assert desk.collect("loop") == [Trigger("walk.jump")]
    assert desk.collect("desk") == [Trigger("snapshot.recall", "dusk|2.5"), Trigger("snapshot.save", "dusk")]
    assert desk.collect("desk") == []
    desk.press("walk.jump", (3.0, -2.0))  # a place may lie far out
    assert desk.collect("loop") == [Trigger("walk.jump", (3.0, -2.0))]


def test_the_same_again_is_no_news_unless_it_is_counted(desk: Desk) -> None:
    heard: list[object] = []
    desk.listen(heard.append)
    a, b, following = Trigger("snapshot.save", "a"), Trigger("snapshot.save", "b"), Trigger("snapshot.next")
    for press in (a, a, following, following, a, a, b):
        desk.press(press.name, press.value)
    assert desk.collect("desk") == heard == [a, following, following, a, b]


def test_panic_is_heard_however_many_presses_wait(desk: Desk) -> None:
    for number in range(QUEUE + 5):
        desk.press("snapshot.save", f"cue {number}")
        desk.press("panic")
    presses = desk.collect("desk")
    assert len(presses) <= QUEUE + 1
    assert presses.count(Trigger("panic")) == 1
    assert presses[-1] == Trigger("panic")
    assert desk.dropped > 0


def test_the_stamp_is_of_people_alone(desk: Desk, clock: Clock) -> None:
    desk.set("walk.speed", 1.0)
    clock.now = 101.0
    desk.tell("rift.value", 3.0)
    assert desk.stamp == 100.0
    desk.press("walk.jump")
    assert desk.stamp == 101.0


def test_changes_since_a_version_are_the_newest_of_each(desk: Desk) -> None:
    for value in (1.0, 2.0, 3.0):
        desk.set("walk.speed", value, "osc:a")
    version, changes = desk.changes(0)
    assert changes == [Change("walk.speed", 3.0, "osc:a", 100.0, 3)]
    desk.set("walk.auto", False, "deck:1")
    desk.set("walk.speed", 4.0, "deck:1")
    assert [(c.name, c.value, c.source) for c in desk.changes(version)[1]] == [
        ("walk.auto", False, "deck:1"),
        ("walk.speed", 4.0, "deck:1"),
    ]
    assert desk.changes(5) == (5, [])


def test_what_the_show_tells_is_news_once(desk: Desk) -> None:
    desk.tell("rift.value", 3.0)
    desk.tell("rift.value", 3.0)
    desk.tell("rift.value", math.nan)
    desk.tell("walk.auto", False)
    assert (desk.version, desk.value("rift.value"), desk.value("walk.auto")) == (2, 3.0, False)
    assert desk.effective("loop", 0.0)["walk.auto"] is False
    assert "rift.value" not in desk.effective("loop", 0.0)


def test_listeners_are_told_at_once_and_a_bad_one_is_dropped(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Change | Trigger] = []

    def bad(news: object) -> None:
        raise ValueError("no")

    desk.listen(bad)
    end = desk.listen(heard.append)
    with caplog.at_level(logging.WARNING):
        desk.set("walk.speed", 1.0)
        desk.press("walk.jump")
    end()
    desk.set("walk.speed", 2.0)
    assert [type(news) for news in heard] == [Change, Trigger]
    assert caplog.text.count("heard of no more") == 1


def test_a_listener_may_use_the_desk(desk: Desk) -> None:
    def follow(news: Change | Trigger) -> None:
        if isinstance(news, Change) and news.name == "walk.speed":
            desk.set("view.zoom", 2.0)

    desk.listen(follow)
    desk.set("walk.speed", 1.0)
    assert desk.value("view.zoom") == 2.0


def test_threads_lose_nothing(desk: Desk) -> None:
    def play(i: int) -> None:
        for k in range(200):
            desk.set(f"word.{i}.weight", k / 200)
            desk.press("snapshot.next")

    threads = [Thread(target=play, args=(i,)) for i in range(1, 5)]
    for thread in threads:
        thread.start()
    presses = 0
    while any(thread.is_alive() for thread in threads):
        presses += len(desk.collect("desk"))
        desk.effective("loop", 0.0)
    presses += len(desk.collect("desk"))
    assert (presses + desk.dropped, desk.version) == (800, 800)
    assert [change.value for change in desk.changes(0)[1]] == [199 / 200] * 4


def test_at_rest_what_is_sent_is_what_was_set_to_the_bit(desk: Desk) -> None:
    assert "walk.speed" not in desk.effective("loop", 0.0), "the preset decides"
    desk.set("walk.speed", 1.2345678901234567)
    assert desk.effective("loop", 0.0)["walk.speed"] == 1.2345678901234567
    assert set(desk.effective("stage", 0.0)) == {n for n, row in TABLE.items() if row.where == "stage"}


def test_a_slew_takes_its_time_on_the_faders_way(desk: Desk, clock: Clock) -> None:
    row = TABLE["walk.speed"]
    desk.set("walk.speed", row.real(0.2))
    desk.set("slew.walk.speed", 2.0)
    desk.fade("walk.speed", 0.7)

    def place(after: float) -> float:
        value = desk.effective("loop", clock.now + after)["walk.speed"]
        assert isinstance(value, float)
        return row.normal(value)

    ways = [(place(after) - 0.2) / 0.5 for after in (0.0, 0.5, 1.0, 2.0)]
    assert ways == pytest.approx([0.0, 1 - 0.01**0.25, 0.9, 0.99])
    assert desk.effective("loop", clock.now + 5.0)["walk.speed"] == desk.value("walk.speed"), "arrived, exactly"


def test_a_motion_is_a_function_of_time() -> None:
    """A slew has a hundredth of its way to go when its time has passed, a fade arrives then."""
    slew, fade = Motion(0.8, 0.2, 10.0, 4.0), Motion(0.8, 0.2, 10.0, 4.0, straight=True)
    assert slew.at(9.0) == slew.at(10.0) == fade.at(10.0) == 0.8
    assert [slew.at(12.0), slew.at(14.0)] == pytest.approx([0.26, 0.206])
    assert [fade.at(11.0), fade.at(13.0)] == pytest.approx([0.65, 0.35])
    assert [fade.at(14.0), fade.at(15.0), slew.at(20.0)] == [None, None, None]
    assert Motion(0.8, 0.2, 10.0, 0.0).at(10.0) is None
    assert Motion(0.8, 0.2, 10.0, 0.5).at(10.25) == pytest.approx(0.26)
    left = 4.0 * math.log(1e-4 / 0.6) / math.log(0.01)  # a ten thousandth of the fader's way is arrival
    assert slew.at(10.0 + left + 1e-6) is None
    assert slew.at(10.0 + left - 1e-6) is not None


@given(st.lists(st.floats(0.001, 0.5), min_size=1, max_size=30))
def test_a_slew_does_not_depend_on_how_often_it_is_asked_or_aimed(pauses: list[float]) -> None:
    clock, once = Clock(), Clock()
    often, seldom = Desk(TABLE, clock), Desk(TABLE, once)
    for desk in (often, seldom):
        desk.set("out.master", 0.0)
        desk.set("slew.out.master", 4.0)
        desk.set("out.master", 1.0)
    for pause in pauses:
        clock.now += pause
        often.effective("stage", clock.now)
        often.set("out.master", 1.0)
    found, wanted = (desk.effective("stage", clock.now)["out.master"] for desk in (often, seldom))
    assert found == pytest.approx(wanted, abs=2e-4)


def test_a_slew_that_is_changed_on_the_way_goes_on_from_there(desk: Desk, clock: Clock) -> None:
    desk.set("slew.out.master", 60.0)
    desk.set("out.master", 0.0)
    clock.now += 10.0
    before = desk.effective("stage", clock.now)["out.master"]
    desk.set("slew.out.master", 0.0)
    assert desk.effective("stage", clock.now)["out.master"] == 0.0
    assert isinstance(before, float)
    assert 0.2 < before < 0.9


def test_a_slew_from_the_presets_value_needs_to_know_it(desk: Desk, clock: Clock) -> None:
    desk.set("slew.walk.speed", 1.0)
    desk.set("walk.speed", 8.0)
    assert desk.effective("loop", clock.now)["walk.speed"] == 8.0, "from nowhere: at once"
    desk.tell_base("rift.attraction", -1.0)
    desk.set("slew.rift.attraction", 1.0)
    desk.set("rift.attraction", 1.0)
    assert desk.effective("loop", clock.now)["rift.attraction"] == pytest.approx(-1.0)


def test_a_recall_fades_smooth_ones_straight_and_switches_the_rest(desk: Desk, clock: Clock) -> None:
    desk.set("out.master", 0.2)
    desk.set("slew.out.master", 9.0)
    desk.recall({"out.master": 1.0, "out.gamma": 2.0, "prompt.a": "dusk", "walk.auto": False}, 4.0)
    assert desk.effective("stage", clock.now + 1.0)["out.master"] == pytest.approx(0.4)
    assert desk.effective("stage", clock.now + 3.0)["out.master"] == pytest.approx(0.8)
    assert desk.effective("stage", clock.now)["out.gamma"] == 2.0
    assert (desk.effective("loop", clock.now)["prompt.a"], desk.value("out.master")) == ("dusk", 1.0)
    assert desk.effective("stage", clock.now + 4.0)["out.master"] == 1.0


def test_a_hand_ends_the_fade_of_what_it_moves(desk: Desk, clock: Clock) -> None:
    desk.recall({"out.master": 0.0, "prompt.mix": 1.0}, 10.0)
    clock.now += 5.0
    desk.set("out.master", 0.9)
    assert desk.effective("stage", clock.now)["out.master"] == 0.9
    assert desk.effective("loop", clock.now)["prompt.mix"] == pytest.approx(0.5)


def test_a_recall_that_means_nothing_changes_nothing(desk: Desk) -> None:
    with pytest.raises(ControlError, match=r"walk\.kind"):
        desk.recall({"out.master": 0.0, "walk.kind": "crawl"})
    assert desk.value("out.master") == 1.0


def test_released_goes_back_to_the_preset_which_is_sent(desk: Desk, clock: Clock) -> None:
    desk.tell_base("walk.speed", 3.0)
    assert desk.shown("walk.speed") == 3.0
    assert "walk.speed" not in desk.effective("loop", clock.now)
    desk.set("walk.speed", 8.0)
    desk.release("walk.speed")
    assert (desk.value("walk.speed"), desk.effective("loop", clock.now)["walk.speed"]) == (None, 3.0)
    desk.tell_base("walk.speed", 4.0)
    assert desk.effective("loop", clock.now)["walk.speed"] == 4.0, "another scene, another preset"
    desk.release("out.master")
    assert desk.value("out.master") == 1.0


def test_calm_stops_what_moves_by_itself(desk: Desk, clock: Clock) -> None:
    desk.set("lfo.1.target", "out.master")
    desk.set("lfo.1.depth", 1.0)
    desk.recall({"prompt.mix": 1.0}, 60.0)
    desk.calm()
    assert desk.effective("stage", clock.now + 0.3)["out.master"] == 1.0
    assert desk.effective("loop", clock.now)["prompt.mix"] == 1.0


def test_a_missing_library_is_one_line_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from latentworld.extras import need

    assert need("json").dumps([]) == "[]"
    monkeypatch.setitem(sys.modules, "rtmidi", None)
    with pytest.raises(ShowError, match=r"rtmidi is missing: .*\[midi\]"):
        need("rtmidi")
