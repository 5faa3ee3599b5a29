"""Films with a score: every cue does what it says, a stopped film goes on as the one that was not, a plan tells all."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from standins import tiny_world
from test_film_resume import SMALL, Stop, content

from installation import takes
from installation.film import make, manifest, plan, telemetry
from installation.film.remote import chunk_maker
from installation.film.showing import showing
from installation.film.sinks import Memory
from installation.rig import build
from installation.stage import warp
from installation.takes.film import journey as filmed
from installation.venue import Wall
from latentworld import preset, texts
from latentworld.errors import Notice, PresetError
from latentworld.pilot import Fan, Pilot
from latentworld.preset import Preset
from latentworld.walks import Free

pytestmark = pytest.mark.usefixtures("plain")

STEERED = ["walk.kind=rift", "pilot.mode=ride", "pacing.kind=clip", "analytic.sigma=0.05", "pacing.floor=3"]
TINY = ["decoder.steps=1", "film.seconds=2.5", "film.fps=8", "film.chunk=1", "film.scale=1", "decoder.batch=2"]
EVERYTHING = """
tempo.bpm = 120
[[score]]
at = 0.5
over = 1.0
ease = "ease-in-out"
set = { walk.speed = 8.0, walk.radius = 0.8, prompt.a = "the sea" }
[[score]]
at = "rift 1"
set = { walk.direction = "reverse" }
[[score]]
at = 2.0
set = { seed.vertex.0 = 9, rift.attraction = "0.5 * sine(t)", rift.mode = "seek" }
[[score]]
at = 3.0
set = { walk.position = [0.3, 0.3], walk.jump = true }
[[score]]
at = "beat 7"
over = "1 bar"
set = { prompt.b = "a single flower", prompt.mix = 0.5 }
[[score]]
at = "frame 56"
set = { walk.kind = "orbit", walk.auto = true, walk.norm = "global", pacing.clip_step = 0.02 }
"""
FIXED = """
[[score]]
at = "lap 0.02"
set = { walk.direction = "reverse", walk.radius = 1.1 }
[[score]]
at = 2.5
set = { walk.heading = 0.4 }
[[score]]
at = 3.2
set = { walk.auto = true }
"""


def scored(score: str, *overrides: str, base: str = "analytic") -> Preset:
    small = SMALL if base == "analytic" else []
    return preset.load(base, [*small, *overrides]).changed(**texts.toml(score))


def shown(journey: Preset, folder: Path) -> telemetry.Telemetry:
    make.film(journey, folder)
    return telemetry.read(folder / "telemetry.csv")


PIECES = {
    "everything": (EVERYTHING, STEERED),
    "a fixed walk": (FIXED, ["walk.kind=orbit"]),
}


@pytest.mark.parametrize(("score", "overrides"), PIECES.values(), ids=PIECES)
def test_a_film_that_was_stopped_is_the_film_that_was_not(score: str, overrides: list[str], tmp_path: Path) -> None:
    journey = scored(score, *overrides)
    make.film(journey, tmp_path / "whole")
    for at in (20, 41, 63):
        with pytest.raises(RuntimeError, match="power"):
            make.film(journey, tmp_path / "stopped", sinks=[Stop(at)])
    memory = Memory()
    made = make.film(journey, tmp_path / "stopped", sinks=[memory])
    assert made.complete
    assert int(memory.batches[0].path.index[0]) == 48
    assert content(tmp_path / "stopped") == content(tmp_path / "whole")
    last = manifest.read(tmp_path / "whole" / "chunks.jsonl").chunks[-1].score
    assert last is not None
    assert last.fired  # the event came


@pytest.mark.parametrize(("score", "overrides"), PIECES.values(), ids=PIECES)
def test_its_plan_is_the_film(score: str, overrides: list[str], tmp_path: Path) -> None:
    journey = scored(score, *overrides)
    make.film(journey, tmp_path / "own")
    made = plan.plan(journey, tmp_path / "piece.plan")
    take = takes.read(made.target)
    assert len(take.scenes) > 1 or score == FIXED
    way = filmed(take)
    make.film(way.preset, tmp_path / "planned", journey=way)
    assert content(tmp_path / "own")[:2] == content(tmp_path / "planned")[:2]


def test_in_a_world_with_words_prompts_and_guidance_fade_frame_by_frame(tmp_path: Path) -> None:
    """Stopped, planned or at once: the same pictures; and they are not those of the film without a score."""
    score = """
    [[score]]
    at = 0.5
    over = 1
    set = { prompt.a = "a single flower", prompt.negative = "fog" }
    [[score]]
    at = 1.25
    over = 1
    set = { word.1.text = "the sea", word.1.weight = 0.5, model.guidance = 3.0 }
    """
    base = str(preset.folder() / "first-light.toml")
    world = [f"world.name={tiny_world.folder()}", "decoder.engine=eager", "decoder.device=cpu", "pacing.kind=latent"]
    journey = scored(score, *TINY, *world, "pilot.mode=off", base=base)
    make.film(journey, tmp_path / "whole")
    with pytest.raises(RuntimeError, match="power"):
        make.film(journey, tmp_path / "stopped", sinks=[Stop(12)])
    make.film(journey, tmp_path / "stopped")
    assert content(tmp_path / "stopped") == content(tmp_path / "whole")
    made = plan.plan(journey, tmp_path / "piece.plan", kind="faithful")
    take = takes.read(made.target)
    weights = [dict(take.scene(k).prompt.toward).get("a single flower", 0.0) for k in range(20)]
    assert weights[:5] == [0.0] * 5
    assert np.allclose(weights[5:9], [0.125, 0.25, 0.375, 0.5])
    way = filmed(take, preset=take.header.preset)  # with its own batches
    make.film(way.preset, tmp_path / "planned", journey=way)
    assert content(tmp_path / "planned")[:2] == content(tmp_path / "whole")[:2]
    memory, bare = Memory(), Memory()
    make.film(journey, tmp_path / "again", sinks=[memory])
    make.film(journey.changed(score=[]), tmp_path / "bare", sinks=[bare])
    same = [np.array_equal(one, other) for one, other in zip(memory.pictures, bare.pictures)]
    assert same == [True] * 5 + [False] * 15


def test_without_a_cue_that_is_due_it_is_the_film_without_a_score(tmp_path: Path) -> None:
    late = "[[score]]\nat = 3600\nset = { walk.radius = 0.5, prompt.a = 'x', walk.direction = 'reverse' }"
    with pytest.warns(Notice, match="after the film's end"):
        make.film(scored(late, "walk.kind=wander"), tmp_path / "late")
    make.film(scored("tempo.bpm = 90", "walk.kind=wander"), tmp_path / "bare")
    assert content(tmp_path / "late")[:2] == content(tmp_path / "bare")[:2]


def test_speed_fades_on_the_faders_way(tmp_path: Path) -> None:
    score = "[[score]]\nat = 1\nover = 2\nset = { walk.speed = 16 }"
    record = shown(scored(score, "pacing.kind=latent", "pacing.speed=4", "walk.kind=orbit"), tmp_path)
    pace = record.distance * 16.0
    assert np.allclose(pace[1:16], 4.0, rtol=1e-3)
    assert np.allclose(pace[48:], 16.0, rtol=1e-3)
    assert abs(pace[33:36].mean() - 8.0) < 0.3  # half way is twice, not ten: the fader is logarithmic
    assert (np.diff(pace[1:]) > -1e-3).all()


def test_a_radius_is_what_the_score_says_frame_by_frame(tmp_path: Path) -> None:
    """A fade is over when it is said to be, and what has no fade is there at its frame."""
    score = """
    [[score]]
    at = 1
    over = 2
    ease = "linear"
    set = { walk.radius = 0.6 }
    [[score]]
    at = "frame 53"
    set = { walk.radius = 1.2 }
    """
    for batch in (3, 4, 8):
        record = shown(scored(score, "walk.kind=orbit", f"decoder.batch={batch}"), tmp_path / str(batch))
        frame = np.arange(64)
        wanted = np.where(frame < 53, np.interp(frame, [16, 48], [1.0, 0.6]), 1.2)
        np.testing.assert_allclose(record.radius, wanted, atol=1e-6)


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The arcs at which a pilot looked."""
    seen, fan = list[float](), Pilot._fan

    def counted(pilot: Pilot, walk: Free, radius: float, reach: float) -> Fan:
        seen.append(walk.arc)
        return fan(pilot, walk, radius, reach)

    monkeypatch.setattr(Pilot, "_fan", counted)
    return seen


def test_a_fade_is_steered_by_ticks_and_a_cue_looks_anew(tmp_path: Path, looked: list[float]) -> None:
    """A fade cuts ticks to single frames; a fan for each would cost more than all else."""
    fast = [*STEERED, "pacing.kind=latent", "pacing.speed=24", "decoder.batch=8"]  # a tick goes past what a look holds
    fade = "[[score]]\nat = 0\nover = 3.9\nset = { walk.radius = 0.9 }\n"
    turn = "[[score]]\nat = 'frame 13'\nset = { rift.mode = 'seek' }"
    ticks = 64 // 8
    for name, score, looks in (("bare", "", ticks), ("faded", fade, ticks), ("turned", fade + turn, ticks + 1)):
        looked.clear()
        make.film(scored(score, *fast), tmp_path / name)
        assert len(looked) == looks, name


@pytest.mark.parametrize("what", ["rift.mode = 'avoid'", "seed.vertex.0 = 99"])
def test_a_cue_looks_anew_however_slow_the_walk_is(what: str, tmp_path: Path, looked: list[float]) -> None:
    """A look holds for a quarter of the near ring, which a slow walk takes seconds for."""
    slow = [*STEERED, "pacing.kind=latent", "pacing.floor=0.1", "pacing.speed=0.3"]
    record = shown(scored(f"[[score]]\nat = 'frame 13'\nset = {{ {what} }}", *slow), tmp_path / "film")
    assert any(abs(arc - np.nansum(record.distance[:13])) < 0.02 for arc in looked), looked


def test_it_jumps_turns_and_goes_where_it_is_told(tmp_path: Path) -> None:
    score = """
    [[score]]
    at = 1
    set = { walk.position = [0.4, 0.2], walk.jump = true }
    """
    journey = scored(score, "walk.kind=rift")
    record = shown(journey, tmp_path)
    goal = build(journey).plane.unit(0.4, 0.2)
    away = np.arccos(np.clip(record.unit @ goal, -1, 1))
    assert away[15] > 0.1
    assert (away[16:] < 0.05).all()  # there at once, and round it
    assert (np.linalg.norm(np.diff(record.unit[17:], axis=0), axis=1) > 0).all()


def test_a_fixed_walk_reversed_comes_back_the_way_it_went(tmp_path: Path) -> None:
    score = "[[score]]\nat = 2\nset = { walk.direction = 'reverse' }"
    record = shown(scored(score, "walk.kind=orbit", "pacing.kind=latent"), tmp_path)
    assert np.allclose(record.unit[32:60], record.unit[30:2:-1], atol=1e-9)


def test_rifts_are_counted_as_they_are_crossed(tmp_path: Path) -> None:
    """An orbit over the analytic world crosses sharp rifts; the third cue comes after as many peaks as it says."""
    cues = "".join(f"[[score]]\nat = 'rift {n}'\nset = {{ walk.speed = {4 + n} }}\n" for n in (1, 2, 3))
    journey = scored(cues, "walk.kind=orbit", "analytic.sigma=0.03", "pacing.kind=latent", "film.seconds=12")
    record = shown(journey, tmp_path)
    fired = manifest.read(tmp_path / "chunks.jsonl").chunks[-1].score
    assert fired is not None
    at = [time for _, time in fired.fired]
    assert len(at) == 3
    peaks = record.time[telemetry.rifts(record)]
    for n, time in enumerate(at, 1):
        assert (peaks < time).sum() == n


def test_a_cue_that_waited_for_what_never_came_is_told(tmp_path: Path) -> None:
    cues = "[[score]]\nat = 0.2\nset = { walk.speed = 5 }\n[[score]]\nat = 'rift 500'\nset = { walk.speed = 6 }\n"
    journey = scored(cues, "walk.kind=orbit", "pacing.kind=latent", "film.seconds=1")
    with pytest.warns(Notice, match=r"score\[1\] \(at rift 500\) never came: the film ended before"):
        shown(journey, tmp_path / "film")
    with pytest.warns(Notice, match="never came"):
        plan.plan(journey, tmp_path / "piece.plan")


REFUSED = {
    "a wall's": ("out.gamma = 2.0", "out.gamma is of a show's stage"),
    "a desk's": ("lfo.1.depth = 0.5", "lfo.1.depth is of a show's desk"),
    "another decoder": ("model.decoder = 'scout'", "one decoder makes a whole film"),
    "steps": ("model.steps = 4", "one decoder makes a whole film"),
    "guidance where there is none": ("model.guidance = 4", "the analytic decoder is not guided"),
    "a raw plane": ("walk.norm = 'raw'", "a raw plane ends"),
    "a world": ("model.world = 'embedded'", "a world of its own|one of its own"),
}


@pytest.mark.parametrize(("setting", "said"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("planned", [False, True])
def test_what_a_film_cannot_follow_is_refused_before_anything(
    setting: str, said: str, planned: bool, tmp_path: Path
) -> None:
    journey = scored(f"[[score]]\nat = 1\n[score.set]\n{setting}")
    with pytest.raises(PresetError, match=said):
        plan.plan(journey, tmp_path / "a.plan") if planned else make.film(journey, tmp_path / "film")
    assert list(tmp_path.iterdir()) == []


STAGED = """
[[score]]
at = 0
set = { view.zoom = 2.0 }
[[score]]
at = 1
over = 2
ease = "linear"
set = { view.zoom = 8.0, out.master = 0.0 }
"""


def test_zoom_and_light_are_laid_on_frames_by_the_films_own_time(tmp_path: Path) -> None:
    """Against the stage's own way of enlarging, and against a table; stopped, planned or by a worker: the same."""
    small = ["film.seconds=4", "film.codec=ffv1", "walk.kind=rift"]
    bare, staged = scored("", *small), scored(STAGED, *small)
    make.film(bare, tmp_path / "bare")
    make.film(staged, tmp_path / "staged")
    before, after = frames_of(tmp_path / "bare"), frames_of(tmp_path / "staged")
    height, width = before[0].shape[:2]
    for number, (zoom, light) in {0: (2.0, 1.0), 32: (4.0, 0.5), 63: (8.0, 0.0)}.items():
        matrix = warp.to_picture(Wall(fit="contain"), (height, width), (height, width), zoom)
        to_pixels = np.diag([width, height, 1.0]) @ matrix @ np.diag([1 / width, 1 / height, 1.0])
        seen = cv2.warpPerspective(
            before[number], to_pixels, (width, height), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        apart = np.abs(after[number] - seen * light)
        assert apart.mean() < 2.0, number
    assert (tmp_path / "bare/telemetry.csv").read_bytes() == (tmp_path / "staged/telemetry.csv").read_bytes()
    with pytest.raises(RuntimeError, match="power"):
        make.film(staged, tmp_path / "stopped", sinks=[Stop(40)])
    make.film(staged, tmp_path / "stopped")
    assert content(tmp_path / "stopped") == content(tmp_path / "staged")
    way = filmed(takes.read(plan.plan(staged, tmp_path / "piece.plan").target))
    planned = make.film(way.preset, tmp_path / "planned", journey=way)
    assert content(tmp_path / "planned")[0] == content(tmp_path / "staged")[0]
    chunk = manifest.read(planned.folder.manifest).chunks[1]
    worker = chunk_maker(preset.dump(way.preset), way, None, showing(way.preset))
    assert worker(chunk.first).chunk.decoded == chunk.decoded  # type: ignore[attr-defined]


def frames_of(folder: Path) -> list[np.ndarray]:
    """A film's frames as floats."""
    video, found = cv2.VideoCapture(str(folder / "film.mkv")), []
    while (read := video.read())[0]:
        found.append(read[1].astype(np.float32))
    return found


def test_what_a_film_shows_goes_by_time_alone() -> None:
    with pytest.raises(PresetError, match=r"view\.zoom: what a film shows goes by its own time"):
        make.film(scored("[[score]]\nat = 'rift 1'\nset = { view.zoom = 2.0 }", "walk.kind=rift"), "never")


BREATH = """
[[score]]
at = 0.5
over = 1.5
ease = "sine-in-out"
set = { walk.radius = 1.15 }
[[score]]
at = 3.0
over = 0.9
set = { walk.radius = 1.0 }
"""


@pytest.mark.parametrize("walk", ["walk.kind=orbit", "walk.kind=wander"])
def test_a_loop_breathes_as_its_score_says_and_its_seam_is_a_step_like_the_others(walk: str, tmp_path: Path) -> None:
    calm = ["film.loop=true", "pacing.kind=clip", "analytic.sigma=0.15", "pilot.mode=off"]
    made = make.film(scored(BREATH, walk, *calm), tmp_path / "loop")
    record = telemetry.read(made.folder.telemetry)
    late, wanted = record.time >= 2.0, np.interp(record.time, [3.0, 3.9], [1.15, 1.0])
    np.testing.assert_allclose(record.radius[late], wanted[late], atol=1e-6)
    assert record.radius[record.time <= 0.5] == pytest.approx(1.0)
    assert made.summary.seam_step is not None
    assert made.summary.seam_step <= 1.2 * (made.summary.median_clip_step or 0.0)
    assert made.summary.even == 1.0


def test_a_loop_goes_through_words_and_back(tmp_path: Path) -> None:
    score = """
    [[score]]
    at = 0.5
    over = 0.5
    set = { prompt.a = "a single flower" }
    [[score]]
    at = 1.5
    over = 1.0
    set = { prompt.a = "the sea" }
    """
    round_ = ["film.loop=true", "pacing.kind=clip", "walk.kind=orbit", "prompt.positive=the sea"]
    base = str(preset.folder() / "first-light.toml")
    world = [f"world.name={tiny_world.folder()}", "decoder.engine=eager", "decoder.device=cpu"]
    made = plan.plan(scored(score, *TINY, *round_, *world, base=base), tmp_path / "loop.plan")
    take = takes.read(made.target)
    told = [dict(take.scenes[k].prompt.toward) for k in take.shots.scene]
    assert told[0] == told[4] == {"the sea": 1.0}
    assert told[6] == pytest.approx({"the sea": 0.5, "a single flower": 0.5})
    assert told[10] == {"a single flower": 1.0}
    assert told[19] == pytest.approx({"the sea": 0.875, "a single flower": 0.125})


@pytest.mark.parametrize(
    ("score", "why"),
    [
        ("[[score]]\nat = 1\nset = { walk.radius = 1.2 }", r"walk\.radius does not end as it begins.*over by 4 s"),
        ("[[score]]\nat = 1\nset = { prompt.a = 'x' }", r"prompt\.a does not end as it begins"),
        ("[[score]]\nat = 1\nset = { view.zoom = 2.0 }", r"view\.zoom does not end as it begins"),
        ("[[score]]\nat = 1\nset = { seed.vertex.0 = 9 }", r"seed\.vertex\.0: a loop is one lap"),
        ("[[score]]\nat = 'rift 1'\nset = { walk.radius = 1.2 }", r"walk\.radius: a loop's score goes by its time"),
    ],
)
def test_a_score_that_leaves_a_loop_open_is_refused(score: str, why: str) -> None:
    with pytest.raises(PresetError, match=why):
        make.film(scored(score, "walk.kind=orbit", "film.loop=true"), "never")


@pytest.mark.parametrize("setting", ["film.interpolate=2", "rift.policy=refine"])
def test_frames_that_nobody_walked_have_no_scene(setting: str) -> None:
    with pytest.raises(PresetError, match=f"score: with {setting.split('=')[0]}"):
        make.film(scored("[[score]]\nat = 1\nset = { walk.speed = 3 }", setting), "never")


def test_on_the_way_back_scenes_come_back(tmp_path: Path) -> None:
    score = "[[score]]\nat = 0.5\nover = 1\nset = { prompt.a = 'sea', seed.vertex.1 = 4 }"
    made = plan.plan(scored(score, *STEERED, "film.there_and_back=true"), tmp_path / "back.plan")
    take = takes.read(made.target)
    there = [take.scenes[k].prompt for k in take.shots.scene]
    assert there[33:] == there[31:0:-1]
    assert len(set(map(str, there))) > 8


def test_a_fixed_walk_has_no_pilot_to_set() -> None:
    with pytest.raises(PresetError, match="walk orbit is fixed"):
        make.film(scored("[[score]]\nat = 1\nset = { rift.mode = 'seek' }", "walk.kind=orbit"), "never")


def test_another_score_is_another_film(tmp_path: Path) -> None:
    score = "[[score]]\nat = 1\nset = {{ walk.speed = {} }}"
    with pytest.raises(RuntimeError, match="power"):
        make.film(scored(score.format(3.0)), tmp_path, sinks=[Stop(40)])
    with pytest.raises(Exception, match="begun otherwise"):
        make.film(scored(score.format(3.5)), tmp_path)


def test_on_the_command_line(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "piece.toml"
    small = "\n".join(
        ["[decoder]", 'kind = "analytic"', "height = 32", "width = 32", "[film]", "seconds = 2", "fps = 8"]
    )
    file.write_text(f"{small}\n[[score]]\nat = 1\nset.walk.speed = 6.0\n")
    assert run("film", file, "-o", tmp_path / "film")[0] == 0
    assert json.loads((tmp_path / "film" / "film.json").read_text())["complete"]
    file.write_text(f"{small}\n[[score]]\nat = 1\nset.walk.sped = 6.0\n")
    code, _, err = run("film", file, "-o", tmp_path / "other")
    assert (code, err.strip().count("\n")) == (1, 0)
    assert "score[0] (at 1.0): 'walk.sped' cannot be set: did you mean 'walk.speed'?" in err
    assert not (tmp_path / "other").exists()
