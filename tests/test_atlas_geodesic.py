"""Geodesics: exact gradients, known truths, charts, legs never longer than a straight line, tours, bad input."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("zarr", reason="the extra `atlas` is not installed")

from hypothesis import given, settings
from hypothesis import strategies as st
from standins import surveys
from standins.stores import surveyed

from latentworld import globe, walks
from latentworld.atlas import corridor, field, geodesic, ground, leg, mesh, metric, paced, tour
from latentworld.atlas.geodesic import Density, Fisher, Meaning
from latentworld.atlas.ground import Ground
from latentworld.atlas.leg import Country
from latentworld.atlas.logz import LogZ
from latentworld.atlas.reader import Reader
from latentworld.atlas.sampling import Adaptive, Globe, Window
from latentworld.atlas.settings import provenance
from latentworld.decoding.analytic import SHELL, analytic, lattice_modes
from latentworld.errors import AtlasError
from latentworld.preset import parse

PLANE = surveys.PLANE
WORLD = analytic(PLANE, lattice_modes(12, 0), 0.2, size=(2, 2), batch=512)


@cache
def country(kind: str = "window") -> Country:
    samplings = {
        "window": Window(rows=24, columns=20),
        "adaptive": Adaptive(rows=33, columns=33, coarse=4, budget=0.4),
        "globe": Globe(nside=16),
    }
    atlas = surveys.survey(samplings[kind], surveys.looked(WORLD, surveys.latents64))
    net = mesh.mesh(atlas)
    return Country(atlas, net, field.rates(atlas, net))


def poles(unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """-log p of two modes at the poles, up to a constant, and its gradient."""
    slope = np.zeros_like(unit)
    slope[:, 2] = -5 * np.tanh(5 * unit[:, 2])
    return -np.logaddexp(5 * unit[:, 2], -5 * unit[:, 2]), slope


def at(latitude: float, longitude: float) -> np.ndarray:
    east = np.cos(latitude)
    return np.array([east * np.cos(longitude), east * np.sin(longitude), np.sin(latitude)])


# ---- energies and charts


@pytest.mark.parametrize("kind", ["meaning", "fisher", "density"])
def test_gradients_are_exact_through_the_metric_itself(kind: str) -> None:
    here, random = country(), np.random.default_rng(0)
    begin, end = PLANE.unit(0.1, 0.2), PLANE.unit(0.8, 0.7)
    chart = ground.chart_of(here.atlas, begin, end)
    laid = ground.laid(here.atlas, chart, here.axes)
    found = LogZ(random.normal(size=(9, 2)), random.normal(size=9) / 9, 0.1)
    energy = {
        "meaning": Meaning(laid, 0.01),
        "fisher": Fisher(found, np.array([1 / 23, 1 / 19]), 0.001),
        "density": Density(chart, poles, 0.4),
    }[kind]
    way = geodesic.straight(chart, begin, end, 9)
    way[1:-1] += random.normal(size=way[1:-1].shape)
    _, exact = energy(way)
    step, numeric = 1e-5, np.zeros_like(way)
    for index in np.ndindex(*way.shape):
        moved = np.zeros_like(way)
        moved[index] = step
        numeric[index] = (energy(way + moved)[0] - energy(way - moved)[0]) / (2 * step)
    np.testing.assert_allclose(exact, numeric, atol=1e-6 * np.abs(exact).max())


def test_no_piece_leaps_over_what_is_narrow() -> None:
    """A wall of three cells that sinks to nothing: a way between ends that miss it costs what it crosses, and goes
    round, and is as long as it says."""
    x, y = np.meshgrid(np.arange(61.0), np.arange(61.0), indexing="ij")
    wall = 6 * np.exp(-(((x - 33) / 1.5) ** 2)) * np.clip(1 - y / 45, 0, None)
    spline = ground._spline([np.arange(61.0)] * 2, np.stack([0.02 * x, 0.02 * y, wall], axis=-1))
    chart = ground.Chart(np.eye(3), np.zeros(2), np.full(2, 60.0))
    energy = Meaning(Ground(chart, spline), 1e-6)
    line = np.stack([np.linspace(0, 60, 11), np.full(11, 30.0)], axis=1)
    assert np.ptp(spline(line)[:, 2]) < 0.2 < 1.9 < np.ptp(spline(leg._finely(line))[:, 2])
    assert 2 * energy(line)[0] > energy.length(leg._finely(line)) ** 2
    way = geodesic.relax(energy, line, chart)
    assert way[:, 1].max() > 43
    assert 0.95 < np.sqrt(2 * energy(way)[0]) / energy.length(leg._finely(way)) < 1.05
    assert energy.length(leg._finely(way)) < 0.4 * energy.length(leg._finely(line))


@settings(max_examples=40, deadline=None)
@given(st.floats(-0.9, 1.9), st.floats(-0.9, 1.9))
def test_a_windows_chart_is_its_lattice(alpha: float, beta: float) -> None:
    atlas = country().atlas
    chart = ground.of_window(atlas)
    spot, _ = chart.place(PLANE.unit([alpha], [beta]))
    np.testing.assert_allclose(spot, [[alpha * 23, beta * 19]], atol=1e-9)
    np.testing.assert_allclose(chart.unit(spot)[0], PLANE.unit([alpha], [beta]), atol=1e-12)


def test_a_chart_says_how_it_moves() -> None:
    chart = ground.between(at(0.1, 0.2), at(0.7, -0.5))
    spot = np.array([[0.1, -0.2], [-0.3, 0.05]])
    unit, moves = chart.unit(spot)
    back, slope = chart.place(unit)
    np.testing.assert_allclose(back, spot, atol=1e-14)
    for axis, step in enumerate(1e-6 * np.eye(2)):
        np.testing.assert_allclose(moves[:, :, axis], (chart.unit(spot + step)[0] - unit) / 1e-6, atol=1e-5)
    np.testing.assert_allclose(slope @ moves, np.tile(np.eye(2), (2, 1, 1)), atol=1e-12)


def test_a_spline_passes_through_what_was_seen() -> None:
    here = country()
    chart = ground.of_window(here.atlas)
    value, _ = ground.laid(here.atlas, chart, here.axes)(here.atlas.lattice.astype(float))
    np.testing.assert_allclose(value, here.axes, atol=1e-9)


# ---- density, against Clairaut


@pytest.mark.parametrize("strength", [-0.3, 0.1, 0.3])
def test_clairauts_relation_holds_along_a_density_geodesic(strength: float) -> None:
    begin, end = at(0.5, -0.8), at(0.3, 0.7)
    chart = ground.between(begin, end)
    spread = []
    for count in (32, 64):
        energy = Density(chart, poles, strength)
        way = geodesic.relax(energy, geodesic.straight(chart, begin, end, count), chart, 1e-15)
        unit = chart.unit(way)[0]
        middle = globe.normalise(unit[1:] + unit[:-1])
        along = globe.project(middle, unit[1:] - unit[:-1])
        constant = np.exp(strength * poles(middle)[0]) * np.cross(middle, along)[:, 2]
        spread.append(np.ptp(constant) / np.abs(constant).mean())
    assert spread[1] < 2e-3
    assert spread[1] < spread[0] / 3  # second order


def test_no_strength_gives_the_great_circle_and_ends_may_change_places() -> None:
    begin, end = at(0.6, -0.9), at(0.6, 0.9)
    chart = ground.between(begin, end)
    way = geodesic.relax(Density(chart, poles, 0.0), geodesic.straight(chart, begin, end, 64), chart)
    circle = globe.slerp(begin, end, np.linspace(0, 1, 65))
    np.testing.assert_allclose(chart.unit(way)[0], circle, atol=1e-12)
    there, back = (dense(*ends) for ends in ((begin, end), (end, begin)))
    np.testing.assert_allclose(there, back[::-1], atol=1e-9)
    assert np.abs(there - circle).max() > 0.05


def dense(begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    chart = ground.between(begin, end)
    line = geodesic.straight(chart, begin, end, 64)
    return chart.unit(geodesic.relax(Density(chart, poles, 0.3), line, chart, 1e-15))[0]


# ---- legs over an atlas


def flowed(unit: np.ndarray, pieces: int = 600) -> float:
    """Exact feature length of a way."""
    return geodesic.length(WORLD.mixture.flow(paced.along(unit, np.linspace(0, 1, pieces)) * SHELL))


@pytest.mark.parametrize("kind", ["window", "adaptive", "globe"])
def test_legs_are_never_longer_than_the_great_circle_and_shorter_in_all(kind: str) -> None:
    here, random, ours, straight = country(kind), np.random.default_rng(1), 0.0, 0.0
    for _ in range(6):
        ends = (PLANE.unit(*random.uniform(0.05, 0.95, (2, 2)).T) if kind != "globe" else
                globe.normalise(np.array([0.3, 0.2, 0.9]) + random.uniform(-0.8, 0.8, (2, 3))))  # fmt: skip
        one = leg.between(here, *ends)
        assert one.length <= one.against
        np.testing.assert_allclose(one.unit[[0, -1]], ends, atol=1e-9)
        ours += flowed(one.unit)
        straight += flowed(globe.slerp(*ends, np.linspace(0, 1, 50)))
    assert ours < 0.99 * straight


def test_a_leg_by_log_z_needs_one_and_spares_its_own_length() -> None:
    here = country()
    with pytest.raises(AtlasError, match="no log Z yet: measure it with latentworld atlas metric"):
        replace(here, by="metric")
    fitted = metric.hessian(here.atlas, here.mesh, sharpness=30.0, atoms=49)
    one = leg.between(replace(here, by="metric", logz=fitted.logz), PLANE.unit(0.1, 0.9), PLANE.unit(0.9, 0.3))
    assert one.length < one.against
    with pytest.raises(AtlasError, match="no affine coordinates of the globe"):
        replace(country("globe"), by="metric", logz=fitted.logz)


def test_by_density_the_likely_way_is_less_surprising_and_the_unlikely_one_more() -> None:
    here = country()
    hill = np.exp(-8 * ((here.atlas.coordinates - 0.5) ** 2).sum(axis=1))
    ends = PLANE.unit(0.1, 0.45), PLANE.unit(0.9, 0.55)
    means = [along_hill(replace(here, by="density", strength=k, surprise=hill), ends) for k in (-1.0, 0.0, 1.0)]
    assert means[2] < 0.8 * means[1]
    assert means[0] > means[1]


def along_hill(here: Country, ends: tuple[np.ndarray, np.ndarray]) -> float:
    alpha, beta, _ = PLANE.chart(paced.along(leg.between(here, *ends).unit, np.linspace(0, 1, 99)))
    return float(np.exp(-8 * ((alpha - 0.5) ** 2 + (beta - 0.5) ** 2)).mean())


def test_where_nothing_changes_the_straight_line_is_the_answer() -> None:
    atlas = surveys.survey(Window(rows=12, columns=12), surveys.shown(lambda points: points, surveys.RAW), surveys.RAW)
    net = mesh.mesh(atlas)
    ends = surveys.RAW.unit(0.1, 0.1), surveys.RAW.unit(0.9, 0.8)
    one = leg.between(Country(atlas, net, field.rates(atlas, net)), *ends)
    assert one.straight
    np.testing.assert_allclose(one.unit, globe.slerp(*ends, np.linspace(0, 1, len(one.unit))), atol=1e-12)
    assert one.gain == 0


def test_a_geodesic_tour_is_walked_through_its_points_and_paced_by_meaning() -> None:
    here = country()
    points = PLANE.unit([0.1, 0.9, 0.5], [0.2, 0.3, 0.9])
    made = tour.geodesic(here, points)
    walk = walks.build(made.walk, PLANE)
    units, _ = walk.ahead(np.linspace(0, made.length, 4000))
    for point in points:
        assert globe.angle(units, point).min() < 0.3 * made.cell
    for one in made.legs:
        assert max(globe.angle(units, unit).min() for unit in one.unit) < 0.6 * made.cell
    assert len(made.unit) < 0.8 * len(made.planned)
    preset = made.preset(parse({"film": {"fps": 20.0}, "pacing": {"clip_step": 0.05}}))
    assert preset.pacing.kind == "clip"
    assert made.meaning is not None
    steps = max(made.meaning / (0.05 * 20.0), made.length / preset.pacing.ceiling)
    assert preset.film.seconds == pytest.approx(steps + (0.0 if made.closed else 1 / 20))  # to its last point
    assert tour.plan(here.atlas, here.mesh, here.rates, "geodesic", points=points).unit.shape[1] == 3


# ---- pacing


def test_walked_evenly_every_step_of_meaning_is_alike() -> None:
    render = surveys.looked(WORLD, surveys.latents64)
    line = globe.slerp(PLANE.unit(0.1, 0.2), PLANE.unit(0.9, 0.8), np.linspace(0, 1, 9))
    even, latent = paced.walked(render, line, 1.0), paced.latent(render, line, 1.0)
    assert even.peak < 1.2 < latent.peak
    assert even.energy < latent.energy
    assert even.energy == pytest.approx(even.length**2, rel=0.02)
    assert len(even.unit) == len(even.features) == paced.FRAMES
    flat = paced.walked(surveys.shown(lambda points: np.zeros((len(points), 2))), line, 1.0)
    assert flat.length == 0


# ---- corridors


def test_a_corridor_is_the_survey_and_a_finer_band_and_goes_on_where_it_was(tmp_path: Path) -> None:
    window = Window(rows=8, columns=7)
    render = surveys.looked(WORLD)
    from latentworld.atlas import survey
    from latentworld.atlas.settings import settings_of
    from latentworld.atlas.store import create

    settings = settings_of(window, PLANE, block=8)
    with create(tmp_path / "a", settings, PLANE, provenance("2026-01-01")) as store:
        survey.run(store, render)
        base = store.atlas()
    way = globe.slerp(PLANE.unit(0.1, 0.1), PLANE.unit(0.9, 0.5), np.linspace(0, 1, 9))
    asked: list[int] = []

    def counted(units: np.ndarray, radii: np.ndarray) -> object:
        asked.append(len(units))
        if len(asked) == 2:
            raise KeyboardInterrupt
        return render(units, radii)

    path = tmp_path / "corridor-4.zarr"
    with corridor.opened(base, path, 1, provenance("2026-01-01")) as kept:
        np.testing.assert_array_equal(kept.atlas().features, base.features)
        with pytest.raises(KeyboardInterrupt):
            corridor.widen(kept, [way], 1, counted)  # type: ignore[arg-type]
    with corridor.opened(base, path, 1, provenance("2026-01-01")) as kept:
        corridor.widen(kept, [way], 1, counted)  # type: ignore[arg-type]
        assert corridor.widen(kept, [way], 1, counted) == 0  # type: ignore[arg-type]
        fine = kept.atlas()
    assert fine.complete
    again = render(fine.unit, np.ones(len(fine)))
    np.testing.assert_allclose(fine.features, again.features, atol=1e-4)
    alpha, beta = fine.coordinates[fine.level > 0].T
    off = np.abs(np.cross(way[0], way[-1]) @ PLANE.unit(alpha, beta).T)
    assert len(alpha) > 100
    assert (off < 0.6).all()
    with pytest.raises(AtlasError, match="4 rounds of refinement: give 1 to 3"):
        corridor.opened(base, path, 4, {})
    with pytest.raises(AtlasError, match="only a whole window can be refined"):
        corridor.opened(country("globe").atlas, path, 1, {})


# ---- the store's surprise


def test_surprise_is_kept_block_by_block(tmp_path: Path) -> None:
    path = surveyed(tmp_path / "atlas")
    from latentworld.atlas.store import open_for_writing

    with open_for_writing(path) as store:
        assert store.unsurprised() == list(range(9))
        for index in range(8):
            store.commit_surprise(index, np.full(8, float(index)))
        assert store.read_surprise() is None
        with pytest.raises(AtlasError, match="surprise of block 8 is not 6 finite numbers"):
            store.commit_surprise(8, np.full(6, np.nan))
    with open_for_writing(path) as store:
        assert store.unsurprised() == [8]
        store.commit_surprise(8, np.full(6, 8.0))
    found = Reader(path).read_surprise()
    assert found is not None
    np.testing.assert_array_equal(found, np.arange(70) // 8)


# ---- bad input


def test_ends_that_no_way_joins() -> None:
    here, place = country(), PLANE.unit(0.3, 0.3)
    with pytest.raises(AtlasError, match="both ends of the way are the same place"):
        leg.between(here, place, place)
    with pytest.raises(AtlasError, match="the ends are antipodes"):
        leg.between(here, place, -place)
    with pytest.raises(AtlasError, match="degrees apart: put a third between them"):
        leg.between(country("globe"), place, globe.normalise(-place + 0.3 * PLANE.unit(0.9, 0.1)))
    with pytest.raises(AtlasError, match="outside the atlas"):
        leg.between(here, place, PLANE.unit(3.0, 0.2))
    with pytest.raises(AtlasError, match="needs two places or more, here 1"):
        tour.geodesic(here, [place])


@pytest.mark.parametrize("strength", [51.0, -50.5, np.nan, np.inf])
def test_a_strength_beyond_all_measure_is_refused(strength: float) -> None:
    here = country()
    with pytest.raises(AtlasError, match="a finite number from -50 to 50"):
        replace(here, by="density", strength=strength, surprise=here.rates)


def test_a_survey_without_surprise_is_to_be_surveyed_again() -> None:
    with pytest.raises(AtlasError, match="survey it once more with --surprise"):
        replace(country(), by="density")
    with pytest.raises(AtlasError, match="no way by 'length': choose one of meaning, metric, density"):
        leg.by_of("length")
