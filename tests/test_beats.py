"""Rifts on the beat: which crossing falls on which beat, even paces between, and a plan that is filmed so."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standins.film import PLANE
from standins.sounds import piece, plain
from test_film_resume import journey

from installation import takes
from installation.film import beats, chart, make, plan, sheet, telemetry
from installation.film.beats import OnBeats, on_beats
from installation.film.matching import LEFT_OUT, Gate, change, matched
from installation.film.road import Road, arcs
from installation.film.sinks import Memory
from installation.frames import Frames
from installation.takes.film import journey as filmed
from latentworld.errors import Notice, PresetError

FPS = 24.0


def road(step: np.ndarray, arc: np.ndarray, marked: np.ndarray, slowest: float = 1e-3, fastest: float = 1e3) -> Road:
    return Road(step, arc, marked, slowest, fastest)


@st.composite
def roads(draw: st.DrawFn) -> Road:
    n = draw(st.integers(4, 40))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    marked = rng.random(n) < draw(st.sampled_from([0.0, 0.2]))
    marked[0] = False
    step, arc = rng.uniform(0.01, 0.05, n), 10.0 ** rng.uniform(-2, 1, n)
    step[0] = arc[0] = 0.0
    step[marked] *= 9
    return Road(step, arc, marked, float(arc[1:].min()) / 3, float(arc.max()) * 1.5)


@given(roads(), st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(0.01, 0.99))
def test_a_stretch_lasts_what_it_is_to_last_within_floor_and_ceiling(
    road: Road, a: float, b: float, share: float
) -> None:
    begin, end = sorted([a * road.end, b * road.end])
    begin, end = (float(road.whole(np.array([place]))[0]) for place in (begin, end))
    if end - begin < 0.1:
        return
    least, most = road.lasts(begin, end)
    frames = least + share * (most - least)
    places, when = road.laid(begin, end, frames)
    assert places[0] == begin
    assert places[-1] == end
    assert when[-1] == pytest.approx(frames)
    assert (np.diff(places) > 0).all()
    into = np.ceil(places[1:]).astype(int)
    spent, arc = np.diff(when), road.arc[into] * np.diff(places)
    free = ~road.marked[into]
    assert (arc[free] <= road.fastest * spent[free] * (1 + 1e-6)).all()
    assert (arc[free] >= road.slowest * spent[free] * (1 - 1e-6)).all()
    assert spent[~free] == pytest.approx(1.0)


def test_a_stretch_has_one_step_of_meaning_a_frame() -> None:
    rng = np.random.default_rng(1)
    step = np.append(0.0, rng.uniform(0.01, 0.05, 40))
    even = road(step, np.append(0.0, np.ones(40)), np.zeros(41, bool))
    places, when = even.laid(3.0, 33.0, 17.0)
    passed = np.interp(np.interp(np.arange(18.0), when, places), np.arange(41), np.cumsum(step))
    assert np.diff(passed) == pytest.approx(np.full(17, (passed[-1] - passed[0]) / 17))


def cheapest(road: Road, gates: list[Gate], frames: np.ndarray, last: int, apart: float) -> float:
    """The least that any assignment costs, by trying all of them."""
    best = np.inf
    for count in range(len(gates) + 1):
        for some in itertools.combinations(range(len(gates)), count):
            for chosen in itertools.combinations(range(len(frames)), count):
                best = min(best, cost(road, gates, frames, last, apart, dict(zip(some, chosen))))
    return best


def cost(road: Road, gates: list[Gate], frames: np.ndarray, last: int, apart: float, chosen: dict[int, int]) -> float:
    total, here, now, before = 0.0, 0.0, 0.0, -1
    for gate, beat in chosen.items():
        planned, lasting = gates[gate].begin - here, frames[beat] - gates[gate].before - now
        least, most = road.lasts(here, gates[gate].begin)
        if not max(least, planned / 4) - 1e-9 <= lasting <= min(most, 4 * planned + 2 * apart) + 1e-9:
            return np.inf
        total += float(change(planned, np.array([lasting]))[0]) + LEFT_OUT * apart * (gate - before - 1)
        here, now, before = gates[gate].end, frames[beat] - gates[gate].after, gate
    ways = [*(gate.begin - here for gate in gates[before + 1 :]), road.end - here]
    missed = np.cumsum([0, *(now + way <= frames[-1] + 2 * apart for way in ways[:-1])])
    ends, rest = zip((LEFT_OUT * apart * missed).tolist(), ways), last - now
    return total + min(
        left + (0.0 if rest <= way else float(change(way, np.array([float(rest)]))[0])) for left, way in ends
    )


@given(
    st.lists(st.integers(1, 14), min_size=1, max_size=4),
    st.lists(st.integers(2, 12), min_size=2, max_size=5),
    st.booleans(),
)
@settings(max_examples=40)
def test_the_matching_is_the_cheapest_there_is(ways: list[int], gaps: list[int], leaps: bool) -> None:
    rifts, frames = np.cumsum(ways) + 1, np.cumsum(gaps)
    n = int(rifts[-1]) + 6
    marked = np.isin(np.arange(n), rifts) & leaps
    step = np.append(0.0, np.full(n - 1, 0.03))
    way = road(step, step * 30, marked, slowest=1e-6)
    gates = [Gate(r - 1.0, float(r), 1.0, 0.0) if leaps else Gate(r - 0.5, r - 0.5, 0.5, 0.5) for r in rifts]
    last, apart = n - 1, float(np.median(np.diff(frames)))
    frames = frames[frames <= last]
    if len(frames) < 2 or float(np.median(np.diff(frames))) != apart:
        return
    found = matched(way, gates, frames, last)
    chosen = {gate: beat for gate, beat in enumerate(found) if beat is not None}
    assert list(chosen.values()) == sorted(set(chosen.values()))
    assert cost(way, gates, frames, last, apart, chosen) == pytest.approx(cheapest(way, gates, frames, last, apart))


def walk(n: int, rifts: dict[int, float], speed: float = 0.01) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A way along a great circle, a step of 0.03 a frame; rifts: marked steps, by their frames and sizes."""
    angle = np.cumsum(np.append(0.0, np.where(np.isin(np.arange(1, n), list(rifts)), speed / 20, speed)))
    unit = np.stack([np.cos(angle), np.sin(angle), np.zeros(n)], axis=1)
    step = np.append(np.nan, np.full(n - 1, 0.03))
    for frame, size in rifts.items():
        step[frame] = size
    return unit, np.ones(n), step, np.isin(np.arange(n), list(rifts))


def laid(n: int, rifts: dict[int, float], times: np.ndarray, floor: float = 1e-4, ceiling: float = 1e3) -> OnBeats:
    unit, radius, step, marked = walk(n, rifts)
    return on_beats(
        unit, radius, step, marked, np.array(sorted(rifts)), times, plane=PLANE, fps=FPS, floor=floor, ceiling=ceiling
    )


def test_marked_steps_fall_on_beats_whole() -> None:
    times = np.arange(0.5, 10.0, 0.5)
    found = laid(240, {17: 0.5, 50: 0.4, 94: 0.6, 133: 0.5, 181: 0.5, 220: 0.3}, times)
    assert len(found.met) == len([one for one in found.crossings if one.time and one.time <= times[-1]]) >= 5
    for one in found.met:
        assert one.beat in times
        assert one.time is not None
        assert abs(one.time - one.beat) <= 0.5 / FPS + 1e-9
        frame, rift = round(one.time * FPS), round(one.planned * FPS)
        assert found.marked[frame]
        assert found.source[frame] == rift
        assert found.source[frame - 1] == rift - 1
    assert found.marked.sum() == len([one for one in found.crossings if one.time is not None])


def test_between_them_steps_are_even() -> None:
    rifts = {17: 0.5, 50: 0.4, 94: 0.6, 133: 0.5}
    found = laid(240, rifts, np.arange(0.5, 10.0, 0.5))
    edges = [0, *np.flatnonzero(found.marked), 240]
    for a, b in itertools.pairwise(edges):
        steps = found.step[a + 1 : b]
        assert steps == pytest.approx(np.full(len(steps), np.median(steps)), rel=0.02)


@given(st.sets(st.integers(2, 118), max_size=12), st.floats(0.2, 1.5), st.floats(1.05, 8.0))
@settings(max_examples=40)
def test_no_stride_leaves_floor_and_ceiling(rifts: set[int], apart: float, room: float) -> None:
    unit, radius, step, marked = walk(120, dict.fromkeys(rifts, 0.5))
    lengths = arcs(PLANE, unit, radius)
    ceiling, floor = lengths[1:].max() * FPS * room, lengths[1:].min() * FPS / room
    found = on_beats(
        unit, radius, step, marked, np.array(sorted(rifts), np.int64), np.arange(apart, 5.0, apart), plane=PLANE,
        fps=FPS, floor=floor, ceiling=ceiling,
    )  # fmt: skip
    assert len(found.source) == 120
    assert found.source[0] == 0.0
    assert (np.diff(found.source) >= 0).all()
    strides = arcs(PLANE, found.unit, found.radius)[1:]
    leap = lengths[1:].min() / FPS  # a marked step goes whole to one of the frames beside it
    assert strides.max() <= ceiling / FPS * (1 + 1e-6) + leap * FPS
    inside = found.source[found.source % 1 > 0]
    assert not marked[np.ceil(inside).astype(int)].any()  # no marked step is split
    assert len(found.crossings) == len(rifts)


def test_crossings_too_near_to_each_other_are_told() -> None:
    unit, radius, _, _ = walk(240, {})
    floor = float(arcs(PLANE, unit, radius)[1:].min() * FPS) / 3  # no slower than a third of the walk
    found = laid(240, {60: 0.5, 66: 0.5, 120: 0.5}, np.array([2.5, 5.0, 7.5]), floor=floor)
    (missed,) = found.unmet
    assert missed.planned in (60 / FPS, 66 / FPS)
    assert [one.beat for one in found.met] == [2.5, 5.0]
    assert missed.time is not None
    assert found.marked[round(missed.time * FPS)]  # it is crossed whole, on no beat


def test_crossings_too_far_for_the_ceiling_are_told() -> None:
    unit, radius, _, _ = walk(240, {})
    ceiling = float(arcs(PLANE, unit, radius)[1:].max() * FPS)  # no faster than the walk was
    found = laid(240, {40: 0.5, 80: 0.5}, np.array([0.5, 1.0, 1.5]), ceiling=ceiling)
    assert [(one.beat, one.time) for one in found.crossings] == [(None, 40 / FPS), (None, 80 / FPS)]


def test_without_rifts_or_beats_a_way_stays_even() -> None:
    nothing = laid(100, {}, np.array([1.0]))
    assert nothing.crossings == ()
    assert nothing.source == pytest.approx(np.arange(100.0), abs=1e-6)
    none = laid(100, {40: 0.5}, np.zeros(0))
    assert [(one.beat, round(one.time * FPS)) for one in none.crossings if one.time] == [(None, 40)]


@pytest.fixture(autouse=True)
def simple(monkeypatch: pytest.MonkeyPatch) -> None:
    """Films without chart and sheet."""
    monkeypatch.setattr(chart, "draw", lambda *_: None)
    monkeypatch.setattr(sheet, "save", lambda *_: None)


PILOTED = [
    "walk.kind=rift", "pilot.mode=cross", "analytic.sigma=0.05", "film.fps=24", "film.seconds=8", "pacing.kind=beat",
    "pacing.ceiling=400", "decoder.height=64", "decoder.width=64",
]  # fmt: skip


class Planned:
    """The analytic world's rifts on the beats of the piece, planned and filmed."""

    def __init__(self, folder: Path) -> None:
        self.beats = piece(folder / "piece.wav", bars=4)
        own = journey(*PILOTED, f"sound.file={folder / 'piece.wav'}")
        self.made = plan.plan(own, folder / "piece.plan")
        self.way = filmed(takes.read(self.made.target))
        self.film = make.film(self.way.preset, folder / "film", journey=self.way)


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Planned:
    pytest.importorskip("librosa", reason="the extra `sound`")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATENTWORLD_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        patch.setattr(chart, "draw", lambda *_: None)
        patch.setattr(sheet, "save", lambda *_: None)
        return Planned(tmp_path_factory.mktemp("beats"))


def test_the_film_crosses_rifts_on_beats(planned: Planned) -> None:
    """As decoded, in the film's own telemetry: within a frame of a beat of the piece as it was composed."""
    record = telemetry.read(planned.film.folder.telemetry)
    crossed = beats.crossings(record.lipschitz, record.distance, record.marked)
    assert len(crossed) >= 4
    off = np.array([np.abs(record.time[frame] - planned.beats).min() for frame in crossed]) * 24
    assert (off <= 1.0).mean() >= 0.9
    there = [one for one in planned.made.crossings if one.time is not None]
    assert len(there) >= 4
    assert sum(one.beat is not None for one in there) >= 0.9 * len(there)
    for a, b in itertools.pairwise([0, *crossed, len(record)]):
        steps = record.clip_step[a + 1 : b][~record.marked[a + 1 : b]]
        if len(steps):
            assert (np.abs(np.log2(steps / np.median(steps))) <= 1).mean() > 0.95


def test_a_plan_on_beats_that_was_stopped_is_the_same(planned: Planned, tmp_path: Path) -> None:
    class Stop(Memory):
        def send(self, frames: Frames) -> None:
            super().send(frames)
            if frames.path.index[-1] > 100:
                raise RuntimeError("the power went")

    own = journey(*PILOTED, f"sound.file={planned.made.target.with_name('piece.wav')}")
    with pytest.raises(RuntimeError, match="power"):
        plan.plan(own, tmp_path / "piece.plan", watching=plan.Watching([Stop()]))
    assert plan.plan(own, tmp_path / "piece.plan").complete
    assert (tmp_path / "piece.plan").read_bytes() == planned.made.target.read_bytes()


def test_a_film_on_beats_plans_itself(planned: Planned, tmp_path: Path) -> None:
    own = journey(*PILOTED, f"sound.file={planned.made.target.with_name('piece.wav')}")
    film = make.film(own, tmp_path / "film")
    assert film.complete
    assert film.folder.telemetry.read_bytes() == planned.film.folder.telemetry.read_bytes()


@pytest.mark.parametrize("other", ["film.loop=true", "film.there_and_back=true", "rift.policy=hold"])
def test_what_else_says_when_rifts_are_crossed_is_refused(other: str, planned: Planned, tmp_path: Path) -> None:
    own = journey(*PILOTED, f"sound.file={planned.made.target.with_name('piece.wav')}", other)
    with pytest.raises(PresetError, match="choose one"):
        make.film(own, tmp_path / "film")


def test_frames_between_keep_the_beat(planned: Planned, tmp_path: Path) -> None:
    """Of two frames one is decoded: crossings are on beats as near as the decoded ones can be."""
    own = journey(*PILOTED, f"sound.file={planned.made.target.with_name('piece.wav')}", "film.interpolate=2")
    made = plan.plan(own, tmp_path / "piece.plan")
    assert len([one for one in made.crossings if one.beat is not None]) >= 3
    for one in made.crossings:
        if one.beat is not None and one.time is not None:
            assert abs(one.time - one.beat) <= 1.0 / 24 + 1e-9


def test_a_coarse_plan_keeps_the_beat(planned: Planned, tmp_path: Path) -> None:
    """Beats are counted at the film's own rate, not at that of the frames that are walked."""
    own = journey(*PILOTED, f"sound.file={planned.made.target.with_name('piece.wav')}")
    with pytest.warns(Notice, match="farther than the pilot sees"):
        made = plan.plan(own, tmp_path / "piece.plan", coarse=2)
    there = [one for one in made.crossings if one.beat is not None and one.time is not None]
    assert len(there) >= 3
    assert max(one.time for one in there) > 2.0
    for one in there:
        assert np.abs(planned.beats - one.beat).min() < 0.1
        assert abs(one.time - one.beat) <= 1.0 / 24 + 1e-9
    assert made.frames == planned.made.frames


def test_a_silent_sound_has_no_beats_to_plan_on(tmp_path: Path) -> None:
    pytest.importorskip("librosa", reason="the extra `sound`")
    silence = plain(tmp_path / "silence.wav", np.zeros(22050 * 5))
    with pytest.raises(PresetError, match=r"but sound\.file is silent"):
        plan.plan(journey(*PILOTED, f"sound.file={silence}"), tmp_path / "piece.plan")
    with pytest.raises(PresetError, match=r"set sound\.file"):
        plan.plan(journey(*PILOTED), tmp_path / "piece.plan")
    assert [file.name for file in tmp_path.iterdir()] == ["silence.wav"]


@pytest.mark.parametrize(("which", "least"), [("bar", 2.0), ("onset", 0.1), (3, 1.5)])
def test_beats_may_be_bars_onsets_or_every_nth(which: str | int, least: float, planned: Planned) -> None:
    from installation.film.soundtrack import chosen_beats

    own = journey(*PILOTED, f"sound.file={planned.made.target.with_name('piece.wav')}", f"pacing.beats={which}")
    times = chosen_beats(own)
    assert np.median(np.diff(times)) >= least
    every = 4 if which == "bar" else which
    if isinstance(every, int):
        assert np.abs(times - planned.beats[::every][: len(times)]).max() < 0.04


def test_on_the_command_line(run, planned: Planned, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    sound = planned.made.target.with_name("piece.wav")
    own = [*PILOTED, f"sound.file={sound}", "decoder.steps=10", "film.seconds=4"]
    settings = [*itertools.chain.from_iterable(("--set", each) for each in own)]
    code, out, err = run("plan", "analytic", "-o", tmp_path / "piece.plan", *settings)
    assert code == 0, err
    assert out.strip().endswith("piece.plan")
    assert "crossings are on a beat" in err
    code, _, err = run("film", "analytic", "-o", tmp_path / "film", *settings, "--set", "film.seconds=2")
    assert code == 0, err
    assert "crossings are on a beat" in err
