"""A film is played to its score and its sound in one: what follows the sound, and what its features do in a score."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("librosa", reason="the extra `sound` is not installed")

from standins.sounds import plain
from test_film_resume import Stop, content, journey

from installation import takes
from installation.film import make, plan, playing, telemetry
from installation.film.ffmpeg import binary
from installation.sound.reading import RATE
from installation.takes.film import journey as filmed
from latentworld.errors import PresetError
from latentworld.preset import Preset

pytestmark = pytest.mark.usefixtures("plain")

WAY = ["walk.kind=orbit", "pacing.kind=latent"]


@pytest.fixture(scope="module")
def swell(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds: silence, then a tone from the second second on."""
    time = np.arange(4 * RATE) / RATE
    path = tmp_path_factory.mktemp("sounds") / "swell.wav"
    return plain(path, np.where(time < 2.0, 0.0, 0.8 * np.sin(2 * np.pi * 220.0 * time)))


def asked(sound: Path, *score: dict[str, object], by: str = "loudness") -> Preset:
    """A film whose radius follows the sound."""
    follow = {"parameter": "walk.radius", "by": by, "range": [1.0, 1.3], "attack": 0.0, "release": 0.0}
    return journey(*WAY, f"sound.file={sound}").changed(sound={"follow": [follow]}, score=list(score))


def radius(folder: Path) -> np.ndarray:
    return telemetry.read(folder / "telemetry.csv").radius


def test_a_parameter_follows_the_sound_frame_by_frame(swell: Path, tmp_path: Path) -> None:
    make.film(asked(swell), tmp_path)
    found = radius(tmp_path)  # 16 frames a second, 64 of them
    assert found[:30] == pytest.approx(1.0)
    assert found[40:].min() > 1.25
    assert found.max() <= 1.3


def test_a_later_cue_takes_over(swell: Path, tmp_path: Path) -> None:
    make.film(asked(swell, {"at": 3.0, "set": {"walk.radius": 0.9}}), tmp_path)
    found = radius(tmp_path)
    assert found[44:48].min() > 1.25
    assert found[-4:] == pytest.approx(0.9, abs=0.02)


def test_a_film_that_follows_goes_on_to_the_same_bytes_and_is_planned_to_them(swell: Path, tmp_path: Path) -> None:
    preset = asked(swell)
    make.film(preset, tmp_path / "whole")
    with pytest.raises(RuntimeError, match="power"):
        make.film(preset, tmp_path / "stopped", sinks=[Stop(40)])
    assert make.film(preset, tmp_path / "stopped").complete
    assert content(tmp_path / "stopped") == content(tmp_path / "whole")
    way = filmed(takes.read(plan.plan(preset, tmp_path / "piece.plan").target))
    make.film(way.preset, tmp_path / "planned", journey=way)
    np.testing.assert_array_equal(radius(tmp_path / "planned"), radius(tmp_path / "whole"))


def test_a_beat_of_a_sound_without_beats_names_the_sounds_own_remedy(tmp_path: Path) -> None:
    silence = plain(tmp_path / "silence.wav", np.zeros(4 * RATE))
    score = [{"at": "beat 3", "set": {"walk.speed": 4.0}}]
    with pytest.raises(PresetError, match=r"no tempo: set sound\.bpm and sound\.first_beat, or give seconds"):
        make.film(journey(*WAY, f"sound.file={silence}").changed(score=score), "never")


def test_a_score_knows_the_sounds_features_where_there_is_one(swell: Path) -> None:
    cue = {"at": 0.5, "set": {"walk.speed": "2 + 6 * loudness"}}
    score = playing.score_of(asked(swell, cue))
    assert score is not None
    assert {cue.number for cue in score.cues} == {0, 1}
    with pytest.raises(PresetError, match="loudness"):
        playing.check(journey(*WAY).changed(score=[cue]))


def test_a_cue_at_the_beginning_on_what_follows_contradicts_it(swell: Path) -> None:
    with pytest.raises(PresetError, match=r"walk\.radius"):
        playing.check(asked(swell, {"at": 0.0, "set": {"walk.radius": 1.1}}))


def test_cues_with_a_name_are_chapters_before_rifts(tmp_path: Path) -> None:
    cues = [{"at": 1.5, "name": "the turn", "set": {"walk.speed": 8.0}}, {"at": 2.5, "set": {"walk.speed": 4.0}}]
    film = make.film(journey(*WAY).changed(score=cues, title="A piece"), tmp_path)
    told = subprocess.run([binary(), "-i", str(film.video)], capture_output=True, text=True, check=False).stderr
    titles = re.findall(r"title\s*: (.*)", told)
    assert "the turn" in titles
    assert titles[0] == "A piece"
