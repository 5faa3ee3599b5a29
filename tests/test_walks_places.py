"""Where walks go: each kind against its formula, said here a second time, and a table of places that never change."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from latentworld import globe, walks
from latentworld.globe import Array
from latentworld.plane import Plane

GOLDEN = json.loads((Path(__file__).parent / "golden" / "walks.json").read_text())
SPEC: TypeAdapter[walks.WalkSpec] = TypeAdapter(walks.WalkSpec)


@pytest.fixture(scope="module")
def plane() -> Plane:
    return Plane(np.random.default_rng(3).standard_normal((3, 4, 8, 8)))


def about(plane: Plane, alpha: float, beta: float, degrees: float) -> tuple[Array, Array, Array]:
    """A place, the heading there and what lies left of it: by small steps of the chart, not by the walks' own rule."""
    here = plane.unit(alpha, beta)
    east = globe.normalise(plane.unit(alpha + 1e-7, beta) - plane.unit(alpha - 1e-7, beta))
    north = globe.normalise(plane.unit(alpha, beta + 1e-7) - plane.unit(alpha, beta - 1e-7))
    north = globe.normalise(north - (north @ east) * east)
    angle = math.radians(degrees)
    return here, math.cos(angle) * east + math.sin(angle) * north, math.cos(angle) * north - math.sin(angle) * east


def evenly(curve: Callable[[Array], Array], end: float, target: float, strides: Array) -> Array:
    """Units [n, 3] at latent arc lengths along a curve of the unit globe, t in 0..end, by summing fine chords."""
    fine = curve(np.linspace(0.0, end, 400_001))
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(fine, axis=0), axis=1))])
    return np.stack([np.interp(strides, target * arc, axis) for axis in fine.T], axis=1)


@pytest.mark.parametrize("name", GOLDEN)
def test_places_are_those_of_the_table(plane: Plane, name: str) -> None:
    """Steered by a curvature of 1.5, which fixed walks ignore; a film or a take of old goes where it went."""
    told = GOLDEN[name]
    walk = walks.build(SPEC.validate_python(told["spec"]), plane)
    assert (walk.length is None) == (told["length"] is None)
    assert walk.length == (told["length"] and pytest.approx(told["length"], rel=1e-10))
    unit, radius = walk.ahead(told["strides"], 1.5)
    np.testing.assert_allclose(np.column_stack([unit, radius]), told["places"], rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("inclination", "latitude", "phase", "direction"),
    [(0.0, 0.0, 0.0, 1), (20.0, 35.0, 0.0, 1), (70.0, -60.0, 0.3, -1), (-140.0, 10.0, 1.8, -1)],
)
def test_an_orbit_runs_round_its_pole(
    plane: Plane, inclination: float, latitude: float, phase: float, direction: int
) -> None:
    """Latitude lies to the left of the way, a phase of one is a lap, direction -1 goes back along the same circle."""
    spec = walks.Orbit(
        through=(0.2, 0.5), inclination=inclination, latitude=latitude, phase=phase, direction=direction, radius=1.5
    )
    centre, ahead, left = about(plane, 0.2, 0.5, inclination)
    up, ring = math.sin(math.radians(latitude)), math.cos(math.radians(latitude))
    laps = np.linspace(0.0, 1.0, 9)
    angle = 2 * math.pi * (phase + direction * laps)[:, None]
    expected = ring * (np.cos(angle) * centre + np.sin(angle) * ahead) + up * left
    walk = walks.build(spec, plane)
    assert walk.length == pytest.approx(2 * math.pi * plane.target * 1.5 * ring, rel=1e-9)
    np.testing.assert_allclose(walk.ahead(laps * walk.length)[0], expected, rtol=0, atol=1e-6)


def test_a_lissajous_figure_swings_along_its_heading_and_across_it(plane: Plane) -> None:
    """x = a sin(m t + phase) along the heading, y = b sin(n t) to its left, degrees of arc from the centre."""
    spec = walks.Lissajous(centre=(0.2, -0.4), heading=70.0, amplitudes=(20.0, 50.0), frequencies=(3, 2), phase=40.0)
    centre, ahead, left = about(plane, 0.2, -0.4, 70.0)

    def figure(t: Array) -> Array:
        x = math.radians(20.0) * np.sin(3 * t + math.radians(40.0))
        y = math.radians(50.0) * np.sin(2 * t)
        away, bearing = np.hypot(x, y)[:, None], np.arctan2(y, x)[:, None]
        return np.cos(away) * centre + np.sin(away) * (np.cos(bearing) * ahead + np.sin(bearing) * left)

    walk = walks.build(spec, plane)
    strides = np.linspace(0.0, 0.999, 12) * walk.length
    np.testing.assert_allclose(
        walk.ahead(strides)[0], evenly(figure, 2 * math.pi, plane.target, strides), rtol=0, atol=1e-6
    )


def test_a_spiral_winds_to_the_left_and_takes_equally_long_for_every_turn(plane: Plane) -> None:
    """Arc is counted as at the outer end, where the way runs inward and round at once."""
    spec = walks.Spiral(centre=(0.3, 0.1), heading=-50.0, start=80.0, shrink=0.6, turns=3.5, radius=2.0)
    centre, ahead, left = about(plane, 0.3, 0.1, -50.0)
    start = math.radians(80.0)
    pace = math.hypot(math.sin(start), start * math.log(0.6) / (2 * math.pi))
    walk = walks.build(spec, plane)
    assert walk.length == pytest.approx(2.0 * plane.target * pace * 2 * math.pi * 3.5, rel=1e-12)
    turns = np.linspace(0.0, 3.5, 15)
    away, angle = (start * 0.6**turns)[:, None], (2 * math.pi * turns)[:, None]
    expected = np.cos(away) * centre + np.sin(away) * (np.cos(angle) * ahead + np.sin(angle) * left)
    np.testing.assert_allclose(walk.ahead(turns / 3.5 * walk.length)[0], expected, rtol=0, atol=1e-6)


def slope(walk: Any, at: float, step: float) -> float:
    """Growth of the radius over globe travel (radians) at an arc length."""
    unit, radius = walk.ahead([max(at - step, 0.0), at + step])
    return float((radius[1] - radius[0]) / globe.angle(unit[0], unit[1]))


@pytest.mark.parametrize("closed", [True, False])
def test_radii_of_waypoints_rise_and_fall_without_a_corner(plane: Plane, closed: bool) -> None:
    """At a waypoint between a lower and a higher one the radius rises with the harmonic mean of both slopes, at an
    extreme not at all (Fritsch and Butland); a closed walk's first waypoint lies between its last and its second."""
    radii = (1.4, 1.7, 2.0, 1.2)
    corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
    points = tuple((*corner, radius) for corner, radius in zip(corners, radii))
    walk = walks.build(walks.Waypoints(points=points, closed=closed), plane)
    fine = np.linspace(0.0, walk.length, 80_001)
    unit, radius = walk.ahead(fine)
    travel = np.concatenate([[0.0], np.cumsum(globe.angle(unit[1:], unit[:-1]))])
    passed = [int(np.argmin(globe.angle(unit, plane.unit(*corner)))) for corner in corners]
    np.testing.assert_allclose(radius[passed], radii, atol=1e-3)
    ends = [*travel[passed], travel[-1]] if closed else travel[passed]
    secants = np.diff([*radii, radii[0]] if closed else radii) / np.diff(ends)
    step = 1e-3 * walk.length

    def harmonic(before: float, after: float) -> float:
        return 2 * before * after / (before + after) if before * after > 0 else 0.0

    assert slope(walk, fine[passed[1]], step) == pytest.approx(harmonic(secants[0], secants[1]), rel=0.02)
    assert slope(walk, fine[passed[2]], step) == pytest.approx(0.0, abs=0.02)
    first = slope(walk, walk.length, step) if closed else slope(walk, 0.0, step)
    assert first == pytest.approx(harmonic(secants[-1], secants[0]) if closed else 0.0, abs=0.02)
    assert radius.max() <= 2.0 + 1e-9  # never past its neighbours
    assert radius.min() >= 1.2 - 1e-9


def test_breaths_begin_on_the_shell_and_are_whole_on_a_lap(plane: Plane) -> None:
    walk = walks.build(walks.Orbit(radius=2.0, breaths=2.6), plane)  # three on a lap
    unit, radius = walk.ahead(np.linspace(0.0, walk.length, 6001))
    travel = np.concatenate([[0.0], np.cumsum(globe.angle(unit[1:], unit[:-1]))])
    np.testing.assert_allclose(radius, 1 + np.sin(1.5 * travel) ** 2, atol=1e-5)


def test_the_wind_of_a_wanderer_has_the_strength_and_the_wavelengths_it_says(plane: Plane) -> None:
    """Sixteen cosines of one height, their frequencies drawn between a fifth of that of `scale` and nine fifths."""
    walk = walks.build(walks.Wander(seed=3, strength=2.5, scale=40.0), plane)
    assert isinstance(walk, walks.Free)
    assert walk.wind is not None
    n, cycles = 1 << 18, 4000.0  # of travel, in wavelengths of `scale`
    phi = np.arange(n) / n * cycles * math.radians(40.0)
    gusts = walk.wind(phi)
    assert walk.bend == pytest.approx(gusts[0])  # it begins in its wind
    assert np.sqrt((gusts**2).mean()) == pytest.approx(2.5, rel=0.02)
    power = np.abs(np.fft.rfft(gusts * np.hanning(n))) ** 2
    frequency = np.arange(len(power)) / cycles
    inside = (frequency > 0.19) & (frequency < 1.81)
    assert power[~inside].sum() < 1e-3 * power.sum()
    for low, high in ((0.19, 0.73), (0.73, 1.27), (1.27, 1.81)):  # spread over all of them
        assert power[(frequency >= low) & (frequency < high)].sum() > 0.1 * power.sum()


def test_a_wanderer_without_wind_goes_straight(plane: Plane) -> None:
    walk = walks.build(walks.Wander(strength=0.0, start="z1", heading=30.0), plane)
    here, ahead, _ = about(plane, 1.0, 0.0, 30.0)
    unit, _ = walk.ahead([0.5 * math.pi * plane.target])
    np.testing.assert_allclose(unit[0], ahead, atol=1e-6)
    np.testing.assert_allclose(walk.ahead([0.0])[0][0], here, atol=1e-12)


def test_a_swath_runs_its_rows_to_and_fro(plane: Plane) -> None:
    walk = walks.build(walks.Swath(alpha=(-0.3, 1.1), beta=(0.1, 0.7), rows=3), plane)
    unit, _ = walk.ahead(np.linspace(0.0, walk.length, 20_001))
    alpha, beta, _ = plane.chart(unit)
    for row, ends in ((0.1, (-0.3, 1.1)), (0.4, (1.1, -0.3)), (0.7, (-0.3, 1.1))):
        on = np.flatnonzero((np.abs(beta - row) < 1e-6) & (alpha > -0.3 - 1e-9) & (alpha < 1.1 + 1e-9))
        assert (np.diff(on) == 1).all()  # a row is one straight run of the chart
        np.testing.assert_allclose(alpha[on[[0, -1]]], ends, atol=2e-3)
