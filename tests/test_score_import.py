"""Schedules of other programs become presets that can be filmed; what has no equivalent is told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standins import tiny_world

from installation.film import chart, make, sheet
from installation.score import importing, reading
from installation.score.schedules import cues, keyed, lines, schedule, series
from installation.score.tracks import Timeline
from latentworld import preset, texts
from latentworld.errors import PresetError
from latentworld.preset import Preset

EXAMPLE = Path(__file__).parent.parent / "examples" / "score" / "deforum.txt"


def imported(table: object, tmp_path: Path) -> tuple[Preset, tuple[str, ...]]:
    file = tmp_path / "settings.txt"
    file.write_text(table if isinstance(table, str) else json.dumps(table))
    found = importing.read(file)
    return preset.parse(texts.toml(found.toml)), found.notes


def timeline(journey: Preset) -> Timeline:
    score = reading.read(journey)
    assert score is not None
    return Timeline(score)


# ---- schedules


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0:(1.5)", [1.5] * 8),
        ("0:(0), 4:(8)", [0, 2, 4, 6, 8, 8, 8, 8]),
        ("2:(3)", [3] * 8),
        ("0:(t * 2), 4:(1)", [0, 2, 4, 6, 1, 1, 1, 1]),
        ("0:(1), max_f - 3:(where(t > 5, 9, 2))", [1, 1.25, 1.5, 1.75, 2, 2, 9, 9]),
        ('"0": (1.0), "4": (sin(0) + (1 + (2)))', [1, 1.5, 2, 2.5, 3, 3, 3, 3]),
        ("0:(1),7:(8),", [1, 2, 3, 4, 5, 6, 7, 8]),
        (3, [3] * 8),
    ],
)
def test_schedules(text: object, values: list[float]) -> None:
    assert series(schedule(text, 7), 8).tolist() == pytest.approx(values)


@pytest.mark.parametrize(
    "text", ["", "hello", "0:(1", "0:(import os)", "0:(__import__('os'))", "-3:(1)", "0:(9**9**9)", "0:()"]
)
def test_what_is_no_schedule(text: str) -> None:
    with pytest.raises(PresetError) as refused:
        series(schedule(text, 7), 8)
    assert "\n" not in str(refused.value)


@given(
    st.lists(st.tuples(st.integers(1, 60), st.floats(0.5, 20.0)), max_size=6, unique_by=lambda key: key[0]),
    st.floats(0.5, 20.0),
)
def test_cues_follow_a_schedule_to_the_frame(keys: list[tuple[int, float]], first: float) -> None:
    """Guidance, whose fader is even, so that straight lines stay straight."""
    text = ", ".join(f"{frame}:({value})" for frame, value in [(0, first), *sorted(keys)])
    wanted = series(schedule(text, 63), 64)
    begin, found = cues(schedule(text, 63), "model.guidance", 0.0, 20.0)
    journey = preset.parse({"decoder": {"guidance": begin}, "film": {"fps": 16.0, "seconds": 4.0}, "score": found})
    line = timeline(journey) if found else None
    for frame in range(64):
        value = line.value("model.guidance", frame / 16.0) if line else None
        assert (begin if value is None else value) == pytest.approx(wanted[frame], abs=1e-6)


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=60), st.floats(0.01, 1.0))
def test_lines_keep_within_their_tolerance(values: list[float], tolerance: float) -> None:
    points = lines(np.array(values), tolerance)
    at, there = zip(*points)
    assert np.abs(np.interp(np.arange(len(values)), at, there) - values).max() <= tolerance + 1e-9
    assert [key.frame for key in keyed(points)] == list(at)


# ---- Deforum


def test_deforums_example(tmp_path: Path) -> None:
    found = importing.read(EXAMPLE)
    journey = preset.parse(texts.toml(found.toml))
    assert (journey.film.fps, journey.film.frames, journey.plane.seeds) == (12.0, 96, (7, 8, 9))
    assert (journey.film.size, journey.film.fit) == ((512, 512), "cover")
    assert (journey.prompt.positive, journey.prompt.negative) == ("a ringed planet in the dark", "blurred")
    line = timeline(journey)
    assert line.value("model.guidance", 48 / 12) == pytest.approx(7.5)
    assert line.value("model.guidance", 24 / 12) == pytest.approx(5.75)
    assert dict(line.mixture("prompt.a", 42 / 12, "x")) == pytest.approx({"x": 0.5, "a red flower, close": 0.5})
    assert line.value("word.1.weight", 50 / 12) == pytest.approx(0.4)
    assert line.mixture("prompt.a", 95 / 12, "x") == (("the sea at dusk", 1.0),)
    assert line.value("word.1.weight", 95 / 12) == 0.0
    speed = [line.value("walk.speed", frame / 12) or journey.pacing.speed for frame in range(96)]
    motion = np.abs(np.log(series(schedule(json.loads(EXAMPLE.read_text())["zoom"], 95), 96)))
    wanted = np.clip(4.0 * motion / np.median(motion[motion > 0]), 0.25, 24.0)
    assert np.abs(np.log(np.array(speed, float) / wanted)).max() < 0.12  # the zoom's shape
    assert [note.split(" is ")[0].split(":")[0] for note in found.notes] == [
        "seed 7", "strength_schedule", "angle", "zoom"
    ]  # fmt: skip
    assert "here no frame depends on another" in found.notes[1]


def test_in_interpolation_mode_prompts_go_evenly_into_each_other(tmp_path: Path) -> None:
    table = {
        "animation_mode": "Interpolation",
        "fps": 10,
        "max_frames": 40,
        "prompts": {"0": "a", "10": "b", "30": "c"},
    }
    journey, _ = imported(table, tmp_path)
    line = timeline(journey)
    assert dict(line.mixture("prompt.a", 0.5, "a")) == pytest.approx({"a": 0.5, "b": 0.5})
    assert dict(line.mixture("prompt.a", 2.0, "a")) == pytest.approx({"b": 0.5, "c": 0.5})
    assert line.mixture("prompt.a", 3.0, "a") == (("c", 1.0),)


def test_weights_may_be_expressions(tmp_path: Path) -> None:
    table = {"max_frames": 40, "fps": 10, "prompts": {"0": "sea :1 AND ice :`0.5 + 0.5 * sin(t / 5)`", "20": "sun"}}
    line = timeline(imported(table, tmp_path)[0])
    assert line.value("word.1.weight", 1.0) == pytest.approx(0.5 + 0.5 * np.sin(10 / 5))
    assert line.value("word.1.weight", 3.5) == 0.0


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("no json", "is no JSON"),
        ({"hello": 1}, "neither Deforum's settings"),
        ([1, 2], "is no JSON|neither"),
        ({"prompts": {}}, "no prompt"),
        ({"prompts": {"x:": "a"}}, "no prompt"),
        ({"prompts": {"0": "a"}, "fps": "fast"}, "fps = 'fast'"),
        ({"prompts": {"0": "a"}, "max_frames": 10**9}, "max_frames"),
        ({"prompts": {"0": "a"}, "W": "wide"}, "W = 'wide'"),
        ({"rendered_frames": [{"frame": 0}]}, "no prompt"),
        ({"rendered_frames": [{"frame": -5, "deforum_prompt": "a"}]}, "frame = -5"),
    ],
)
def test_what_cannot_be_imported_is_one_line(table: object, said: str, tmp_path: Path) -> None:
    with pytest.raises(PresetError, match=said) as refused:
        imported(table, tmp_path)
    assert "\n" not in str(refused.value)
    with pytest.raises(PresetError, match="cannot be read"):
        importing.read(tmp_path / "none.txt")


def test_a_schedule_that_cannot_be_read_is_left_out_and_told(tmp_path: Path) -> None:
    table = {"prompts": {"0": "a", "zz": "b"}, "cfg_scale_schedule": "0:(4", "zoom": "0:(os.getcwd())"}
    journey, notes = imported(table, tmp_path)
    assert journey.score == ()
    assert {note.split(" is left out")[0] for note in notes} == {"cfg_scale_schedule", "zoom", "the prompt at zz"}


# ---- Parseq


def test_parseqs_rendered_frames(tmp_path: Path) -> None:
    frames = [
        {"frame": k, "scale": 4 + 0.1 * k, "seed": 3 + 0.05 * k, "zoom": 1.01, "strength": 0.6,
         "translation_z": 5 * abs(np.sin(k / 9)), "deforum_prompt": f"{'sea' if k < 20 else 'ice'} --neg fog"}
        for k in range(40)
    ]  # fmt: skip
    journey, notes = imported({"rendered_frames": frames, "options": {"output_fps": 10, "bpm": 140}}, tmp_path)
    assert (journey.film.fps, journey.film.frames, journey.tempo.bpm, journey.plane.seeds) == (
        10.0,
        40,
        140.0,
        (3, 4, 5),
    )
    line = timeline(journey)
    assert line.value("model.guidance", 3.0) == pytest.approx(7.0, abs=0.05)
    assert dict(line.mixture("prompt.a", 2.5, "sea")) == pytest.approx({"sea": 0.5, "ice": 0.5})
    assert max(line.value("walk.speed", k / 10) or 0 for k in range(40)) > 4.0  # type: ignore[type-var]
    assert any(note.startswith("strength is left out") for note in notes)


def test_parseqs_keyframes_go_evenly(tmp_path: Path) -> None:
    table = {
        "keyframes": [{"frame": 0, "scale": 4, "scale_i": "S"}, {"frame": 20, "scale": 8}],
        "prompts": [{"positive": "sea", "negative": ""}], "options": {"output_fps": 10},
    }  # fmt: skip
    journey, notes = imported(table, tmp_path)
    assert timeline(journey).value("model.guidance", 1.0) == pytest.approx(6.0)
    assert "render the file in Parseq" in notes[0]


# ---- the command


def test_on_the_command_line_and_filmed(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(chart, "draw", lambda *_: None)
    monkeypatch.setattr(sheet, "save", lambda *_: None)
    target = tmp_path / "tide.toml"
    code, out, err = run("score", "import", EXAMPLE, "-o", target)
    assert (code, out.strip()) == (0, str(target))
    assert "strength_schedule is left out" in err
    assert "# strength_schedule is left out" in target.read_text()
    assert run("score", "import", EXAMPLE, "-o", target)[0] == 1  # it is there already
    small = ["film.seconds=0.5", "decoder.steps=1", "decoder.engine=eager", "film.scale=1", "pacing.kind=latent"]
    small += [f"world.name={tiny_world.folder()}", "decoder.device=cpu", "pilot.mode=off"]
    made = make.film(preset.load(target, small), tmp_path / "film")
    assert made.complete
