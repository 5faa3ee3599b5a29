"""What becomes of a plan before it is filmed: rifts by policy, loops, frames between; and the films of it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_film_resume import Stop, content, journey

from installation import takes
from installation.film import make, passes, plan, policies, telemetry
from installation.film.opening import told
from installation.film.sinks import Memory
from installation.film.ways import Way
from installation.takes.composed import Blend, moved
from installation.takes.film import journey as filmed
from latentworld.errors import Cancelled, GeometryError, OutputExists, PresetError, TakeError
from latentworld.preset import load
from latentworld.sections import RiftSpec

pytestmark = pytest.mark.usefixtures("plain")

LAND = ["walk.kind=rift", "pilot.mode=cross", "pacing.kind=clip", "analytic.sigma=0.05"]
ROUND = ["walk.kind=orbit", "pacing.kind=clip", "analytic.sigma=0.15", "film.loop=true"]


def way(rates: list[float], marked: tuple[int, ...] = ()) -> Way:
    """A straight way of equal distances, with these Lipschitz values."""
    n = len(rates)
    angle = 0.01 * np.arange(n)
    unit = np.stack([np.cos(angle), np.sin(angle), np.zeros(n)], axis=1)
    rate = np.array(rates)
    rate[0] = np.nan
    flags = np.isin(np.arange(n), marked)
    return Way(unit, 1.0 + angle, rate, rate * 0.5, np.full(n, 0.5), flags, np.zeros(n, np.int64))


def rows(found: Way, of: Way) -> list[int]:
    """Which rows of a way the rows of another are."""
    return [int(np.argmin(np.abs(of.radius - radius))) for radius in found.radius]


CALM, STEEP = [1.0] * 6, [9.0, 20.0, 9.0]
LAID = way([*CALM, *STEEP, *CALM])  # rows 6, 7, 8 are a rift: from 5 to 8


@pytest.mark.parametrize(
    ("policy", "middle", "made", "marks"),
    [
        ("slow", [6, 7, 8], {}, []),
        ("cut", [8], {}, [8]),
        ("hold", [5, 5, 5, 5, 8], {"held": 4}, [8]),
        ("dissolve", [5, 5, 5, 5, 8], {"dissolve": 4}, []),
        ("dwell", [6, 7, 8, 7, 6, 5, 6, 7, 8], {}, []),
        ("strobe", [8, 8, 5, 5, 8], {"held": 2}, [8, 5, 8]),
    ],
)  # fmt: skip
def test_policies(policy: str, middle: list[int], made: dict[str, int], marks: list[int]) -> None:
    spec = RiftSpec(policy=policy, seconds=0.5, rate=2.0)  # type: ignore[arg-type]
    found = policies.applied(LAID, spec, fps=8.0)
    there = rows(found, LAID)
    assert there == [*range(6), *middle, *range(9, 15)]
    assert Counter(blend.how for blend in found.blends.values()) == made
    assert [there[row] for row in np.flatnonzero(found.marked)] == marks


def test_a_dissolve_goes_evenly_to_the_other_side() -> None:
    found = policies.applied(LAID, RiftSpec(policy="dissolve", seconds=0.5), fps=8.0)
    assert [found.blends[row].share for row in range(6, 10)] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert all(found.blends[row].radius == LAID.radius[8] for row in range(6, 10))


def test_each_rift_may_have_its_own_policy() -> None:
    twice = way([*CALM, *STEEP, *CALM, *STEEP, *CALM])
    found = policies.applied(twice, RiftSpec(policy="cut", each={"2": "slow"}), fps=8.0)
    assert rows(found, twice) == [*range(6), 8, *range(9, 24)]


@given(
    st.lists(st.sampled_from([1.0, 1.5, 40.0]), min_size=3, max_size=40),
    st.sampled_from(["slow", "hold", "cut", "dissolve", "dwell", "strobe"]),
    st.floats(0.05, 2.0),
)
def test_every_policy_keeps_the_order_and_the_ends(rates: list[float], policy: str, seconds: float) -> None:
    given_way = way(rates)
    found = policies.applied(given_way, RiftSpec(policy=policy, seconds=seconds), fps=12.0)  # type: ignore[arg-type]
    there = rows(found, given_way)
    assert there[0] == 0
    assert there[-1] == len(rates) - 1
    kept = set(range(len(rates))) - {row for rift in given_way.rifts for row in range(rift.before, rift.after)}
    assert kept <= set(there)


def test_frames_between_lie_between_neighbours_and_never_across_a_rift() -> None:
    found = passes.between(way([1.0] * 4, marked=(2,)), 3)
    assert rows(found, way([1.0] * 4)) == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert [found.blends[row].how for row in sorted(found.blends)] == ["between"] * 2 + ["held"] * 2 + [
        "between"
    ] * 2 + ["held"] * 2
    assert found.blends[1].share == pytest.approx(1 / 3)
    assert np.flatnonzero(found.marked).tolist() == [6]


def test_there_and_back_ends_before_its_first_frame() -> None:
    found = passes.there_and_back(way([1.0] * 5, marked=(2,)))
    assert rows(found, way([1.0] * 5)) == [0, 1, 2, 3, 4, 3, 2, 1]
    assert np.flatnonzero(found.marked).tolist() == [2, 7]  # from 1 to 2, and back


def test_the_flow_carries_a_picture_to_the_other() -> None:
    """A disc that moves is half-way in the middle, and whole; laid over one another it would be two."""
    import torch

    def disc(x: float) -> torch.Tensor:
        there = (torch.arange(64)[None, :] - x) ** 2 + (torch.arange(64)[:, None] - 32) ** 2
        return torch.sigmoid((100.0 - there) / 20.0).expand(3, 64, 64).contiguous()

    found = moved(disc(28.0), disc(36.0), 0.5)
    assert float((found - disc(32.0)).abs().mean()) < 0.01
    assert float(((disc(28.0) + disc(36.0)) / 2 - disc(32.0)).abs().mean()) > 0.02
    torch.testing.assert_close(moved(disc(28.0), disc(36.0), 0.0), disc(28.0))
    torch.testing.assert_close(moved(disc(28.0), disc(36.0), 1.0), disc(36.0))


def made_film(folder: Path, *overrides: str) -> tuple[make.Film, Memory]:
    memory = Memory()
    return make.film(journey(*overrides), folder, sinks=[memory]), memory


def test_a_loop_is_one_lap_at_even_steps_and_its_seam_is_a_step_like_the_others(tmp_path: Path) -> None:
    film, _ = made_film(tmp_path, *ROUND)
    record = telemetry.read(film.folder.telemetry)
    median = film.summary.median_clip_step
    assert film.summary.frames == 64
    assert median is not None
    assert film.summary.seam_step is not None
    assert film.summary.seam_step / median == pytest.approx(1.0, abs=0.2)
    assert film.summary.even == 1.0
    assert record.clip_step[1:].max() <= 1.2 * median


def test_a_free_walk_is_led_back_to_its_start(tmp_path: Path) -> None:
    film, _ = made_film(tmp_path, "walk.kind=wander", "pilot.mode=off", "analytic.sigma=0.15", "film.loop=true")
    assert film.summary.seam_step is not None
    assert film.summary.seam_step <= 1.2 * (film.summary.median_clip_step or 0.0)
    assert film.summary.even == 1.0


def test_a_loop_at_steady_pace_has_equal_arcs(tmp_path: Path) -> None:
    film, _ = made_film(tmp_path, *ROUND, "pacing.kind=latent")
    record = telemetry.read(film.folder.telemetry)
    np.testing.assert_allclose(record.distance[1:], record.distance[1], rtol=1e-3)
    ends = record.unit[[0, -1]]
    assert np.linalg.norm(ends[0] - ends[1]) == pytest.approx(np.linalg.norm(record.unit[1] - record.unit[0]), rel=1e-3)


def test_there_and_back_is_filmed_so(tmp_path: Path) -> None:
    film, memory = made_film(tmp_path, *LAND, "film.there_and_back=true")
    pictures = memory.pictures
    assert len(pictures) == 64
    for k in range(1, 32):
        np.testing.assert_array_equal(pictures[k], pictures[64 - k])
    assert film.summary.seam_step == pytest.approx(telemetry.read(film.folder.telemetry).clip_step[1])


@pytest.mark.parametrize("policy", ["hold", "cut", "dissolve", "dwell", "strobe", "refine"])
def test_policies_are_filmed_and_a_film_that_was_stopped_is_the_same(policy: str, tmp_path: Path) -> None:
    asked = [*LAND, "pacing.floor=3", f"rift.policy={policy}", "rift.seconds=0.3"]

    whole, memory = made_film(tmp_path / "whole", *asked)
    with pytest.raises(RuntimeError, match="power"):
        make.film(journey(*asked), tmp_path / "stopped", sinks=[Stop(31)])
    assert make.film(journey(*asked), tmp_path / "stopped").complete
    assert content(tmp_path / "stopped") == content(tmp_path / "whole")
    record = telemetry.read(whole.folder.telemetry)
    assert len(record) == 64
    assert whole.summary.made == dict(Counter(record.made.values()))
    assert not [*tmp_path.glob("*/way-*"), *tmp_path.glob("*/.way-*")]
    if policy in ("hold", "dissolve"):
        assert set(record.made.values()) == {"held" if policy == "hold" else policy}
        for row, how in record.made.items():
            same = np.array_equal(memory.pictures[row], memory.pictures[row - 1])
            assert same == (how == "held")


def test_interpolated_frames_are_named_and_the_others_are_their_own_places(tmp_path: Path) -> None:
    asked = ["walk.kind=orbit", "analytic.sigma=0.15"]
    film, memory = made_film(tmp_path / "half", *asked, "film.interpolate=2")
    _, own = made_film(tmp_path / "own", *asked, "film.fps=8", f"pacing.clip_step={2 * 0.03}")
    np.testing.assert_array_equal(memory.pictures[::2], own.pictures)
    record = telemetry.read(film.folder.telemetry)
    assert record.clip_step[1:].max() < 0.1  # nothing that is drawn between is read as far away
    assert film.summary.made["between"] == sum(how == "between" for how in record.made.values()) > 25
    assert not set(record.made) & set(range(0, 64, 2))


def test_a_way_that_was_planned_stays_until_its_film_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A film that was stopped is not planned again, which may take longer than the film."""
    asked = [*LAND, "film.there_and_back=true"]
    with pytest.raises(RuntimeError, match="power"):
        make.film(journey(*asked), tmp_path, sinks=[Stop(31)])
    assert len([*tmp_path.glob("way-*.plan")]) == 1
    monkeypatch.setattr(make, "plan", pytest.fail)
    assert make.film(journey(*asked), tmp_path).complete
    assert not [*tmp_path.glob("way-*")]


def test_a_plan_of_ones_own_is_named_whatever_it_is_called(tmp_path: Path) -> None:
    """A film says that a plan decides it; only of a way of its own, which its preset plans again, it need not."""
    plan.plan(journey(*LAND), tmp_path / "way-north.plan")
    way = filmed(takes.read(tmp_path / "way-north.plan"))
    assert told(way) == way.digest
    assert told(filmed(way.take, preset=way.preset)) == way.digest
    assert told(replace(way, own=True)) is None


def test_another_preset_in_a_folder_with_a_way_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        make.film(journey(*LAND, "film.there_and_back=true"), tmp_path, watch=lambda done, total: False)
    (tmp_path / "way-000000000000.plan").write_text("{}")
    with pytest.raises(OutputExists, match="planned for another preset"):
        make.film(journey(*LAND, "film.there_and_back=true"), tmp_path)
    assert make.film(journey(*LAND, "film.there_and_back=true"), tmp_path, overwrite=True).complete


def test_frames_between_lead_to_the_first_frame_of_a_loop(tmp_path: Path) -> None:
    film, _ = made_film(tmp_path, *ROUND, "film.interpolate=2")
    assert film.summary.made == {"between": 32}
    assert film.summary.frames == 64
    assert film.summary.seam_step is not None
    assert film.summary.seam_step <= 1.5 * telemetry.read(film.folder.telemetry).clip_step[1:].max()
    odd, _ = made_film(tmp_path / "odd", *ROUND, "film.interpolate=3")
    assert odd.summary.frames == 63  # a whole number of those that are decoded


@pytest.mark.parametrize("policy", ["hold", "cut"])
def test_there_and_back_comes_back_whatever_is_done_at_rifts(policy: str, tmp_path: Path) -> None:
    asked = [*LAND, "pacing.floor=3", "film.there_and_back=true", f"rift.policy={policy}", "rift.seconds=0.3"]
    film, memory = made_film(tmp_path, *asked)
    pictures = memory.pictures
    assert len(pictures) == film.summary.frames == 64
    assert film.summary.marked_steps > 0
    for k in range(1, 32):
        np.testing.assert_array_equal(pictures[k], pictures[64 - k])


def test_a_film_that_found_its_way_is_refused_before_one_is_planned(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="power"):
        make.film(journey(*LAND), tmp_path, sinks=[Stop(30)])
    with pytest.raises(OutputExists, match="begun otherwise"):
        make.film(journey(*LAND, "rift.policy=cut"), tmp_path)
    assert not [*tmp_path.glob("way-*"), *tmp_path.glob(".way-*")]


@pytest.mark.parametrize(
    "setting",
    ["film.loop=true", "film.interpolate=3", "rift.policy=cut", "walk.kind=orbit", "pacing.speed=2", "pilot.mode=off"],
)
def test_what_a_plan_decides_is_said_to_the_plan(setting: str, tmp_path: Path) -> None:
    made = plan.plan(journey(*LAND, "film.seconds=0.5"), tmp_path / "piece.plan")
    with pytest.raises(TakeError, match="say it to `latentworld plan`"):
        filmed(takes.read(made.target), [setting])


def test_a_plan_begun_otherwise_is_refused(tmp_path: Path) -> None:
    watching = plan.Watching([Stop(30)])
    with pytest.raises(RuntimeError, match="power"):
        plan.plan(journey(*LAND), tmp_path / "piece.plan", watching=watching)
    with pytest.raises(OutputExists, match="begun otherwise"):
        plan.plan(journey(*LAND, "analytic.seed=3"), tmp_path / "piece.plan")
    assert plan.plan(journey(*LAND, "analytic.seed=3"), tmp_path / "piece.plan", overwrite=True).complete


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["film.loop=true", "film.there_and_back=true"], "two ways to close a film"),
        (["film.loop=true", "rift.policy=cut"], "film.loop lays every step evenly"),
        (["film.crf=0"], "crf 0 is lossless"),
        (["rift.policy=blink"], "rift.policy"),
        (['rift.each={"0" = "cut"}'], "rift.each"),
        (["film.interpolate=0"], "film.interpolate"),
    ],
)
def test_what_no_film_can_do_is_refused(overrides: list[str], said: str) -> None:
    with pytest.raises(PresetError, match=said):
        load("analytic", overrides)


def test_a_loop_of_too_few_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match="make the film longer"):
        make.film(journey("walk.kind=wander", "film.loop=true", "film.seconds=0.125"), tmp_path / "film")
    assert not (tmp_path / "film").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"made": "between"}, "lacks the place that it goes toward"),
        ({"made": "melted"}, "one of held, dissolve, between"),
        ({"made": "dissolve", "toward": [1, 0, 0, 9], "share": 0.5}, "at most 3"),
        ({"made": "dissolve", "toward": [1, 0, 0], "share": 0.5}, "goes toward a place"),
        ({"made": "dissolve", "toward": [1, 0, 0, 1], "share": 1.5}, "a share of 1.5"),
    ],
)
def test_a_blend_that_cannot_be_read_is_named(line: dict[str, object], said: str, tmp_path: Path) -> None:
    made = plan.plan(journey(*LAND, "film.seconds=0.25"), tmp_path / "piece.plan")
    text = made.target.read_text().splitlines()
    text[3] = json.dumps({**json.loads(text[3]), **line})
    made.target.write_text("\n".join([*text, ""]))
    with pytest.raises(TakeError, match=said):
        takes.read(made.target)


def test_a_plan_keeps_its_blends(tmp_path: Path) -> None:
    made = plan.plan(journey("walk.kind=orbit", "film.interpolate=4", "film.seconds=0.5"), tmp_path / "piece.plan")
    blends = takes.read(made.target).shots.blends
    assert sorted(blends) == [1, 2, 3, 5, 6, 7]
    assert isinstance(blends[2], Blend)
    assert (blends[2].how, blends[2].share) == ("between", 0.5)
    assert blends[5].how == "between"  # the frame after the last is decoded too
