"""Bridges between two pictures: the command and its files, what they refuse, and where bent planes go from there."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from standins import tiny_world
from standins.noise import command, noise, options
from standins.takes import live

from installation import rig
from installation.bridge.making import Wanted, build
from installation.film import make
from installation.film.opening import identity
from installation.film.plan import plan
from installation.film.remote import chunk_maker
from installation.film.sinks import Memory
from installation.ipc.jsonable import table
from installation.pictures import SourcePicture
from installation.render.planes import Planes, PlaneWish
from installation.render.vertex_maker import carried
from installation.takes import read
from installation.takes.film import journey as filmed
from installation.takes.scenes import drawn
from installation.vertices.making import inverter_of
from latentworld import preset, vertices
from latentworld.decoding import Profile
from latentworld.decoding.bend import Bend
from latentworld.decoding.inverse import levels
from latentworld.decoding.uphill import uphill
from latentworld.errors import (
    ControlError,
    DecodeError,
    GeometryError,
    LatentWorldError,
    OutputError,
    OutputExists,
    PresetError,
    TakeError,
    WorldDamaged,
    WorldMismatch,
)
from latentworld.plane import Plane
from latentworld.prompts import Prompt
from latentworld.vertices import Bridge, Trio

pytestmark = [pytest.mark.usefixtures("own_cache"), pytest.mark.filterwarnings("ignore::latentworld.errors.Notice")]
BASE = [
    "decoder.steps=10", "decoder.guidance=4", "decoder.batch=2", "decoder.dtype=float32", "decoder.device=cpu",
    "decoder.engine=eager", "prompt.positive=a cat", "prompt.negative=fog", "decoder.kind=faithful", "film.fps=6",
    "film.seconds=1", "pacing.kind=latent", "film.scale=1",
]  # fmt: skip
WALK = ["walk.kind=waypoints", 'walk.points=["z0","z1"]', "walk.closed=false"]


def settings(*more: str) -> list[str]:
    return [f"world.name={tiny_world.folder()}", *BASE, *more]


def sets(*more: str) -> list[str]:
    return options(settings(*more))


def picture(seed: int) -> SourcePicture:
    drawn = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(seed)).numpy()
    return SourcePicture(drawn, f"{seed}.png", "0" * 64, (64, 64), (0, 0, 64, 64))


@cache
def built(level: float = 0.6, strength: float = 0.05) -> Trio:
    studio = rig.open_studio(preset.parse({}, settings()))
    inverter = inverter_of(studio)
    third = vertices.from_seeds((0, 123, 200), inverter.shape)[2]
    wanted = Wanted(level, strength, stages=2, sweeps=3)
    return build(inverter, studio.prompt, (picture(1), picture(2)), third, wanted).trio


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "bridge.safetensors"
    path.write_bytes(vertices.serialised(built()))
    return path


def test_the_command_makes_a_preset_that_is_filmed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = noise(tmp_path / "a.png"), noise(tmp_path / "b.png", 1)
    target = tmp_path / "bridge.toml"
    command("bridge", a, b, "-o", target, *sets("pacing.speed=10", "film.seconds=0.5"))
    assert capsys.readouterr().out.strip() == str(target)
    made, found = preset.load(target), vertices.read(tmp_path / "bridge.safetensors")
    assert made.plane.vertices == str(tmp_path / "bridge.safetensors")
    assert found.bridge is not None
    assert len(found.bridge.latents) == 17
    said = found.origin["bridge"]
    assert isinstance(said, dict)
    assert {"noise_level", "start", "world", "prompt", "negative", "strength", "by", "stretch"} <= said.keys()
    assert [table["kind"] for table in found.each] == ["picture", "picture", "aside"]
    assert [table["name"] for table in found.each[:2]] == ["a.png", "b.png"]
    command("film", target, "-o", tmp_path / "film")
    assert (tmp_path / "film" / "film.mp4").is_file()
    with pytest.raises(OutputExists, match="--overwrite"):
        command("bridge", a, b, "-o", target, *sets())


def test_its_ends_are_the_pictures_at_any_guidance(file: Path) -> None:
    for more in ("decoder.guidance=4", "decoder.guidance=9"):
        studio = rig.open_studio(preset.parse({}, settings(f"plane.vertices={file}", more)))
        shown = studio.decoder(studio.plane.latents(studio.plane.unit([0.0, 1.0], [0.0, 0.0])), studio.prompt)
        for made, own, said in zip(shown, (picture(1), picture(2)), built().each, strict=False):
            error = float(((made - torch.from_numpy(own.levels)) ** 2).mean())
            assert -10 * math.log10(error) > float(said["floor"]) - 0.3  # type: ignore[arg-type]


def test_a_film_is_the_same_in_any_batch_and_by_any_way(file: Path) -> None:
    plane = f"plane.vertices={file}"
    studio = rig.open_studio(preset.parse({}, settings(plane)))
    units = studio.plane.unit([0.0, 0.3, 0.5, 0.2, 1.4], [0.0, 0.0, 0.0, 0.4, -0.2])
    latents = studio.plane.latents(units)
    whole = studio.decoder(latents, studio.prompt)
    alone = torch.cat([studio.decoder(one[None], studio.prompt) for one in latents.flip(0)]).flip(0)
    assert torch.equal(whole, alone)


def test_the_bend_changes_the_edge_and_nothing_beyond_it(file: Path) -> None:
    trio = vertices.read(file)
    assert trio.bridge is not None
    bend, plane = Bend(trio.bridge.latents), Plane(trio.vertices)
    inside = plane.latents(plane.unit([0.3, 0.5, 0.3], [0.0, 0.0, 0.5]))
    bent = bend.bent(inside)
    assert not torch.equal(bent, inside)
    torch.testing.assert_close(bent.flatten(1).norm(dim=1), inside.flatten(1).norm(dim=1), rtol=1e-6, atol=0)
    outside = plane.latents(plane.unit([-0.5, 1.5, 0.0, -1.0], [0.0, 0.2, 0.0, 3.0]))
    assert torch.equal(bend.bent(outside), outside)
    middle = plane.latents(_between(plane, 0.5))
    control = trio.bridge.latents[2]  # of 5, which are evenly spaced
    np.testing.assert_allclose(bend.bent(middle)[0].numpy(), control, atol=0.02 * np.abs(control).max())
    shares = np.linspace(0, 1, 4001)
    way = bend.bent(plane.latents(np.concatenate([_between(plane, share) for share in shares]))).double().flatten(1)
    steps = way.diff(dim=0).norm(dim=1)
    assert float(steps.max()) < 1.05 * float(steps.mean())  # continuous, and walked evenly
    assert float(steps.sum()) == pytest.approx(plane.target * bend.apart * bend.stretch, rel=1e-3)


def _between(plane: Plane, share: float) -> Any:
    z0, z1 = (corner / np.linalg.norm(corner) for corner in plane.corners[:2])
    apart = math.acos(float(z0 @ z1))
    unit = math.sin((1 - share) * apart) * z0 + math.sin(share * apart) * z1
    return (unit / np.linalg.norm(unit))[None]


def test_a_way_of_two_latents_is_the_great_circle() -> None:
    trio = built()
    plane, bend = Plane(trio.vertices), Bend(trio.vertices[:2])
    assert bend.stretch == pytest.approx(1.0, abs=1e-12)
    latents = plane.latents(plane.unit([0.2, 0.7], [0.0, 0.3]))
    torch.testing.assert_close(bend.bent(latents), latents, rtol=0, atol=1e-6)


def test_profiles_tell_bridges_apart_and_old_ones_stay(file: Path) -> None:
    bare = rig.open_studio(preset.parse({}, settings())).decoder.profile
    assert not {"start", "bridge"} & bare.record().keys()
    made = rig.open_studio(preset.parse({}, settings(f"plane.vertices={file}"))).decoder.profile
    assert (made.start, bool(made.bridge)) == (599, True)
    assert Profile.read(made.record()) == made
    said = bare.differences(made)
    assert "start was 0, now 599" in said
    assert any(line.startswith("bridge was") for line in said)
    unheld = rig.open_studio(preset.parse({}, settings(f"plane.vertices={file}", "plane.hold=none"))).decoder
    assert (unheld.profile.bridge, unheld.profile.hold) == (made.bridge, "")


def test_denoising_starts_half_way_whatever_the_steps(file: Path) -> None:
    for steps, expected in ((10, 6), (20, 12), (8, 5)):
        studio = rig.open_studio(preset.parse({}, settings(f"plane.vertices={file}", f"decoder.steps={steps}")))
        assert studio.networks is not None
        found = levels(studio.networks)
        assert len(found) == studio.networks.calls == expected
        assert found[0].time == 599
        for one, other in pairwise(found):
            assert one.after == pytest.approx(other.before)  # no step is shorter than it believes


def test_the_scout_of_a_bridge_is_guided_and_starts_there(file: Path) -> None:
    studio = rig.open_studio(preset.parse({}, settings(f"plane.vertices={file}", "decoder.kind=scout")))
    assert (studio.settings.variant, studio.settings.start) == ("guided", 599)
    shown = studio.decoder(studio.plane.latents(studio.plane.unit([0.5], [0.0])), studio.prompt)
    assert shown.isfinite().all()


def journey(file: Path, *more: str) -> preset.Preset:
    return preset.parse({}, settings(*WALK, f"plane.vertices={file}", "pacing.speed=10", *more))


def test_a_take_on_a_bridge_is_the_same_to_the_last_bit(file: Path, tmp_path: Path) -> None:
    take, heard = live(tmp_path / "bridge.take", journey(file), 4, 2)
    again = filmed(take, (), exact=True)
    memory, check = Memory(), again.check()
    film = make.film(again.preset, tmp_path / "film", sinks=[memory, check], journey=again)
    np.testing.assert_array_equal(memory.pictures, heard.pictures)
    assert (check.same, check.other) == (4, 0)
    assert film.summary.profile.bridge == rig.build(journey(file)).decoder.profile.bridge != ""


def test_a_ray_worker_makes_the_same_film(file: Path, tmp_path: Path) -> None:
    planned = plan(journey(file), tmp_path / "a.plan", kind="faithful")
    way = filmed(read(planned.target), preset=journey(file))
    here = rig.build(way.preset)
    sent = chunk_maker(preset.dump(here.preset), way)
    assert sent.settings == table(identity(here, way.digest))
    said = sent.settings["profile"]
    assert isinstance(said, dict)
    assert said["bridge"] == here.decoder.profile.bridge
    assert sent.work(0).chunk.frames >= 1  # type: ignore[attr-defined]


def test_an_atlas_of_a_bridge_is_told_from_one_of_its_plane(file: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.safetensors"
    plain.write_bytes(vertices.serialised(replace(built(), bridge=None)))
    one, other = (rig.open_studio(journey(each)) for each in (file, plain))
    said = one.provenance(one.decoder).differences(other.provenance(other.decoder))
    assert any("bridge" in line for line in said)


def test_files_are_whole_and_equal(file: Path) -> None:
    trio = vertices.read(file)
    assert vertices.serialised(trio) == file.read_bytes()
    assert trio.bridge is not None
    moved = replace(trio, bridge=Bridge(trio.bridge.latents, trio.bridge.start + 50))
    assert moved.digest != trio.digest
    plain = replace(trio, bridge=None)
    assert plain.digest != trio.digest


def _torn(trio: Trio) -> Trio:
    assert trio.bridge is not None
    return replace(trio, bridge=Bridge(trio.bridge.latents[:-1], trio.bridge.start))


def _elsewhere(trio: Trio) -> Trio:
    said = dict(trio.origin["bridge"]) | {"world": "f" * 64}  # type: ignore[call-overload]
    tables = [{**table, "kind": "seed"} for table in trio.each]
    return replace(trio, origin={**trio.origin, "bridge": said, "vertices": tables}, details=None)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (_torn, WorldDamaged, "not of their shape"),
        (_elsewhere, WorldMismatch, "was built in another world"),
    ],
)
def test_files_that_do_not_fit(
    tmp_path: Path, change: Callable[[Trio], Trio], error: type[LatentWorldError], words: str
) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(vertices.serialised(change(built())))
    for more in ((), ("plane.hold=none",)):
        with pytest.raises(error, match=words):
            rig.open_studio(preset.parse({}, settings(f"plane.vertices={path}", *more)))


def test_a_broken_bridge_is_said(tmp_path: Path, file: Path) -> None:
    data = bytearray(file.read_bytes())
    at = data.index(b'"start":"599"')
    data[at : at + 13] = b'"start":"5x9"'
    path = tmp_path / "broken.safetensors"
    path.write_bytes(bytes(data))
    with pytest.raises(WorldDamaged, match="does not match its hash"):
        vertices.read(path)


def test_other_planes_refuse_bridges(file: Path) -> None:
    with pytest.raises(WorldMismatch, match="this decoder wants"):
        rig.open_studio(preset.parse({}, settings(f"plane.vertices={file}", "decoder.height=128")))
    with pytest.raises(PresetError, match="lies on its own sphere"):
        rig.open_studio(preset.parse({}, settings(f"plane.vertices={file}", "plane.norm=global")))
    with pytest.raises(WorldMismatch):
        rig.open_studio(preset.parse({}, ["decoder.kind=analytic", f"plane.vertices={file}"]))


def test_half_precision_and_residuals(file: Path) -> None:
    with pytest.raises(PresetError, match="holds no residuals"):
        rig.open_studio(preset.parse({}, settings(f"plane.vertices={file}", "plane.hold=residual")))
    studio = rig.open_studio(preset.parse({}, settings("decoder.dtype=bfloat16")))
    third = vertices.from_seeds((0, 123, 200), (4, 8, 8))[2]
    pair = (picture(1), picture(2))
    made = build(inverter_of(studio), studio.prompt, pair, third, Wanted(0.6, 0.05, stages=2, sweeps=3)).trio
    ends, exact = made.vertices[:2], built().vertices[:2]  # by the same weights, rounded: in float32 all the same
    assert np.abs(ends - exact).max() < 0.1
    assert float(made.each[0]["reached"]) > float(made.each[0]["floor"]) - 0.3  # type: ignore[arg-type]


def test_live_planes_keep_a_bridge(file: Path) -> None:
    spec = preset.parse({}, settings(f"plane.vertices={file}"))
    plane = Plane(vertices.read(file).vertices)
    planes = Planes(plane, spec.plane)
    with pytest.raises(GeometryError, match="its vertices stay"):
        planes.plane(PlaneWish((None, None, 5), "sphere"))
    assert planes.good is plane
    with pytest.raises(TakeError, match="its vertices stay"):
        drawn(spec.plane, (None, None, 5), (4, 8, 8))
    with pytest.raises(ControlError, match="its own two pictures"):
        carried(plane, rig.open_studio(spec))


@pytest.mark.parametrize("level", [0.05, 0.95, 0.0, 1.0, -1.0, float("nan")])
def test_noise_levels_out_of_range(level: float) -> None:
    with pytest.raises(PresetError, match=r"between 0\.05 and 0\.95"):
        Wanted(level)


def test_pictures_that_make_no_bridge(tmp_path: Path) -> None:
    a, b = noise(tmp_path / "a.png"), tmp_path / "b.toml"
    with pytest.raises(PresetError, match="the same picture"):
        command("bridge", a, a, "-o", b, *sets())
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(PresetError):
        command("bridge", a, tmp_path / "text.png", "-o", b, *sets())
    with pytest.raises(PresetError, match="cannot be read"):
        command("bridge", a, tmp_path / "none.png", "-o", b, *sets())
    with pytest.raises(PresetError, match="choose a world with networks"):
        command("bridge", a, noise(tmp_path / "c.png", 3), "-o", b, "--set", "decoder.kind=analytic")
    with pytest.raises(OutputError, match=r"\.toml"):
        command("bridge", a, a, "-o", tmp_path / "b.png", *sets())
    assert not b.exists()


def test_a_world_without_an_encoder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from latentworld.worlds.world import World

    monkeypatch.setattr(World, "encodes", property(lambda self: False))
    with pytest.raises(WorldMismatch, match="no encoder"):
        command("bridge", noise(tmp_path / "a.png"), noise(tmp_path / "b.png", 1), "-o", tmp_path / "b.toml", *sets())


def test_the_gradient_is_the_score_whatever_its_mates() -> None:
    studio = rig.open_studio(preset.parse({}, settings("decoder.batch=4")))
    noisy = studio.networks
    assert noisy is not None
    with pytest.raises(DecodeError, match="equally likely everywhere"):
        uphill(noisy, studio.prompt)
    noisy = noisy.variant(replace(noisy.settings, start=599, guidance=1.0))
    points = np.random.default_rng(0).normal(size=(5, math.prod(noisy.shape)))
    gradient = uphill(noisy, studio.prompt)
    found = gradient(points)
    np.testing.assert_array_equal(found[[4]], gradient(points[[4]]))
    sample = torch.from_numpy(points.astype(np.float32)).reshape(-1, *noisy.shape)[:4]
    share = float(noisy.scheduler.alphas_cumprod[599])
    time = torch.tensor(599)
    predicted = noisy.predict(sample, time, noisy.conditioning(studio.prompt))
    clean = noisy.begin().step(predicted, time, sample, eta=0.0, return_dict=False)[1]
    score = (math.sqrt(share) * clean - sample) / (1 - share)  # Tweedie
    np.testing.assert_allclose(found[:4], score.flatten(1).numpy(), rtol=1e-3, atol=1e-3)
    assert not np.allclose(uphill(noisy, studio.prompt, draws=3)(points), found)
    same = Prompt("fog", "fog")
    np.testing.assert_allclose(uphill(noisy, same, "prompt")(points), 0.0, atol=1e-5)
    assert np.abs(uphill(noisy, studio.prompt, "prompt")(points)).max() > 1e-4


def test_ends_that_have_no_way() -> None:
    one = np.random.default_rng(0).normal(size=(4, 8, 8))
    with pytest.raises(GeometryError, match="antipodes"):
        Bend(np.stack([one, -one]))
    with pytest.raises(GeometryError, match="the same"):
        Bend(np.stack([one, one]))
