"""Takes filmed: the same places to the last bit, the same pictures on the same profile, other qualities on the way."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from standins import tiny_world
from standins.film import decoded
from standins.takes import SMALL, Heard, live

from installation import takes
from installation.clock import Tick
from installation.control.controls import LoopControls
from installation.control.mailbox import Mailbox
from installation.film import make, telemetry, verify
from installation.film.output import Folder
from installation.film.sinks import Memory
from installation.ipc.scene import PlaneScene
from installation.loop import Scene, run
from installation.rig import build, open_studio
from installation.studio import Studio
from installation.takes import film as filming
from installation.takes.parts import frames_of
from installation.takes.scenes import TakeScenes, drawn
from latentworld import globe, preset, vertices, walks
from latentworld.errors import PresetError, TakeError
from latentworld.sections import PlaneSpec

pytestmark = pytest.mark.usefixtures("plain")


ANALYTIC = preset.load("analytic", [*SMALL, "film.fps=16", "film.scale=1", "pacing.kind=latent"])


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[takes.Take, Heard]:
    """A performance on the weightless world: 22 frames, ticks of 4."""
    return live(tmp_path_factory.mktemp("takes") / "evening.take", ANALYTIC, 22, 4)


TINY = [
    "decoder.kind=scout", "decoder.scout_steps=1", "decoder.steps=2", "decoder.engine=eager", "decoder.batch=2",
    "decoder.device=cpu", "pacing.kind=latent", "pilot.mode=off", "film.fps=20", "film.scale=1",
]  # fmt: skip


@pytest.fixture(scope="module")
def faded(tmp_path_factory: pytest.TempPathFactory) -> tuple[takes.Take, Heard]:
    """A performance on a diffusion world through its scout, with a fade of prompts: 14 frames, ticks of 2."""
    journey = preset.load("first-light", [f"world.name={tiny_world.folder()}", *TINY])
    return live(tmp_path_factory.mktemp("takes") / "faded.take", journey, 14, 2, fade=3)


def filmed(
    take: takes.Take, out: Path, *overrides: str, exact: bool = False
) -> tuple[make.Film, Memory, filming.Check]:
    played, memory = filming.journey(take, overrides, exact=exact), Memory()
    check = played.check()
    return make.film(played.preset, out, sinks=[memory, check], journey=played), memory, check


def test_as_recorded_it_is_the_same_to_the_last_bit(played: tuple[takes.Take, Heard], tmp_path: Path) -> None:
    take, heard = played
    film, memory, check = filmed(take, tmp_path / "film", exact=True)
    units = np.concatenate([batch.path.unit for batch in memory.batches])
    assert units.tobytes() == np.array(heard.units).tobytes()
    np.testing.assert_array_equal(memory.pictures, heard.pictures)
    assert (check.same, check.other, check.none) == (22, 0, 0)
    assert not check.failed(film.summary.profile)
    assert film.complete
    assert film.summary.fps == pytest.approx(21 / take.seconds, abs=1e-3)
    assert len(decoded(film.video)) == 22
    index = np.concatenate([batch.path.index for batch in memory.batches])
    assert index.tolist() == take.shots.index.tolist()


@pytest.mark.parametrize("codec", ["h264", "frames"])
def test_frames_with_numbers_of_their_own_are_a_film_that_goes_on_and_is_whole(
    codec: str, played: tuple[takes.Take, Heard], tmp_path: Path
) -> None:
    """A show had run before the take began, and lost a frame in its middle: a film counts its own."""
    take, _ = played
    index = take.shots.index + np.where(np.arange(len(take.shots)) < 9, 1000, 1003)
    take = replace(take, shots=replace(take.shots, index=index))
    settings = [f"film.codec={codec}", "film.chunk=0.1"]
    whole, memory, check = filmed(take, tmp_path / "whole", *settings, exact=True)
    assert (whole.complete, check.same) == (True, 22)
    assert np.concatenate([batch.path.index for batch in memory.batches]).tolist() == index.tolist()
    way = filming.journey(take, settings, exact=True)
    make.film(way.preset, tmp_path / "parts", journey=way, frames=range(12, 14))
    seen = verify.status(Folder(tmp_path / "parts"))
    assert (seen.missing[0][0], seen.missing[-1][1], seen.planned) == (0, 22, 22)
    make.film(way.preset, tmp_path / "parts", journey=way)
    for folder in (tmp_path / "whole", tmp_path / "parts"):
        assert verify.verify(Folder(folder)) == []
        assert verify.status(Folder(folder)).missing == []
    assert (tmp_path / "parts" / "telemetry.csv").read_bytes() == (tmp_path / "whole" / "telemetry.csv").read_bytes()


def test_a_scout_and_a_fade_are_the_same_to_the_last_bit(faded: tuple[takes.Take, Heard], tmp_path: Path) -> None:
    take, heard = faded
    film, memory, check = filmed(take, tmp_path / "film", exact=True)
    np.testing.assert_array_equal(memory.pictures, heard.pictures)
    assert (check.same, check.other) == (14, 0)
    assert "14 of 14 pictures are the same" in check.report(film.summary.profile)
    assert (film.summary.profile.kind, film.summary.profile.variant) == ("scout", "student/tiny")


def test_a_picture_that_differs_is_found(played: tuple[takes.Take, Heard], tmp_path: Path) -> None:
    take, _ = played
    sums = ("0" * 16, "", *take.shots.sum[2:])
    other = replace(take, shots=replace(take.shots, sum=sums))
    film, _, check = filmed(other, tmp_path / "film", exact=True)
    assert (check.same, check.other, check.none) == (20, 1, 1)
    assert check.failed(film.summary.profile)
    assert "20 of 21" in check.report(film.summary.profile)
    slower = replace(film.summary.profile, threads=99)
    assert not check.failed(slower)
    assert "threads" in check.report(slower)


def test_at_its_own_times_places_are_recorded_and_between_on_the_way(
    played: tuple[takes.Take, Heard], tmp_path: Path
) -> None:
    take, _ = played
    film, memory, _ = filmed(take, tmp_path / "film", "film.fps=30")
    record = telemetry.read(film.folder.telemetry)
    assert len(record) == frames_of(take, 30.0) == len(memory.pictures)
    assert record.unit[0].tobytes() == take.shots.unit[0].tobytes()
    np.testing.assert_allclose(record.time, np.arange(len(record)) / 30)
    straight = np.stack([np.interp(record.time, take.shots.time - take.shots.time[0], c) for c in take.shots.unit.T], 1)
    steps = globe.angle(take.shots.unit[1:], take.shots.unit[:-1])
    assert globe.angle(record.unit, globe.normalise(straight)).max() < 0.1 * steps.max()
    assert film.summary.repeated_frames == 0
    assert film.folder.take.read_bytes() == take.path.read_bytes()
    assert preset.load(film.folder.preset).film.fps == 30.0
    assert json.loads(film.folder.summary.read_text())["complete"]


def test_a_film_of_a_take_is_the_same_whenever_and_in_whatever_batches(
    played: tuple[takes.Take, Heard], tmp_path: Path
) -> None:
    one, first, _ = filmed(played[0], tmp_path / "one")
    _, second, _ = filmed(takes.read(one.folder.take), tmp_path / "two")
    _, third, _ = filmed(played[0], tmp_path / "three", "decoder.batch=7")
    np.testing.assert_array_equal(first.pictures, second.pictures)
    places = [np.concatenate([batch.path.unit for batch in memory.batches]) for memory in (first, third)]
    assert places[0].tobytes() == places[1].tobytes()


def test_a_live_take_is_filmed_through_the_faithful_decoder_at_another_size(
    faded: tuple[takes.Take, Heard], tmp_path: Path
) -> None:
    film, memory, _ = filmed(faded[0], tmp_path / "film", "decoder.height=128", "film.fps=12", "decoder.batch=4")
    assert film.summary.profile.kind == "faithful"
    assert memory.pictures.shape == (frames_of(faded[0], 12.0), 128, 64, 3)
    assert film.complete


def test_prompts_fade_frame_by_frame(faded: tuple[takes.Take, Heard]) -> None:
    take, told = faded[0], []
    played = filming.journey(take, ["film.fps=60"])

    def staging(of: takes.RecordedScene) -> object:
        told.append(dict(of.prompt.toward).get("a single flower", 0.0))
        return None

    way = takes.follow(take, staging)  # type: ignore[arg-type]
    clock = takes.counted(way, 60.0, 8, played.preset.film.frames)
    frames = [way.direct(way.walk, None, tick)[1] or len(tick) for tick in clock]  # type: ignore[arg-type]
    assert sum(frames) == played.preset.film.frames
    weights = np.repeat(told, frames)
    assert (np.diff(weights) >= 0).all()
    assert weights[0] == 0
    assert weights[-1] == 1
    assert np.diff(weights).max() < 0.25 * 2 / 6  # live it rose by quarters, two frames of a tenth of a second a tick
    rising = (weights > 0) & (weights < 1)
    assert set(np.array(frames)[np.isin(told, weights[rising])]) == {1}  # a batch has one prompt
    assert max(frames) == 8


def test_what_overrides_name_goes_before_the_take(faded: tuple[takes.Take, Heard], tmp_path: Path) -> None:
    take = faded[0]
    plain, kept, _ = filmed(take, tmp_path / "plain", "film.seconds=0.3")
    other, changed, _ = filmed(
        take, tmp_path / "other", "film.seconds=0.3", "plane.seeds=[5,6,7]", "prompt.positive=sea"
    )
    assert len(kept.pictures) == len(changed.pictures) == 6
    assert plain.summary.vertices != other.summary.vertices
    units = [np.concatenate([batch.path.unit for batch in memory.batches]) for memory in (kept, changed)]
    assert units[0].tobytes() == units[1].tobytes()
    assert not np.array_equal(kept.pictures, changed.pictures)
    with pytest.raises(TakeError, match="leave out"):
        filming.journey(take, ["decoder.steps=3"], exact=True)
    with pytest.raises(PresetError, match="unknown key"):
        filming.journey(take, ["decoder.stepps=3"])


def test_an_edited_prompt_changes_the_film(faded: tuple[takes.Take, Heard], tmp_path: Path) -> None:
    take, heard = faded
    text = take.path.read_text()
    path = tmp_path / "edited.take"
    path.write_text(text.replace("a single flower", "deep water"))
    _, memory, check = filmed(takes.read(path), tmp_path / "film", exact=True)
    assert (check.same, check.other) == (6, 8)  # before the fade, and from then on
    assert not np.array_equal(memory.pictures[-1], heard.pictures[-1])


def test_a_take_that_changes_planes_and_settings_is_staged_scene_by_scene(
    faded: tuple[takes.Take, Heard], tmp_path: Path
) -> None:
    lines = faded[0].path.read_text().splitlines()
    for i, line in enumerate(lines):
        told = json.loads(line)
        if "prompt" in told and told.get("scene") == 6:
            told["plane"] = told["plane"] | {"seeds": [9, 8, 7], "digest": None}
        if "prompt" in told and told.get("scene") == 7:
            told["decoder"] = told["decoder"] | {"steps": 2}
        lines[i] = json.dumps(told)
    path = tmp_path / "changed.take"
    path.write_text("\n".join(lines) + "\n")
    take = takes.read(path)
    _, memory, check = filmed(take, tmp_path / "film", exact=True)
    assert (check.same, check.other) == (10, 4)
    assert len(memory.pictures) == 14
    _, again, _ = filmed(take, tmp_path / "again")
    assert len(again.pictures) == frames_of(take, 20.0)


def test_a_world_that_is_changed_live_is_changed_in_the_film(faded: tuple[takes.Take, Heard], tmp_path: Path) -> None:
    text, other = faded[0].path.read_text(), str(tiny_world.build(tmp_path / "other", shape=tiny_world.TINY))
    lines = text.splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if '"scene": 6' in line)
    lines[at] = lines[at].replace(str(tiny_world.folder()), other)
    path = tmp_path / "worlds.take"
    path.write_text("".join(lines))
    take, opened = takes.read(path), []

    def studio(of: preset.Preset) -> Studio:
        opened.append((of.world.name, of.decoder.kind, of.decoder.steps, of.decoder.height))
        return open_studio(of)

    played = filming.journey(take, ["film.fps=10"])
    parts, memory = played.parts(build(played.preset), studio), Memory()
    with memory:
        run(parts.clock, Mailbox(), parts.walk, parts.direct, parts.pilot, memory)
    assert len(memory.pictures) == played.preset.film.frames
    # to the other world and back; its own card says in how many steps
    assert opened == [(other, "faithful", None, 64), (str(tiny_world.folder()), "faithful", 2, 64)]
    jumps = np.flatnonzero(take.track.jump)
    assert take.shots.scene[jumps + 1].tolist() == [3, 4]


def test_vertices_that_are_not_the_recorded_ones_are_refused(faded: tuple[takes.Take, Heard], tmp_path: Path) -> None:
    path = tmp_path / "other.take"
    path.write_text(re.sub(r'"seeds": \[\d+,', '"seeds": [4,', faded[0].path.read_text()))
    with pytest.raises(TakeError, match="are others than in the take"):
        filmed(takes.read(path), tmp_path / "film", exact=True)


def test_vertices_of_a_file_and_of_seeds_may_be_mixed(tmp_path: Path) -> None:
    file, shape = tmp_path / "own.safetensors", (4, 16, 16)
    own = vertices.from_seeds((71, 72, 73), shape)
    vertices.save(file, own, {})
    spec = PlaneSpec(vertices=str(file))
    made = drawn(spec, (None, 8, None), shape)
    np.testing.assert_array_equal(made.vertices[[0, 2]], own[[0, 2]])
    np.testing.assert_array_equal(made.vertices[1], vertices.from_seeds((8, 8, 8), shape)[1])
    with pytest.raises(TakeError, match=r"not \[4, 8, 8\]"):
        drawn(spec, (None, 8, None), (4, 8, 8))
    with pytest.raises(TakeError, match="lack a number"):
        drawn(PlaneSpec(), (None, 8, 9), shape)
    take, _ = live(tmp_path / "mixed.take", ANALYTIC, 6, 2)
    plane = PlaneScene((None, 8, None), "sphere", "nhwc", vertices=str(file))
    told = msgspec.structs.replace(take.scenes[0], plane=plane)
    played = filming.journey(replace(take, scenes=(told,)))
    scene = TakeScenes(build(played.preset), open_studio)(told)
    np.testing.assert_array_equal(scene.plane.vertices, made.vertices)
    assert played.preset.plane.vertices == str(file)


def test_a_take_that_stands_still_is_a_film(tmp_path: Path) -> None:
    from standins.takes import performed, ready, scene

    units = np.repeat([[1.0, 0.0, 0.0]], 6, axis=0)
    path = performed(tmp_path / "still.take", units, 0.1 * np.arange(6), scenes={0: scene()}, first=ready(ANALYTIC))
    film, memory, _ = filmed(takes.read(path), tmp_path / "film")
    assert film.complete
    assert film.summary.repeated_frames == len(memory.pictures) - 1 == 8


def test_the_embedded_worlds_scout_is_the_same_to_the_last_bit(tmp_path: Path) -> None:
    journey = preset.load("first-light", TINY)
    take, heard = live(tmp_path / "scout.take", journey, 6, 2, fade=1)
    _, memory, check = filmed(take, tmp_path / "film", exact=True)
    assert (check.same, check.other) == (6, 0)
    np.testing.assert_array_equal(memory.pictures, heard.pictures)
    assert len({picture.tobytes() for picture in memory.pictures}) == 6


def test_in_the_middle_of_a_show_a_take_is_followed_and_left(played: tuple[takes.Take, Heard]) -> None:
    take, memory = played[0], Memory()
    times = 500.0 + np.arange(60) * 0.07  # another pace than the take's
    rig = build(ANALYTIC)
    way = takes.follow(take, lambda told: replace(rig.scene, prompt=told.prompt), start=500.35)
    seen: list[bool] = []

    def replaying(tick: Tick) -> bool:
        return bool(tick.time[0] >= 500.35 and not way.ended(float(tick.time[0])))

    def direct(walk: walks.Walk, controls: LoopControls, tick: Tick) -> tuple[walks.Walk, Scene]:
        seen.append(replaying(tick))
        if seen[-1]:
            return way.direct(walk, controls, tick)
        return (rig.walk if isinstance(walk, takes.Recorded) else walk), rig.scene

    def pilot(walk: walks.Walk, rates: object, controls: LoopControls, n: int) -> walks.Steering:
        helm = way.pilot if seen[-1] else rig.pilot
        return helm(walk, rates, controls, n)  # type: ignore[arg-type]

    index = np.arange(60)
    with memory:
        run([Tick(index[i : i + 1], times[i : i + 1]) for i in index], Mailbox(), rig.walk, direct, pilot, memory)
    units = np.concatenate([batch.path.unit for batch in memory.batches])
    assert seen.count(True) == int(take.seconds / 0.07) + 1
    first = seen.index(True)
    assert not any(seen[:first])
    wanted = take.track.at(take.track.arcs(take.shots.time[0] + times - 500.35))[0]
    np.testing.assert_allclose(units[np.array(seen)], wanted[np.array(seen)], atol=1e-8)
    assert units[first].tobytes() == take.shots.unit[0].tobytes()
    assert not np.allclose(units[~np.array(seen)], wanted[~np.array(seen)])


def test_on_the_command_line(run, faded: tuple[takes.Take, Heard], tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    take, out = faded[0].path, tmp_path / "film"
    code, told, err = run("film", "--take", take, "--as-recorded", "-o", out)
    assert code == 0, err
    assert told.strip() == str(out / "film.mp4")
    assert "14 of 14 pictures are the same to the last bit" in err
    code, _, err = run("film", "--take", take, "-o", out)
    assert (code, err.count("\n")) == (1, 1)
    copy = out / "film.take"
    code, _, err = run("film", out / "preset.toml", "--take", copy, "-o", out, "--overwrite", "--set", "film.fps=5")
    assert code == 0, err
    assert copy.read_bytes() == take.read_bytes()
    lines = take.read_text().splitlines(keepends=True)
    wrong = tmp_path / "wrong.take"
    wrong.write_text("".join(line.replace('"sum": "', '"sum": "f') for line in lines[:-1]))
    code, _, err = run("film", "--take", wrong, "--as-recorded", "-o", tmp_path / "wrong")
    assert code == 1
    assert "0 of 14" in err
    assert "has no end" in err
    assert "the profile is the same" in err


BAD = {
    "no take": (["--take", "nowhere.take"], 1, "no take can be read"),
    "no preset": ([], 2, "name a preset"),
    "as recorded of nothing": (["analytic", "--as-recorded"], 2, "goes with --take"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_filmed_is_one_line(name: str, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    arguments, wanted, words = BAD[name]
    code, out, err = run("film", *arguments, "-o", tmp_path / "out")
    assert (code, out) == (wanted, "")
    assert words in err
    assert err.count("\n") == 1
