"""Density geodesics with a score alone: Clairaut's relation, the energy's minimum, and the published update."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentworld.arrays import Vector
from latentworld.atlas import geodesic, ground
from latentworld.errors import GeometryError
from latentworld.relaxed import Points, force, halved, relax

SHARE, SIGMA = 0.84, 0.3  # of the analytic world at a noise level: two modes at the poles
WIDTH = SHARE * SIGMA**2 + 1 - SHARE
MODES = np.sqrt(SHARE) * np.array([[0, 0, 1.0], [0, 0, -1.0]])


def place(longitude: float, latitude: float) -> Vector:
    lon, lat = np.radians([longitude, latitude])
    return np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


BEGIN, END = place(0, 35), place(110, 35)


def log_p(x: Points) -> Vector:
    return np.asarray(np.logaddexp.reduce([-((x - m) ** 2).sum(axis=1) / (2 * WIDTH) for m in MODES], axis=0))


def uphill(x: Points) -> Points:
    """The exact score of the mixture."""
    apart = np.stack([-((x - m) ** 2).sum(axis=1) / (2 * WIDTH) for m in MODES], axis=1)
    share = np.exp(apart - np.logaddexp.reduce(apart, axis=1)[:, None])
    return np.asarray((share @ MODES - x) / WIDTH)


def length(way: Points, strength: float) -> float:
    middle = way[1:] + way[:-1]
    middle /= np.linalg.norm(middle, axis=1, keepdims=True)
    chord = np.linalg.norm(np.diff(way, axis=0), axis=1)
    return float((2 * np.arcsin(chord / 2) * np.exp(-strength * log_p(middle))).sum())


def apart(one: Points, other: Points) -> float:
    """The most that a way is away from another, whose points lie elsewhere on it: the energy's are even in its own
    metric, ours on the sphere."""
    dense = other
    for _ in range(5):
        dense = halved(dense)
    return float(max(np.linalg.norm(dense - point, axis=1).min() for point in one))


def circle(count: int) -> Points:
    way = np.stack([BEGIN, END])
    while len(way) < count + 1:
        way = halved(way)
    return way


def cheapest(strength: float, count: int) -> Points:
    """n/2 sum |step|^2 exp(-2 k log p(mid)) at its least: the atlas's own solver, which knows log p itself."""
    chart = ground.between(BEGIN, END)
    energy = geodesic.Density(chart, lambda unit: (-log_p(unit), -uphill(unit)), strength)
    found = geodesic.relax(energy, geodesic.straight(chart, BEGIN, END, count), chart, 1e-15)
    return chart.unit(found)[0]


def published(strength: float) -> Points:
    """Yu et al.: 400 steps down the residual at a falling rate, 1, 3, 7 and 15 points for 100 each. Their step suits
    one dimension, strength and spacing; here it is set against the stiffest of the residual's modes."""
    way = np.stack([BEGIN, END])
    for number in range(400):
        way = halved(way) if number % 100 == 0 else way
        count = len(way) - 1
        left, speed = force(way, strength * uphill(way[1:-1]))
        rate = 0.5 / (4 * count**2) * (1 - (number % 100) / 400)
        way[1:-1] += rate * speed[:, None] * left
        way /= np.linalg.norm(way, axis=1, keepdims=True)
    return way


@pytest.mark.parametrize("strength", [0.3, -0.2])
def test_three_solvers_agree(strength: float) -> None:
    own = relax(BEGIN, END, uphill, strength, sweeps=60, tolerance=1e-10)
    least, theirs = cheapest(strength, 16), published(strength)
    cost = length(own.points, strength)
    assert cost == pytest.approx(length(least, strength), rel=0.01)
    assert cost == pytest.approx(length(theirs, strength), rel=0.01)
    assert apart(own.points, least) < 0.01
    assert apart(own.points, theirs) < 0.01
    assert cost < 0.995 * length(circle(16), strength)  # else there was nothing to agree about


def test_clairaut_holds_to_second_order() -> None:
    def spread(stages: int) -> float:
        way = relax(BEGIN, END, uphill, 0.3, stages=stages, sweeps=200, tolerance=1e-12).points
        middle = way[1:] + way[:-1]
        middle /= np.linalg.norm(middle, axis=1, keepdims=True)
        step = np.diff(way, axis=0)
        east = np.stack([-middle[:, 1], middle[:, 0]], axis=1)  # times cos(latitude): the parallel's own speed
        kept = np.exp(-0.3 * log_p(middle)) * (step[:, :2] * east).sum(axis=1) / np.linalg.norm(step, axis=1)
        return float(np.ptp(kept) / kept.mean())

    coarse, fine = spread(5), spread(6)
    assert fine < 1e-3
    assert np.log2(coarse / fine) == pytest.approx(2.0, abs=0.25)


def test_without_strength_it_is_the_great_circle_walked_evenly() -> None:
    found = relax(BEGIN, END, uphill, 0.0)
    np.testing.assert_allclose(found.points, circle(16), atol=1e-12)
    assert found.calls == 1 + 3 + 7 + 15  # each stage ends at once


@given(st.floats(-0.3, 0.3), st.floats(-60, 60), st.floats(5, 120))
@settings(max_examples=20, deadline=None)
def test_there_and_back_are_one_way(strength: float, latitude: float, apart: float) -> None:
    a, b = place(0, latitude), place(apart, 20)
    there = relax(a, b, uphill, strength, stages=3).points
    back = relax(b, a, uphill, strength, stages=3).points
    np.testing.assert_allclose(there, back[::-1], atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(there, axis=1), 1.0, atol=1e-12)


def test_the_likely_way_is_likelier_and_the_unlikely_one_is_not() -> None:
    means = [log_p(relax(BEGIN, END, uphill, k).points).mean() for k in (-0.2, 0.0, 0.3)]
    assert means[0] < means[1] < means[2]


@pytest.mark.parametrize("strength", [float("nan"), float("inf"), 51.0, -51.0])
def test_a_strength_that_is_none(strength: float) -> None:
    with pytest.raises(GeometryError, match="a finite number from -50 to 50"):
        relax(BEGIN, END, uphill, strength)


def test_a_gradient_that_is_none() -> None:
    with pytest.raises(GeometryError, match="take another noise level"):
        relax(BEGIN, END, lambda x: np.full_like(x, np.nan), 0.1)
