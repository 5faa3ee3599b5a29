"""The pilot away from what it has seen: a bounded archive, kept with the state of a show and of a film."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_render_live_pilot import PACE, PLANE, feature, flown, start

from installation.control.controls import LoopControls
from installation.film.manifest import Sight
from installation.render.live_pilot import LARGEST, Course, LivePilot, LivePilotState
from latentworld.archive import DIMENSIONS, MOST, RADIUS, Archive, kept
from latentworld.decoding.analytic import analytic, lattice_modes
from latentworld.pacing import PacingSpec
from latentworld.pilot import Fan, Pilot, PilotSpec, PilotState, chosen
from latentworld.walks import Free

MANY = analytic(PLANE, lattice_modes(60, 1), sigma=0.05, steps=10, size=(4, 4))
NOVEL = PilotSpec(mode="novel")


def many(units: np.ndarray, radii: np.ndarray) -> np.ndarray:
    return np.asarray(MANY.mixture.flow(units * np.asarray(radii)[:, None] * np.sqrt(3.0)))


def filled(features: np.ndarray) -> Archive:
    made = Archive()
    for one in features:
        made = made.seen(one)
    return made


def test_what_was_seen_is_not_novel_and_what_was_seen_lately_least() -> None:
    eye = np.eye(8)
    made = filled(np.repeat(eye[:4], 3, axis=0))
    assert len(made) == 4
    assert made.visits.tolist() == [3.0] * 4
    novelty = made(eye)
    assert novelty[4:].min() > novelty[:4].max() + 1.0
    assert novelty[3] < novelty[0]  # a moment ago
    np.testing.assert_allclose(made.nearest(eye[:5]), [0, 0, 0, 0, np.sqrt(2)], atol=0.02)
    often = filled(np.concatenate([np.repeat(eye[:1], 200, axis=0), np.repeat(eye[1:4], 100, axis=0)]))
    assert often(eye)[0] < often(eye)[1]  # and what was seen often
    assert (Archive()(eye) == 0).all()


@pytest.mark.parametrize("dimension", [3, 512])
def test_it_stays_bounded_and_covers_what_was_seen(dimension: int) -> None:
    draw = np.random.default_rng(0).normal(size=(3000, dimension))
    draw /= np.linalg.norm(draw, axis=1, keepdims=True)
    made = filled(draw)
    assert 0.3 * MOST < len(made) <= MOST
    assert made.radius > RADIUS
    assert made.looks == 3000
    assert made.visits.sum() == 3000
    assert (made.nearest(draw) < 2.6 * made.radius).all()
    assert len(made.text) <= LARGEST


def test_distances_are_kept_in_few_numbers() -> None:
    draw = np.random.default_rng(1).normal(size=(60, 512))
    draw /= np.linalg.norm(draw, axis=1, keepdims=True)
    few = kept(draw).astype(np.float64) / 80.0
    assert few.shape == (60, DIMENSIONS)
    wide = np.linalg.norm(draw[:, None] - draw[None], axis=2)
    near = np.linalg.norm(few[:, None] - few[None], axis=2)
    off = ~np.eye(60, dtype=bool)
    assert np.abs(near[off] / wide[off] - 1).mean() < 0.15


def test_another_eye_begins_anew_and_no_picture_is_none() -> None:
    made = filled(np.eye(8))
    assert (made(np.eye(5)) == 0).all()
    assert np.isinf(made.nearest(np.eye(5))).all()
    assert len(made.seen(np.eye(5)[0])) == 1
    assert made.seen(np.full(8, np.nan)) is made


@given(st.integers(1, 40), st.integers(0, 2**16))
def test_it_is_read_as_it_was_written(count: int, seed: int) -> None:
    made = filled(np.random.default_rng(seed).normal(scale=0.5, size=(count, 6)))
    again = Archive.read(made.text)
    assert again.text == made.text
    probes = np.random.default_rng(seed + 1).normal(size=(5, 6))
    np.testing.assert_array_equal(again(probes), made(probes))


@pytest.mark.parametrize("text", ["", "!", "YXJjMQ==", Archive().text, filled(np.eye(4)).text[:-8], "A" * 4000])
def test_what_is_no_archive_is_an_empty_one(text: str) -> None:
    assert len(Archive.read(text)) == 0


# ---- the pilot


def walked(mode: str, frames: int, seed: int, state: PilotState | None = None) -> tuple[np.ndarray, Pilot, Free]:
    pilot = Pilot(PilotSpec(mode=mode), PacingSpec(kind="latent", speed=6.0), PLANE, many, many, state=state)  # type: ignore[arg-type]
    walk, units = start(seed, ease=115.0), list[np.ndarray]()
    for _ in range(frames // 8):
        steering = pilot(walk, None, None, 8)
        walk = walk.advance(float(steering.strides[-1]), steering.curvature)
        units.append(walk.unit)
    return np.array(units), pilot, walk


def test_it_sees_nearly_all_there_is() -> None:
    """A walk that rides comes to 45 to 58 of 60 in that time."""
    assert len(np.unique(MANY.basin(walked("novel", 8 * 600, 0)[0]))) >= 59


def test_a_film_goes_on_as_the_one_that_was_not_stopped() -> None:
    _, pilot, walk = walked("novel", 400, 3)
    again = Pilot(NOVEL, pilot.pace, PLANE, many, many, state=Sight.of(pilot.state).state())
    for _ in range(20):
        one, other = pilot(walk, None, None, 8), again(walk, None, None, 8)
        assert one.curvature == other.curvature
        walk = walk.advance(float(one.strides[-1]), one.curvature)
    assert Sight.of(PilotState()).archive == ""


def test_where_all_is_alike_it_holds_its_course() -> None:
    flat = Fan(np.radians([-60.0, 0.0, 60.0]), np.array([0.1]), np.ones((1, 2)), np.ones((1, 2)), np.ones((1, 3)),
               gain=np.zeros((1, 3)))  # fmt: skip
    assert np.isnan(chosen(NOVEL, flat, 1.0)[1])


def live(course: list[Course], state: LivePilotState = LivePilotState()) -> LivePilot:  # noqa: B008
    return LivePilot(NOVEL, PACE, 0.0, lambda: course[0], lambda: 0.1, state)


def test_a_show_remembers_what_it_saw_through_another_renderer() -> None:
    walk = start(1, ease=115.0)
    course = [Course(PLANE, probe=feature, cost=0.2, here=feature(walk.unit[None], np.ones(1))[0])]  # type: ignore[arg-type]
    one = live(course)
    walk, _ = flown(one, walk, 60, course)
    saved = one.save(None)
    assert len(Archive.read(saved.archive)) > 1
    read: Any = LivePilotState.read({"version": 1, **vars(saved)})
    assert read.trouble == ""
    other, twin = live(course, read.value), walk
    for _ in range(30):
        a, b = one(walk, None, LoopControls(), 1), other(twin, None, LoopControls(), 1)
        assert a.curvature == b.curvature
        walk, twin = (w.advance(float(s.strides[-1]), s.curvature) for w, s in ((walk, a), (twin, b)))
        course[0] = replace(course[0], here=feature(walk.unit[None], np.ones(1))[0])
    assert one.state.archive == other.state.archive
    damaged: Any = LivePilotState.read({"version": 1, **vars(saved), "archive": "x" * 99999})
    assert damaged.value.archive == ""
    assert "archive" in damaged.trouble


def test_in_another_mode_nothing_is_kept() -> None:
    walk = start(1, ease=115.0)
    course = [Course(PLANE, probe=feature, cost=0.2, here=feature(walk.unit[None], np.ones(1))[0])]  # type: ignore[arg-type]
    pilot = LivePilot(PilotSpec(), PACE, 0.0, lambda: course[0], lambda: 0.1)
    flown(pilot, walk, 30, course)
    assert pilot.state.archive == ""
