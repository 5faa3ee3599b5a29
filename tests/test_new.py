"""A preset of one's own: written with every key explained, checked, and known to editors by its schema."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standins.sounds import piece

from latentworld import preset, walks
from latentworld.commented import commented
from latentworld.reference import sections
from latentworld.schema import NAME, schema, shipped

Run = Callable[..., tuple[int, str, str]]
SOME = [
    "rift.each={3='hold', 12='cut'}", "world.loras=[{file='a.safetensors', strength=0.5}]",
    "sound.follow=[{parameter='walk.radius', range=[1.0, 1.4]}]",
    "title=größer \"花\" \\ 'x'", "film.size=[64, 96]", "film.subtitles=srt", "prompt.positive=", "decoder.karras=true",
    "walk.points=['z0', [0.25, -2.0, -1.0]]",
]  # fmt: skip


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("name", preset.names())
def test_it_reads_back_as_it_was(name: str, whole: bool) -> None:
    journey = preset.load(name)
    assert preset.parse(tomllib.loads(commented(journey, whole=whole))) == journey


@given(st.sampled_from(walks.BUILT_IN), st.sets(st.sampled_from(SOME[:8])), st.booleans())
def test_what_is_in_it_reads_back(kind: str, more: set[str], whole: bool) -> None:
    journey = preset.parse({}, [f"walk.kind={kind}", *sorted(more), *(SOME[8:] if kind == "waypoints" else [])])
    cues = {
        "score": [
            {"at": "0:10", "set": {"walk.speed": 2.0, "prompt.a": "a cat"}},
            {"at": 3.0, "set": {"out.zoom": 1.5}},
        ]
    }
    scored = preset.parse({**journey.model_dump(mode="json", exclude_none=True), **cues})
    for each in (journey, scored):
        assert preset.parse(tomllib.loads(commented(each, whole=whole))) == each


def test_every_key_is_there_and_explained() -> None:
    text = commented(preset.parse({}), whole=False)
    for section in sections({"rift": walks.Rift}):
        if section.title.startswith("[["):
            continue
        for key in section.keys:
            assert re.search(rf"^#?{key.name} =", text, re.MULTILINE) or key.takes.startswith("tables"), key.name


def test_new(run: Run, tmp_path: Path) -> None:
    mine = tmp_path / "my-piece.toml"
    code, out, err = run("new", mine, "--walk", "lissajous", "--like", "neutral")
    assert (code, out.strip()) == (0, str(mine))
    assert f"film it: latentworld film {mine}" in err
    made, like = preset.load(mine), preset.load("neutral")
    named = {"title": "my-piece", "description": "Begun as Neutral."}
    assert made == preset.parse({**like.model_dump(mode="json", exclude_none=True), **named}, ["walk.kind=lissajous"])
    first = mine.read_text(encoding="utf-8").splitlines()[0]
    assert first == "#:schema ./preset.schema.json"  # which lies beside it and goes where it goes
    assert json.loads((tmp_path / NAME).read_text())["title"] == "latentworld preset"
    assert run("presets", "check", mine)[0] == 0
    for table in ("score", "world.loras", "world.embeddings", "sound.follow"):  # what there may be several of
        assert f"#[[{table}]]" in mine.read_text()


def test_check_says_what_a_show_alone_would_play(run: Run, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text("analytic = {}\n[decoder]\nkind = 'analytic'\n[[score]]\nat = 1\nset = { model.guidance = 5.0 }\n")
    code, out, err = run("presets", "check", mine)
    assert (code, "is sound" in out) == (0, True)
    assert "a show plays it, a film would not: score[0] (at 1.0): model.guidance" in err


def test_check_counts_beats_by_the_sound(run: Run, tmp_path: Path) -> None:
    piece(tmp_path / "piece.wav", bars=4)
    mine, score = tmp_path / "mine.toml", "[[score]]\nat = 'beat 9'\nset = { walk.speed = 3 }\n"
    mine.write_text(f"[sound]\nfile = 'piece.wav'\n{score}")
    assert run("presets", "check", mine)[0] == 0
    mine.write_text(score)
    assert "set tempo.bpm" in run("presets", "check", mine)[2]


def test_new_without_more_is_the_default(run: Run, tmp_path: Path) -> None:
    assert run("new", tmp_path / "plain.toml")[0] == 0
    assert preset.load(tmp_path / "plain.toml") == preset.parse({"title": "plain"})


def test_new_begins_as_a_picture_was_made(run: Run, tmp_path: Path) -> None:
    small = [part for key in ("height", "width") for part in ("--set", f"decoder.{key}=32")]
    picture = tmp_path / "a.png"
    assert run("still", "--decoder", "analytic", *small, "--at", "0.2,0.3", "-o", picture)[0] == 0
    assert run("new", tmp_path / "like.toml", "--like", picture)[0] == 0
    assert preset.load(tmp_path / "like.toml").decoder.height == 32


BAD = {
    "another suffix": (["new", "OUT/a.yaml"], "should end in .toml"),
    "no walk": (["new", "OUT/a.toml", "--walk", "lisajous"], "did you mean 'lissajous'"),
    "no preset": (["new", "OUT/a.toml", "--like", "nutral"], "did you mean 'neutral'"),
    "a folder that is none": (["new", "/proc/nowhere/a.toml"], "nowhere"),
    "no section": (["presets", "keys", "flim"], "did you mean 'film'"),
    "nothing to check": (["presets", "check", "OUT/none.toml"], "no preset file"),
}


@pytest.mark.parametrize(("arguments", "told"), BAD.values(), ids=BAD.keys())
def test_what_is_refused_is_one_line(arguments: list[str], told: str, run: Run, tmp_path: Path) -> None:
    code, out, err = run(*(argument.replace("OUT", str(tmp_path)) for argument in arguments))
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert told in err


def test_what_is_there_stays(run: Run, tmp_path: Path) -> None:
    mine = tmp_path / "a.toml"
    mine.write_text("title = 'mine'\n")
    code, _, err = run("new", mine)
    assert code == 1
    assert "--overwrite" in err
    assert mine.read_text() == "title = 'mine'\n"
    assert run("new", mine, "--overwrite")[0] == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[film]\nfsp = 3\n", "did you mean 'fps'"),
        ("[film]\nfps = 'fast'\n", "film.fps"),
        ("[walk]\nkind = 'orbit'\nstart = 'z0'\n", "walk.start"),
        ("film = \n", "mend that line"),
        (
            "[sound]\nfile = 'sea.wav'\n[[world.loras]]\nfile = 'ink.safetensors'\n",
            "sound.file = sea.wav; world.loras.0.file = ink.safetensors: there is no such file",
        ),
        ("[world]\nname = './models/mine'\n", "world.name = ./models/mine: there is no such file"),
        ("[[world.embeddings]]\nfile = 'word.safetensors'\n", "world.embeddings.0.file"),
        ("[[world.loras]]\npath = 'ink.safetensors'\n", "[world.loras[0]] lacks 'file': it has 'path'"),
        ("[prompt]\npositive = a cat\n", "texts stand in quotes"),
        ("[pilot]\natlas = 'maps/none'\n", "pilot.atlas = maps/none: there is no such file"),
        ("[film]\nupscale = 'sharper.pth'\n", "film.upscale"),
        ("[decoder]\ntiny_vae = 'small.safetensors'\n", "decoder.tiny_vae"),
        ("[plane]\nvertices = '/'\n", "plane.vertices = /"),  # a folder is none
        ('[world]\nname = "~\\u0000"\n', "world.name"),
        ('[[score]]\nat = 1\nset = { pilot.mode = "dance" }\n', "score[0] (at 1.0): pilot.mode = 'dance': use one of"),
        ("[[score]]\nat = 'bar 2'\nset = { walk.speed = 3 }\n", "set tempo.bpm"),
    ],
)
def test_check_says_what_is_wrong(text: str, told: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(text)
    code, out, err = run("presets", "check", tmp_path / "mine.toml")
    assert (code, out) == (1, "")
    assert told in err


@pytest.mark.parametrize("name", ["org/model", "embedded"])
def test_a_models_name_is_no_file(name: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(f"[world]\nname = '{name}'\n[film]\nupscale = 'lanczos'\n")
    assert run("presets", "check", tmp_path / "mine.toml")[0] == 0


# The schema


def test_the_schema_that_comes_along_is_up_to_date() -> None:
    assert (preset.folder() / NAME).read_text(encoding="utf-8") == shipped(), (
        "run: latentworld presets schema > presets/preset.schema.json"
    )


def test_the_shipped_presets_name_it() -> None:
    for name in preset.names():
        assert (preset.folder() / f"{name}.toml").read_text(encoding="utf-8").startswith(f"#:schema ./{NAME}\n")


def test_shipped_presets_fit_the_schema_and_mistakes_do_not() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    check = jsonschema.Draft202012Validator(json.loads(schema(walks.specs())))
    for name in preset.names():
        table = tomllib.loads((preset.folder() / f"{name}.toml").read_text(encoding="utf-8"))
        assert [error.message for error in check.iter_errors(table)] == []
    for wrong in ("[film]\nfsp = 3", "[film]\nfps = -1", "[walk]\nkind = 'orbit'\nease = 3", "[walk]\nkind = 'no'",
                  "[plane]\nseeds = [1, 2]", "[[score]]\nat = 3"):  # fmt: skip
        assert not check.is_valid(tomllib.loads(wrong)), wrong
    assert check.is_valid(tomllib.loads("[[score]]\nat = 3\nset.walk.speed = 2.0"))


def test_keys_are_printed_for_people(run: Run) -> None:
    code, out, _ = run("presets", "keys", "walk.orbit")
    assert code == 0
    assert "|" not in out
    assert re.search(r"^  latitude  number ≥ -89.0, ≤ 89.0  \[default 0.0\]$", out, re.MULTILINE)
    assert run("presets", "keys", "walk", "--full")[1].count("[walk] kind =") == len(walks.kinds())


def test_several_sections_have_a_line_a_key_and_what_is_shared_once(run: Run) -> None:
    out, whole = run("presets", "keys", "walk")[1], run("presets", "keys", "walk", "--full")[1]
    assert len(out.splitlines()) < 0.6 * len(whole.splitlines())
    assert out.count("  breaths ") == 1
    assert "closed  true  true: back to the first and round again; false: there and back" in out
    for kind, spec in walks.specs().items():
        part = next(each for each in sections({kind: spec}) if each.name == f"walk.{kind}")
        assert part.title in out
        assert all(re.search(rf"^  {key.name} ", out, re.MULTILINE) for key in part.keys if key.name != "kind")
    assert "--full" in out
    everything = run("presets", "keys")[1]
    assert "[film]" in everything
    assert len(everything.splitlines()) < 400


@pytest.mark.parametrize("there", [None, "{}", '{"title": "mine"}', "no json"])
def test_a_schema_of_somebody_else_stays(there: str | None, run: Run, tmp_path: Path) -> None:
    if there is not None:
        (tmp_path / NAME).write_text(there)
    assert run("new", tmp_path / "a.toml")[0] == 0
    kept = (tmp_path / NAME).read_text()
    assert kept == there if there is not None else json.loads(kept)["title"] == "latentworld preset"
    assert run("new", tmp_path / "b.toml")[0] == 0
