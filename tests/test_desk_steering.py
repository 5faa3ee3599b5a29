"""Who steers: what follows from the controls, and that on the desk the last one who touched the walk has it."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standins.clock import Clock

from installation.control.controls import LoopControls, WalkControls
from installation.control.desk import Change, Desk
from installation.control.parameters import table
from installation.control.steering import AT_REST, steered_by

PLACE = (0.25, 0.5)
TOUCHES = {
    "autopilot": ("walk.auto", True), "place": ("walk.position", PLACE), "hand": ("walk.heading", -0.6),
}  # fmt: skip


@pytest.mark.parametrize(
    ("heading", "auto", "position", "wanted"),
    [
        (0.0, True, None, "autopilot"), (0.0, True, PLACE, "autopilot"), (0.0, False, PLACE, "place"),
        (0.0, False, None, "hand"), (AT_REST, True, None, "autopilot"),
        *[(heading, *rest, "hand") for heading, rest in product((0.03, -1.0), ((True, None), (False, PLACE)))],
    ],
)  # fmt: skip
def test_who_steers(heading: float, auto: bool, position: tuple[float, float] | None, wanted: str) -> None:
    walk = WalkControls(heading=heading, auto=auto, position=position)
    assert steered_by(walk) == wanted
    assert steered_by(walk, replayed=True) == "replay"


def steers(desk: Desk) -> str:
    """Who does in a renderer that hears what is set."""
    return steered_by(LoopControls.of(desk.values()).walk)


@given(st.lists(st.sampled_from(sorted(TOUCHES)), min_size=1))
def test_whoever_touched_the_walk_last_steers_it(touches: list[str]) -> None:
    desk = Desk(table(), lambda: 0.0)
    for who in touches:
        desk.set(*TOUCHES[who])
        assert steers(desk) == who
        assert desk.value("walk.auto") is (who == "autopilot")
        assert (desk.value("walk.position"), desk.value("walk.heading")) == (
            PLACE if who == "place" else None, -0.6 if who == "hand" else 0.0,
        )  # fmt: skip
    desk.set("walk.heading", 0.0)
    assert steers(desk) == touches[-1]  # a stick that is let go of changes nothing


def test_what_is_taken_over_is_news_to_the_source_too_and_slews_do_not_keep_it() -> None:
    clock = Clock(1.0)
    desk = Desk(table(), clock)
    desk.set("slew.walk.heading", 60.0)
    desk.set("walk.heading", 1.0, "osc:a")
    assert desk.changes(1)[1] == [
        Change("walk.heading", 1.0, "osc:a", 1.0, 2), Change("walk.auto", False, "show", 1.0, 3),
    ]  # fmt: skip
    clock.now = 31.0
    assert 0.1 < desk.effective("loop", 31.0)["walk.heading"] < 1.0  # on its way
    desk.release("walk.auto", "deck:1")
    assert (desk.effective("loop", 31.0)["walk.heading"], steers(desk)) == (0.0, "autopilot")


def test_a_recall_takes_over_too_but_from_none_that_it_sets_itself() -> None:
    desk = Desk(table(), lambda: 0.0)
    desk.recall({"walk.position": PLACE})
    assert steers(desk) == "place"
    desk.recall({"walk.auto": True, "walk.heading": 0.0})  # as panic does
    assert (steers(desk), desk.value("walk.position")) == ("autopilot", None)
    desk.recall({"walk.position": PLACE, "walk.auto": True})
    assert (steers(desk), desk.value("walk.position")) == ("autopilot", PLACE)
