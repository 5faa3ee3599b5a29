"""Frames at equal steps of meaning: evenness, bounds, marks, economy, on lands from flat to torn."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from latentworld.errors import GeometryError
from latentworld.pacing import HIGH, HORIZON, LOW, NEARLY, TREND, PacingSpec, even, steady

TARGET, FLOOR, CEILING = 0.03, 1e-3, 2.0
Land = Callable[[np.ndarray], np.ndarray]


def circle(meaning: Callable[[np.ndarray], np.ndarray]) -> Land:
    """Features on a circle at the angle `meaning` (rad) of the arc."""
    return lambda s: np.stack([np.cos(meaning(s)), np.sin(meaning(s)), 0 * s], axis=1)


LANDS = {
    "even": circle(lambda s: 0.3 * s),
    "waves": circle(lambda s: 0.3 * s + 0.2 * np.sin(s)),
    "swells": circle(lambda s: 0.3 * s + 0.28 * np.sin(s)),
    "ridge": circle(lambda s: 0.3 * s + 0.5 * np.tanh((s - 3) / 0.05)),
    "rifts": circle(lambda s: 0.3 * s + 0.5 * np.floor((s + 1) / 3)),
}


class Film:
    """Ticks placed one after the other, as the pilot does."""

    def __init__(self, land: Land, ticks: int, n: int = 16, batch: int = 8, spacing: float = 0.1) -> None:
        position, start, trend, self.probes, self.padded = 0.0, None, 1.0, 0, 0
        stops, marked, self.asked = [], [], set()

        def ahead(strides: np.ndarray) -> np.ndarray:
            self.padded += -(-len(strides) // batch) * batch
            self.asked |= set((position + strides).tolist())
            return land(position + strides)

        for _ in range(ticks):
            placed = even(ahead, n, TARGET, spacing, FLOOR, CEILING, batch, start, trend)
            stops.append(position + placed.strides)
            marked.append(placed.marked)
            position, start = float(stops[-1][-1]), placed.feature
            spacing, trend = placed.spacing, placed.trend
            self.probes += placed.probes
        self.stops, self.marked = np.concatenate([[0.0], *stops]), np.concatenate(marked)
        self.steps = np.linalg.norm(np.diff(land(self.stops), axis=0), axis=1)
        self.strides = np.diff(self.stops)
        self.frames = ticks * n


@pytest.mark.parametrize("name", LANDS)
def test_steps_are_even_outside_marked_ones(name: str) -> None:
    film = Film(LANDS[name], 30)
    calm = film.steps[~film.marked]
    assert calm.min() >= 0.999 * LOW * TARGET
    assert calm.max() <= 1.001 * HIGH * TARGET
    assert (film.strides >= FLOOR * (1 - 1e-6)).all()
    assert (film.strides <= CEILING * (1 + 1e-6)).all()
    assert set(film.stops[1:].tolist()) <= film.asked  # frames are probes: with a memo they cost nothing


def test_the_film_keeps_within_twice_of_its_median() -> None:
    for land in LANDS.values():
        film = Film(land, 30)
        calm = film.steps[~film.marked] / np.median(film.steps[~film.marked])
        assert calm.min() >= 0.5
        assert calm.max() <= 2.0


@pytest.mark.parametrize(("name", "most"), [("even", 1.1), ("waves", 1.6), ("ridge", 1.6)])
def test_smooth_land_costs_few_probes(name: str, most: float) -> None:
    film = Film(LANDS[name], 40)
    assert film.probes / film.frames <= most
    assert film.padded / film.frames <= most + 0.05


def test_a_rift_is_marked_once_and_crossed_at_the_floor() -> None:
    film = Film(LANDS["rifts"], 20)
    crossings = np.floor((film.stops[1:] + 1) / 3) - np.floor((film.stops[:-1] + 1) / 3)
    np.testing.assert_array_equal(film.marked, crossings > 0)
    for index in np.flatnonzero(film.marked):
        edge = 3 * np.floor((film.stops[index + 1] + 1) / 3) - 1
        assert film.stops[index + 1] - edge < 2.1 * FLOOR


def test_a_rift_that_cannot_be_split_is_not_split_on_and_on() -> None:
    """Halved down to the floor, once: some 16 probes."""
    rifts, calm = Film(LANDS["rifts"], 20), Film(circle(lambda s: 0.3 * s), 20)
    assert rifts.marked.sum() >= 8
    assert (rifts.probes - calm.probes) / rifts.marked.sum() <= 18


def test_a_trend_is_believed_for_so_many_frames() -> None:
    """The first look ahead, where the spacing grows by 15% a frame: the probes' distances grow for HORIZON frames."""
    asked: list[np.ndarray] = []

    def ahead(strides: np.ndarray) -> np.ndarray:
        asked.append(strides)
        return LANDS["even"](strides)

    even(ahead, 14, TARGET, 0.01, FLOOR, CEILING, 14, np.array([1.0, 0.0, 0.0]), TREND)
    growth = np.diff(asked[0], prepend=0.0)
    np.testing.assert_allclose(growth, 0.01 * TREND ** np.minimum(np.arange(14) + 1, HORIZON), rtol=1e-9)


def test_a_batch_with_room_looks_finer_and_half_as_far_again() -> None:
    """The first spacing was a tenth of the true one: the next is thrice as wide, its probes four to a frame."""
    asked: list[np.ndarray] = []

    def ahead(strides: np.ndarray) -> np.ndarray:
        asked.append(strides)
        return LANDS["even"](strides)

    even(ahead, 4, TARGET, 0.01, FLOOR, CEILING, 32, np.array([1.0, 0.0, 0.0]))
    np.testing.assert_allclose(asked[0], [0.01, 0.02, 0.03, 0.04])
    np.testing.assert_allclose(np.diff(asked[1]), 3 * 0.01 / 4)
    assert len(asked[1]) == 1.5 * 4 * 4


def test_a_floor_at_the_speed_and_a_ceiling_at_it_are_one_pace() -> None:
    same = PacingSpec(floor=4.0, speed=4.0, ceiling=4.0)
    placed = even(LANDS["waves"], 6, TARGET, 0.1, 0.2, 0.2)
    np.testing.assert_allclose(placed.strides, 0.2 * np.arange(1, 7))
    assert (same.floor, same.ceiling) == (4.0, 4.0)
    for wrong in ({"floor": 4.1}, {"ceiling": 3.9}):
        with pytest.raises(ValidationError, match="must hold"):
            PacingSpec(**({"speed": 4.0} | wrong))  # type: ignore[arg-type]


def test_a_guess_far_off_is_mended() -> None:
    for spacing in (1e-6, 1e-3, 50.0):
        film = Film(LANDS["even"], 10, spacing=spacing)
        assert film.steps[~film.marked].max() <= 1.001 * HIGH * TARGET
        assert film.steps[-16:].min() >= 0.9 * TARGET


def test_flat_land_goes_at_the_ceiling() -> None:
    film = Film(lambda s: np.ones((len(s), 3)), 10)
    assert not film.marked.any()
    np.testing.assert_allclose(film.strides[32:], CEILING, rtol=1e-6)


def test_land_rough_at_every_scale_ends() -> None:
    seeds = np.random.default_rng(0)
    film = Film(lambda s: seeds.normal(size=(len(s), 3)), 3)
    assert film.marked.mean() > 0.9
    assert (film.strides > 0).all()
    assert film.probes <= 20 * film.frames


@settings(max_examples=15)
@given(
    amplitudes=st.lists(st.floats(-0.3, 0.3), min_size=6, max_size=6),
    jumps=st.lists(st.floats(0.1, 8.0), max_size=3),
    n=st.integers(1, 24),
    batch=st.integers(1, 16),
)
def test_any_land_keeps_the_promises(amplitudes: list[float], jumps: list[float], n: int, batch: int) -> None:
    def meaning(s: np.ndarray) -> np.ndarray:
        waves = sum(a * np.sin((k + 1) * s / 2) for k, a in enumerate(amplitudes))
        return 0.1 * s + waves + sum((s > jump) * 0.7 for jump in jumps)

    film = Film(circle(meaning), 4, n=n, batch=batch)
    assert (film.strides >= FLOOR * (1 - 1e-6)).all()
    assert (film.strides <= CEILING * (1 + 1e-6)).all()
    assert len(film.marked) == film.frames
    assert (film.steps[~film.marked] <= 1.001 * HIGH * TARGET).all()
    slow = film.steps[~film.marked] < 0.999 * LOW * TARGET
    assert (film.strides[~film.marked][slow] >= NEARLY * CEILING * (1 - 1e-6)).all()


def asked(name: str, land: Land, start: bool = False) -> list[int]:
    """How many probes each look of one placing asks for: 24 frames, batches of 8, over a rift or a ridge."""
    sizes = []

    def ahead(strides: np.ndarray) -> np.ndarray:
        sizes.append(len(strides))
        return land(1.7 + strides)

    even(ahead, 24, TARGET, 0.1, FLOOR, CEILING, 8, land(np.array([1.7]))[0] if start else None)
    return sizes


ROUGH = circle(lambda s: 40.0 * np.sin(1e4 * s) + 17.0 * np.sin(3331.0 * s))
LOOKS = {  # name: sizes of the looks, from the walk's very place and from a known feature
    "even": ([8, 8, 8, 6], [8, 8, 8]),
    "waves": ([8, 8, 5, 8, 6], [8, 8, 5, 8, 6]),
    "swells": ([8, 8, 6, 8, 8], [8, 8, 6, 8, 8]),
    "ridge": ([8, 8, 1, 1, 8, 7], [8, 8, 1, 1, 8, 7]),
    "rifts": ([8, 8, 8, 8, 8], [8, 8, 8, 8, 7]),
    "rough": ([8, 8, 8, 8, 8], [8, 8, 8, 8, 8]),
}


@pytest.mark.parametrize("name", [*LANDS, "rough"])
@pytest.mark.parametrize("start", [False, True])
def test_a_placing_looks_as_often_as_it_did(name: str, start: bool) -> None:
    """A promise of cost: what is decoded for 24 frames, look by look. A better search may change these numbers."""
    assert asked(name, (LANDS | {"rough": ROUGH})[name], start) == LOOKS[name][start]


def test_patience_is_so_many_probes_a_frame_and_one_batch_more() -> None:
    """One frame on land that no probe calms: gaps are split until 6 + 8 probes are spent, and no more."""
    dice = np.random.default_rng(0)
    found = even(lambda s: dice.normal(size=(len(s), 64)), 1, TARGET, 0.1, 1e-12, CEILING, 8, np.zeros(64))
    assert 14 <= found.probes < 14 + 8


@pytest.mark.parametrize("name", LANDS)
def test_units_do_not_matter(name: str) -> None:
    """Meaning and arc may be measured in any unit; powers of two, which round nothing but in a logarithm."""

    def placed(meaning: float, arc: float) -> tuple[list[float], list[float]]:
        def ahead(strides: np.ndarray) -> np.ndarray:
            return LANDS[name](2.9 + strides / arc) * meaning

        found = even(ahead, 12, TARGET * meaning, 0.1 * arc, FLOOR * arc, CEILING * arc, 4)
        return [*(found.strides / arc), found.spacing / arc, found.trend], [found.probes, *found.marked]

    lengths, counts = placed(1.0, 1.0)
    for units in ((1024.0, 1.0), (1.0, 64.0), (2.0**-10, 0.125)):
        others, same = placed(*units)
        assert others == pytest.approx(lengths, rel=1e-9)
        assert same == counts


def test_a_gap_of_two_floors_is_still_split() -> None:
    """One step, then a rift a little further on: the step lies in the middle of the gap, a floor from either end."""

    def ahead(strides: np.ndarray) -> np.ndarray:
        return np.stack([TARGET * strides / 0.25 + 100 * TARGET * (strides > 0.3), 0 * strides], axis=1)

    placed = even(ahead, 1, TARGET, 0.5, 0.25, 0.5, 1, np.zeros(2))
    assert (placed.strides.tolist(), placed.marked.tolist()) == ([0.25], [False])


def test_placing_is_deterministic() -> None:
    first, second = Film(LANDS["ridge"], 8), Film(LANDS["ridge"], 8)
    np.testing.assert_array_equal(first.stops, second.stops)


def test_steady_pace() -> None:
    placed = steady(3, 0.25)
    np.testing.assert_array_equal(placed.strides, [0.25, 0.5, 0.75])
    assert not placed.marked.any()
    assert placed.probes == 0


@pytest.mark.parametrize("wrong", [{"target": 0.0}, {"floor": 0.0}, {"floor": 3.0}, {"spacing": -1.0}, {"batch": 0}])
def test_no_pace(wrong: dict[str, float]) -> None:
    good = {"target": TARGET, "spacing": 0.1, "floor": FLOOR, "ceiling": CEILING, "batch": 8}
    with pytest.raises(GeometryError, match="no pace"):
        even(LANDS["even"], 4, **(good | wrong))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong", [{"sped": 1.0}, {"speed": 0.0}, {"floor": 9.0}, {"kind": "warp"}, {"speed": float("nan")}]
)
def test_specs_refuse_nonsense(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PacingSpec(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        PacingSpec().speed = 3.0  # type: ignore[misc]
