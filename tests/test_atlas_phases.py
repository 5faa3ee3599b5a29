"""Phases from words and from clusters, and rift lines against figures whose course is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from standins.surveys import PLANE, looked, shown, survey

from latentworld import globe
from latentworld.atlas import field
from latentworld.atlas.mesh import mesh
from latentworld.atlas.phases import by_clusters, by_words, lines
from latentworld.atlas.sampling import Adaptive, Globe, Window
from latentworld.atlas.types import Atlas, Line, Phases
from latentworld.decoding.analytic import analytic
from latentworld.errors import AtlasError

WINDOW = Window(alpha=(0.0, 2.0), beta=(-1.0, 1.0), rows=41, columns=31)


def flat(spec: Window | Adaptive | Globe) -> Atlas:
    return survey(spec, shown(lambda p: np.asarray(p[:, :2], np.float32)))


def split(atlas: Atlas, scores: np.ndarray) -> Phases:
    """Phases by the largest of scores [n, k]; confidence is the margin, as the library's own phases have it."""
    ranked = np.sort(scores, axis=1)
    names = [f"phase {index}" for index in range(scores.shape[1])]
    return Phases(names, scores.argmax(axis=1), ranked[:, -1] - ranked[:, -2])


def drawn(atlas: Atlas, scores: np.ndarray, rates: np.ndarray | None = None) -> list[Line]:
    return lines(atlas, mesh(atlas), split(atlas, scores), np.ones(len(atlas)) if rates is None else rates)


# Words


def classifier(columns: int) -> Callable[[torch.Tensor], torch.Tensor]:
    turn = torch.randn(3, columns, generator=torch.Generator().manual_seed(0))
    return lambda features: (features @ turn).softmax(dim=1)


@pytest.mark.parametrize(
    ("words", "told"), [([], "give a few"), (["sea", " "], "blank"), (["sea", "moor", "sea "], "'sea' is named twice")]
)
def test_words_that_name_no_phases(words: list[str], told: str) -> None:
    with pytest.raises(AtlasError, match=told):
        by_words(flat(WINDOW), classifier(len(words)), words)


def test_words_are_the_likeliest_and_sure_by_their_margin() -> None:
    atlas = survey(WINDOW, shown(lambda p: np.asarray(p / PLANE.target, np.float32)))
    found = by_words(atlas, classifier(4), [" sea", "moor", "fell", "fen"])
    probabilities = classifier(4)(torch.from_numpy(atlas.features)).numpy().astype(np.float64)
    assert found.names == ("sea", "moor", "fell", "fen")
    np.testing.assert_array_equal(found.label, probabilities.argmax(axis=1))
    best, second = np.sort(probabilities, axis=1)[:, :-3:-1].T
    np.testing.assert_allclose(found.confidence, best - second)
    assert len(np.unique(found.label)) > 1
    one = by_words(atlas, classifier(1), ["sea"])
    assert (one.label == 0).all()
    np.testing.assert_allclose(one.confidence, 1)
    with pytest.raises(AtlasError, match="from these words"):
        by_words(atlas, classifier(3), ["sea", "moor"])


# Clusters


def test_clusters_find_the_basins_of_the_analytic_world() -> None:
    decoder = analytic(PLANE, 6, 0.2, size=(2, 2), batch=4096)
    atlas = survey(Globe(nside=6), looked(decoder))
    found = by_clusters(atlas)
    assert found.names == tuple(f"phase {index}" for index in range(1, 7))
    pairs = np.unique(np.stack([found.label, decoder.basin(atlas.unit)]), axis=1, return_counts=True)
    assert pairs[1][pairs[1] > 10].sum() > 0.98 * len(atlas)
    assert (pairs[1] > 10).sum() == 6
    assert (np.diff(np.bincount(found.label)) <= 0).all()
    assert 0 <= found.confidence.min() <= found.confidence.max() <= 1
    near = decoder.rift_distance(atlas.unit) < 0.03
    assert found.confidence[near].mean() < found.confidence[~near].mean() / 2


def test_clusters_are_seeded_and_counted() -> None:
    atlas = survey(Window(rows=12, columns=12), shown(lambda p: np.asarray(np.sin(p[:, :2]), np.float32)))
    for count in (1, 2, 5):
        first, again = by_clusters(atlas, count, seed=3), by_clusters(atlas, count, seed=3)
        np.testing.assert_array_equal(first.label, again.label)
        assert len(first.names) == count
        assert len(np.unique(first.label)) == count
    for wrong in (0, 145):
        with pytest.raises(AtlasError, match="1 to 144"):
            by_clusters(atlas, wrong)


def test_one_picture_everywhere_is_one_phase() -> None:
    atlas = survey(Window(rows=4, columns=4), shown(lambda p: np.ones((len(p), 2), np.float32)))
    found = by_clusters(atlas)
    assert found.names == ("phase 1",)
    assert lines(atlas, mesh(atlas), found, np.ones(16)) == []


# Lines on the chart


@pytest.mark.parametrize("spec", [WINDOW, Adaptive(**WINDOW.model_dump(exclude={"kind"}), coarse=4, budget=1.0)])
def test_a_straight_rift_is_one_straight_line(spec: Window | Adaptive) -> None:
    """The confidence is the distance from it, so every crossing lies on it to rounding."""
    atlas = flat(spec)
    distance = atlas.coordinates @ [0.8, 0.6] - 0.7301
    rates = atlas.coordinates[:, 0] + 2
    (line,) = drawn(atlas, np.stack([distance, -distance], axis=1), rates)
    assert line.between == (0, 1)
    assert not line.closed
    inner = line.line[2:-2]  # crossings keep off the places: the rim may bend by a twentieth of a cell
    np.testing.assert_allclose(np.abs(inner @ [0.8, 0.6] - 0.7301), 0, atol=0.005)
    assert np.median(np.abs(inner @ [0.8, 0.6] - 0.7301)) < 1e-12
    steps = np.linalg.norm(np.diff(line.line, axis=0), axis=1)
    assert steps.sum() == pytest.approx(np.linalg.norm(line.line[-1] - line.line[0]), rel=1e-3)
    for place in (line.line[0], line.line[-1]):
        assert min(np.abs(place[0] - [0, 2]).min(), np.abs(place[1] - [-1, 1]).min()) < 1e-9
    np.testing.assert_allclose(line.unit, PLANE.unit(*line.line.T))
    assert line.strength == pytest.approx(line.line[:, 0].mean() + 2, abs=0.05)


def test_a_round_rift_closes() -> None:
    atlas = flat(WINDOW)
    distance = np.hypot(*(atlas.coordinates - [1.0, 0.1]).T) - 0.6
    (line,) = drawn(atlas, np.stack([distance, -distance], axis=1))
    assert line.closed
    np.testing.assert_array_equal(line.line[0], line.line[-1])
    np.testing.assert_allclose(np.hypot(*(line.line - [1.0, 0.1]).T), 0.6, atol=0.01)
    length = np.linalg.norm(np.diff(line.line, axis=0), axis=1).sum()
    assert length == pytest.approx(2 * np.pi * 0.6, rel=0.01)


def test_three_phases_meet_in_one_place() -> None:
    atlas = flat(WINDOW)
    turn = 0.4 + 2 * np.pi * np.arange(3) / 3
    scores = (atlas.coordinates - [1.03, 0.02]) @ np.stack([np.cos(turn), np.sin(turn)])
    found = drawn(atlas, scores)
    assert sorted(line.between for line in found) == [(0, 1), (0, 2), (1, 2)]
    ends = np.concatenate([line.line[[0, -1]] for line in found])
    meet = np.hypot(*(ends - [1.03, 0.02]).T) < 0.1
    assert meet.sum() == 3
    np.testing.assert_allclose(ends[meet] - ends[meet][0], 0, atol=1e-12)


def test_strong_and_long_lines_come_first() -> None:
    atlas = flat(WINDOW)
    label = (atlas.lattice[:, 0] > 10).astype(int) + (atlas.lattice[:, 0] > 30)
    scores = np.eye(3)[label]
    rates = np.where(atlas.lattice[:, 0] > 20, 5.0, 1.0)
    assert [line.strength for line in drawn(atlas, scores, rates)] == [5.0, 1.0]
    assert [line.between for line in drawn(atlas, scores, 6 - rates)] == [(0, 1), (1, 2)]


# Lines on the globe


def test_the_rift_between_two_poles_is_a_great_circle() -> None:
    decoder = analytic(PLANE, 2, 0.3, size=(2, 2), batch=4096)
    atlas = survey(Globe(nside=12), looked(decoder))
    (line,) = lines(atlas, mesh(atlas), by_clusters(atlas, 2), field.rates(atlas))
    assert line.closed
    np.testing.assert_allclose(np.linalg.norm(line.unit, axis=1), 1)
    assert decoder.rift_distance(line.unit).max() < 0.03  # a third of a cell
    assert 2 * np.pi < globe.angle(line.unit[1:], line.unit[:-1]).sum() < 1.12 * 2 * np.pi
    alpha, beta, front = PLANE.chart(line.unit)
    np.testing.assert_allclose(line.line, np.stack([alpha, beta], axis=1))
    assert front.any()
    assert not front.all()


def test_the_rifts_of_an_octahedron_are_the_edges_of_a_cube() -> None:
    decoder = analytic(PLANE, 6, 0.2, size=(2, 2), batch=4096)
    atlas = survey(Globe(nside=12), looked(decoder))
    found = lines(atlas, mesh(atlas), by_clusters(atlas, 6), field.rates(atlas))
    assert len({line.between for line in found}) == len(found) == 12
    assert not any(line.closed for line in found)
    for line in found:
        assert decoder.rift_distance(line.unit).max() < 0.09  # a cell
        assert line.strength > 3 * np.median(field.rates(atlas))
        length = globe.angle(line.unit[1:], line.unit[:-1]).sum()
        assert length == pytest.approx(np.arccos(1 / 3), rel=0.12)
    ends = np.concatenate([line.unit[[0, -1]] for line in found])
    apart = globe.angle(ends[:, None], ends[None])
    assert (np.sort((apart < 1e-9).sum(axis=1)) == 3).all()  # eight corners, three rifts each
