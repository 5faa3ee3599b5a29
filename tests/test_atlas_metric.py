"""The metric of an atlas: log Z against known truths, its power diagram, the pull-back, the store, bad input."""

from __future__ import annotations

import base64
import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("zarr", reason="the extra `atlas` is not installed")

from hypothesis import given, settings
from hypothesis import strategies as st
from standins import surveys
from standins.stores import begin, render, surveyed

from installation.atlas import metrics
from installation.atlas.survey_folder import SurveyFolder
from latentworld.atlas import field, logz, mesh, metric, paced, page, plots, posterior, power, survey
from latentworld.atlas.logz import LogZ
from latentworld.atlas.metric import Metered
from latentworld.atlas.posterior import Posteriors
from latentworld.atlas.reader import Reader
from latentworld.atlas.sampling import Adaptive, Globe, Window
from latentworld.atlas.store import open_for_writing
from latentworld.decoding.analytic import analytic, lattice_modes
from latentworld.errors import AtlasDamaged, AtlasError, Notice

PLANE = surveys.PLANE
WORLD = analytic(PLANE, lattice_modes(12, 0), 0.2, size=(2, 2), batch=512)


def fitted_to(value: np.ndarray, slope: np.ndarray, at: np.ndarray, count: float) -> LogZ:
    """log Z of the exact posteriors of a convex function over places [n, 2]."""
    logits = count * (slope @ at.T - value)
    rows = np.exp(logits - logits.max(axis=1, keepdims=True))
    even = np.full(len(at), 1 / len(at))
    return logz.fit(Posteriors(at, even, at, rows / rows.sum(axis=1, keepdims=True), 1.0), count, 49)[0]


def places(side: int) -> np.ndarray:
    line = (np.arange(side) + 0.5) / side
    return np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)


@st.composite
def some_log_z(draw: st.DrawFn) -> LogZ:
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    atoms = draw(st.integers(1, 40))
    return LogZ(
        random.normal(size=(atoms, 2)) * draw(st.sampled_from([1e-3, 1.0, 50.0])),
        random.normal(size=atoms),
        draw(st.sampled_from([1e-3, 0.05, 1.0])),
    )


@settings(max_examples=60, deadline=None)
@given(some_log_z(), st.integers(0, 2**32 - 1))
def test_the_metric_is_positive_whatever_the_atoms_are(found: LogZ, seed: int) -> None:
    t = np.random.default_rng(seed).uniform(-0.5, 1.5, (20, 2))
    g = found.metric(t)
    values = np.linalg.eigvalsh(g)
    assert (values >= -1e-12 * np.maximum(values[:, 1:], 1.0)).all()
    a, b = t[:10], t[10:]
    assert (found.value((a + b) / 2) <= (found.value(a) + found.value(b)) / 2 + 1e-9 * abs(found.value(a)) + 1e-9).all()


def test_gradient_metric_and_slope_are_each_others_derivatives() -> None:
    random = np.random.default_rng(0)
    found = LogZ(random.normal(size=(12, 2)), random.normal(size=12) / 5, 0.3)
    t, step = random.random((6, 2)), 1e-5
    for axis, e in enumerate(step * np.eye(2)):
        for of, derived in ((found.value, found.gradient), (found.gradient, found.metric), (found.metric, found.slope)):
            numeric = (of(t + e) - of(t - e)) / (2 * step)
            np.testing.assert_allclose(derived(t)[..., axis], numeric, atol=1e-7)


def test_the_fits_gradient_is_exact() -> None:
    random = np.random.default_rng(1)
    at = random.random((30, 2))
    rows = random.random((9, 30))
    seen = Posteriors(at, np.full(30, 1 / 30), at[:9], rows / rows.sum(axis=1, keepdims=True), 1.0)
    loss = logz._Loss(seen, 12.0, 9)
    flat = logz._flat(logz.tangents(9)) + 0.05 * random.normal(size=28)
    _, exact = loss(flat)
    numeric = [(loss(flat + 1e-6 * e)[0] - loss(flat - 1e-6 * e)[0]) / 2e-6 for e in np.eye(28)]
    np.testing.assert_allclose(exact, numeric, atol=2e-8)


def test_a_known_log_partition_is_found_again() -> None:
    at = places(16)
    truth = LogZ(np.array([[1.0, 0.0], [-1.0, 0.5], [0.0, -1.5]]), np.array([0.0, 0.3, 0.7]), 0.15)
    found = fitted_to(truth.value(at), truth.gradient(at), at, 60.0)
    wrong = found.metric(at) - truth.metric(at)
    size = np.linalg.norm(truth.metric(at), axis=(1, 2))
    assert np.median(np.linalg.norm(wrong, axis=(1, 2)) / size) < 0.03
    off = found.value(at) - truth.value(at)
    plain = np.column_stack([at, np.ones(len(at))])
    off -= plain @ np.linalg.lstsq(plain, off, rcond=None)[0]
    assert np.abs(off).max() < 2e-3


def test_where_two_atoms_tie_there_is_an_edge_and_its_jump_is_theirs() -> None:
    edges = power.diagram(LogZ(np.array([[3.0, 0.0], [0.0, 0.0], [1.0, -9.0], [0.0, 4.0]]),
                               np.array([-1.5, 0.0, 0.1, -3.0]), 0.02))  # fmt: skip
    at = np.linspace(0, 1, 7)[:, None]
    for ends, (one, other), jump in zip(edges.ends, edges.between, edges.jump):
        atoms = np.array([[3.0, 0.0], [0.0, 0.0], [1.0, -9.0], [0.0, 4.0]])
        line = ends[0] + at * (ends[1] - ends[0])
        lift = line @ atoms.T + np.array([-1.5, 0.0, 0.1, -3.0])
        np.testing.assert_allclose(lift[:, one], lift[:, other], atol=1e-9)
        np.testing.assert_allclose(lift.max(axis=1), lift[:, one], atol=1e-9)  # no third atom lies above
        assert jump == pytest.approx(np.linalg.norm(atoms[one] - atoms[other]))
        assert ((line >= -1e-12) & (line <= 1 + 1e-12)).all()
    assert edges.length.sum() > 1.0


def test_every_change_of_owner_lies_on_an_edge() -> None:
    random = np.random.default_rng(3)
    found = LogZ(random.normal(size=(14, 2)), random.normal(size=14) / 4, 0.02)
    edges, at = power.diagram(found), places(120)
    own = (at @ found.atoms.T + found.heights).argmax(axis=1)
    assert set(np.unique(own)) <= set(edges.owners)
    grid = own.reshape(120, 120)
    for (r, c), there in zip(np.argwhere(grid[1:] != grid[:-1]), grid[1:][grid[1:] != grid[:-1]]):
        pair = tuple(sorted((grid[r, c], there)))
        assert pair in {tuple(sorted(two)) for two in edges.between.tolist()} or corner(edges, at, r, c)


def corner(edges: power.PowerDiagram, at: np.ndarray, r: int, c: int) -> bool:
    """Whether an edge's end lies within a step: near a corner the grid may skip a cell."""
    middle = at.reshape(120, 120, 2)[r, c]
    return bool(np.linalg.norm(edges.ends.reshape(-1, 2) - middle, axis=1).min() < 2 / 120)


def test_faint_edges_join_cells_into_phases_whose_shares_are_whole() -> None:
    random = np.random.default_rng(3)
    found = LogZ(random.normal(size=(14, 2)), random.normal(size=14) / 4, 0.02)
    edges = power.diagram(found)
    all_apart, together = power.phases(found, edges, 0.0), power.phases(found, edges, np.inf)
    assert all_apart.share.sum() == pytest.approx(1.0)
    assert together.share[0] == pytest.approx(1.0)
    assert not together.inner.any()
    assert all_apart.inner.all()


@pytest.mark.parametrize("sampling", [Window(rows=9, columns=7), Adaptive(rows=17, columns=9, coarse=4, budget=0.7)])
def test_the_pull_back_of_linear_features_is_exact(sampling: Window | Adaptive) -> None:
    stretch = np.diag([1.0, 2.0, 0.5])
    atlas = surveys.survey(sampling, surveys.shown(lambda points: points @ stretch, surveys.RAW), surveys.RAW)
    found = metric.pulled_back(atlas, mesh.mesh(atlas))
    corners = surveys.RAW.corners @ stretch
    slope = np.stack([corners[1] - corners[0], corners[2] - corners[0]])
    exact = slope @ slope.T
    np.testing.assert_allclose(found, np.tile([exact[0, 0], exact[0, 1], exact[1, 1]], (len(atlas), 1)), rtol=1e-9)


def test_the_pull_back_on_the_globe_is_that_of_the_flow() -> None:
    atlas = surveys.survey(Globe(nside=24), surveys.looked(WORLD, surveys.latents64))
    found = metric.pulled_back(atlas, mesh.mesh(atlas))
    exact = WORLD.true_rate(atlas.unit) * PLANE.target  # the steepest rate is the root of the larger eigenvalue
    largest = np.sqrt(metric.axes(found)[0][:, 1])
    assert np.median(np.abs(largest / exact - 1)) < 0.02
    assert np.corrcoef(np.log(largest), np.log(exact))[0, 1] > 0.98


def test_the_metric_of_a_window_follows_the_truth() -> None:
    atlas = surveys.survey(Window(rows=20, columns=20), surveys.looked(WORLD, surveys.latents64))
    net = mesh.mesh(atlas)
    fitted, pulled = metric.hessian(atlas, net, sharpness=30.0, atoms=81), metric.pulled_back(atlas, net)
    assert metric.axes(fitted.tensors)[0].min() >= -1e-12
    rank = [np.argsort(np.argsort(metric.trace(t))) for t in (fitted.tensors, pulled)]
    assert np.corrcoef(*rank)[0, 1] > 0.7
    shown = metric.anisotropy(pulled)
    assert ((shown >= 0) & (shown <= 1)).all()


def test_many_places_are_binned_and_say_the_same() -> None:
    random = np.random.default_rng(0)
    at = random.random((6000, 2))
    features = np.stack([np.tanh(6 * (at[:, 0] - 0.5)), 0.4 * at[:, 1]], axis=1)
    rows = posterior.of_features(at, np.full(6000, 1 / 6000), features, 20.0)
    assert len(rows.at) <= posterior.SIDE**2
    np.testing.assert_allclose(rows.rows.sum(axis=1), 1)
    np.testing.assert_allclose(rows.area.sum(), 1)
    few = posterior.of_features(at[:3000], np.full(3000, 1 / 3000), features[:3000], 20.0)
    one, other = (logz.fit(seen, 20.0, 25)[0].metric(places(5)) for seen in (rows, few))
    assert np.median(np.linalg.norm(one - other, axis=(1, 2)) / np.linalg.norm(one, axis=(1, 2))) < 0.2


def test_the_papers_kernel_is_the_root_of_the_distance() -> None:
    at, features = places(5), np.random.default_rng(0).normal(size=(25, 3))
    gauss, paper = (posterior.of_features(at, np.full(25, 0.04), features, 4.0, k) for k in ("gauss", "paper"))
    apart = np.linalg.norm(features[:, None] - features[gauss_rows(gauss, at)], axis=2)
    weight = np.exp(-2 * np.sqrt(apart**2 + posterior.CUSP)).T
    np.testing.assert_allclose(paper.rows, weight / weight.sum(axis=1, keepdims=True), rtol=1e-4)
    assert not np.allclose(gauss.rows, paper.rows)


def gauss_rows(seen: Posteriors, at: np.ndarray) -> np.ndarray:
    return np.array([int(np.linalg.norm(at - one, axis=1).argmin()) for one in seen.begin])


# ---- the store


def test_a_metric_is_kept_read_and_out_of_date_once_places_are_added(tmp_path: Path) -> None:
    out = SurveyFolder(tmp_path)
    surveyed(out.store)
    assert metrics.known(out) is None
    with pytest.raises(AtlasError, match="latentworld atlas metric"):
        metrics.read(out)
    made = metrics.measure(out, None, atoms=16)
    again = metrics.read(out)
    for one, other in ((made.pullback, again.pullback), (made.tensors, again.tensors)):
        np.testing.assert_array_equal(one, other)
    kept = Reader(out.store)
    assert made.logz is not None
    np.testing.assert_array_equal(metric.of_window(kept.atlas(), made.logz), made.tensors)
    assert kept.attributes["logz"]["sharpness"] == 20.0
    (out.store / "logz" / "c" / "0" / "0").write_bytes(b"no")
    with pytest.raises(AtlasDamaged, match="logz cannot be read: survey again"):
        metrics.known(out)


def test_a_globe_has_the_pull_back_alone(tmp_path: Path) -> None:
    out = SurveyFolder(tmp_path)
    surveyed(out.store, Globe(nside=4))
    made = metrics.measure(out, None)
    assert made.logz is None
    assert made.tensors is None
    assert made.drawn is made.pullback
    with pytest.raises(AtlasError, match="alpha and beta, which are no affine coordinates of the globe"):
        metrics.measure(out, "gauss")


# ---- pictures and page


def test_its_pictures_are_drawn_and_the_page_carries_it() -> None:
    atlas = surveys.survey(Window(rows=8, columns=9), surveys.looked(WORLD))
    net = mesh.mesh(atlas)
    fitted = metric.hessian(atlas, net, sharpness=30.0, atoms=16)
    made = Metered(metric.pulled_back(atlas, net), fitted.tensors, fitted.logz)
    rates = field.rates(atlas, net)
    line = np.stack([atlas.unit[0], atlas.unit[40], atlas.unit[-1]])
    seen = paced.latent(surveys.looked(WORLD), line, 1.0, 5)
    figures = [
        plots.ellipses(atlas, made), plots.areas(atlas, made), plots.surface(atlas, fitted.logz),
        plots.phase_lines(atlas, fitted.logz, rates), plots.ways(atlas, rates, [{"straight": line, "geodesic": line}]),
        plots.strips({"one": seen, "other": seen}),
    ]  # fmt: skip
    for figure in figures:
        figure.canvas.draw()
        drawn = np.asarray(figure.canvas.buffer_rgba())  # type: ignore[attr-defined]
        assert len(np.unique(drawn.reshape(-1, 4), axis=0)) > 50
    told = page._data(atlas, rates, None, (), ()) | {"metric": page._metric(atlas, made)}
    tensors = np.frombuffer(base64.b64decode(told["metric"]["tensors"]), "<f4").reshape(-1, 3)  # type: ignore[index]
    np.testing.assert_allclose(tensors, fitted.tensors / [49, 56, 64], rtol=1e-5)
    assert '"metric": null' in page.page(atlas, rates)
    assert '"metric": {"tensors"' in page.page(atlas, rates, metered=made)


# ---- bad input


def test_too_few_places(tmp_path: Path) -> None:
    out = SurveyFolder(tmp_path)
    surveyed(out.store, Window(rows=3, columns=5))
    with pytest.raises(AtlasError, match="15 places are too few for a metric: survey 16 or more"):
        metrics.measure(out, None)


def test_one_phase_alone_has_no_contrast() -> None:
    atlas = surveys.survey(Window(rows=6, columns=6), surveys.shown(lambda points: np.ones((len(points), 4))))
    with pytest.raises(AtlasError, match="no contrast above the floor"):
        metric.hessian(atlas, mesh.mesh(atlas))


def test_an_unfinished_survey_is_measured_as_far_as_it_is_and_says_how_far(tmp_path: Path) -> None:
    out = SurveyFolder(tmp_path)
    with begin(out.store) as store:
        for index in store.pending()[:5]:
            store.commit(index, render(*survey.block_places(store, index)))
    with pytest.warns(Notice, match="40 of 70 places are done"):
        made = metrics.measure(out, None, atoms=16)
    assert made.pullback.shape == (40, 3)
    with open_for_writing(out.store) as store:
        survey.run(store, render)
    assert metrics.known(out) is None  # places were added


@pytest.mark.parametrize("sharpness", [0.0, -3.0, np.nan, np.inf])
def test_a_sharpness_that_tells_nothing_apart_is_refused(sharpness: float, tmp_path: Path) -> None:
    out = SurveyFolder(tmp_path)
    surveyed(out.store)
    with pytest.raises(AtlasError, match="tells no place from another"):
        metrics.measure(out, None, sharpness)


def test_posteriors_of_single_places_are_told(tmp_path: Path) -> None:
    out = SurveyFolder(tmp_path)
    surveyed(out.store)
    with pytest.warns(Notice, match="at sharpness 1e\\+07 half the posteriors are spread over 1"):
        metrics.measure(out, None, 1e7, 16)
    with pytest.warns(
        Notice, match=r"at sharpness 1e-06 half the posteriors are spread over \d+ of \d+ places or more"
    ):
        metrics.measure(out, None, 1e-6, 16)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Notice)
        metrics.measure(out, None, 20.0, 16)


def test_features_that_are_no_numbers_and_kernels_that_are_none() -> None:
    atlas = surveys.survey(Window(rows=6, columns=6), surveys.shown(lambda points: points))
    broken = surveys.survey(Window(rows=6, columns=6), surveys.shown(lambda points: points * np.nan))
    with pytest.raises(AtlasError, match="not finite"):
        metric.hessian(broken, mesh.mesh(broken))
    with pytest.raises(AtlasError, match="no kernel 'gaus': choose one of gauss, paper"):
        posterior.kernel_of("gaus")
    with pytest.raises(AtlasError, match="3 atoms: give 4 or more"):
        metric.hessian(atlas, mesh.mesh(atlas), atoms=3)
