"""The command line as scripts see it: names, exit codes, one line on stderr for whatever is refused."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from installation.cli import film
from installation.film import again
from installation.frames import develop
from installation.rig import open_studio
from latentworld import preset, walks, worlds
from latentworld.errors import PresetError
from latentworld.preset import Preset

SMALL = ["--set", "decoder.height=32", "--set", "decoder.width=32", "--set", "decoder.steps=5"]
STILL = ["still", "--decoder", "analytic", "--set", "decoder.height=32", "--set", "decoder.width=32"]


def test_film(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    arguments = ("film", "analytic", "-o", tmp_path / "film", *SMALL, "--set", "film.seconds=0.5")
    code, out, err = run(*arguments)
    assert code == 0, err
    assert out.strip() == str(tmp_path / "film" / "film.mp4")
    code, out, err = run(*arguments)
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert "--overwrite" in err
    assert err.count("\n") == 1
    assert run(*arguments, "--overwrite")[0] == 0


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp932"])
def test_output_that_goes_into_another_encoding_ends_no_command(encoding: str, tmp_path: Path) -> None:
    """As a Windows console has it, and what is redirected there."""
    here = {**os.environ, "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-m", "installation"]
    film = ["film", "analytic", "-o", "花 größer", *SMALL, "--set", "film.seconds=0.2", "--set", "title=größer 花"]
    commands = [film, ["presets"], ["presets", "keys"]] if encoding == "ascii" else [["presets"], ["presets", "keys"]]
    for arguments in commands:
        ended = subprocess.run([*command, *arguments], cwd=tmp_path, env=here, capture_output=True, check=False)
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout
    assert (tmp_path / "花 größer" / "film.mp4").exists() == (encoding == "ascii")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", ["presets", "worlds", "--version"])
def test_a_full_disk_behind_the_output_is_one_line(words: str) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "installation", words]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: what this says cannot be written (")
    assert ended.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("where", ["2>/dev/full", ">&-", "2>&-", ">&- 2>&-", "2> >(true)"])
def test_a_stream_that_takes_nothing_ends_no_work(where: str, tmp_path: Path) -> None:
    arguments = ["film", "analytic", "-o", str(tmp_path / "film"), *SMALL, "--set", "film.seconds=0.3"]
    command = shlex.join([sys.executable, "-m", "installation", *arguments])
    ended = subprocess.run(["bash", "-c", f"{command} {where}"], stdout=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 0
    assert (tmp_path / "film" / "film.mp4").exists()
    assert ended.stdout.strip() == ("" if where.startswith(">") else str(tmp_path / "film" / "film.mp4"))
    refused = shlex.join([sys.executable, "-m", "installation", "nonsense"])
    told = subprocess.run(["bash", "-c", f"{refused} {where}"], check=False)
    assert told.returncode == 2


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_what_a_disk_takes_half_of_is_told(unbuffered: str, tmp_path: Path) -> None:
    said = shlex.join([sys.executable, "-m", "installation", "presets", "schema"])
    command = f"ulimit -f 1; {said} > {shlex.quote(str(tmp_path / 'a'))}"
    here = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    ended = subprocess.run(["bash", "-c", command], env=here, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: what this says cannot be written (")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp932"])
def test_what_is_meant_for_a_file_reads_back_whatever_the_console_speaks(encoding: str, tmp_path: Path) -> None:
    here, words = {**os.environ, "PYTHONIOENCODING": encoding}, "größer 花 ≠ 🌊 \\ café"
    world = tmp_path / "世界"
    world.mkdir()

    def given(*arguments: str) -> bytes:
        command = [sys.executable, "-m", "installation", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=here, capture_output=True, check=True).stdout

    said = {"prompt.positive": words, "world.name": str(world), "title": words}
    kept = tmp_path / "mine.toml"
    kept.write_bytes(
        given("presets", "show", "analytic", *(part for k, v in said.items() for part in ("--set", f"{k}={v}")))
    )
    read = preset.load(kept)
    assert (read.prompt.positive, read.world.name, read.title) == (words, str(world), words)
    assert given("worlds", "path", str(world)) == f"{world}\n".encode()
    assert "≥" in given("presets", "keys", "--full").decode() + given("osc", "table").decode()
    assert json.loads(given("doctor", "--json"))


TO_AND_FRO = ["--set", "walk.kind=waypoints", "--set", "walk.points=['z0','z0']"]
BAD = {
    "unknown preset": ["film", "frist-light", "-o", "OUT"],
    "unknown key": ["film", "analytic", "-o", "OUT", "--set", "film.fsp=3"],
    "wrong type": ["film", "analytic", "-o", "OUT", "--set", "film.fps=fast"],
    "no steps": ["film", "analytic", "-o", "OUT", "--set", "decoder.steps=0"],
    "odd size": ["film", "analytic", "-o", "OUT", "--set", "film.size=[63,64]"],
    "unwritable": ["film", "analytic", "-o", "/proc/nowhere"],
    "zero-length path": ["film", "analytic", "-o", "OUT", *TO_AND_FRO],
    "collinear vertices": ["film", "analytic", "-o", "OUT", "--set", "plane.seeds=[1,1,2]"],
    "no world": ["film", "first-light", "-o", "OUT", "--set", "world.name=nowhere"],
    "pickled world": ["film", "first-light", "-o", "OUT", "--set", "world.name=model.ckpt"],
    "alpha": [*STILL, "--alpha", "nan", "--beta", "0", "-o", "OUT/a.png"],
    "beta": [*STILL, "--alpha", "0", "--beta", "inf", "-o", "OUT/a.png"],
    "radius": [*STILL, "--alpha", "0", "--beta", "0", "--radius", "-0.01", "-o", "OUT/a.png"],
    "steps": [*STILL, "--alpha", "0", "--beta", "0", "--steps", "0", "-o", "OUT/a.png"],
    "norm": [*STILL, "--alpha", "0", "--beta", "0", "--norm", "cube", "-o", "OUT/a.png"],
    "place": [*STILL, "--alpha", "0", "--beta", "0", "-o", "/proc/nowhere/a.png"],
    "folder": [*STILL, "--alpha", "0", "--beta", "0", "-o", "."],
    "suffix": [*STILL, "--alpha", "0", "--beta", "0", "-o", "OUT/a.jpg"],
    "world to show": ["worlds", "show", "nowhere"],
    "world's path": ["worlds", "path", "nowhere"],
    "preset to show": ["presets", "show", "nowhere"],
}


@pytest.mark.parametrize("arguments", BAD.values(), ids=BAD.keys())
def test_what_is_refused_is_one_line_and_exit_code_1(arguments: list[str], run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code, out, err = run(*(argument.replace("OUT", str(tmp_path / "out")) for argument in arguments))
    assert (code, out) == (1, ""), err
    lines = [line for line in err.splitlines() if line.strip()]
    assert len(lines) == 1
    assert lines[0].startswith("error: ")


FIVE = "world.loras=[{file='a'},{file='b'},{file='c'},{file='d'},{file='e'}]"
TOLD = {
    "an atlas that is not there": (
        ["atlas", "emergence", "OUT/map", "-o", "OUT/told"],
        "there is no folder OUT/map: name the folder of a survey; `latentworld atlas survey neutral -o OUT/map` makes",
    ),
    "prompts that are not there": (
        ["prospect", "neutral", "--prompts", "OUT/none.txt", "-o", "OUT/p"],
        "there is no file OUT/none.txt: give --prompts a text file with a prompt on each line",
    ),
    "too many LoRAs": (
        ["presets", "check", "neutral", "--set", FIVE],
        "world.loras has 5 entries, at most 4 are taken: leave some out",
    ),
    "a prompt that is too long": (
        ["presets", "check", "neutral", "--set", f"prompt.positive={'a cat ' * 1000}"],
        "prompt.positive has 5999 characters, at most 2000 are taken: shorten it",
    ),
    "a key of another section": (
        ["presets", "check", "neutral", "--set", "prompt.guidance=3"], "did you mean 'decoder.guidance'?",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "words"), TOLD.values(), ids=TOLD)
def test_what_is_refused_says_the_point(arguments: list[str], words: str, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code, _, err = run(*(argument.replace("OUT", str(tmp_path)) for argument in arguments))
    assert (code, err.count("\n")) == (1, 1)
    assert words.replace("OUT", str(tmp_path)) in err
    assert "Errno" not in err


def test_a_picture_that_is_no_png_is_no_preset(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    picture = tmp_path / "picture.jpg"
    picture.write_bytes(b"\xff\xd8")
    code, _, err = run("still", picture, "-o", tmp_path / "a.png")
    assert (code, err.count("\n")) == (2, 1)
    assert "says nothing of how it was made: a PNG of ours does" in err
    assert "vertices from-picture" in err


MISUSED = {
    "no preset": ["film"],
    "no output": ["film", "analytic"],
    "no command": ["nonsense"],
    "no option": ["presets", "--nope"],
    "no number": ["still", "--alpha", "x"],
    "no seeds": [*STILL, "--alpha", "0", "--beta", "0", "--seeds", "1,x,3", "-o", "a.png"],
}


@pytest.mark.parametrize("arguments", MISUSED.values(), ids=MISUSED.keys())
def test_misuse_is_one_line_and_exit_code_2(arguments: list[str], run) -> None:  # type: ignore[no-untyped-def]
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert "--help" in err


def test_steps_are_those_of_the_chosen_decoder(run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    asked: list[Preset] = []
    monkeypatch.setattr(again, "stills", lambda journey, *_, **more: asked.append(journey))
    for kind in ("faithful", "scout"):
        place = ("--alpha", "0", "--beta", "0", "-o", tmp_path / "a.png")
        assert run("still", *place, "--decoder", kind, "--steps", "3")[0] == 0
    assert [(d.decoder.kind, d.decoder.steps, d.decoder.scout_steps) for d in asked] == [
        ("faithful", 3, 3), ("scout", 3, 3)
    ]  # fmt: skip


def test_a_film_takes_its_prompt_as_a_still_does(run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    asked: list[Preset] = []
    monkeypatch.setattr(film, "_render", lambda asking, console: asked.append(asking.preset))
    said = ("--prompt", 'a "quoted" cat = [sea]', "--set", "prompt.negative=fog")
    assert run("film", "neutral", "-o", tmp_path / "film", *said)[0] == 0
    assert (asked[0].prompt.positive, asked[0].prompt.negative) == ('a "quoted" cat = [sea]', "fog")


@pytest.mark.parametrize("command", [("plan",), ("atlas", "survey"), ("atlas", "zoom")])
def test_what_begins_at_a_preset_takes_a_prompt(command, run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    asked: list[str] = []

    def load(name: str, overrides: Sequence[str] = ()) -> Preset:
        asked.extend(overrides)
        raise PresetError("enough was seen")

    monkeypatch.setattr(preset, "load", load)
    code, _, err = run(*command, "neutral", "-o", tmp_path / "out", "--prompt", "a cat", "--negative", "fog")
    assert (code, asked) == (1, ['prompt.positive="a cat"', 'prompt.negative="fog"'])
    assert "enough was seen" in err


@pytest.mark.parametrize(
    "command", [("film",), ("plan",), ("atlas", "survey"), ("atlas", "zoom"), ("still", "--at", "0,0")]
)
def test_what_is_said_twice_is_refused(command, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    twice = ("--negative", "fog", "--set", "prompt.negative = 'rain'")
    code, _, err = run(*command, "neutral", "-o", tmp_path / "out", *twice)
    assert code == 2
    assert "prompt.negative is said twice, by an option of its own and by --set: leave one out" in " ".join(err.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "command",
    [
        ("new", "OUT", "--walk", "orbit", "--set", "walk.kind='line'"),
        ("vertices", "from-picture", "a.png", "-o", "OUT", "--steps", "3", "--set", "decoder.steps=4"),
        ("prospect", "neutral", "-o", "OUT", "--prompt", "a cat", "--set", "prompt.positive='a dog'"),
    ],
)
def test_so_it_is_by_whatever_option(command, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "out.toml"
    code, _, err = run(*(out if part == "OUT" else part for part in command))
    assert (code, "is said twice" in err) == (2, True)
    assert not out.exists()


@pytest.mark.parametrize("command", ["film", "plan"])
def test_a_prompt_that_nothing_hears_is_told(command: str, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    line = (command, "analytic", "-o", tmp_path / "out", "--dry-run")
    code, _, err = run(*line, "--prompt", "a cat")
    assert (code, "prompt.positive: nothing to the analytic decoder, left out" in err) == (0, True)
    assert "nothing to" not in run(*line)[2]


def test_a_fault_of_ours_keeps_its_traceback(run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    def broken() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(worlds, "survey", broken)
    with pytest.raises(ZeroDivisionError):
        run("worlds")


def test_still(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    where = tmp_path / "new" / "still.png"
    options = ["--seeds", "4,5,6", "--layout", "nchw", "--norm", "global", "--prompt", 'a "cat" = b', "--negative", "x"]
    options += ["--steps", "5", "--guidance", "3", "--radius", "1.5"]
    code, out, err = run(*STILL, "--alpha", "-0.5", "--beta", "2", *options, "-o", where)
    assert code == 0, err
    assert out.strip() == str(where)
    with Image.open(where) as image:
        assert image.size == (32, 32)


def test_a_still_of_the_far_side_is_what_a_walk_finds_there(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """The antipode of a place that `atlas` prints, of the preset's waypoints, and of the command line are one."""
    places = {"far": ["--alpha", "0.25", "--beta", "-2", "--radius", "-1"], "near": ["--alpha", "0.25", "--beta", "-2"]}
    for name, place in places.items():
        code, _, err = run(*STILL, *place, "-o", tmp_path / f"{name}.png")
        assert code == 0, err
    far, near = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in places)
    studio = open_studio(preset.parse({"decoder": {"kind": "analytic", "height": 32, "width": 32}}))
    walk = walks.build(walks.Waypoints(points=((0.25, -2.0, -1.0), "z0"), closed=False), studio.plane)
    pictures = develop(studio.decoder(studio.plane.latents(*walk.ahead([0.0])), studio.prompt))
    np.testing.assert_array_equal(far, pictures[0])
    assert (far != near).any()


def test_presets(run) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = run("presets")
    assert code == 0
    for name in ("first-light", "neutral", "cassini", "ornaments", "void", "dreamshaper"):
        assert name in out
    code, out, _ = run("presets", "show", "cassini", "--set", "film.fps=30")
    assert code == 0
    assert "NASA Cassini" in out
    assert "fps = 30.0" in out


def test_worlds_are_listed(run) -> None:  # type: ignore[no-untyped-def]
    assert run("worlds")[0] == 0


def test_doctor(run) -> None:  # type: ignore[no-untyped-def]
    code, out, err = run("doctor", "--json")
    assert code == 0, err
    report = json.loads(out)
    assert report["encoder_works"] is True
    for key in ("device", "memory_gb", "cores", "display", "torch", "diffusers", "engine", "worlds"):
        assert key in report
    assert run("doctor")[0] == 0


def test_version_and_help(run) -> None:  # type: ignore[no-untyped-def]
    assert run("--version")[1].strip()
    code, out, _ = run("--help")
    assert code == 0
    for name in ("film", "still", "worlds", "presets", "doctor"):
        assert name in out
