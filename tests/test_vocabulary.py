"""Words that a small world's eye does not know are told wherever words are asked for."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from installation import rig, vocabulary
from installation.atlas import emergences, findings, finds, prospects, scouting
from installation.atlas.survey_folder import SurveyFolder
from installation.studio import Studio
from latentworld import preset
from latentworld.atlas import prospect
from latentworld.errors import Notice, WorldMismatch

SMALL = ["decoder.kind=scout", "decoder.scout_steps=1"]


@pytest.fixture(scope="module")
def studio() -> Studio:
    return rig.open_studio(preset.load("neutral", SMALL))


@pytest.fixture
def atlas(run, tmp_path: Path) -> SurveyFolder:  # type: ignore[no-untyped-def]
    folder = tmp_path / "atlas"
    small = ["--size", "5x5", "--scout", "--thumb", "16", "--no-plots", *(p for s in SMALL for p in ("--set", s))]
    assert run("atlas", "survey", "neutral", "-o", folder, *small)[0] == 0
    return SurveyFolder.at(folder)


@pytest.mark.parametrize("text", ["zeppelin", "a zeppelin", "\U0001f600", "42 !"])
def test_a_text_of_no_known_word_is_refused(studio: Studio, text: str) -> None:
    with pytest.raises(WorldMismatch, match=r"embedded does not know .*worlds show embedded --words"):
        vocabulary.understood(studio, ["a cat", text])


def test_words_that_are_not_known_are_told_in_one_line(studio: Studio) -> None:
    with pytest.warns(Notice, match="does not know 'zeppelin', 'qwerty'") as told:
        vocabulary.understood(studio, ["a cat on a zeppelin", "a sea, qwerty, zeppelin"])
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vocabulary.understood(studio, ["a cat with rings", "a flower"])


def test_wherever_words_are_asked_for(studio: Studio, atlas: SurveyFolder, tmp_path: Path) -> None:
    words = ["a cat", "a sea", "a zeppelin"]
    with pytest.raises(WorldMismatch, match="does not know"):
        emergences.make(atlas, tmp_path / "emergence", words)
    assert not (tmp_path / "emergence").exists()
    with pytest.raises(WorldMismatch, match="does not know"):
        finds.write(atlas, "zeppelin", 2, tmp_path / "find")
    with pytest.raises(WorldMismatch, match="does not know"):
        findings.labeller(studio, words, None)
    with pytest.raises(WorldMismatch, match="does not know"):
        prospects.make(studio.preset, scouting.triples(2, 0), tmp_path / "prospect", prospect.WEIGHTS, words, 1)
    toward = preset.load("neutral", [*SMALL, "walk.kind=rift", "pilot.mode=toward", "pilot.words=zeppelin"])
    with pytest.raises(WorldMismatch, match="does not know"):
        rig.aim_of(rig.open_studio(toward))
    candidates = [scouting.Candidate((1, 2, 3), text) for text in ("a cat", "a zeppelin")]
    with pytest.warns(Notice, match="does not know 'zeppelin'"):
        prospects.make(studio.preset, candidates, tmp_path / "prompts", prospect.WEIGHTS, None, 1)
