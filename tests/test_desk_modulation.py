"""LFOs, the beat and the sound in the room, and what they move."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standins.clock import Clock

from installation.control.desk import Desk
from installation.control.desk.modulation import Beat, wave
from installation.control.parameters import SHAPES, table

TABLE = table()
ZERO = 50.0


def playing(**settings: float | str) -> tuple[Desk, Clock]:
    """A desk whose LFO 1 moves out.master around 0.5."""
    clock = Clock(ZERO)
    desk = Desk(TABLE, clock)
    desk.set("out.master", 0.5)
    desk.set("lfo.1.target", "out.master")
    for name, value in {"depth": 1.0, **settings}.items():
        desk.set(f"lfo.1.{name}", value)
    return desk, clock


def master(desk: Desk, after: float) -> float:
    value = desk.effective("stage", ZERO + after)["out.master"]
    assert isinstance(value, float)
    return value


@pytest.mark.parametrize(
    ("shape", "quarters"),
    [("sine", [0, 1, 0, -1]), ("triangle", [0, 1, 0, -1]), ("saw", [-1, -0.5, 0, 0.5]), ("square", [1, 1, -1, -1])],
)
def test_a_shape_is_what_it_is_called(shape: str, quarters: list[float]) -> None:
    for whole in (0, 1, -3, 1000):
        found = [wave(shape, whole + part) for part in (0, 0.25, 0.5, 0.75)]
        assert found == pytest.approx(quarters, abs=1e-9)


@given(st.sampled_from(SHAPES), st.floats(-1e6, 1e6), st.integers(0, 3))
def test_every_shape_stays_within_and_is_a_function_of_time(shape: str, turns: float, seed: int) -> None:
    assert -1 <= wave(shape, turns, seed) <= 1
    assert wave(shape, turns, seed) == wave(shape, turns, seed)


def test_smooth_random_is_smooth_uniform_and_another_for_each_lfo() -> None:
    turns = np.linspace(0, 500, 50_001)
    one, two = ([wave("random", t, seed) for t in turns] for seed in (0, 1))
    assert np.abs(np.diff(one)).max() < 0.04, "steepest is 1.875 x 2 a turn, a hundredth of which is a step"
    levels = np.asarray(one)[::100]
    assert abs(levels.mean()) < 0.1
    assert abs(np.abs(levels).mean() - 0.5) < 0.05
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.2


def test_depth_one_around_the_middle_is_the_whole_way() -> None:
    desk, _ = playing(rate=1.0)
    assert [master(desk, after) for after in (0, 0.25, 0.5, 0.75)] == pytest.approx([0.5, 1.0, 0.5, 0.0])
    assert desk.value("out.master") == 0.5, "what is set stays"


def test_phase_is_in_turns_and_what_is_beyond_the_end_is_cut() -> None:
    desk, _ = playing(rate=1.0, phase=0.25)
    desk.set("out.master", 0.8)
    assert [master(desk, after) for after in (0, 0.5)] == pytest.approx([1.0, 0.3])


def test_a_new_rate_goes_on_without_a_jump() -> None:
    desk, clock = playing(rate=0.5)
    before = master(desk, 1.3)
    clock.now = ZERO + 1.3
    desk.set("lfo.1.rate", 5.0)
    assert master(desk, 1.3) == pytest.approx(before)
    assert master(desk, 1.3 + 0.2) == pytest.approx(before), "one turn at 5 Hz"


def test_a_log_parameter_moves_evenly_on_its_fader() -> None:
    desk, _ = playing(rate=1.0, depth=0.5, target="walk.speed")
    desk.set("walk.speed", TABLE["walk.speed"].real(0.5))
    value = desk.effective("loop", ZERO + 0.25)["walk.speed"]
    assert value == pytest.approx(TABLE["walk.speed"].real(0.75))


def test_what_nobody_set_moves_around_the_presets_value_once_it_is_known() -> None:
    desk, _ = playing(rate=1.0, depth=0.5, target="rift.attraction")
    assert "rift.attraction" not in desk.effective("loop", ZERO)
    desk.tell_base("rift.attraction", 0.2)
    assert desk.effective("loop", ZERO + 0.25)["rift.attraction"] == pytest.approx(0.7)
    desk.set("lfo.1.target", "none")
    assert desk.effective("loop", ZERO)["rift.attraction"] == 0.2, "and is given back"


def test_what_moves_the_stage_is_not_sent_to_the_loop() -> None:
    desk = Desk(TABLE, Clock(ZERO))
    desk.tell_base("out.master", 0.5)
    desk.set("lfo.1.target", "out.master")
    desk.set("lfo.1.depth", 1.0)
    assert "out.master" in desk.effective("stage", ZERO)
    assert "out.master" not in desk.effective("loop", ZERO)


def test_two_lfos_on_one_parameter_add_up() -> None:
    desk, _ = playing(rate=1.0, depth=0.2)
    for name, value in {"target": "out.master", "rate": 1.0, "depth": 0.4}.items():
        desk.set(f"lfo.2.{name}", value)
    assert master(desk, 0.25) == pytest.approx(0.8)


def test_an_lfo_in_beats_follows_the_tempo_and_its_changes_without_a_jump() -> None:
    desk, clock = playing(beats=4.0)
    assert master(desk, 0.5) == pytest.approx(1.0), "one of four beats at 120"
    clock.now = ZERO + 0.5
    desk.set("tempo", 60.0)
    assert master(desk, 0.5) == pytest.approx(1.0)
    assert master(desk, 0.5 + 1.0) == pytest.approx(0.5, abs=1e-9)


def test_an_lfo_in_beats_is_locked_to_the_music() -> None:
    desk, clock = playing(beats=4.0)
    clock.now = ZERO + 2.0
    desk.lock(beat=17.0, at=ZERO + 2.0, tempo=90.04)
    assert desk.value("tempo") == 90.0
    assert master(desk, 2.0) == pytest.approx(1.0), "17 beats are four bars and one"
    assert desk.beat(ZERO + 2.0 + 60 / 90.04) == pytest.approx(18.0), "the tempo as it is, not as it is told"
    version = desk.version
    desk.lock(beat=17.1, at=ZERO + 2.1, tempo=90.03)
    assert desk.version == version, "the same tempo is no news"
    desk.lock(beat=17.2, at=ZERO + 2.2, tempo=90.16)
    assert desk.value("tempo") == 90.2, "told to a tenth"


def test_the_sound_pushes_up_by_its_level_or_its_onsets() -> None:
    desk, _ = playing(depth=0.0)
    desk.set("audio.target", "out.master")
    desk.set("audio.depth", 0.5)
    desk.tell("audio.level", 0.6)
    desk.tell("audio.onset", 1.0)
    assert master(desk, 0.0) == pytest.approx(0.8)
    desk.set("audio.source", "onset")
    assert master(desk, 0.0) == pytest.approx(1.0)


def test_beats_are_minutes_times_tempo() -> None:
    assert Beat(8.0, 10.0, 90.0).position(70.0) == pytest.approx(98.0)
    assert math.isclose(Beat().position(0.5), 1.0)
