"""Steering along a geodesic: found beside the loop, a point ahead is followed, straight without an atlas."""

from __future__ import annotations

import time
from functools import cache

import numpy as np
import pytest

pytest.importorskip("zarr", reason="the extra `atlas` is not installed")

from standins import surveys

from installation.control import approach
from installation.render.wayfinder import AHEAD, BARE, Wayfinder, found
from latentworld import globe
from latentworld.atlas import mesh, prior
from latentworld.atlas.prior import Prior
from latentworld.atlas.sampling import Window
from latentworld.decoding.analytic import analytic, lattice_modes
from latentworld.walks import Free

PLANE = surveys.PLANE
BEGIN, END = PLANE.unit(0.1, 0.2), PLANE.unit(0.8, 0.7)


@cache
def land() -> Prior:
    world = analytic(PLANE, lattice_modes(12, 0), 0.2, size=(2, 2), batch=512)
    atlas = surveys.survey(Window(rows=20, columns=20), surveys.looked(world))
    return prior.lookout(atlas, mesh.mesh(atlas))


def settled(ways: Wayfinder, here: np.ndarray, goal: np.ndarray) -> np.ndarray | None:
    """What is steered for once the way is there."""
    for _ in range(3000):
        if (via := ways.via(land(), here, goal)) is not None:
            return via
        time.sleep(0.01)
    return None


def test_a_point_runs_ahead_on_the_way_and_the_walk_comes_along_it() -> None:
    faults: list[str] = []
    ways = Wayfinder(faults.append)
    way, here = found(land(), BEGIN, END), BEGIN
    via = settled(ways, here, END)
    assert via is not None
    assert globe.angle(way, via).min() < 1e-12
    assert AHEAD - 0.01 < float(globe.angle(here, via)) < AHEAD + 0.05
    walk, off = Free(here, globe.tangent(here, END), PLANE.target, ease=approach.NIMBLE), []
    for _ in range(3000):
        via = ways.via(land(), walk.unit, END)
        bend = approach.toward(walk, END if via is None else via, 4.0)
        walk = walk.advance(0.02, bend)
        off.append(float(globe.angle(way, walk.unit).min()))
        if globe.angle(walk.unit, END) < 0.02:
            break
    assert globe.angle(walk.unit, END) < 0.02
    assert max(off) < 0.06
    assert not faults
    ways.close()


def test_without_an_atlas_it_goes_straight_and_says_so_once() -> None:
    faults: list[str] = []
    ways = Wayfinder(faults.append)
    assert [ways.via(None, BEGIN, END) for _ in range(5)] == [None] * 5
    assert faults == [BARE]
    ways.straight()
    ways.via(None, BEGIN, END)
    assert faults == [BARE, BARE]


def test_a_place_that_no_way_leads_to_is_gone_to_straight_and_said_once() -> None:
    faults: list[str] = []
    ways = Wayfinder(faults.append)
    for _ in range(3000):
        assert ways.via(land(), BEGIN, PLANE.unit(4.0, 3.0)) is None
        if faults:
            break
        time.sleep(0.01)
    for _ in range(3):
        assert ways.via(land(), BEGIN, PLANE.unit(4.0, 3.0)) is None
    assert len(faults) == 1
    assert "no geodesic to this place" in faults[0]
    ways.close()


def test_who_is_blown_off_the_way_gets_a_new_one() -> None:
    ways = Wayfinder(lambda words: None)
    assert settled(ways, BEGIN, END) is not None
    far = PLANE.unit(0.9, 0.05)
    first = ways.via(land(), far, END)
    again = settled(ways, far, END)
    assert first is None
    assert again is not None
    assert globe.angle(far, again) < AHEAD + 0.05
    ways.close()
