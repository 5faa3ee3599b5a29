"""Plans: where frames lie is found once, and filmed in any order to the very bytes."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from test_film_resume import content, journey

from installation import takes
from installation.film import make, plan, telemetry
from installation.film.sinks import Memory
from installation.frames import Frames
from installation.takes.film import journey as filmed
from latentworld import globe, preset
from latentworld.errors import Notice, OutputError, OutputExists, PresetError, TakeError, WorldMismatch

pytestmark = pytest.mark.usefixtures("plain")

PILOTED = ["walk.kind=rift", "pilot.mode=ride", "pacing.kind=clip", "analytic.sigma=0.05", "pacing.floor=3"]


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = plan.plan(journey(*PILOTED), tmp_path_factory.mktemp("plans") / "piece.plan")
    assert (made.complete, made.frames) == (True, 64)
    return made.target


def film(planned: Path, folder: Path, *overrides: str, frames: range | None = None) -> make.Film:
    way = filmed(takes.read(planned), overrides)
    return make.film(way.preset, folder, journey=way, frames=frames)


def test_a_planned_film_is_the_film(planned: Path, tmp_path: Path) -> None:
    """In the same decoder, frames, steps, marks and figures are those of a film that found its way as it went."""
    make.film(journey(*PILOTED), tmp_path / "own")
    film(planned, tmp_path / "planned")
    one, other = content(tmp_path / "own"), content(tmp_path / "planned")
    assert one[:2] == other[:2]
    batch = {"profile", "profile_hash"}  # a take's film has the machine's own batches
    assert {key: value for key, value in one[2].items() if key not in batch} == {
        key: value for key, value in other[2].items() if key not in batch
    }
    assert json.loads((tmp_path / "own" / "film.json").read_text())["marked_steps"] > 0


@pytest.mark.parametrize("parts", [[(48, 64), (0, 16), (16, 48)], [(20, 21), (0, 64)], [(63, 64), (31, 33), (0, 1)]])
def test_frames_of_a_plan_are_made_in_any_order(parts: list[tuple[int, int]], planned: Path, tmp_path: Path) -> None:
    film(planned, tmp_path / "whole")
    for part in parts:
        made = film(planned, tmp_path / "parts", frames=range(*part))
    assert made.complete or film(planned, tmp_path / "parts").complete
    assert content(tmp_path / "parts") == content(tmp_path / "whole")


def test_only_chunks_that_are_asked_for_are_made(planned: Path, tmp_path: Path) -> None:
    film(planned, tmp_path, frames=range(17, 33))
    assert sorted(file.name for file in (tmp_path / "chunks").glob("*.mp4")) == ["000000016.mp4", "000000032.mp4"]


def test_frames_of_a_way_that_is_not_known_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="plan the film"):
        make.film(journey(), tmp_path / "film", frames=range(16, 32))
    assert not (tmp_path / "film").exists()


def test_a_plan_that_was_stopped_goes_on(planned: Path, tmp_path: Path) -> None:
    class Stop(Memory):
        def send(self, frames: Frames) -> None:
            super().send(frames)
            if frames.path.index[-1] > 40:
                raise RuntimeError("the power went")

    target, memory = tmp_path / "piece.plan", Memory()
    with pytest.raises(RuntimeError, match="power"):
        plan.plan(journey(*PILOTED), target, watching=plan.Watching([Stop()]))
    assert not target.exists()
    assert plan.plan(journey(*PILOTED), target, watching=plan.Watching([memory])).complete
    assert int(memory.batches[0].path.index[0]) == 32
    assert target.read_bytes() == planned.read_bytes()
    assert [file.name for file in tmp_path.iterdir()] == ["piece.plan"]
    with pytest.raises(OutputExists):
        plan.plan(journey(*PILOTED), target)


def test_a_plan_is_a_take_that_people_may_edit(planned: Path, tmp_path: Path) -> None:
    head, scene, *rest = planned.read_text().splitlines()
    edited = tmp_path / "edited.plan"
    edited.write_text("\n".join([head, scene, "# the second half alone", *rest[32:], ""]))
    take = takes.read(edited)
    assert take.header.planned
    assert len(take.shots) == 32
    assert film(edited, tmp_path / "film").summary.frames == 32
    edited.write_text("\n".join([head, scene, rest[0].replace('"marked": false', '"marked": 1'), *rest[1:], ""]))
    with pytest.raises(TakeError, match="line 3 says 1 of a mark"):
        takes.read(edited)


def test_at_another_rate_a_step_is_marked_that_passes_a_mark(planned: Path, tmp_path: Path) -> None:
    def marks(folder: str, *overrides: str) -> np.ndarray:
        memory = Memory()
        way = filmed(takes.read(planned), overrides)
        make.film(way.preset, tmp_path / folder, journey=way, sinks=[memory])
        return np.concatenate([batch.marked for batch in memory.batches])

    own, half = marks("own"), marks("half", "film.fps=8")
    assert own.any()
    assert half.tolist() == [bool(own[0]), *(bool(own[i - 1] or own[i]) for i in range(2, len(own), 2))]


@pytest.mark.parametrize(("change", "said"), [("analytic.seed=5", "another world"), ("plane.seeds=[3,4,5]", "another")])
def test_a_plan_of_elsewhere_is_refused(change: str, said: str, planned: Path, tmp_path: Path) -> None:
    section, value = change.split("=")
    head, *rest = planned.read_text().splitlines()
    header = json.loads(head)
    name, key = section.split(".")
    header["preset"][name][key] = json.loads(value)
    other = tmp_path / "other.plan"
    other.write_text("\n".join([json.dumps(header), *rest, ""]))
    if name == "plane":  # the scene names its plane: what it says is drawn, so its digest is what tells
        other.write_text(other.read_text().replace('"digest": "', '"digest": "0', 1))
    with pytest.raises(WorldMismatch, match=said):
        film(other, tmp_path / "film")
    assert not (tmp_path / "film").exists()


def test_the_weightless_world_is_the_same_under_any_name(planned: Path, tmp_path: Path) -> None:
    text = planned.read_text().splitlines()
    scene = json.loads(text[1])
    scene["world"]["name"] = "another/name"
    (tmp_path / "named.plan").write_text("\n".join([text[0], json.dumps(scene), *text[2:], ""]))
    film(planned, tmp_path / "own")
    film(tmp_path / "named.plan", tmp_path / "named")
    assert content(tmp_path / "named")[:2] == content(tmp_path / "own")[:2]


def test_a_diffusion_world_is_planned_by_its_scout_and_filmed_faithfully(tmp_path: Path) -> None:
    small = ["film.seconds=2", "film.fps=8", "film.chunk=0.25", "decoder.steps=2", "film.scale=1"]
    made = plan.plan(preset.load("first-light", small), tmp_path / "piece.plan")
    take = takes.read(made.target)
    assert take.header.preset.decoder.kind == "faithful"
    assert take.header.profile["kind"] == "scout"
    whole = film(made.target, tmp_path / "whole")
    assert whole.summary.profile.kind == "faithful"
    assert not film(made.target, tmp_path / "parts", frames=range(8, 10)).complete
    film(made.target, tmp_path / "parts")
    assert content(tmp_path / "parts") == content(tmp_path / "whole")


def test_a_plan_is_filmed_by_the_decoder_that_its_preset_names(tmp_path: Path) -> None:
    small = ["decoder.kind=scout", "decoder.engine=eager", "film.seconds=0.25", "film.scale=1"]
    made = plan.plan(preset.load("first-light", small), tmp_path / "piece.plan")
    assert filmed(takes.read(made.target)).preset.decoder.kind == "scout"
    again = filmed(takes.read(made.target), ["decoder.kind=faithful"])
    assert again.preset.decoder.kind == "faithful"


def test_on_the_command_line(run, planned: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path / "film"
    code, out, err = run("film", "--plan", planned, "-o", folder, "--frames", "32:48")
    assert code == 0, err
    assert "the chunks of frames 32 to 47 are there" in out
    assert "missing: frames 0 to 31" in run("film", "status", folder)[1]
    assert run("film", "--plan", planned, "-o", folder)[0] == 0
    for wrong in ("5", "9:3", "0:65", "a:b", "-1:4"):
        code, _, err = run("film", "--plan", planned, "-o", tmp_path / "no", f"--frames={wrong}")
        assert code == 2
        assert "is no range of 0:64" in err


def test_a_coarse_plans_score_counts_the_films_own_frames(tmp_path: Path) -> None:
    settings = ["walk.kind=rift", "pilot.mode=off", "pacing.kind=clip", "analytic.sigma=0.15"]
    cue = {"at": "frame 33", "over": "16 frames", "set": {"walk.radius": 0.8, "pacing.clip_step": 0.01}}
    said = {"at": "frame 54", "set": {"walk.radius": "0.8 + (frame - 54) / 100"}}
    asked = journey(*settings).changed(score=[cue, said])
    radii, rates = {}, {}
    for each in (1, 4):
        shots = takes.read(plan.plan(asked, tmp_path / f"{each}.plan", coarse=each).target).shots
        radii[each], arcs = shots.radius, globe.angle(shots.unit[:-1], shots.unit[1:])
        rates[each] = arcs[48:].mean() / arcs[:32].mean()
    np.testing.assert_allclose(radii[4], radii[1], atol=1e-6)
    assert radii[4][33] == 1.0 > radii[4][34]
    assert radii[4][52] == pytest.approx(0.8)
    assert rates[4] == pytest.approx(rates[1], rel=0.2)  # the same step of meaning a frame


def test_who_plans_too_coarsely_for_the_pilot_is_told(tmp_path: Path) -> None:
    settings = ["walk.kind=rift", "pacing.kind=latent", "pacing.speed=48", "pacing.ceiling=48", "film.seconds=2"]
    with pytest.warns(Notice, match=r"--coarse 16: a step may be .* degrees long, .* with --coarse \d+ or less"):
        plan.plan(journey(*settings, "pilot.mode=seek"), tmp_path / "blind.plan", coarse=16)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Notice)
        plan.plan(journey(*settings, "pilot.mode=seek"), tmp_path / "seen.plan", coarse=2)
        plan.plan(journey(*settings, "pilot.mode=off"), tmp_path / "unsteered.plan", coarse=16)


def test_a_coarse_plan_lays_frames_between_those_that_were_walked(tmp_path: Path) -> None:
    settings = ["walk.kind=rift", "pilot.mode=off", "pacing.kind=clip", "analytic.sigma=0.15"]
    asked = journey(*settings).changed(score=[{"at": 1.03, "set": {"prompt.a": "the sea"}}])
    fine, coarse = (plan.plan(asked, tmp_path / f"{each}.plan", coarse=each) for each in (1, 4))
    assert coarse.frames == fine.frames == 64
    take, own = takes.read(coarse.target), takes.read(fine.target)
    units, radii = take.shots.unit, take.shots.radius
    angles = globe.angle(units[:-1], units[1:])
    for first in range(0, 60, 4):  # equal arcs from one that was walked to the next
        np.testing.assert_allclose(angles[first : first + 4], angles[first], rtol=1e-5)
    np.testing.assert_allclose(units[0], own.shots.unit[0], atol=1e-12)
    np.testing.assert_array_equal(take.shots.scene, own.shots.scene)  # a score goes by the film's own frames
    assert set(take.shots.scene.tolist()) == {0, 1}
    assert len(radii) == 64
    filmed_so = make.film(filmed(take).preset, tmp_path / "film", journey=filmed(take))
    steps = telemetry.read(filmed_so.folder.telemetry).clip_step[1:]
    assert np.mean((steps < 2 * np.median(steps)) & (steps > np.median(steps) / 2)) > 0.9
    with pytest.warns(Notice, match="--coarse 48: the first and the last frame alone are walked"):
        plan.plan(journey(*settings, "film.seconds=2"), tmp_path / "ends.plan", coarse=48)
    with pytest.raises(PresetError, match="without --coarse"):
        plan.plan(journey(*settings, "film.loop=true"), tmp_path / "loop.plan", coarse=4)
