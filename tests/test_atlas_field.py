"""Meshes, the field on every sampling against closed forms and the analytic world's truth, its floor, and the rifts."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from standins.surveys import PLANE, RAW, latents64, looked, part, shown, survey

from latentworld import globe
from latentworld.atlas import field, rifts
from latentworld.atlas.mesh import mesh
from latentworld.atlas.sampling import Adaptive, Globe, Window
from latentworld.atlas.types import Atlas, Rendered
from latentworld.decoding.analytic import analytic
from latentworld.errors import AtlasError

RANDOM = np.random.default_rng(5)
LINEAR = RANDOM.normal(size=(7, 3))
BENT = RANDOM.normal(size=(5, 3)) / PLANE.target
ADAPTIVE = Adaptive(alpha=(-0.5, 1.0), beta=(-0.2, 0.9), rows=65, columns=49, coarse=8, budget=0.25)


def bent(points: np.ndarray) -> np.ndarray:
    return np.sin(points @ BENT.T)


def bent_truth(atlas: Atlas) -> np.ndarray:
    """Frobenius norm of the derivative of `bent` along the sphere."""
    jacobian = np.cos(atlas.points @ BENT.T)[..., None] * BENT
    flat = np.eye(3) - atlas.unit[:, :, None] * atlas.unit[:, None]
    return np.linalg.norm(jacobian @ flat, axis=(1, 2))


def steep(points: np.ndarray) -> np.ndarray:
    """A soft rift across the window, which an adaptive survey refines."""
    return np.tanh((points @ [1.0, -0.7, 0.2])[:, None] / PLANE.target * 8)


@cache
def sampled(kind: str, fine: int = 1) -> Atlas:
    if kind == "window":
        return survey(
            Window(alpha=(-0.5, 1.0), beta=(-0.2, 0.9), rows=32 * fine + 1, columns=24 * fine + 1), shown(bent)
        )
    if kind == "globe":
        return survey(Globe(nside=12 * fine), shown(bent))
    adaptive = ADAPTIVE.model_copy(update={"rows": 64 * fine + 1, "columns": 48 * fine + 1})
    at = survey(adaptive, shown(steep))
    return Atlas(PLANE, at.sampling, at.unit, bent(at.points), at.thumbs, at.lattice, at.level)


def inside(atlas: Atlas) -> np.ndarray:
    """Places whose neighbourhood goes all the way round."""
    if atlas.sampling.kind == "globe":
        return np.ones(len(atlas), bool)
    last = np.array([atlas.sampling.rows, atlas.sampling.columns]) - 1
    return ((atlas.lattice > 0) & (atlas.lattice < last)).all(axis=1)


# Meshes


def edge_uses(triangles: np.ndarray) -> np.ndarray:
    sides = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    return np.unique(sides, axis=0, return_counts=True)[1]


def area(lattice: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    a, b, c = (lattice[triangles[:, k]] for k in range(3))
    return (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]


def test_a_window_has_two_triangles_a_cell() -> None:
    atlas = survey(Window(rows=4, columns=3), shown(bent))
    found = mesh(atlas)
    assert len(found.triangles) == 2 * 3 * 2
    assert (area(atlas.lattice, found.triangles) == 1).all()
    assert len(found.edges) == 3 * 3 + 4 * 2 + 3 * 2
    assert (found.edges[:, 0] < found.edges[:, 1]).all()


@pytest.mark.parametrize("seed", range(4))
def test_an_adaptive_lattice_is_covered_once(seed: int) -> None:
    """Cocircular places everywhere, and hanging ones on the sides of coarse cells: no gap, no overlap, no sliver."""
    lattice = sampled("adaptive").lattice if seed == 0 else None
    random = np.random.default_rng(seed)
    whole = survey(ADAPTIVE.model_copy(update={"budget": 1.0, "coarse": 2}), shown(bent)).lattice
    coarse = (whole % 8 == 0).all(axis=1)
    lattice = whole[coarse | (random.random(len(whole)) < 0.1 * seed)] if lattice is None else lattice
    n = len(lattice)
    black = np.zeros((n, 1, 1, 3), np.uint8)
    atlas = Atlas(PLANE, ADAPTIVE, np.zeros((n, 3)), np.zeros((n, 1)), black, lattice, np.zeros(n, np.int64))
    triangles = mesh(atlas).triangles
    doubled = area(lattice, triangles)
    assert doubled.min() > 0
    assert doubled.sum() == 2 * 64 * 48
    uses = edge_uses(triangles)
    assert uses.max() == 2
    rim = (lattice[:, 0] % 64 == 0) | (lattice[:, 1] % 48 == 0)
    assert (uses == 1).sum() == rim.sum()
    assert set(triangles.ravel()) == set(range(n))


@pytest.mark.parametrize("nside", [1, 2, 5, 12])
def test_the_globe_is_closed(nside: int) -> None:
    atlas = survey(Globe(nside=nside), shown(bent))
    found = mesh(atlas)
    assert len(found.triangles) == 2 * len(atlas) - 4  # Euler
    assert (edge_uses(found.triangles) == 2).all()
    corners = atlas.unit[found.triangles]
    outward = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (np.einsum("ti,ti->t", outward, corners[:, 0]) > 0).all()


def test_an_unfinished_globe_stays_open() -> None:
    atlas = survey(Globe(nside=8), shown(bent))
    cap = part(atlas, np.arange(300))
    found = mesh(cap)
    lengths = np.linalg.norm(cap.unit[found.edges[:, 0]] - cap.unit[found.edges[:, 1]], axis=1)
    assert lengths.max() < 0.3  # no triangle across the mouth
    assert (edge_uses(found.triangles) == 1).any()
    assert set(found.triangles.ravel()) == set(range(300))
    rates, truth = field.rates(cap), bent_truth(cap)
    assert np.abs(rates / truth - 1).max() < 0.25


def test_the_same_places_in_any_number_of_dimensions() -> None:
    """A line, two places, one place and none have a neighbourhood too."""
    whole = survey(Window(rows=5, columns=4), shown(bent))
    row = part(whole, np.array([2, 0, 1]))
    assert mesh(row).edges.tolist() == [[0, 2], [1, 2]]
    assert len(mesh(row).triangles) == 0
    rate = field.along_edges(row, mesh(row))
    np.testing.assert_allclose(field.rates(row), [rate[0], rate[1], rate.mean()])
    one = part(whole, np.array([3]))
    assert np.isnan(field.rates(one)).all()
    assert rifts.strongest(one, mesh(one), field.rates(one)) == []
    with pytest.raises(AtlasError, match="two or more"):
        field.steepest(one, mesh(one))
    assert len(field.rates(part(whole, np.array([], int)))) == 0
    triple = part(survey(Globe(nside=2), shown(bent)), np.arange(3))
    assert np.isfinite(field.rates(triple)).all()


def test_meshes_are_deterministic() -> None:
    for kind in ("window", "adaptive", "globe"):
        first, again = mesh(sampled(kind)), mesh(sampled.__wrapped__(kind))
        np.testing.assert_array_equal(first.triangles, again.triangles)
        np.testing.assert_array_equal(first.edges, again.edges)


# Closed forms


def test_linear_features_have_one_rate_on_flat_samplings() -> None:
    """In the raw plane the window is flat, so every sampling must give the one gradient, to rounding."""
    window = survey(Window(rows=9, columns=7), shown(lambda p: p @ LINEAR.T, RAW), RAW)
    plane_of = np.linalg.qr(np.stack([window.points[1] - window.points[0], window.points[7] - window.points[0]], 1))[0]
    exact = np.linalg.norm(LINEAR @ plane_of)
    whole = survey(ADAPTIVE, shown(lambda p: steep(p), RAW), RAW)
    assert whole.level.max() > 0
    adaptive = Atlas(RAW, ADAPTIVE, whole.unit, whole.points @ LINEAR.T, whole.thumbs, whole.lattice, whole.level)
    holed = part(window, np.setdiff1d(np.arange(63), [8, 9, 30, 62, 0]))
    for atlas in (window, adaptive, holed):
        np.testing.assert_allclose(field.rates(atlas), exact, rtol=1e-9)
        np.testing.assert_allclose(field.on_triangles(atlas, mesh(atlas)), exact, rtol=1e-9)


def test_isometric_features_have_one_rate_on_the_globe() -> None:
    """f(z) = 3 z stretches both tangent directions by 3: the Frobenius norm is 3 sqrt(2) on any triangle."""
    turned = np.linalg.qr(RANDOM.normal(size=(3, 3)))[0]
    atlas = survey(Globe(nside=6), shown(lambda p: 3 * p @ turned))
    np.testing.assert_allclose(field.rates(atlas), 3 * np.sqrt(2), rtol=1e-9)


def test_quadratic_features_to_second_order_inside_a_window() -> None:
    def error(n: int) -> float:
        atlas = survey(Window(rows=n, columns=n), shown(lambda p: (p @ LINEAR.T / PLANE.target) ** 2))
        jacobian = 2 * (atlas.points @ LINEAR.T / PLANE.target)[..., None] * LINEAR / PLANE.target
        flat = np.eye(3) - atlas.unit[:, :, None] * atlas.unit[:, None]
        exact = np.linalg.norm(jacobian @ flat, axis=(1, 2))
        errors = [
            np.abs(rates / exact - 1)[inside(atlas)].max()
            for rates in (field.rates(atlas), field.over_mesh(atlas, mesh(atlas)))
        ]
        return max(errors)

    assert error(33) < 2e-2  # the worst lies where the gradient all but vanishes
    assert error(33) < error(9) / 10


@pytest.mark.parametrize(
    ("kind", "typical", "worst"), [("window", 2e-3, 1e-2), ("adaptive", 4e-3, 8e-2), ("globe", 2e-3, 2e-2)]
)
def test_every_sampling_of_one_function_gives_one_field(kind: str, typical: float, worst: float) -> None:
    """The stated tolerance: the median within 0.4 %, the worst within 8 %; and twice as fine, three times as true."""
    atlas, finer = sampled(kind), sampled(kind, 2)
    error, less = (np.abs(field.rates(a) / bent_truth(a) - 1)[inside(a)] for a in (atlas, finer))
    assert np.median(error) < typical
    assert error.max() < worst
    assert np.median(less) < np.median(error) / 3


def test_a_field_does_not_depend_on_how_it_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [field.rates(sampled(kind)) for kind in ("window", "adaptive", "globe")]
    monkeypatch.setattr(field, "CHUNK", 1000)
    for kind, before in zip(("window", "adaptive", "globe"), whole):
        np.testing.assert_array_equal(field.rates(sampled(kind)), before)


def test_a_large_window_is_worked_on_in_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many whole rows as hold CHUNK numbers, and one to spare on either side."""
    atlas, heights = sampled("window"), []
    rows, columns = atlas.grid  # type: ignore[misc]
    real = field.on_grid

    def watched(features: np.ndarray, points: np.ndarray) -> np.ndarray:
        heights.append(len(features))
        return real(features, points)

    monkeypatch.setattr(field, "on_grid", watched)
    monkeypatch.setattr(field, "CHUNK", 5 * columns * atlas.features.shape[1])
    field.rates(atlas)
    assert heights[0] == 6
    assert set(heights[1:-1]) == {7}
    assert sum(height - 2 for height in heights) + 2 == rows


def test_what_has_no_field_says_so_and_two_places_have_one() -> None:
    pair = part(sampled("window"), np.arange(2))
    assert field.steepest(pair, mesh(pair))[0] == 0
    alone = part(sampled("window"), np.arange(1))
    with pytest.raises(AtlasError, match="survey two or more"):
        field.steepest(alone, mesh(alone))
    for nothing in (np.empty(0), np.full(2, np.nan)):
        with pytest.raises(AtlasError, match="survey two or more"):
            field.measure_floor(shown(lambda points: points), pair, nothing)
    with pytest.raises(AtlasError, match="survey two or more"):
        field.measure_floor(shown(lambda points: points), pair, np.full(2, np.nan))


def test_the_floor_is_measured_where_the_field_is_steepest_at_the_atlas_radius() -> None:
    asked: list[np.ndarray] = []

    def looked_at(units: np.ndarray, radii: np.ndarray) -> Rendered:
        asked.append(np.column_stack([units, radii]))
        return shown(lambda points: points)(units, radii)

    atlas = sampled("window")
    rates = np.where(np.arange(len(atlas)) == 7, 3.0, np.nan)
    field.measure_floor(looked_at, atlas, rates)
    np.testing.assert_allclose(asked[0][::2], np.tile([*atlas.unit[7], atlas.radius], (9, 1)), atol=1e-12)
    assert len(asked[0]) == 17  # eight of each, and one
    field.floor_at(looked_at, atlas.unit[7], atlas.radius)
    np.testing.assert_array_equal(asked[1], asked[0])


# The analytic world


@pytest.mark.parametrize(
    ("sigma", "cells", "covered"), [(0.5, 1.5, 0.8), (0.3, 1, 0.95), (0.2, 1, 0.95), (0.1, 1, 0.95)]
)
@pytest.mark.parametrize("kind", ["window", "globe"])
def test_the_ridge_lies_within_one_cell_of_the_rift(sigma: float, cells: float, covered: float, kind: str) -> None:
    """At sigma .5 the ridge is so broad that near two of the junctions the highest place lies 1.3 cells beside."""
    decoder = analytic(PLANE, 6, sigma, size=(2, 2), batch=4096)
    spec = Window(alpha=(-1.0, 1.5), beta=(-1.0, 1.5), rows=65, columns=65) if kind == "window" else Globe(nside=20)
    atlas = survey(spec, looked(decoder))
    found, rates = mesh(atlas), field.rates(atlas)
    cell = np.zeros(len(atlas))
    for i, j in (found.edges.T, found.edges.T[::-1]):
        np.maximum.at(cell, i, globe.angle(atlas.unit[i], atlas.unit[j]))
    ridge = _ridge(atlas, found.edges, rates)
    apart = decoder.rift_distance(atlas.unit)
    assert ridge.sum() > 50
    assert (apart[ridge] <= cells * cell[ridge]).all()
    assert np.mean(apart[ridge] <= cell[ridge]) > 0.98
    on_rift = inside(atlas) & (apart < 0.2 * cell)
    to_ridge = globe.angle(atlas.unit[on_rift][:, None], atlas.unit[ridge][None]).min(axis=1)
    assert np.mean(to_ridge <= 2 * cell[on_rift]) > covered


def _ridge(atlas: Atlas, edges: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Local maxima across the gradient: nothing beside a place, along the axis its features change on, is higher."""
    change, apart = (np.zeros((len(atlas), 3, 3)), np.zeros(len(atlas)))
    for i, j in (edges.T, edges.T[::-1]):
        way = globe.normalise(atlas.unit[j] - atlas.unit[i])
        rate = np.linalg.norm(atlas.features[j] - atlas.features[i], axis=1)
        np.add.at(change, i, rate[:, None, None] ** 2 * way[:, :, None] * way[:, None])
        np.maximum.at(apart, i, rate)
    across = np.linalg.eigh(change)[1][:, :, -1]
    ridge = inside(atlas) & (rates > np.sqrt(np.median(rates) * rates.max()))
    sides = np.zeros((len(atlas), 2), bool)
    for i, j in (edges.T, edges.T[::-1]):
        along = (globe.normalise(atlas.unit[j] - atlas.unit[i]) * across[i]).sum(axis=1)
        beside = np.abs(along) > 0.7
        np.logical_and.at(ridge, i[beside], rates[i[beside]] >= rates[j[beside]])
        sides[i[beside], (along[beside] > 0).astype(int)] = True
    return np.asarray(ridge & sides.all(axis=1))


@pytest.mark.parametrize("sigma", [0.5, 0.3, 0.2, 0.1])
def test_the_lipschitz_constant_within_5_percent_until_the_floor(sigma: float) -> None:
    """Windows about the rift between two poles, from its width down to where float64 latents end."""
    decoder = analytic(PLANE, 2, sigma, size=(2, 2), batch=4096)
    middle = _rift_place(decoder.mixture.modes)
    alpha, beta, _ = (value.item() for value in PLANE.chart(middle))
    true = decoder.true_rate(PLANE.unit(alpha, beta)[None])[0]
    width = 0.05 / (true * PLANE.target)  # where no step leaps over the rift any more
    checked = 0
    while width > 1e-13:
        spec = Window(alpha=(alpha - width, alpha + width), beta=(beta - width, beta + width), rows=7, columns=7)
        atlas = survey(spec, looked(decoder, latents64))
        rates = field.rates(atlas)
        floor = field.measure_floor(looked(decoder, latents64), atlas, rates)
        spacing = field.spacing(atlas, mesh(atlas)).mean()
        rounding = 16 * 2.0**-53 / spacing + true * 8 * PLANE.target * 2.0**-53 / spacing
        assert floor.repeat == 0
        if rounding < 0.01 * true:
            np.testing.assert_allclose(rates.max(), true, rtol=0.05)
            np.testing.assert_allclose(rates[inside(atlas)], decoder.true_rate(atlas.unit)[inside(atlas)], rtol=0.05)
            checked += 1
        width /= 10
    assert checked >= 5


@pytest.mark.parametrize("sigma", [0.3, 0.2])
def test_the_floor_is_where_float32_rounds(sigma: float) -> None:
    """Positions 2^-24 apart are the last that float32 latents tell apart, and the rift makes L times 2^-24 of them."""
    decoder = analytic(PLANE, 2, sigma, size=(2, 2), batch=4096)
    alpha, beta, _ = (value.item() for value in PLANE.chart(_rift_place(decoder.mixture.modes)))
    spec = Window(alpha=(alpha - 1e-5, alpha + 1e-5), beta=(beta - 1e-5, beta + 1e-5), rows=5, columns=5)
    atlas = survey(spec, looked(decoder))
    rates, found = field.rates(atlas), mesh(atlas)
    floor = field.measure_floor(looked(decoder), atlas, rates)
    true = decoder.true_rate(atlas.unit).max()
    assert floor.rounding == pytest.approx(true * PLANE.target * 2.0**-24 / np.sqrt(2), rel=0.25)
    assert field.resolved(atlas, found, rates, floor).all()
    close = spec.model_copy(update={"alpha": (alpha - 1e-9, alpha + 1e-9), "beta": (beta - 1e-9, beta + 1e-9)})
    atlas = survey(close, looked(decoder))
    assert not field.resolved(atlas, mesh(atlas), field.rates(atlas), floor).any()


def _rift_place(modes: np.ndarray) -> np.ndarray:
    """A place half-way between two poles, on the chart's side and not far from its middle."""
    across = globe.project(modes[0], PLANE.unit(0.3, 0.3))
    return np.asarray(across)


# The strongest rifts


@pytest.mark.parametrize("spec", [Window(rows=33, columns=33, alpha=(-1, 1), beta=(-1, 1)), Globe(nside=10)])
def test_sites_lie_on_rifts_apart_and_in_order(spec: Window | Globe) -> None:
    decoder = analytic(PLANE, 6, 0.2, size=(2, 2), batch=4096)
    atlas = survey(spec, looked(decoder))
    found, rates = mesh(atlas), field.rates(atlas)
    sites = rifts.strongest(atlas, found, rates, count=8, apart=0.3)
    assert 4 <= len(sites) <= 8
    assert sites[0].at == rates.argmax()
    assert [site.rate for site in sites] == sorted((site.rate for site in sites), reverse=True)
    units = atlas.unit[[site.at for site in sites]]
    between = globe.angle(units[:, None], units[None]) + np.eye(len(sites))
    assert between.min() > 0.3
    for site in sites:
        assert site.at in site.sides
        middle = PLANE.unit(site.alpha, site.beta) * (1 if site.front else -1)
        assert globe.angle(middle, atlas.unit[site.at]) < 0.1
        assert decoder.rift_distance(middle[None])[0] < 0.1
        assert site.contrast == pytest.approx(site.rate / np.median(rates))
    basin = decoder.basin(atlas.unit)
    assert basin[sites[0].sides[0]] != basin[sites[0].sides[1]]
    assert len(rifts.strongest(atlas, found, rates, count=3)) == 3
    assert min(site.contrast for site in rifts.strongest(atlas, found, rates, count=10**6, apart=0.0)) > 1


def test_a_flat_country_has_no_rift() -> None:
    atlas = survey(Window(rows=4, columns=4), shown(lambda p: np.ones((len(p), 2))))
    assert rifts.strongest(atlas, mesh(atlas), field.rates(atlas)) == []
