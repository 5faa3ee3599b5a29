"""The way through recorded places: verbatim at them, close to the truth between, never past where a walk turned."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standins.takes import way

from installation.takes.track import LEAP, Recorded, Track, jumps, slopes
from latentworld import globe
from latentworld.errors import GeometryError
from latentworld.walks import Steering, step


def track(times: np.ndarray, units: np.ndarray, radii: np.ndarray | None = None, told: object = 0) -> Track:
    marks = np.zeros(len(times), np.int8) + np.asarray(told, np.int8)
    return Track(times, units, np.ones(len(times)) if radii is None else radii, jumps(times, units, marks))


def line(s: np.ndarray) -> np.ndarray:
    """Units at angles s along the equator."""
    return np.stack([np.cos(s), np.sin(s), np.zeros_like(s)], axis=1)


def along(found: np.ndarray) -> np.ndarray:
    return np.arctan2(found[:, 1], found[:, 0])


def dense(made: Track, count: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    times = np.linspace(made.time[0], made.time[-1], count)
    return (times, *made.at(made.arcs(times)))


@given(st.integers(0, 10_000), st.integers(1, 60), st.floats(0.05, 2.0), st.integers(1, 7))
@settings(max_examples=40)
def test_at_recorded_times_places_are_the_same_to_the_last_bit(seed: int, n: int, stride: float, batch: int) -> None:
    times, units, _ = way(n, seed, stride)
    radii = np.random.default_rng(seed).uniform(0.5, 2, n)
    made = track(times, units, radii)
    arcs = made.arcs(times[0] + (times - times[0]))  # as a film's clock counts from nought: rounded once more
    assert arcs.tolist() == list(range(n))
    walk, found, lengths = Recorded(made), [], []
    for begin in range(0, n, batch):  # whatever the batches are
        strides = arcs[begin : begin + batch] - walk.arc
        unit, radius = walk.ahead(strides)
        walk = walk.advance(strides[-1])
        found.append(unit)
        lengths.append(radius)
    assert np.concatenate(found).tobytes() == units.tobytes()
    assert np.concatenate(lengths).tobytes() == radii.tobytes()


@given(st.lists(st.floats(0, 500), min_size=2, max_size=200, unique=True))
@settings(max_examples=60)
def test_arcs_and_their_sums_are_exact(times: list[float]) -> None:
    made = track(*way(5000, stride=0.01)[:2])
    arcs = np.unique(made.arcs(np.array(times)))
    assert (arcs[0] + (arcs - arcs[0]) == arcs).all()
    assert ((arcs * 2**28) % 1 == 0).all()


@pytest.mark.parametrize(("stride", "bound"), [(0.1, 0.004), (0.4, 0.02), (1.5, 0.06)])
def test_places_between_keep_to_the_true_way(stride: float, bound: float) -> None:
    worst, chords = 0.0, 0.0
    for seed in range(8):
        times, units, true = way(60, seed, stride)
        steps = globe.angle(units[1:], units[:-1]).mean()
        at, found, _ = dense(track(times, units))
        worst = max(worst, float(globe.angle(found, true(at)).max() / steps))
        straight = globe.normalise(np.stack([np.interp(at, times, column) for column in units.T], axis=1))
        chords = max(chords, float(globe.angle(straight, true(at)).max() / steps))
    assert worst < bound  # of a step
    assert worst < chords / 2  # straight lines are no match


def test_the_velocity_is_continuous() -> None:
    times, units, _ = way(40, 3, 1.0)
    made, h = track(times, units), 1e-5
    before = (made.at(made.arcs(times[1:-1]))[0] - made.at(made.arcs(times[1:-1] - h))[0]) / h
    after = (made.at(made.arcs(times[1:-1] + h))[0] - made.at(made.arcs(times[1:-1]))[0]) / h
    speed = np.linalg.norm(np.diff(units, axis=0), axis=1).mean() / 0.1
    assert np.linalg.norm(after - before, axis=1).max() < 1e-3 * speed
    chords = np.diff(units, axis=0) / np.diff(times)[:, None]
    assert np.linalg.norm(np.diff(chords, axis=0), axis=1).max() > 0.05 * speed  # of straight lines it is not


STOPS = {
    "stops": np.concatenate([np.arange(10) * 0.01, np.full(10, 0.09), 0.09 + 0.01 * np.arange(1, 10)]),
    "brakes": np.concatenate([np.arange(10) * 0.02, 0.18 + 0.0005 * np.arange(1, 10)]),
    "starts": np.concatenate([0.0005 * np.arange(10), 0.0045 + 0.02 * np.arange(1, 10)]),
}


@pytest.mark.parametrize("name", STOPS)
@pytest.mark.parametrize("jitter", [0.0, 0.4])
def test_a_walk_that_stops_or_brakes_never_swings_back(name: str, jitter: float) -> None:
    s = STOPS[name]
    times = np.cumsum(0.1 * (1 + jitter * np.random.default_rng(1).uniform(-1, 1, len(s))))
    way = along(dense(track(times, line(s)))[1])
    assert (np.diff(way) > -1e-15).all()
    assert way.max() <= s.max() + 1e-15


def test_a_walk_that_turns_back_turns_at_its_farthest_place() -> None:
    s = np.concatenate([np.arange(10) * 0.01, 0.09 - 0.01 * np.arange(1, 10)])
    times = np.cumsum(0.1 * (1 + 0.4 * np.random.default_rng(1).uniform(-1, 1, len(s))))
    assert along(dense(track(times, line(s)))[1]).max() <= 0.09 + 1e-15


def test_a_radius_never_leaves_what_was_recorded() -> None:
    times, units, _ = way(40)
    radii = np.where(np.arange(40) < 20, 1.0, 2.0)
    found = dense(track(times, units, radii))[2]
    assert found.min() == 1.0
    assert found.max() <= 2.0 + 1e-15
    assert (np.diff(found) > -1e-15).all()
    assert (dense(track(times, units))[2] == 1.0).all()


def test_a_jump_is_no_way() -> None:
    s = np.concatenate([np.arange(10) * 0.01, 0.8 + np.arange(10) * 0.01])
    made = track(np.arange(20) * 0.1, line(s))
    assert np.flatnonzero(made.jump).tolist() == [9]
    way = along(dense(made)[1])
    assert not ((way > 0.0901) & (way < 0.7999)).any()
    assert np.isclose(way[way < 0.5].max(), 0.09)
    joined = track(np.arange(20) * 0.1, line(s), told=np.where(np.arange(20) == 10, -1, 0))
    assert not joined.jump.any()
    assert ((way := along(dense(joined)[1])) > 0.3).any()
    assert ((way > 0.3) & (way < 0.6)).any()
    parted = track(np.arange(20) * 0.1, line(np.arange(20) * 0.01), told=np.where(np.arange(20) == 5, 1, 0))
    assert np.flatnonzero(parted.jump).tolist() == [4]


@given(st.integers(0, 1000), st.floats(0.05, 2.0))
@settings(max_examples=30)
def test_a_walk_is_no_row_of_jumps(seed: int, stride: float) -> None:
    assert not track(*way(80, seed, stride)[:2]).jump.any()


def test_a_slow_sweep_across_a_gap_is_a_way_and_opposite_places_are_none() -> None:
    s = np.concatenate([np.arange(5) * 0.01, 0.5 + np.arange(5) * 0.01])
    times = np.concatenate([np.arange(5) * 0.1, 8 + np.arange(5) * 0.1])  # lines were taken out
    assert not track(times, line(s)).jump.any()
    assert track(np.arange(3.0), line(np.array([0.0, 3.0, 6.0]))).jump.tolist() == [True, True]
    assert LEAP > 0.01


def test_past_the_end_the_walk_stays_and_goes_on_counting() -> None:
    times, units, _ = way(5)
    made = track(times, units)
    arcs = made.arcs(times[-1] + np.array([0.0, 1.0, 2.0]))
    assert (np.diff(arcs) > 0).all()
    assert arcs[0] == 4
    np.testing.assert_array_equal(made.at(arcs)[0], np.repeat(units[-1:], 3, axis=0))
    assert made.arcs(times[0] - 5).tolist() == [0.0]
    np.testing.assert_allclose(made.times(made.arcs(np.array([7.5]))), 7.5, atol=1e-8)


@pytest.mark.parametrize("times", [[math.nan], [0.5, math.inf], [-math.inf, 1.0]])
def test_a_clock_that_is_no_clock_is_refused(times: list[float]) -> None:
    moments, units, _ = way(6)
    with pytest.raises(GeometryError, match="check the clock"):
        track(moments, units).arcs(times)


def test_one_place_is_a_track() -> None:
    made = track(np.array([3.0]), line(np.array([0.2])))
    assert made.arcs([3.0, 4.0]).tolist() == [0.0, 1.0]
    assert made.at([0.0, 1.0])[0].tolist() == [made.unit[0].tolist()] * 2
    with pytest.raises(GeometryError, match="not finite"):
        made.arcs([np.nan])


def test_a_track_is_a_walk_for_the_loop() -> None:
    times, units, _ = way(6)
    walk = Recorded(track(times, units))

    class Tick:
        index, time = np.arange(3), np.arange(3.0)

    ahead, path = step(walk, Steering(9.0, np.array([0.0, 1.0, 2.0]), np.zeros(3, np.bool_)), Tick())
    assert (ahead.arc, ahead.length) == (2.0, 5.0)
    assert path.unit.tobytes() == units[:3].tobytes()


def test_times_between_the_last_places_are_between_theirs_and_a_curvature_is_nothing_to_a_track() -> None:
    made = track(np.array([0.0, 1.0, 2.0, 4.0]), line(np.array([0.0, 0.1, 0.2, 0.3])))
    middle = made.arcs(np.array([3.0]))
    np.testing.assert_allclose(made.times(middle), [3.0])
    walk = Recorded(made)
    assert walk.advance(0.3).arc == walk.advance(0.3, 5.0).arc == pytest.approx(0.3)


def test_a_place_between_two_jumps_stands_still() -> None:
    values, time = np.array([[0.0], [5.0], [9.0], [9.5]]), np.arange(4.0)
    found = slopes(values, time, np.array([True, True, False]))
    assert found[:2].tolist() == [[0.0], [0.0]]
    assert found[2:] == pytest.approx(0.5)


def test_the_first_step_may_be_a_jump_and_two_places_may_be_one() -> None:
    turn = np.array([0.0, 0.05, 0.051, 0.052, 0.053])
    units = np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=1)
    plain = np.zeros(5, np.int8)
    assert jumps(np.arange(5.0), units, plain).tolist() == [True, False, False, False]
    assert jumps(np.arange(2.0), units[:2], plain[:2]).tolist() == [False]
    assert jumps(np.arange(2.0), np.array([[1.0, 0, 0], [-1.0, 0, 0]]), plain[:2]).tolist() == [True]


def test_no_slope_is_steeper_than_twice_the_slower_way() -> None:
    values = np.array([[0.0], [1.0], [101.0], [102.0]])
    found = slopes(values, np.arange(4.0), np.zeros(3, np.bool_))
    assert found[1:3] == pytest.approx(2.0)
