"""The pilot toward words: on the analytic world a word is a direction of features, whose best picture is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_pilot import PLANE, STEADY, flown, lookout, start

from installation.film import make, telemetry
from installation.rig import build
from latentworld import globe, preset
from latentworld.aims import Likeness, mixed
from latentworld.errors import PresetError, WorldMismatch
from latentworld.pilot import Fan, Pilot, PilotSpec, chosen

ALL = globe.normalise(np.random.default_rng(5).normal(size=(4000, 3)))
SEEN = np.asarray(lookout(ALL, np.ones(len(ALL))), np.float64)


def word(number: int) -> Likeness:
    """A text that says what one of the pictures shows."""
    return Likeness(SEEN[number] / np.linalg.norm(SEEN[number]))


def toward(aim: Likeness | None, attraction: float = 1.0, **spec: object) -> Pilot:
    own = PilotSpec(mode="toward", words="x", attraction=attraction, **spec)  # type: ignore[arg-type]
    return Pilot(own, STEADY, PLANE, lookout, lookout, aim=aim)


def liked(aim: Likeness, units: np.ndarray) -> np.ndarray:
    """Share of the globe that is wanted less than each place."""
    every = np.sort(aim(SEEN))
    return np.searchsorted(every, aim(np.asarray(lookout(units, np.ones(len(units))), np.float64))) / len(every)


@pytest.mark.parametrize("number", range(6))
def test_it_comes_to_what_is_wanted_and_stays_about_it(number: int) -> None:
    aim = word(number)
    units, _ = flown(toward(aim), start(number), 90)
    there = liked(aim, units)
    assert there[-200:].mean() > 0.85
    assert there[-200:].mean() > there[:8].mean() or there[:8].mean() > 0.85


@pytest.mark.parametrize("number", range(3))
def test_below_zero_it_leads_away(number: int) -> None:
    aim = word(number)
    units, _ = flown(toward(aim, -1.0), start(number), 90)
    assert liked(aim, units)[-200:].mean() < 0.5


def test_without_words_it_holds_its_course() -> None:
    assert set(flown(toward(None), start(), 5)[1]) == {0.0}


def test_by_way_of_the_rifts_steeper_ways_are_taken() -> None:
    angles = np.radians([-60.0, 0.0, 60.0])
    fan = Fan(
        angles, np.array([0.1]), np.ones((1, 2)), np.ones((1, 2)), np.array([[9.0, 1.0, 1.0]]),
        gain=np.array([[0.1, 0.0, 0.3]]),
    )  # fmt: skip
    assert chosen(PilotSpec(mode="toward", words="x"), fan, 1.0) == (0, 2.0)
    assert chosen(PilotSpec(mode="toward", words="x", rifts=0.8), fan, 1.0) == (0, 0.0)
    assert chosen(PilotSpec(mode="toward", words="x"), fan, -1.0)[1] == 1.0


def test_texts_fade_into_each_other() -> None:
    one, other = word(0), word(1)
    np.testing.assert_allclose(mixed(one, other, 0.0).text, one.text)
    np.testing.assert_allclose(mixed(one, other, 1.0).text, other.text)
    assert np.linalg.norm(mixed(one, other, 0.5).text) == pytest.approx(1.0)


SMALL = [
    "film.seconds=1",
    "film.fps=8",
    "pacing.kind=latent",
    "film.codec=ffv1",
    "decoder.kind=scout",
    "walk.kind=rift",
]


def test_a_film_goes_toward_words(tmp_path: Path) -> None:
    asked = preset.load("neutral", [*SMALL, "pilot.mode=toward", "pilot.words=a single flower", "pacing.speed=12"])
    rig = build(asked)
    assert isinstance(rig.pilot.aim, Likeness)
    np.testing.assert_allclose(rig.pilot.aim.text, np.asarray(rig.studio.eye.texts(["a single flower"])[0]), atol=1e-6)
    make.film(asked, tmp_path / "toward")
    make.film(asked.changed(pilot={"attraction": -1.0}), tmp_path / "away")
    ways = [telemetry.read(tmp_path / name / "telemetry.csv").unit for name in ("toward", "away")]
    assert globe.angle(ways[0][-1], ways[1][-1]) > 0.01


def test_a_pilot_that_has_no_words_or_knows_none_is_refused() -> None:
    with pytest.raises(PresetError, match=r"needs words: set pilot\.words"):
        build(preset.load("neutral", [*SMALL, "pilot.mode=toward", "pilot.words= "]))
    with pytest.raises(WorldMismatch, match="knows no words"):
        build(preset.load("analytic", ["pilot.mode=toward", "pilot.words=a cat", "walk.kind=rift"]))
    with pytest.raises(PresetError, match="steers free walks, and orbit is fixed"):
        build(preset.load("neutral", ["walk.kind=orbit", "pilot.mode=toward", "pilot.words=a cat"]))
    assert build(preset.load("analytic", ["pilot.words=a cat"])).pilot.aim is None  # nobody reads them
