"""Words in an atlas: the survey's best places, climbed from; what cannot be looked for is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from installation.atlas import finds
from latentworld import globe
from latentworld.arrays import Array
from latentworld.atlas import finding, reader
from latentworld.atlas.types import Atlas, Rendered
from latentworld.errors import AtlasError, AtlasMismatch

PEAK = globe.normalise(np.array([0.3, 0.5, 0.8]))


class World:
    """Pictures whose feature is their own unit: likeness to a text is the cosine of the angle to it."""

    def __init__(self) -> None:
        self.asked: list[Array] = []

    def __call__(self, unit: Array, radius: Array) -> Rendered:
        self.asked.append(unit)
        shade = (127 * (1 + unit[:, 0])).astype(np.uint8)
        return Rendered(unit.astype(np.float32), np.broadcast_to(shade[:, None, None, None], (len(unit), 4, 4, 3)))


@pytest.fixture
def atlas(undisturbed: Path) -> Atlas:
    """Places all over the globe, seen by that eye."""
    found = reader.read(undisturbed)
    draw = np.random.default_rng(0)
    unit = globe.normalise(draw.normal(size=(200, 3)))
    whole = np.arange(200)
    return replace(
        found, unit=unit, features=unit.astype(np.float32), thumbs=np.zeros((200, 4, 4, 3), np.uint8),
        lattice=np.stack([whole, whole], axis=1), level=np.zeros(200, np.int64),
    )  # fmt: skip


def test_it_climbs_from_the_surveys_best_places_and_keeps_to_its_budget(atlas: Atlas) -> None:
    world = World()
    found = finding.find(atlas, PEAK, world, count=5, decodes=64)
    assert len(found) == 5
    assert sum(map(len, world.asked)) == found.decodes <= 64
    assert (np.diff(found.score) <= 0).all()
    assert (found.score >= found.surveyed - 1e-6).all()
    assert globe.angle(found.unit[0], PEAK) < 0.25 * finding.spacing(atlas)
    np.testing.assert_allclose(found.score, found.features @ PEAK, atol=1e-6)
    assert globe.angle(atlas.unit, PEAK).min() > globe.angle(found.unit[0], PEAK)


def test_finds_begin_apart(atlas: Atlas) -> None:
    far = finding.peaks(atlas.unit, finding.scores(atlas, PEAK), 8, 0.5)
    between = globe.angle(atlas.unit[far][:, None], atlas.unit[far][None]) + 9 * np.eye(len(far))
    assert between.min() >= 0.5
    assert far[0] == finding.scores(atlas, PEAK).argmax()


def test_more_than_there_is_room_for_are_as_many_as_there_are(atlas: Atlas) -> None:
    assert len(finding.peaks(atlas.unit, finding.scores(atlas, PEAK), 10_000, 1.0)) < 40
    assert finding.find(atlas, PEAK, World(), count=500, decodes=7).decodes <= 7


def test_the_same_again_is_the_same(atlas: Atlas) -> None:
    one, other = (finding.find(atlas, PEAK, World(), 4) for _ in range(2))
    np.testing.assert_array_equal(one.unit, other.unit)


def test_another_eye_is_refused(atlas: Atlas) -> None:
    with pytest.raises(AtlasMismatch, match="name its eye as eye"):
        finding.scores(atlas, np.ones(5))


@pytest.mark.parametrize("words", ["", "  \n ", "x" * 2001])
def test_words_that_say_nothing_are_refused(words: str) -> None:
    with pytest.raises(AtlasError, match="say what to find"):
        finds.checked(words)


def test_an_eye_without_words_says_so(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    small = ["--size", "3x3", "--thumb", "16", "--no-plots", "--set", "decoder.kind=analytic"]
    assert run("atlas", "survey", "neutral", "-o", tmp_path / "atlas", *small)[0] == 0
    code, out, err = run("atlas", "find", tmp_path / "atlas", "a cat", "-o", tmp_path / "found")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "knows no words" in err
    assert not (tmp_path / "found").exists()


def test_on_the_command_line(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """The embedded world through its scout: a sheet, pictures that know their place, places that `still` takes."""
    small = ["--size", "3x3", "--scout", "--thumb", "32", "--no-plots"]
    assert run("atlas", "survey", "neutral", "-o", tmp_path / "atlas", *small)[0] == 0
    code, out, _ = run(
        "atlas", "find", tmp_path / "atlas", "a single flower", "-n", "2", "-o", tmp_path / "found", "--decodes", "6"
    )
    assert code == 0
    said = json.loads((tmp_path / "found/find.json").read_text())
    assert said["words"] == "a single flower"
    assert said["decodes"] <= 6
    scores = [place["score"] for place in said["places"]]
    assert scores == sorted(scores, reverse=True)
    assert all(place["score"] >= place["surveyed"] - 1e-5 for place in said["places"])
    assert "--alpha" in out.splitlines()[0]
    code, _, err = run("atlas", "find", tmp_path / "atlas", "a cat", "-o", tmp_path / "found")
    assert (code, err.count("\n")) == (1, 1)
    assert "not an empty folder" in err  # what was found before stays
    with Image.open(tmp_path / "found/01.png") as picture:
        assert picture.size == (128, 128)
        assert "latentworld" in picture.info
    with Image.open(tmp_path / "found/sheet.png") as sheet:
        assert sheet.width >= 2 * finds.WIDTH
