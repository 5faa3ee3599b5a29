"""From pictures to planes: the command, what it refuses, and where held pictures go from there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from standins import tiny_world
from standins.noise import command, noise, options
from standins.takes import live

from installation import pictures, rig
from installation.film import make
from installation.film.remote import chunk_maker
from installation.film.sinks import Memory
from installation.takes.film import journey as filmed
from installation.vertices.making import Options, Place, inverter_of, trio
from latentworld import preset, vertices
from latentworld.decoding import inverse
from latentworld.errors import Notice, OutputError, OutputExists, PresetError, WorldMismatch
from latentworld.plane import Plane

pytestmark = [pytest.mark.usefixtures("own_cache"), pytest.mark.filterwarnings("ignore::latentworld.errors.Notice")]
BASE = [
    "decoder.steps=3", "decoder.guidance=4", "decoder.batch=2", "decoder.dtype=float32", "decoder.device=cpu",
    "decoder.engine=eager", "prompt.positive=a cat", "prompt.negative=fog", "decoder.kind=faithful", "film.fps=6",
    "film.seconds=1", "walk.kind=waypoints", 'walk.points=["z0","z1"]', "pacing.kind=latent", "film.scale=1",
    "walk.closed=false",
]  # fmt: skip


def settings(*more: str) -> list[str]:
    return [f"world.name={tiny_world.folder()}", *BASE, *more]


def sets(*more: str) -> list[str]:
    return options(settings(*more))


@cache
def file_of(kind: str) -> tuple[bytes, tuple[int, ...]]:
    """The bytes of a vertex file of one picture, made once."""
    studio = rig.open_studio(preset.parse({}, settings()))
    inverter = inverter_of(studio)
    levels = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(1)).numpy()
    from installation.pictures import SourcePicture

    picture = SourcePicture(levels, "a.png", "0" * 64, (64, 64), (0, 0, 64, 64))
    others = vertices.from_seeds((0, 123, 200), inverter.shape)
    places = [Place(picture), *(Place(None, others[n], {"kind": "seed"}) for n in (1, 2))]
    made = trio(inverter, studio.prompt, places, Options(kind)).trio  # type: ignore[arg-type]
    return vertices.serialised(made), inverter.shape


@pytest.fixture(params=["guidance", "residual"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "trio.safetensors"
    path.write_bytes(file_of(request.param)[0])
    return path


def test_the_command_makes_vertices_that_a_still_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = noise(tmp_path / "a.png"), noise(tmp_path / "b.png", 1)
    target, strip = tmp_path / "trio.safetensors", tmp_path / "strip.png"
    command("vertices", "from-picture", a, b, "-o", target, "--strip", strip, "--vertex", "z2=seed:77", *sets())
    assert capsys.readouterr().out.strip() == str(target)
    found = vertices.read(target)
    assert [said["kind"] for said in found.each] == ["picture", "picture", "seed"]
    assert found.each[2]["seed"] == 77
    assert found.origin["hold"] == "guidance"
    for said in found.each[:2]:
        assert {"sha256", "crop", "seed", "world", "prompt", "steps", "guidance", "whiteness"} <= said.keys()
        assert abs(said["floor"] - said["reached"]) < 0.3  # type: ignore[operator]
        assert abs(said["whiteness"]["norm"] - 1) < 1e-5  # type: ignore[index]
    np.testing.assert_array_equal(found.vertices[2], vertices.from_seeds((77, 77, 77), (4, 8, 8))[0])
    with Image.open(strip) as page:
        assert page.width > 5 * 256
    command("vertices", "show", target)
    assert "guidance (details)" in capsys.readouterr().err
    still, bare = tmp_path / "still.png", tmp_path / "bare.png"
    command("still", "--alpha", 0, "--beta", 0, "-o", still, *sets(f"plane.vertices={target}"))
    command("still", "--alpha", 0, "--beta", 0, "-o", bare, *sets(f"plane.vertices={target}", "plane.hold=none"))
    decibels = [psnr(made, a) for made in (still, bare)]
    assert abs(decibels[0] - float(found.each[0]["floor"])) < 0.3  # type: ignore[arg-type]
    assert still.read_bytes() != bare.read_bytes()
    with Image.open(still) as image:
        said = json.loads(image.text["latentworld"])  # type: ignore[attr-defined]
    assert said["profile"]["hold"]
    with pytest.raises(OutputExists, match="--overwrite"):
        command("vertices", "from-picture", a, "-o", target, *sets())


def psnr(one: Path, other: Path) -> float:
    a, b = (pictures.read(path, (64, 64)).levels for path in (one, other))
    return float(-10 * np.log10(((a - b) ** 2).mean()))


def test_our_own_pictures_keep_their_latents(tmp_path: Path) -> None:
    own, edited = tmp_path / "own.png", tmp_path / "edited.png"
    command("still", "--alpha", 0.3, "--beta", 0.2, "-o", own, *sets())
    with Image.open(own) as image:
        info = PngInfo()
        info.add_itxt("latentworld", image.text["latentworld"])  # type: ignore[attr-defined]
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(edited, pnginfo=info)
    target = tmp_path / "trio.safetensors"
    with pytest.warns(Notice, match="changed since: it is inverted"):
        command("vertices", "from-picture", own, edited, "-o", target, *sets())
    found = vertices.read(target)
    assert [said["kind"] for said in found.each] == ["own", "picture", "seed"]
    plane = Plane(vertices.from_seeds((0, 123, 200), (4, 8, 8)))
    expected = plane.latents(plane.unit(0.3, 0.2))[0].double().numpy()
    np.testing.assert_array_equal(found.vertices[0], expected)
    assert found.pictures == [1]


def test_the_same_picture_twice_is_two_latents(tmp_path: Path) -> None:
    a, target = noise(tmp_path / "a.png"), tmp_path / "trio.safetensors"
    with pytest.warns(Notice, match="a.png is there twice"):
        command("vertices", "from-picture", a, a, "-o", target, *sets())
    found = vertices.read(target)
    assert not np.array_equal(found.vertices[0], found.vertices[1])
    assert len({said["seed"] for said in found.each[:2]}) == 2
    Plane(found.vertices)


@pytest.mark.parametrize(
    ("words", "error", "why"),
    [
        (lambda f: ["missing.png"], PresetError, "cannot be read"),
        (lambda f: [f / "words.png"], PresetError, "is no picture"),
        (lambda f: [f / "a.png", "--set", "decoder.kind=analytic"], PresetError, "analytic world takes no pictures"),
    ],
)
def test_what_cannot_be_a_vertex_is_one_line(
    tmp_path: Path, words: Callable[[Path], list[Any]], error: type[Exception], why: str
) -> None:
    noise(tmp_path / "a.png")
    (tmp_path / "words.png").write_text("words")
    with pytest.raises(error, match=why) as told:
        command("vertices", "from-picture", *words(tmp_path), "-o", tmp_path / "t.safetensors", *sets()[:2])
    assert "\n" not in str(told.value)
    assert not (tmp_path / "t.safetensors").exists()


@pytest.mark.parametrize("words", [[], ["a"] * 4, ["a.png", "--vertex", "z0=seed:1"], ["a.png", "--vertex", "z9=1"]])
def test_how_it_is_not_called(tmp_path: Path, words: list[str]) -> None:
    import typer

    with pytest.raises(typer.TyperException):
        command("vertices", "from-picture", *words, "-o", tmp_path / "t.safetensors")


def test_half_precision_is_inverted_in_float32(tmp_path: Path) -> None:
    studio = rig.open_studio(preset.parse({}, settings("decoder.dtype=bfloat16")))
    inverter = inverter_of(studio)
    assert inverter.settings.dtype == "float32"
    assert studio.networks is not None
    assert studio.networks.settings.dtype == "bfloat16"


def test_a_film_begins_with_the_picture(file: Path, tmp_path: Path) -> None:
    journey = preset.parse({}, settings(f"plane.vertices={file}"))
    memory = Memory()
    film = make.film(journey, tmp_path / "film", sinks=[memory])
    plain = make.film(journey.changed(plane={"hold": "none"}), tmp_path / "plain", sinks=[other := Memory()])
    assert film.summary.profile.hold
    assert film.summary.profile_hash != plain.summary.profile_hash
    assert not np.array_equal(memory.pictures[0], other.pictures[0])


def test_a_ray_worker_makes_the_same_film(file: Path, tmp_path: Path) -> None:
    """What a worker is sent, the resolved preset as text, names the hold; its identity is the film's own."""
    from installation.film.opening import identity
    from installation.film.plan import plan
    from installation.ipc.jsonable import table
    from installation.takes import read
    from latentworld.preset import dump

    journey = preset.parse({}, settings(f"plane.vertices={file}"))
    planned = plan(journey, tmp_path / "a.plan", kind="faithful")
    way = filmed(read(planned.target), preset=journey)
    here = rig.build(way.preset)
    sent = chunk_maker(dump(here.preset), way)
    assert sent.settings == table(identity(here, way.digest))
    assert sent.settings["profile"]["hold"] == here.decoder.profile.hold != ""  # type: ignore[index,call-overload]
    assert sent.work(0).chunk.frames >= 1  # type: ignore[attr-defined]


def test_a_take_of_held_pictures_is_the_same_to_the_last_bit(file: Path, tmp_path: Path) -> None:
    journey = preset.parse({}, settings(f"plane.vertices={file}", "film.seconds=2"))
    take, heard = live(tmp_path / "held.take", journey, 6, 2)
    again = filmed(take, (), exact=True)
    memory, check = Memory(), again.check()
    film = make.film(again.preset, tmp_path / "film", sinks=[memory, check], journey=again)
    np.testing.assert_array_equal(memory.pictures, heard.pictures)
    assert (check.same, check.other) == (6, 0)
    assert film.summary.profile.hold == rig.build(journey).decoder.profile.hold


def test_an_atlas_of_held_pictures_is_told_from_one_without(file: Path) -> None:
    held, plain = (
        rig.open_studio(preset.parse({}, settings(f"plane.vertices={file}", f"plane.hold={hold}")))
        for hold in ("auto", "none")
    )
    one, other = (studio.provenance(studio.decoder) for studio in (held, plain))
    assert one.profile != other.profile
    assert one.differences(other, "plane", "world") == []


def test_a_scout_with_held_pictures_warns(file: Path) -> None:
    with pytest.warns(Notice, match="exact only with the faithful decoder"):
        scout = rig.open_studio(preset.parse({}, settings(f"plane.vertices={file}", "decoder.kind=scout")))
    assert scout.settings.hold is None
    assert scout.own["faithful"].hold is not None


def test_vertices_of_another_world_are_refused(file: Path, tmp_path: Path) -> None:
    other = tiny_world.folder("plain")
    with pytest.raises(WorldMismatch, match="encoded in another world"):
        rig.open_studio(preset.parse({}, settings(f"plane.vertices={file}", f"world.name={other}")))
    studio = rig.open_studio(
        preset.parse({}, settings(f"plane.vertices={file}", f"world.name={other}", "plane.hold=none"))
    )
    assert studio.settings.hold is None
    with pytest.raises(WorldMismatch, match="this decoder wants"):
        rig.open_studio(preset.parse({}, settings(f"plane.vertices={file}", "decoder.height=128")))
    with pytest.raises(WorldMismatch, match="are"):
        rig.open_studio(preset.load("analytic", [f"plane.vertices={file}"]))


def test_other_steps_are_refused_under_residual(tmp_path: Path) -> None:
    path = tmp_path / "trio.safetensors"
    path.write_bytes(file_of("residual")[0])
    with pytest.raises(PresetError, match="are of 3 steps"):
        rig.open_studio(preset.parse({}, settings(f"plane.vertices={path}", "decoder.steps=5")))
    eased = preset.parse({}, settings(f"plane.vertices={path}", "decoder.steps=5", "plane.hold=guidance"))
    assert rig.open_studio(eased).decoder.profile.hold
    with pytest.raises(PresetError, match="residual"):
        rig.open_studio(preset.parse({}, settings("plane.hold=residual")))


@pytest.mark.parametrize("reach", [4.9, 80.1])
def test_a_reach_has_bounds(reach: float) -> None:
    with pytest.raises(PresetError, match="reach"):
        preset.parse({}, [f"plane.reach={reach}"])


def test_whiteness_of_white_and_of_other_noise() -> None:
    from latentworld.whiteness import whiteness

    rng = np.random.default_rng(0)
    white = whiteness(rng.normal(size=(4, 64, 64)))
    assert white.faults == []
    assert white.ks < 0.02
    assert abs(white.local - np.sqrt(2 / 64)) < 0.04
    smooth = rng.normal(size=(4, 65, 65))
    smooth = smooth[:, 1:, 1:] + smooth[:, :-1, 1:]
    assert whiteness(smooth / np.sqrt(2)).lag == pytest.approx(0.25, abs=0.03)
    assert len(whiteness(0.8 * smooth).faults) >= 2
    assert whiteness(np.zeros((1, 1, 1))).faults
    assert replace(white, norm=1.2).faults == ["its length is 1.20 of white noise's"]


def test_symbiosis_begins_with_its_picture(tmp_path: Path) -> None:
    """The preset as it is shipped, its vertex file beside it: made for the embedded world that is shipped with it."""
    still = tmp_path / "still.png"
    command("still", "symbiosis", "--alpha", 1, "--beta", 0, "-o", still, "--set", "decoder.batch=1")
    folder = preset.folder() / "symbiosis"
    said = vertices.read(folder / "trio.safetensors").each[1]
    a, b = (pictures.read(path, (128, 128)).levels for path in (still, folder / "lichen.png"))
    assert float(-10 * np.log10(((a - b) ** 2).mean())) > float(said["floor"]) - 0.3  # type: ignore[arg-type]


def test_nothing_of_a_persons_is_replaced_by_a_strip(tmp_path: Path) -> None:
    a = noise(tmp_path / "a.png")
    before = a.read_bytes()
    for more in ([], ["--overwrite"]):
        with pytest.raises(OutputExists, match=r"a\.png is there already"):
            command(
                "vertices", "from-picture", a, "-o", tmp_path / "t.safetensors", "--strip", a, *more, *sets()[:2]
            )  # fmt: skip
    assert a.read_bytes() == before


def test_a_file_that_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    a = noise(tmp_path / "a.png")
    (tmp_path / "folder.safetensors").mkdir()
    for target in (tmp_path / "no" / "where.safetensors", tmp_path / "folder.safetensors"):
        with pytest.raises(OutputError, match="cannot write"):
            command("vertices", "from-picture", a, "-o", target, "--overwrite", "--set", "world.name=/nowhere/at/all")


def test_any_seed_is_a_seed() -> None:
    one, other = inverse.noise_of([2**63 - 1, 2**63], (1, 2, 2))
    assert not torch.equal(one, other)
