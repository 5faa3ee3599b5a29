"""Box counting on known sets, and zooms into rifts whose steepness is known, down to where float32 ends."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from standins.surveys import PLANE, looked, shown

from latentworld import globe
from latentworld.atlas.fractal import boundary, box_dimension, fit
from latentworld.atlas.sampling import Window
from latentworld.atlas.zoom import Level, Zoom, dive
from latentworld.decoding.analytic import AnalyticDecoder, analytic
from latentworld.errors import AtlasError

WINDOW = Window(alpha=(-0.2, 0.8), beta=(-0.1, 0.9), rows=17, columns=17)

# Box counting


def nodes(n: int) -> np.ndarray:
    return np.stack(np.meshgrid(*[np.arange(n + 1) / n] * 2, indexing="ij"), axis=-1)


def raster(curve: np.ndarray, n: int) -> np.ndarray:
    """Cells that a densely sampled curve in the unit square visits."""
    between = np.linspace(0, 1, 40)[:, None, None]
    row, column = ((curve[:-1] * (1 - between) + curve[1:] * between).reshape(-1, 2) * n).astype(int).T
    cells = np.zeros((n, n), dtype=bool)
    cells[row, column] = True
    return cells


def koch(times: int) -> np.ndarray:
    curve = np.array([0, 1 + 0j])
    for _ in range(times):
        start, third = curve[:-1], np.diff(curve) / 3
        parts = [start, start + third, start + third * (1 + np.exp(1j * np.pi / 3)), start + 2 * third]
        curve = np.append(np.stack(parts, axis=1).ravel(), 1)
    return np.stack([curve.real * 0.9 + 0.05, curve.imag * 0.9 + 0.3], axis=1)


def carpet(times: int) -> np.ndarray:
    cells = np.ones((1, 1), dtype=bool)
    for _ in range(times):
        hole = np.zeros_like(cells)
        cells = np.block([[cells, cells, cells], [cells, hole, cells], [cells, cells, cells]])
    return cells


LINES = {f"line {turn}": (nodes(256) - 0.47) @ [np.cos(turn), np.sin(turn)] > 0 for turn in (0.0, 0.3, 0.6, 0.785)}
SETS = {name: (boundary(label), 1.0) for name, label in LINES.items()} | {
    "circle": (boundary(np.linalg.norm(nodes(256) - 0.5, axis=2) < 0.35), 1.0),
    "koch": (raster(koch(7), 512), np.log(4) / np.log(3)),
    "carpet": (carpet(6), np.log(8) / np.log(3)),
    "plane": (np.ones((200, 150), dtype=bool), 2.0),
}


@pytest.mark.parametrize("name", SETS)
def test_known_sets_within_the_stated_error(name: str) -> None:
    cells, exact = SETS[name]
    dimension, error = box_dimension(cells)
    assert abs(dimension - exact) < 1.5 * error
    assert error < 0.1


def test_dimensions_tell_sets_apart() -> None:
    """An error so large that it covered anything would say nothing."""
    by_name = {name: box_dimension(cells) for name, (cells, _) in SETS.items()}
    for low, high in (("circle", "koch"), ("koch", "carpet"), ("carpet", "plane")):
        assert by_name[high][0] - by_name[low][0] > by_name[high][1] + by_name[low][1]


def test_small_and_empty_boundaries() -> None:
    assert np.isnan(box_dimension(np.zeros((20, 20), dtype=bool))).all()
    dimension, error = box_dimension(boundary(nodes(23) @ [1.0, 0.4] > 0.6))
    assert abs(dimension - 1) < error < 0.2
    with pytest.raises(AtlasError, match="12 cells a side"):
        box_dimension(np.ones((11, 40), dtype=bool))


def test_a_boundary_is_the_cells_that_a_rift_crosses() -> None:
    labels = np.array([[0, 0, 1], [0, 0, 1], [0, 2, 1]])
    assert boundary(labels).tolist() == [[False, True], [True, True]]


def test_a_fit_knows_its_error() -> None:
    x = np.arange(5.0)
    assert fit(x, 3 * x + 1) == pytest.approx((3.0, 0.0), abs=1e-12)
    noisy = 3 * x + np.array([1, -1, 1, -1, 1])
    slope, error = fit(x, noisy)
    assert (slope, error) == pytest.approx((3.0, np.sqrt(4.8 / 3 / 10)))
    assert np.isnan(fit(x[:1], x[:1])).all()
    assert np.isnan(fit(x[:2], x[:2])[1])


# Zooms


def poles(sigma: float, size: int = 4) -> AnalyticDecoder:
    return analytic(PLANE, 2, sigma, size=(size, size), batch=512)


@cache
def dived(sigma: float, factor: float = 10.0) -> Zoom:
    return dive(looked(poles(sigma)), PLANE, WINDOW, factor)


def truth(decoder: AnalyticDecoder, level: Level) -> float:
    """The steepest there is in a level's window."""
    window = level.atlas.sampling
    axes = np.meshgrid(np.linspace(*window.alpha, 101), np.linspace(*window.beta, 101))  # type: ignore[union-attr]
    return float(decoder.true_rate(PLANE.unit(*axes).reshape(-1, 3)).max())


@pytest.mark.parametrize("sigma", [0.3, 0.2])
def test_the_largest_rate_reaches_the_truth_and_stays_until_the_floor(sigma: float) -> None:
    zoom, decoder = dived(sigma), poles(sigma)
    exact = truth(decoder, zoom.levels[-1])
    width = zoom.growth.width
    assert width is not None
    reached = [level for level in zoom.levels if level.width < 0.5 * width and level.largest > 10 * level.floor]
    assert len(reached) >= 2
    for level in reached:
        assert level.largest == pytest.approx(exact, rel=0.05)
    assert reached[-1].median == pytest.approx(exact, rel=0.05)
    for before, level in zip(zoom.levels, zoom.levels[1:]):
        assert level.largest > 0.98 * before.largest
    assert zoom.levels[0].largest < 0.5 * exact


@pytest.mark.parametrize("sigma", [0.3, 0.2])
def test_the_floor_appears_where_it_was_measured_and_pictures_stop_after_it(sigma: float) -> None:
    """The floor meets the truth at a step of jitter / truth; an exact world would keep its rate below it."""
    zoom, decoder = dived(sigma), poles(sigma)
    exact = truth(decoder, zoom.levels[-1])
    assert zoom.floor is not None
    assert zoom.stops is not None
    meets = next(level for level in zoom.levels if level.width == zoom.floor)
    step = meets.noise.jitter / exact
    assert meets.spacing / 2 < step < 20 * meets.spacing
    assert [level.resolved for level in zoom.levels] == [level.width > zoom.floor for level in zoom.levels]
    assert meets.largest > 1.05 * exact  # what is measured there is rounding
    assert 1e-10 < zoom.stops < zoom.floor < 1e-5
    assert zoom.levels[-1].still
    assert not any(level.still for level in zoom.levels[:-1])


def test_the_largest_rate_grows_like_one_over_the_step() -> None:
    """While every level leaps over the rift; its tails then show, and the growth wears off before it ends."""
    render = looked(poles(0.05))
    leaping = dive(render, PLANE, WINDOW, factor=8, levels=4).growth
    assert (leaping.levels, leaping.width) == (4, None)
    assert leaping.exponent == pytest.approx(1.0, abs=0.08)
    assert 0 < leaping.error < 0.05
    whole = dive(render, PLANE, WINDOW, factor=8, levels=8).growth
    assert 0.6 < whole.exponent < leaping.exponent
    assert dived(0.3).growth.width == pytest.approx(0.1)  # where one level more changes it by less than a quarter


def test_a_zoom_stays_on_the_rift() -> None:
    zoom, decoder = dived(0.2), poles(0.2)
    for level, below in zip(zoom.levels, zoom.levels[1:]):
        assert below.width == pytest.approx(level.width / 10, rel=1e-6)
        assert below.centre == pytest.approx(level.target, abs=1e-15)
        if level.largest > 10 * level.floor:
            assert decoder.rift_distance(PLANE.unit(*level.target)[None])[0] < level.spacing / PLANE.target
    assert [level.index for level in zoom.levels] == list(range(len(zoom.levels)))


def test_the_boundary_of_a_smooth_rift_has_dimension_one() -> None:
    dimension, error = dived(0.2).dimension
    assert abs(dimension - 1) < 2 * error
    assert error < 0.1


def test_levels_are_as_many_as_asked_for_and_told_at_once() -> None:
    told: list[int] = []
    render = looked(poles(0.3))
    short = dive(render, PLANE, WINDOW, levels=2, on_level=lambda level: told.append(level.index))
    assert told == [0, 1]
    assert (short.stops, short.floor) == (None, None)
    deep = dive(render, PLANE, WINDOW, levels=11)
    assert len(deep.levels) == 11
    assert deep.levels[-1].width == pytest.approx(1e-10, rel=1e-4)
    assert deep.stops == dived(0.3).stops
    floored = dive(render, PLANE, WINDOW, until="floor")
    assert floored.levels[-1].width == floored.floor == dived(0.3).floor


def test_a_zoom_can_follow_a_chosen_place() -> None:
    place = (0.41, 0.33)
    zoom = dive(looked(poles(0.3)), PLANE, WINDOW, levels=4, follow=place)
    assert zoom.levels[0].centre == pytest.approx((0.3, 0.4))
    for level in zoom.levels[1:]:
        assert level.centre == pytest.approx(place, abs=1e-12)


def test_a_world_without_rounding_ends_where_coordinates_do() -> None:
    """Features straight from float64 places never stop changing."""
    linear = np.random.default_rng(0).normal(size=(3, 4))
    zoom = dive(shown(lambda points: points @ linear), PLANE, WINDOW, factor=16)
    assert 1e-14 < zoom.levels[-1].width < 1e-11
    assert zoom.levels[-1].largest == pytest.approx(zoom.levels[4].largest, rel=0.05)
    units = zoom.levels[-1].atlas.unit
    assert len(np.unique(units, axis=0)) == len(units)
    assert globe.angle(units[:-1], units[1:]).max() > 0


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"factor": 1.0}, "above 1"),
        ({"factor": float("nan")}, "above 1"),
        ({"factor": 17.0}, "take 18 of both"),
        ({"levels": 0}, "1 or more"),
        ({"follow": (0.1, float("inf"))}, "finite"),
    ],
)
def test_zooms_that_cannot_be(settings: dict[str, object], told: str) -> None:
    with pytest.raises(AtlasError, match=told):
        dive(looked(poles(0.3)), PLANE, WINDOW, **settings)  # type: ignore[arg-type]


def test_small_grids_zoom_too_without_a_dimension() -> None:
    small = WINDOW.model_copy(update={"rows": 5, "columns": 5})
    zoom = dive(looked(poles(0.3)), PLANE, small, factor=4, levels=3)
    assert np.isnan(zoom.dimension).all()
    assert np.isfinite([level.largest for level in zoom.levels]).all()
