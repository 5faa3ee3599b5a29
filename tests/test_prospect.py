"""Prospecting: candidates are ranked by their rifts, the best become presets; stopped and resumed it is the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from installation.atlas import prospects, scouting, weights
from installation.atlas.scouting import Candidate, Scout, Seen
from installation.rig import open_studio
from latentworld import preset
from latentworld.atlas import prospect
from latentworld.atlas.prospect import Merits
from latentworld.errors import AtlasBusy, AtlasError, AtlasMismatch, WorldMismatch

SMALL = ["decoder.kind=analytic", "decoder.width=16", "decoder.height=16", "decoder.steps=8", "analytic.modes=6"]
JOURNEY = preset.load("neutral", SMALL)


def made(folder: Path, count: int = 6, **options: object) -> prospects.Made:
    return prospects.make(JOURNEY, scouting.triples(count, 0), folder, prospect.WEIGHTS, **options)  # type: ignore[arg-type]


class Stopped(Exception):
    """Somebody stops it."""


def test_stopped_and_resumed_it_is_the_same_ranking(tmp_path: Path) -> None:
    whole = made(tmp_path / "whole")

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise Stopped

    with pytest.raises(Stopped):
        made(tmp_path / "parts", on_done=stop)
    assert len(list((tmp_path / "parts/scouted").glob("*.npz"))) == 3
    rest = made(tmp_path / "parts")
    assert (whole.made, rest.made) == (6, 3)
    assert rest.ranking == whole.ranking
    one, other = ((tmp_path / name / "prospect.json").read_text() for name in ("whole", "parts"))
    assert one == other
    again = made(tmp_path / "whole", count=8)  # more of them: what is there stays
    assert again.made == 2
    assert {r.seeds for r in whole.ranking} < {r.seeds for r in again.ranking}


def test_a_survey_that_was_damaged_is_made_again(tmp_path: Path) -> None:
    whole = made(tmp_path / "out")
    file = sorted((tmp_path / "out/scouted").glob("*.npz"))[2]
    file.write_bytes(file.read_bytes()[:100])
    again = made(tmp_path / "out")
    assert again.made == 1
    assert again.ranking == whole.ranking


def test_triples_are_the_same_whatever_the_count() -> None:
    few, many = scouting.triples(5, 7), scouting.triples(50, 7)
    assert many[:5] == few
    assert len({candidate.seeds for candidate in many}) == 50
    assert scouting.triples(5, 8) != few


def test_presets_open_what_was_surveyed(tmp_path: Path) -> None:
    found = made(tmp_path / "out", top=2)
    assert [bool(one.preset) for one in found.ranking[:3]] == [True, True, False]
    best = found.ranking[0]
    again = preset.load(tmp_path / "out" / best.preset)
    assert again.plane.seeds == best.seeds
    scout = Scout(JOURNEY, 2)
    np.testing.assert_array_equal(open_studio(again).plane.vertices, scout.on(best.seeds, None).plane.vertices)
    with Image.open(tmp_path / "out/sheet.png") as sheet:
        assert sheet.width > 700


def test_longer_rifts_of_more_phases_rank_higher() -> None:
    """A globe in halves, one in eight parts, one of a single picture."""
    studio = Scout(JOURNEY, 8).studio
    ground = prospects._ground(studio, 8)
    unit = ground.unit
    sides = (unit > 0).astype(np.int64)
    labels = [np.zeros(len(unit), np.int64), sides[:, 0], sides @ [1, 2, 4]]
    features = [np.eye(8)[label] for label in labels]
    merits = ground.merits(features, labels)
    assert merits.length[0] == merits.steepness[0] == merits.emergence[0] == merits.evenness[0] == 0.0
    circle = 2 * np.pi * studio.plane.target
    assert merits.length[1] == pytest.approx(circle, rel=0.35)  # a border along a mesh is longer than a line
    assert merits.length[2] == pytest.approx(3 * merits.length[1], rel=0.2)
    np.testing.assert_allclose(merits.phases, [1.0, 2.0, 8.0], rtol=2e-3)
    np.testing.assert_allclose(merits.evenness[1:], 1.0, rtol=2e-3)
    assert merits.emergence[1] == 0.0
    assert merits.emergence[2] > 0.0
    assert prospect.ranked(merits.total()).tolist() == [2, 1, 0]


def test_where_one_phase_slides_into_another_there_is_no_rift() -> None:
    studio = Scout(JOURNEY, 8).studio
    ground = prospects._ground(studio, 8)
    half = (ground.unit[:, 0] > 0).astype(np.int64)
    slides, jumps = ground.unit, ground.unit + half[:, None]
    merits = ground.merits([slides, slides, jumps], [half] * 3)
    assert merits.length.tolist()[:2] == [0.0, 0.0]
    assert merits.length[2] == pytest.approx(2 * np.pi * studio.plane.target, rel=0.35)


def test_weights_are_an_artists_to_set() -> None:
    draw = np.random.default_rng(0)
    merits = Merits(*draw.uniform(1, 2, (5, 20)))
    for name in prospect.WEIGHTS:
        assert merits.total({name: 1.0}).argmax() == merits.part(name).argmax()
    with pytest.raises(AtlasError, match="nothing is ranked by 'beauty'"):
        merits.total({"beauty": 1.0})


@pytest.mark.parametrize(
    "text", ["beauty=1", "length=much", "length=nan", "length=0", "", "length", "length=1e308,phases=1e308"]
)
def test_weights_that_are_no_numbers_are_refused(text: str) -> None:
    with pytest.raises(AtlasError, match=r"--by .*: give numbers"):
        weights.read(text, prospect.WEIGHTS)


def test_prompts_are_read_a_line_each(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("a  cat\n\n# a note\na sea\na cat\n", encoding="utf-8")
    assert [candidate.prompt for candidate in scouting.prompts(file, JOURNEY)] == ["a cat", "a sea"]
    for content, words in (("\n# nothing\n", "no prompt"), ("x" * 3000, "is no prompt"), ("a\n a\n", "one prompt")):
        file.write_text(content)
        with pytest.raises(AtlasError, match=words):
            scouting.prompts(file, JOURNEY)
    with pytest.raises(AtlasError, match="there is no file"):
        scouting.prompts(tmp_path / "missing.txt", JOURNEY)


def test_a_folder_of_something_else_or_begun_otherwise_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/film.mp4").write_bytes(b"")
    with pytest.raises(AtlasError, match="holds something else"):
        made(tmp_path / "other")
    made(tmp_path / "out", count=2)
    with pytest.raises(AtlasMismatch, match="was begun otherwise"):
        made(tmp_path / "out", count=2, nside=2)
    with (
        scouting.opened(tmp_path / "out", json.loads((tmp_path / "out/surveyed.json").read_text())),
        pytest.raises(AtlasBusy),
    ):
        made(tmp_path / "out", count=2)
    with pytest.raises(WorldMismatch, match="knows no words"):
        made(tmp_path / "words", words=["a cat", "a sea"])
    with pytest.raises(AtlasError, match="one candidate is no choice"):
        made(tmp_path / "one", count=1)


def test_another_candidates_file_is_no_answer(tmp_path: Path) -> None:
    seen: Seen = (np.ones((3, 2), np.float32), np.zeros((3, 2, 2, 3), np.uint8))
    with scouting.opened(tmp_path / "out", {"world": "w"}) as kept:
        kept.write(Candidate((1, 2, 3)), seen)
        assert kept.read(Candidate((1, 2, 3))) is not None
        assert kept.read(Candidate((1, 2, 4))) is None
        assert kept.read(Candidate((1, 2, 3), "a cat")) is None
        kept.file(Candidate((1, 2, 4))).write_bytes(kept.file(Candidate((1, 2, 3))).read_bytes())
        assert kept.read(Candidate((1, 2, 4))) is None


def test_prompts_that_were_surveyed_stay_in_a_longer_list(tmp_path: Path) -> None:
    """Wherever a line is added."""
    file = tmp_path / "prompts.txt"
    for text, surveyed in (("a cat\na sea\n", 2), ("a moon\na cat\na sea\n", 1), ("a sea\na cat\n", 0)):
        file.write_text(text)
        candidates = scouting.prompts(file, JOURNEY)
        found = prospects.make(JOURNEY, candidates, tmp_path / "out", prospect.WEIGHTS, nside=2)
        assert (len(found.ranking), found.made) == (len(candidates), surveyed)
    best = preset.load(tmp_path / "out/presets/01.toml")
    assert best.prompt.positive == found.ranking[0].prompt
    assert str(found.ranking[0].prompt) in best.description


def test_another_prompt_of_the_same_triples_is_another_prospect(tmp_path: Path) -> None:
    made(tmp_path / "out", count=2, nside=2)
    other = JOURNEY.changed(prompt={"positive": "a cat"})
    with pytest.raises(AtlasMismatch, match=r"begun otherwise .*a cat"):
        prospects.make(other, scouting.triples(2, 0), tmp_path / "out", prospect.WEIGHTS, nside=2)


def test_on_the_command_line(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    small = [part for setting in SMALL for part in ("--set", setting)]
    out = tmp_path / "out"
    code, said, err = run("prospect", "neutral", "-n", "4", "--globe", "2", "--top", "2", "-o", out, *small)
    assert code == 0, err
    assert "4 ranked, 4 surveyed now" in said
    code, said, _ = run("prospect", "neutral", "-n", "4", "--globe", "2", "--top", "2", "-o", out, *small)
    assert code == 0
    assert "4 ranked, 0 surveyed now" in said
    code, _, err = run("prospect", "neutral", "--prompt", "a", "--prompts", "b", "-o", tmp_path / "x", *small)
    assert (code, err.count("\n")) == (1, 1)
    assert "contradict" in err


def test_prompts_are_ranked_on_one_triple(tmp_path: Path) -> None:
    """The embedded world through its scout."""
    journey = preset.load("neutral", [])
    file = tmp_path / "prompts.txt"
    file.write_text("a single flower\na calm sea\n")
    candidates = scouting.prompts(file, journey)
    found = prospects.make(
        journey, candidates, tmp_path / "out", prospect.WEIGHTS, nside=1, words=["a flower", "a sea"]
    )
    assert {one.prompt for one in found.ranking} == {"a single flower", "a calm sea"}
    again = preset.load(tmp_path / "out/presets/01.toml")
    assert again.prompt.positive == found.ranking[0].prompt
    assert again.plane.seeds == journey.plane.seeds
