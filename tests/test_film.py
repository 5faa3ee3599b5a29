"""Films from end to end on the weightless world, and what is left when one is stopped, starved or killed."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from standins.film import decoded

from installation import rig
from installation.control.controls import LoopControls
from installation.film import again, ffmpeg, make, sinks, telemetry
from installation.film.sinks import Memory
from installation.frames import Frames
from latentworld import preset, worlds
from latentworld.errors import (
    DiskFull,
    EncoderFailed,
    GeometryError,
    NotFinite,
    OutputExists,
    WorldMismatch,
    WorldMissing,
)

ROOT = Path(__file__).parent.parent
SMALL = [
    "decoder.height=32", "decoder.width=32", "decoder.steps=10", "decoder.batch=8", "film.seconds=1.5", "film.fps=16",
    "film.scale=2",
]  # fmt: skip


WHOLE = {"film.mp4", "preset.toml", "telemetry.csv", "contact-sheet.png", "path.png", "film.json", "chunks.jsonl"}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def journey(*overrides: str) -> preset.Preset:
    return preset.load("analytic", [*SMALL, *overrides])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[make.Film, Memory]:
    """A film, and its frames as they were."""
    memory = Memory()
    return make.film(journey(), tmp_path_factory.mktemp("films") / "small", sinks=[memory]), memory


def test_a_film_leaves_all_that_belongs_to_it(made: tuple[make.Film, Memory]) -> None:
    film, _ = made
    assert names(film.folder.path) == WHOLE
    assert preset.parse(tomllib.loads(film.folder.preset.read_text())).decoder.steps == 10
    assert preset.parse(tomllib.loads(film.folder.preset.read_text())).decoder.batch == 8
    for path in (film.folder.sheet, film.folder.chart):
        with Image.open(path) as image:
            assert np.asarray(image).std() > 5


def test_the_video_has_every_frame_at_its_size(made: tuple[make.Film, Memory]) -> None:
    film, memory = made
    frames = decoded(film.video)
    assert frames.shape == (24, 64, 64, 3)
    assert len(memory.pictures) == 24
    for picture, frame in zip(memory.pictures, frames):
        enlarged = Image.fromarray(picture).resize((64, 64), Image.Resampling.LANCZOS)
        assert np.abs(frame.astype(int) - np.asarray(enlarged)).mean() < 6


def test_no_frame_repeats_and_the_first_is_the_walks_start(made: tuple[make.Film, Memory]) -> None:
    film, memory = made
    assert len({picture.tobytes() for picture in memory.pictures}) == 24
    assert film.summary.repeated_frames == 0
    read = telemetry.read(film.folder.telemetry)
    np.testing.assert_allclose([read.alpha[0], read.beta[0]], 1 / 3, atol=1e-12)
    assert read.index.tolist() == list(range(24))
    assert np.isnan(read.lipschitz[0])
    assert np.isfinite(read.lipschitz[1:]).all()


def test_the_summary_agrees_with_the_telemetry(made: tuple[make.Film, Memory]) -> None:
    film, _ = made
    told, read = json.loads(film.folder.summary.read_text()), telemetry.read(film.folder.telemetry)
    assert (told["frames"], told["planned"], told["complete"]) == (24, 24, True)
    assert told["median_clip_step"] == pytest.approx(np.nanmedian(read.clip_step))
    assert told["marked_steps"] == read.marked.sum()
    assert len(told["profile_hash"]) == 16
    assert told["largest_unmarked_step"] <= 2 * told["median_clip_step"]
    json.dumps(told, allow_nan=False)


@pytest.mark.usefixtures("plain")
def test_a_film_is_the_same_whenever_it_is_made(made: tuple[make.Film, Memory], tmp_path: Path) -> None:
    again = make.film(journey(), tmp_path / "again")
    assert again.video.read_bytes() == made[0].video.read_bytes()
    assert again.folder.telemetry.read_bytes() == made[0].folder.telemetry.read_bytes()


@pytest.mark.usefixtures("plain")
def test_the_resolved_preset_makes_the_same_film(made: tuple[make.Film, Memory], tmp_path: Path) -> None:
    again = make.film(preset.load(made[0].folder.preset), tmp_path / "again")
    assert again.folder.telemetry.read_bytes() == made[0].folder.telemetry.read_bytes()


def test_a_still_is_the_films_frame(made: tuple[make.Film, Memory], tmp_path: Path) -> None:
    film, memory = made
    read = telemetry.read(film.folder.telemetry)
    make.still(journey(), float(read.alpha[0]), float(read.beta[0]), 1.0, tmp_path / "still.png")
    with Image.open(tmp_path / "still.png") as image:
        np.testing.assert_array_equal(np.asarray(image), memory.pictures[0])


@pytest.mark.parametrize("place", [(float("nan"), 0.0, 1.0), (0.0, float("inf"), 1.0), (0.0, 0.0, 9.0)])
def test_what_is_no_place_is_told_before_a_world_is_loaded(
    place: tuple[float, float, float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(again, "open_studio", lambda *_: pytest.fail("it was loaded"))
    with pytest.raises(GeometryError):
        make.still(journey(), *place, tmp_path / "deep" / "still.png")
    assert not list(tmp_path.iterdir())


def test_probes_of_the_pacing_become_frames(tmp_path: Path) -> None:
    built = rig.build(journey("walk.kind=orbit", "pilot.mode=off"))
    steering = built.pilot(built.walk, None, LoopControls(), 8)
    units, radii = built.walk.ahead(steering.strides)
    before = built.decoder.made
    built.decoder(built.plane.latents(units, radii), built.studio.prompt)
    assert built.decoder.made == before


@pytest.mark.parametrize("codec", ["ffv1", "frames"])
@pytest.mark.usefixtures("plain")
def test_other_codecs(codec: str, tmp_path: Path) -> None:
    film = make.film(journey(f"film.codec={codec}", "film.seconds=0.5", "film.scale=1"), tmp_path / "film")
    assert film.video.name == {"ffv1": "film.mkv", "frames": "frames"}[codec]
    if codec == "ffv1":
        assert len(decoded(film.video)) == 8
    else:
        assert sorted(path.name for path in film.video.iterdir())[-1] == "000000007.png"


@pytest.mark.usefixtures("plain")
def test_one_frame_is_a_film_too(tmp_path: Path) -> None:
    film = make.film(journey("film.seconds=0.0625"), tmp_path / "film")
    assert film.summary.frames == 1
    assert len(decoded(film.video)) == 1


@pytest.mark.parametrize("kind", ["orbit", "waypoints", "lissajous", "wander", "swath", "spiral"])
@pytest.mark.usefixtures("plain")
def test_every_walk_makes_a_film(kind: str, tmp_path: Path) -> None:
    film = make.film(
        journey(f"walk.kind={kind}", "film.seconds=0.5", "walk.radius=2", "walk.breaths=1"), tmp_path / kind
    )
    assert film.complete
    assert film.summary.repeated_frames == 0


def test_a_watcher_ends_a_film_early_and_whole(tmp_path: Path) -> None:
    memory = Memory()
    film = make.film(journey(), tmp_path / "film", sinks=[memory], watch=lambda done, total: len(memory.batches) < 2)
    assert not film.complete
    assert film.summary.frames == len(decoded(film.video)) == len(telemetry.read(film.folder.telemetry)) == 16
    assert film.folder.sheet.exists()
    assert film.folder.chart.exists()


@pytest.mark.usefixtures("plain")
def test_a_film_stopped_before_its_first_frame_leaves_nothing(tmp_path: Path) -> None:
    film = make.film(journey(), tmp_path / "film", watch=lambda done, total: False)
    assert (film.complete, film.summary.frames, film.folder.path.exists()) == (False, 0, False)
    json.loads(film.summary.json(), parse_constant=pytest.fail)


def test_the_resolved_preset_names_the_device_that_drew_the_vertices() -> None:
    assert rig.open_studio(journey("plane.device=auto")).preset.plane.device != "auto"


def failing(done: int, total: int) -> bool:
    """A watcher that fails at the first step."""
    raise RuntimeError("a fault of the watcher's")


class Failing(Memory):
    """Fails at its second batch."""

    def send(self, frames: Frames) -> None:
        super().send(frames)
        if len(self.batches) == 2:
            raise RuntimeError("a fault of the guest's")


def test_a_fault_midway_leaves_a_film_and_its_record(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="guest"):
        make.film(journey(), tmp_path, sinks=[Failing()])
    assert len(decoded(tmp_path / "chunks" / "000000000.part.mp4")) == 16
    assert json.loads((tmp_path / "film.json").read_text())["complete"] is False
    assert (tmp_path / "contact-sheet.png").exists()


@pytest.mark.usefixtures("plain")
def test_a_disk_that_fills_up_leaves_what_plays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = iter([10**9] * 3)
    monkeypatch.setattr(sinks.shutil, "disk_usage", lambda path: SimpleNamespace(free=next(left, 1000)))
    with pytest.raises(DiskFull, match="what was written so far plays"):
        make.film(journey(), tmp_path)
    assert len(decoded(tmp_path / "chunks" / "000000000.part.mp4")) == 16


def test_without_an_ffmpeg_the_earlier_film_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = tmp_path / "film.mp4"
    earlier.write_bytes(b"a film")
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "nowhere"))
    with pytest.raises(EncoderFailed, match="IMAGEIO_FFMPEG_EXE"):
        make.film(journey(), tmp_path, overwrite=True)
    assert earlier.read_bytes() == b"a film"


def test_an_existing_film_stays_until_the_new_one_starts(made: tuple[make.Film, Memory]) -> None:
    folder = made[0].folder.path
    with pytest.raises(OutputExists):
        make.film(journey(), folder)
    with pytest.raises(GeometryError):
        make.film(journey("plane.seeds=[1,1,2]"), folder, overwrite=True)
    assert names(folder) == WHOLE


@pytest.mark.usefixtures("plain")
def test_an_earlier_film_goes_only_for_a_whole_one(made: tuple[make.Film, Memory], tmp_path: Path) -> None:
    """Overwriting that fails, before the first frame or later, or is stopped, costs nothing."""
    folder = tmp_path / "film"
    shutil.copytree(made[0].folder.path, folder)
    earlier = {file.name: file.read_bytes() for file in folder.iterdir()}
    short = journey("film.seconds=1")
    with pytest.raises(RuntimeError):
        make.film(short, folder, overwrite=True, watch=failing)
    assert names(folder) == WHOLE
    with pytest.raises(RuntimeError):
        make.film(short, folder, overwrite=True, sinks=[Failing()])
    memory = Memory()
    half = make.film(short, folder, overwrite=True, sinks=[memory], watch=lambda *_: not memory.batches)
    assert half.video == folder / "unfinished" / "chunks" / "000000000.part.mp4"
    assert len(decoded(half.video)) == 8
    assert earlier == {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    whole = make.film(short, folder, overwrite=True)
    assert (whole.video, len(decoded(folder / "film.mp4"))) == (folder / "film.mp4", 16)
    assert names(folder) == WHOLE - {"contact-sheet.png", "path.png"}  # which are not drawn here


@pytest.mark.usefixtures("plain")
def test_a_second_film_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    class Second(Memory):
        def send(self, frames: Frames) -> None:
            with pytest.raises(OutputExists, match="something is being made"):
                make.film(journey(), tmp_path / "film", overwrite=True)
            super().send(frames)

    assert make.film(journey(), tmp_path / "film", sinks=[Second()]).complete


@pytest.mark.parametrize("fault", [["plane.seeds=[1,1,2]"], ["world.name=nowhere", "decoder.kind=faithful"], []])
def test_a_film_that_failed_before_its_first_frame_leaves_no_folder(fault: list[str], tmp_path: Path) -> None:
    with pytest.raises((GeometryError, WorldMissing, RuntimeError)):
        make.film(journey(*fault), tmp_path / "deep" / "film", watch=failing)
    assert not list(tmp_path.iterdir())


def test_an_encoder_that_cannot_is_told_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill = tmp_path / "ffmpeg"
    kill.write_text(f"#!{sys.executable}\nimport sys\nprint('no such codec', file=sys.stderr)\nsys.exit(1)\n")
    kill.chmod(0o755)
    monkeypatch.setattr(ffmpeg, "binary", lambda: str(kill))
    monkeypatch.setattr(make, "build", lambda *_: pytest.fail("it was loaded"))
    with pytest.raises(EncoderFailed, match="no such codec"):
        make.film(journey("film.seconds=10"), tmp_path / "film")
    assert not (tmp_path / "film").exists()


def endless(folder: Path) -> subprocess.Popen[str]:
    """A long film in a process of its own, some frames in."""
    settings = [part for override in [*SMALL, "film.seconds=10000"] for part in ("--set", override)]
    arguments = [sys.executable, "-m", "installation", "film", "analytic", "-o", str(folder), *settings]
    process = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines, file, ends = 0, folder / "chunks" / "000000000.part.csv", time.monotonic() + 120
    while lines < 60 and process.poll() is None and time.monotonic() < ends:
        time.sleep(0.05)
        lines = len(file.read_bytes().splitlines()) if file.exists() else 0
    assert process.poll() is None, process.communicate()[1]
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_finishes_the_film_and_it_says_how_to_go_on(number: signal.Signals, tmp_path: Path) -> None:
    process = endless(tmp_path / "film")
    process.send_signal(number)
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert "plays so far" in err
    assert "Traceback" not in err
    frames = len(telemetry.read(tmp_path / "film" / "telemetry.csv"))
    assert len(decoded(out.strip())) == frames >= 59
    assert (tmp_path / "film" / "path.png").exists()
    assert (tmp_path / "film" / "contact-sheet.png").exists()


def test_a_killed_film_plays(tmp_path: Path) -> None:
    process = endless(tmp_path / "film")
    process.kill()
    process.communicate()
    film, size = tmp_path / "film" / "chunks" / "000000000.part.mp4", -1
    while film.stat().st_size != size:  # ffmpeg outlives us and finishes its file
        size = film.stat().st_size
        time.sleep(0.5)
    assert len(decoded(film)) >= 40
    assert len(telemetry.read(film.with_suffix(".csv"))) >= 59


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A diffusion world with random weights, a student and a CLIP."""
    from standins import tiny_world

    folder = tmp_path_factory.mktemp("worlds") / "tiny"
    tiny_world.build(folder)
    return folder


@pytest.mark.parametrize(("kind", "look"), [("faithful", "faithful"), ("faithful", "scout"), ("scout", "faithful")])
@pytest.mark.usefixtures("plain")
def test_a_diffusion_world_makes_films(kind: str, look: str, world: Path, tmp_path: Path) -> None:
    sets = [f"world.name={world}", f"decoder.kind={kind}", f"pacing.look={look}", "pacing.clip_step=0.002"]
    sets += ["decoder.steps=2", "decoder.scout_steps=1", "decoder.engine=eager", "decoder.batch=4", "film.seconds=0.25"]
    film = make.film(preset.load("first-light", sets), tmp_path / "film")
    assert film.complete
    assert film.summary.repeated_frames == 0
    told = json.loads(film.folder.summary.read_text())
    assert told["world"]
    assert str(world.parent) not in film.folder.summary.read_text()  # digests and names, no path of this machine
    assert re.fullmatch(r"clip@[0-9a-f]{16}", told["eye"])
    resolved = preset.load(film.folder.preset)
    assert resolved.prompt.positive is not None
    assert (resolved.decoder.height, resolved.decoder.device) == (64, "cpu")


def spoilt(world: Path, copy: Path, weights: str) -> Path:
    """The world with a weight file whose every number is NaN."""
    shutil.copytree(world, copy)
    load = load_file(copy / weights)
    save_file({key: torch.full_like(value, torch.nan) for key, value in load.items()}, copy / weights)
    return copy


@pytest.mark.parametrize("part", ["vae", "unet"])
@pytest.mark.parametrize("kind", ["latent", "clip"])
def test_a_world_that_gives_no_pictures_is_told_at_the_first_of_them(
    part: str, kind: str, world: Path, tmp_path: Path
) -> None:
    bad = spoilt(world, tmp_path / "bad", f"{part}/diffusion_pytorch_model.safetensors")
    sets = [f"world.name={bad}", f"pacing.kind={kind}", "decoder.steps=2", "decoder.engine=eager", "film.seconds=0.25"]
    preset_ = preset.load("first-light", sets)
    with pytest.raises(NotFinite, match=r"no picture \(NaN or infinite\): use another VAE"):
        make.film(preset_, tmp_path / "film")
    with pytest.raises(NotFinite, match="no picture"):
        make.still(preset_, 0.3, 0.3, 1.0, tmp_path / "still.png")
    assert not (tmp_path / "still.png").exists()


def test_a_world_without_clip_asks_for_one(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blind = tmp_path / "blind"
    shutil.copytree(world, blind, ignore=shutil.ignore_patterns("clip"))
    monkeypatch.setattr(worlds, "EMBEDDED", tmp_path)
    with pytest.raises(WorldMismatch, match="no CLIP"):
        make.film(preset.load("first-light", [f"world.name={blind}", "decoder.engine=eager"]), tmp_path / "film")
