"""Chapters and subtitles of films: which, when, and what players read."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tracemalloc
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standins.film import PLANE, batch_of

from installation.film import make, plan, sheet, subtitles, telemetry
from installation.film.ffmpeg import binary
from installation.film.label import APART, MOST, Chapter, Label, at_rifts, settled
from installation.film.telemetry import Recorder
from installation.takes import read
from latentworld import preset
from latentworld.prompts import Prompt

pytestmark = pytest.mark.usefixtures("plain")

SMALL = [
    "decoder.height=32", "decoder.width=32", "decoder.steps=10", "decoder.batch=8", "film.seconds=5", "film.fps=16",
    "film.scale=1", "walk.kind=orbit", "pilot.mode=off", "pacing.kind=latent", "pacing.speed=40",
    "pacing.ceiling=400", "analytic.sigma=0.03", "walk.latitude=20",
]  # fmt: skip
PROBE = shutil.which("ffprobe")


def journey(*overrides: str) -> preset.Preset:
    return preset.load("analytic", [*SMALL, *overrides])


def record_of(peaks: dict[int, float], tmp_path: Path, frames: int = 200) -> telemetry.Telemetry:
    """Telemetry of a calm film, with rates of its own at some frames."""
    with Recorder(tmp_path / "t.csv", PLANE) as recorder:
        recorder.send(batch_of(frames))
    record = telemetry.read(tmp_path / "t.csv")
    rates = np.full(frames, 0.1)
    for frame, rate in peaks.items():
        rates[frame] = rate
    return replace(record, lipschitz=rates, distance=np.ones(frames))


@pytest.mark.parametrize("text", ["ends with \\", "\\", "two\\\\", "a = b; # c\\d", "line\nline", "ends with \n"])
def test_whatever_a_text_ends_with_what_comes_after_it_stays(text: str, tmp_path: Path) -> None:
    label = Label(9.0, {"title": text, "comment": "how it was made"}, [Chapter(0.0, text), Chapter(4.0, "two")])
    (tmp_path / "says").write_text(label.text)
    asked = [binary(), "-v", "error", "-f", "ffmetadata", "-i", str(tmp_path / "says"), "-f", "ffmetadata", "-"]
    found = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert "comment=how it was made\n" in found
    assert found.count("[CHAPTER]") == 2
    assert found.endswith("title=two\n")


def test_a_chapter_stands_at_each_rift_the_steepest_first(tmp_path: Path) -> None:
    record = record_of({48: 2.0, 49: 3.0, 120: 9.0, 10: 0.4}, tmp_path)
    found = at_rifts(record, 24.0)
    assert [(chapter.time, chapter.title[:7]) for chapter in found] == [(5.0, "Rift 2:"), (49 / 24, "Rift 1:")]
    assert re.fullmatch(r"Rift 2: α \S+ β \S+", found[0].title)
    assert at_rifts(record, 24.0, places=False)[0].title == "Rift 2"


@given(st.lists(st.floats(-5.0, 50.0) | st.just(0.0), max_size=400), st.floats(0.1, 40.0))
def test_chapters_are_in_order_apart_and_not_too_many(times: list[float], seconds: float) -> None:
    wanted = [Chapter(time, str(number)) for number, time in enumerate(times)]
    found = settled(wanted, seconds, "Beginning")
    assert len(found) <= MOST
    assert all(b.time - a.time >= APART or a.time == 0.0 for a, b in pairwise(found))
    assert [chapter.time for chapter in found] == sorted(chapter.time for chapter in found)
    assert not found or found[0].time == 0.0
    assert all(chapter.time < seconds for chapter in found)
    inside = [chapter for chapter in wanted if 0 <= chapter.time < seconds]
    assert bool(found) == bool(inside)
    if inside:  # what comes first goes before the rest
        assert inside[0].title in {chapter.title for chapter in found}


def told(film: Path) -> str:
    """What ffmpeg reads of a film beside its pictures."""
    look = [binary(), "-v", "error", "-i", film, "-f", "ffmetadata", "-"]
    return subprocess.run(look, capture_output=True, check=True, text=True).stdout


@pytest.mark.parametrize("codec", ["h264", "av1", "prores", "ffv1"])
def test_a_player_finds_the_chapters(codec: str, tmp_path: Path) -> None:
    film = make.film(journey(f"film.codec={codec}"), tmp_path / "film")
    record = telemetry.read(film.folder.telemetry)
    wanted = settled(at_rifts(record, 16.0), 5.0, "Analytic")
    assert len(wanted) >= 3
    look = told(film.video)
    titles = re.findall(r"^title=(.+)$", look.partition("[CHAPTER]")[2], re.MULTILINE)
    assert titles == [chapter.title for chapter in wanted]
    if PROBE:
        ask = [PROBE, "-v", "error", "-show_chapters", "-show_format", "-of", "json", film.video]
        found = json.loads(subprocess.run(ask, capture_output=True, check=True).stdout)
        starts = [float(chapter["start_time"]) for chapter in found["chapters"]]
        assert starts == pytest.approx([chapter.time for chapter in wanted], abs=1e-3)
        tags = {key.lower(): value for key, value in found["format"]["tags"].items()}
        assert tags["title"] == "Analytic"
    make.film(journey(f"film.codec={codec}", "film.chapters=false"), tmp_path / "without")
    look = told(next((tmp_path / "without").glob("film.m*")))
    assert "[CHAPTER]" not in look
    assert "Rift" not in look


BLOCK = re.compile(r"(\d+)\n(\d\d):(\d\d):(\d\d)([,.])(\d{3}) --> (\d\d):(\d\d):(\d\d)[,.](\d{3})\n((?:.+\n)+)\n")


def blocks(path: Path) -> list[tuple[float, float, list[str]]]:
    """What a player reads: from when, to when, lines."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".vtt":
        assert text.startswith("WEBVTT\n\n")
        text = text.removeprefix("WEBVTT\n\n")
    found, at = [], 0
    for number, match in enumerate(BLOCK.finditer(text), 1):
        assert (match.start(), int(match[1])) == (at, number)
        assert match[5] == ("." if path.suffix == ".vtt" else ",")
        at = match.end()
        times = [int(match[i]) * 3600 + int(match[i + 1]) * 60 + int(match[i + 2]) for i in (2, 7)]
        found.append((times[0] + int(match[6]) / 1000, times[1] + int(match[10]) / 1000, match[11].splitlines()))
    assert at == len(text)
    return found


@pytest.mark.parametrize("form", ["srt", "vtt"])
def test_subtitles_say_place_rate_and_prompt_once_a_second(form: str, tmp_path: Path) -> None:
    film = make.film(journey(f"film.subtitles={form}", "prompt.positive=one <b> & two\n\n3 --> 4"), tmp_path)
    record, found = telemetry.read(film.folder.telemetry), blocks(tmp_path / f"film.{form}")
    assert [(begin, end) for begin, end, _ in found] == [(k, k + 1) for k in range(5)]
    for second, (_, _, lines) in enumerate(found):
        here = slice(16 * second, 16 * second + 16)
        at = 16 * second
        assert lines[0] == sheet.place(record.alpha[at], record.beta[at], record.front[at], record.radius[at])
        assert lines[1].startswith(f"rate {np.nanmax(record.lipschitz[here]):.3g}")
        assert lines[2] == ("one &lt;b&gt; &amp; two 3 --&gt; 4" if form == "vtt" else "one <b> & two 3 --> 4")
    assert not (tmp_path / ("film.srt" if form == "vtt" else "film.vtt")).exists()


@pytest.mark.parametrize(("fps", "first"), [(0.5, (0.0, 2.0)), (23.976, (0.0, 1.001)), (2.5, (0.0, 1.2))])
def test_a_cue_begins_with_a_frame(fps: float, first: tuple[float, float], tmp_path: Path) -> None:
    with Recorder(tmp_path / "t.csv", PLANE) as recorder:
        recorder.send(batch_of(60))
    subtitles.write(tmp_path / "a.srt", tmp_path / "t.csv", "srt", fps, lambda time: "")
    found = blocks(tmp_path / "a.srt")
    assert found[0][:2] == pytest.approx(first, abs=1e-3)
    assert found[-1][1] == pytest.approx(60 / fps, abs=1e-3)
    assert all(one[1] == two[0] for one, two in pairwise(found))
    assert any("too steep" in line for _, _, lines in found for line in lines)


def test_a_take_has_the_prompts_of_its_scenes(tmp_path: Path) -> None:
    plan.plan(journey("prompt.positive=a fox"), tmp_path / "a.plan")
    lines = (tmp_path / "a.plan").read_text().splitlines()
    scene = json.loads(next(line for line in lines if '"scene"' in line and '"plane"' in line))
    scene |= {"scene": 1, "at": 2.0, "prompt": {"mix": [["a fox", 1.0], ["the sea", 3.0]], "not": [["", 1.0]]}}
    frames = [json.loads(line) for line in lines if '"place"' in line]
    late = next(number for number, frame in enumerate(frames) if frame["time"] >= 2.0)
    frames = [frame | {"scene": int(number >= late)} for number, frame in enumerate(frames)]
    head = [line for line in lines if '"place"' not in line and '"end"' not in line]
    text = [*head, *map(json.dumps, frames[:late]), json.dumps(scene), *map(json.dumps, frames[late:]), lines[-1]]
    (tmp_path / "b.take").write_text("\n".join(text) + "\n")
    said = subtitles.of_take(read(tmp_path / "b.take"))
    assert [said(time) for time in (0.0, 1.9, 2.0, 4.9)] == ["a fox"] * 2 + ["the sea (75%) + a fox (25%)"] * 2


def test_a_prompt_is_a_short_line() -> None:
    assert subtitles.words(Prompt("a\n fox\x1b[31m ")) == "a fox\\x1b[31m"
    assert len(subtitles.words(Prompt("x" * 2000))) == subtitles.LONGEST
    assert subtitles.words(Prompt()) == ""


def test_subtitles_of_a_long_film_take_no_more_memory(tmp_path: Path) -> None:
    with Recorder(tmp_path / "t.csv", PLANE) as recorder:
        recorder.send(batch_of(50, size=(2, 2)))
    head, *rows = (tmp_path / "t.csv").read_text().splitlines()
    most = []
    for times in (20, 400):
        (tmp_path / "long.csv").write_text("\n".join([head, *rows * times]) + "\n")
        tracemalloc.start()
        subtitles.write(tmp_path / "a.srt", tmp_path / "long.csv", "srt", 24.0, lambda time: "a fox")
        most.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(blocks(tmp_path / "a.srt")) == -(-50 * times // 24)
    assert most[1] < most[0] + 100_000
