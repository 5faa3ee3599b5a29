"""Scores: moments, easings, fades and expressions; what contradicts itself or names what is not there is one line."""

from __future__ import annotations

import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.control.parameters import table
from installation.score import reading
from installation.score.events import Crossings
from installation.score.expressions import formula
from installation.score.timing import Metronome, count_at, time_of
from installation.score.tracks import Score, Timeline
from latentworld import easing, preset, texts
from latentworld.errors import PresetError
from latentworld.score import Moment, length, moment


def read(score: str) -> Score:
    found = reading.read(preset.parse(texts.toml(score)))
    assert found is not None
    return found


def timeline(score: str, **fired: float) -> Timeline:
    return Timeline(read(score), {int(number[1:]): when for number, when in fired.items()})


# ---- moments and easings


@pytest.mark.parametrize(
    ("at", "unit", "number"),
    [
        ("0:30", "time", 30.0), ("1:02:03.5", "time", 3723.5), (12.5, "time", 12.5), ("12.5 s", "time", 12.5),
        ("7", "time", 7.0), ("frame 720", "frame", 720.0), ("Bar 9", "bar", 9.0), ("beat 33.5", "beat", 33.5),
        ("lap 0.5", "lap", 0.5), ("rift 3", "rift", 3.0),
    ],
)  # fmt: skip
def test_moments(at: float | str, unit: str, number: float) -> None:
    assert moment(at) == Moment(unit, number)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "at", ["", "bar", "bar 0", "beat 0.5", "rift 1.5", "rift 0", "frame 1.5", "lap -1", "1:75", "x 3"]
)
def test_what_is_no_moment(at: str) -> None:
    with pytest.raises(ValueError, match="a clock's time"):
        moment(at)
    with pytest.raises(PresetError, match=r"score\[0\]\.at"):
        preset.parse({"score": [{"at": at, "set": {"walk.speed": 3}}]})


def test_lengths() -> None:
    assert [(found.unit, found.number) for found in map(length, (2, "2 bars", "8 beats", "48 frames", "1 s"))] == [
        ("time", 2.0), ("bar", 2.0), ("beat", 8.0), ("frame", 48.0), ("time", 1.0)
    ]  # fmt: skip
    with pytest.raises(ValueError, match="seconds"):
        length("2 laps")


@pytest.mark.parametrize("name", easing.NAMES)
def test_every_easing_goes_from_0_to_1_and_never_back(name: str) -> None:
    values = [easing.ease(name, x) for x in np.linspace(-0.1, 1.1, 241)]
    assert (values[0], values[-1]) == (0.0, 1.0)
    assert (np.diff(values) >= -1e-12).all()


def test_beziers_are_those_of_the_web() -> None:
    """CSS's own named curves, and points where the inverse is known."""
    assert easing.ease((0.0, 0.0, 1.0, 1.0), 0.3) == pytest.approx(0.3)
    assert easing.ease("ease-in-out", 0.5) == pytest.approx(0.5)
    assert easing.ease("ease", 0.5) == pytest.approx(0.8024, abs=1e-4)
    assert easing.ease((0.5, 2.0, 0.5, 1.0), 0.5) > 1.0  # may overshoot


@given(st.tuples(*[st.floats(0, 1)] * 4), st.floats(0.001, 0.999))
def test_a_bezier_lies_on_its_curve(points: easing.Bezier, x: float) -> None:
    y = easing.bezier(points, x)
    x1, y1, x2, y2 = points
    s = np.linspace(0, 1, 20001)
    along = 3 * (1 - s) ** 2 * s * x1 + 3 * (1 - s) * s**2 * x2 + s**3
    near = int(np.abs(along - x).argmin())
    height = 3 * (1 - s) ** 2 * s * y1 + 3 * (1 - s) * s**2 * y2 + s**3
    flat = np.abs(along - x) < 1e-3  # where the curve is steep many heights share an x
    assert height[flat].min() - 0.01 <= y <= height[flat].max() + 0.01 or abs(y - height[near]) < 0.01


@given(st.floats(20, 300), st.integers(1, 9), st.floats(0, 10), st.floats(0, 1000))
def test_beats_and_times_are_inverse(bpm: float, bar: int, first: float, count: float) -> None:
    for grid in (Metronome(bpm, bar, first).beats, Metronome(bpm, bar, first).bars):
        assert grid is not None
        assert count_at(grid, time_of(grid, count)) == pytest.approx(count, abs=1e-6)
    uneven = np.cumsum([first, 0.4, 0.6, 0.5])
    assert time_of(uneven, 1.5) == pytest.approx(first + 0.7)
    assert time_of(uneven, 5) == pytest.approx(uneven[-1] + 2 * 0.5)  # on as at its end


# ---- fades


def test_a_fade_begins_where_the_preset_is_and_ends_exactly() -> None:
    line = timeline("walk.radius = 0.8\n[[score]]\nat = 2\nover = 4\nset = { walk.radius = 1.2 }")
    assert line.value("walk.radius", 1.99) is None  # the preset decides still
    assert [line.value("walk.radius", t) for t in (2, 4, 6, 60)] == pytest.approx([0.8, 1.0, 1.2, 1.2])
    assert line.value("walk.radius", 6) == 1.2


def test_of_overlapping_fades_the_newer_takes_over_without_a_jump() -> None:
    line = timeline(
        "[[score]]\nat = 0\nover = 10\nset = { walk.radius = 2.0 }\n"
        "[[score]]\nat = 5\nover = 10\nset = { walk.radius = 0.5 }"
    )
    values = [line.value("walk.radius", t) for t in np.linspace(0, 20, 401)]
    assert values[0] == 1.0
    assert max(abs(a - b) for a, b in itertools.pairwise(values)) < 0.02  # type: ignore[operator]
    assert values[-1] == 0.5


def test_texts_fade_as_mixtures_and_choices_switch() -> None:
    line = timeline(
        "[[score]]\nat = 1\nover = 2\nset = { prompt.a = 'sea', walk.kind = 'orbit' }\n"
        "[[score]]\nat = 2\nover = 2\nset = { prompt.a = 'ice' }"
    )
    assert line.mixture("prompt.a", 0.5, "x") == (("x", 1.0),)
    assert dict(line.mixture("prompt.a", 1.5, "x")) == {"x": 0.75, "sea": 0.25}
    assert dict(line.mixture("prompt.a", 3, "x")) == pytest.approx({"sea": 0.5, "ice": 0.5})
    assert line.mixture("prompt.a", 4, "x") == (("ice", 1.0),)
    assert line.value("walk.kind", 1.0) == "orbit"


def test_an_expression_is_followed_and_faded_to_while_it_moves() -> None:
    line = timeline("tempo.bpm = 60\n[[score]]\nat = 1\nover = 2\nset = { rift.attraction = 'sine(beat / 4)' }")
    assert line.value("rift.attraction", 2) == pytest.approx((1.0 + math.sin(math.pi)) / 2, abs=1e-9)
    assert line.value("rift.attraction", 5) == pytest.approx(1.0)
    assert line.value("rift.attraction", 7) == pytest.approx(-1.0)
    assert line.moving(["rift.attraction"], 100)


def test_an_event_comes_when_it_was_fired() -> None:
    score = "[[score]]\nat = 'rift 2'\nover = 2\nset = { walk.radius = 2.0 }\n"
    score += "[[score]]\nat = 9\nset = { walk.radius = 0.5 }"
    assert timeline(score).value("walk.radius", 8) is None
    line = timeline(score, _0=4.0)
    assert [line.value("walk.radius", t) for t in (3.9, 5, 6, 9)] == [None, 1.5, 2.0, 0.5]


def test_who_touches_the_walk_takes_it() -> None:
    line = timeline(
        "[[score]]\nat = 1\nset = { walk.position = [0.1, '0.2 * t'] }\n[[score]]\nat = 2\nset = { walk.auto = true }"
    )
    assert line.values(1) == {"walk.position": (0.1, 0.2), "walk.auto": False, "walk.heading": 0.0}
    assert line.values(2) == {"walk.auto": True, "walk.position": None, "walk.heading": 0.0}


def test_names_are_the_tables_or_the_presets() -> None:
    score = read(
        "film.fps = 20\n[[score]]\nat = 1\nset = { pacing.speed = 3, pacing.clip_step = 0.05, pilot.mode = 'cross' }"
    )
    assert score.cues[0].goals == {"walk.speed": 3.0, "rift.step": 1.0, "rift.mode": "cross"}
    for name, row in table().items():
        if row.access == "rw" and row.kind == "float" and row.scope != "session" and name not in reading.FADES:
            assert name in read(f"[[score]]\nat = 1\nset = {{ {name} = {row.high} }}").tracks


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20), st.floats(0.05, 2.0)), min_size=1, max_size=12,
                unique_by=lambda cue: cue[0]), st.floats(0, 100))  # fmt: skip
def test_every_moment_has_a_value_within_the_parameters_range(cues: list[tuple[int, int, float]], t: float) -> None:
    spec = [{"at": at, "over": over, "ease": "cubic-in-out", "set": {"walk.radius": r}} for at, over, r in cues]
    score = reading.read(preset.parse({"score": spec}))
    assert score is not None
    value = Timeline(score).value("walk.radius", t)
    begun = [cue for cue in cues if cue[0] <= t]
    if not begun:
        assert value is None
    else:
        inside = [1.0, *(r for _, _, r in cues)]
        assert min(inside) - 1e-9 <= value <= max(inside) + 1e-9  # type: ignore[operator]
        last = max(begun)
        if t >= last[0] + last[1]:
            assert value == pytest.approx(last[2])


# ---- expressions


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7.0), ("2 ** 10", 1024.0), ("-t / 2", -1.5), ("sin(pi / 2)", 1.0), ("t if t > 2 else 0", 3.0),
        ("where(t > 5, 1, 2)", 2.0), ("min(t, 2) + max(1, 0)", 3.0), ("clamp(t, 0, 1)", 1.0), ("mix(2, 4, 0.5)", 3.0),
        ("sine(0.25) + square(0.7)", 0.0), ("7 % 4 // 2", 1.0), ("not (t > 2) or t == 3", 1.0), ("floor(2.7)", 2.0),
    ],
)  # fmt: skip
def test_expressions(text: str, value: float) -> None:
    assert formula(text, frozenset({"t"})).value({"t": 3.0}) == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    [
        "", "9**9**9", "while 1: pass", "[x for x in (1, 2)]", "lambda: 1", "open('x')", "t.__class__", "t[0]",
        "'a' * 9", "__import__('os')", "exec('1')", "1; 2", "a = 1", "f'{t}'", "10**400", "1e999", "(-8) ** (1/3)",
        "sin()", "1/0", "sin(t, t=1)", "(" * 240 + "1" + ")" * 240, "-" * 400 + "1", "1 +" * 200 + "1", "9" * 499,
        "t << 99", "bass", "None", "(lambda f: f(f))(lambda f: f(f))", "1" * 600,
    ],
)  # fmt: skip
def test_what_is_no_expression_is_refused_at_once_in_one_line(text: str) -> None:
    began = time.perf_counter()
    score = f"[[score]]\nat = 1\nset = {{ walk.speed = {texts_of(text)} }}"
    with pytest.raises(PresetError) as refused:
        read(score)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("score[0] (at 1.0): ")
    assert time.perf_counter() - began < 2.0


def texts_of(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(st.text(max_size=60))
def test_any_text_at_all_is_a_number_or_a_refusal(text: str) -> None:
    said = ""
    try:
        assert math.isfinite(formula(text, frozenset({"t"})).value({"t": 0.5}))
    except PresetError as error:
        said = str(error)
    assert "\n" not in said


def test_an_expression_that_fails_later_is_found_before() -> None:
    with pytest.raises(PresetError, match=r"score\[0\] \(at 1.0\): walk.speed: at .* has no value here"):
        read("film.seconds = 12\n[[score]]\nat = 1\nset = { walk.speed = 'sqrt(8 - t)' }")
    read(
        "film.seconds = 12\n[[score]]\nat = 1\nset = { walk.speed = 'sqrt(8 - t)' }\n"
        "[[score]]\nat = 7\nset = { walk.speed = 3 }"
    )


# ---- what is refused

REFUSED = {
    "unknown": ("at = 1\nset = { walk.sped = 3 }", "'walk.sped' cannot be set: did you mean 'walk.speed'"),
    "out of range": ("at = 1\nset = { walk.speed = 99 }", "walk.speed = 99: it goes from 0 to 24 latent/s"),
    "of another kind": ("at = 1\nset = { walk.speed = true }", "takes a float, not True"),
    "no text": ("at = 1\nset = { prompt.a = 3 }", "prompt.a takes a text"),
    "no choice": ("at = 1\nset = { walk.kind = 'orbi' }", "use one of rift, wander, orbit"),
    "no choice, by the preset's key": (
        "at = 1\nset = { pilot.mode = 'dance' }",
        "pilot.mode = 'dance': use one of off, seek",
    ),
    "a fade by the preset's key": ("at = 1\nover = 2\nset = { pilot.mode = 'ride' }", "pilot.mode cannot fade"),
    "half a seed": ("at = 1\nset = { seed.vertex.1 = 1.5 }", "whole"),
    "a bar without a tempo": ("at = 'bar 3'\nset = { walk.speed = 3 }", r"no tempo: set tempo\.bpm"),
    "bars without a tempo": ("at = 1\nover = '2 bars'\nset = { walk.speed = 3 }", "a bar where there is no tempo"),
    "a lap of an endless walk": ("at = 'lap 0.5'\nset = { walk.speed = 3 }", "the walk rift never ends"),
    "twice in one": ("at = 1\nset = { walk.speed = 3, pacing.speed = 4 }", "sets walk.speed twice"),
    "a fade of a choice": ("at = 1\nover = 2\nset = { walk.kind = 'orbit' }", "walk.kind cannot fade"),
    "a session's": ("at = 1\nset = { record.take = true }", "'record.take' cannot be set"),
    "read only": ("at = 1\nset = { rift.value = 1 }", "'rift.value' cannot be set"),
    "a jump to nowhere": ("at = 1\nset = { walk.jump = true }", "needs walk.position"),
    "a press that is none": ("at = 1\nset = { walk.jump = 3 }", "walk.jump is pressed"),
    "the fade of texts": ("at = 1\nset = { prompt.fade = 3 }", "say with over"),
    "beat without one": ("at = 1\nset = { walk.speed = 'beat' }", "asks for 'beat'"),
}


@pytest.mark.parametrize(("cue", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_played_is_one_line(cue: str, said: str) -> None:
    with pytest.raises(PresetError, match=said) as refused:
        read(f"[[score]]\n{cue}")
    assert str(refused.value).startswith("score[0] (at ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("at = 30", "at = '0:30'"),
        ("at = 'frame 24'", "at = 1"),
        ("at = 'rift 2'", "at = 'rift 2'"),
        ("at = 'beat 3'", "at = 1"),
    ],
)
def test_two_cues_that_set_the_same_at_one_moment_contradict_each_other(one: str, other: str) -> None:
    tempo = "tempo.bpm = 120\n"
    with pytest.raises(PresetError, match=r"score\[0\] and score\[1\] .* set walk.speed at the same moment"):
        read(f"{tempo}[[score]]\n{one}\nset = {{ walk.speed = 3 }}\n[[score]]\n{other}\nset = {{ walk.speed = 4 }}")
    read(f"{tempo}[[score]]\n{one}\nset = {{ walk.speed = 3 }}\n[[score]]\n{other}\nset = {{ walk.radius = 1 }}")


def test_a_score_comes_back_from_its_toml() -> None:
    score = "[[score]]\nat = '0:30'\nover = '2 beats'\nease = [0.1, 0, 1, 1]\nname = 'dusk'\n"
    score += "set = { walk.position = [1, 't'] }"
    first = preset.parse(texts.toml(score))
    assert preset.parse(texts.toml(preset.dump(first))) == first
    assert "score" not in texts.toml(preset.dump(preset.load("analytic")))


# ---- rifts


def test_a_rift_counts_when_it_is_behind() -> None:
    calm, steep = [(1.0, 0.5, False)] * 40, [(20.0, 0.1, False)] * 5
    counted, rifts = Crossings(), []
    for step in [*calm, *steep, *calm, *steep, *steep, *calm, (3.0, 0.1, True), *calm]:
        counted = counted.after(step[1], [step])
        rifts.append(counted.rifts)
    assert rifts[44] == 0  # on it
    assert rifts[45] == 1
    assert rifts[-1] == 3  # a step that the pacing marked is one too
    assert counted.travelled == pytest.approx(160 * 0.5 + 15 * 0.1 + 0.1)


def test_ticks_change_nothing_in_what_is_counted() -> None:
    random = np.random.default_rng(0)
    steps = [(float(r), float(w), False) for r, w in zip(random.lognormal(0, 1.2, 300), random.uniform(0.1, 1, 300))]
    whole = Crossings().after(0.0, steps)
    parts = Crossings()
    for step in steps:
        parts = parts.after(0.0, [step])
    assert parts == whole
    assert Crossings().after(1.0, [(math.nan, math.nan, False), (0.0, 1.0, False)]) == Crossings(travelled=1.0)
