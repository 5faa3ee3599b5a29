"""Presets: what is valid is kept, what is not is refused in one line that names the remedy."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentworld import extras, preset, walks
from latentworld.errors import PresetError
from latentworld.preset import Preset, dump, load, names, parse
from latentworld.worlds.few_step import MEMBERS, named, steps_in

SHIPPED = {
    "analytic", "cassini", "cassini-stream", "dreamshaper", "first-light", "hyper", "lcm", "lightning", "neutral",
    "ornaments", "symbiosis", "turbo", "void",
}  # fmt: skip


def test_the_presets_are_there() -> None:
    assert set(names()) >= SHIPPED


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_every_preset_says_what_it_shows_and_survives_a_round_trip(name: str) -> None:
    journey = load(name)
    assert journey.title
    assert len(journey.description) > 60
    assert parse(tomllib.loads(dump(journey))) == journey


def test_presets_keep_what_the_write_up_says() -> None:
    dreamshaper, cassini, first = load("dreamshaper"), load("cassini"), load("first-light")
    assert dreamshaper.plane.seeds == (0, 123, 200)
    assert (dreamshaper.plane.layout, dreamshaper.plane.dtype) == ("nhwc", "float16")
    assert (dreamshaper.decoder.steps, dreamshaper.decoder.guidance) == (50, 5.0)
    assert cassini.prompt.positive is not None
    assert cassini.prompt.positive.startswith("NASA Cassini spacecraft image of Saturn in greyscale")
    assert first.world.name == "embedded"
    assert first.film.frames >= 12 * 24
    assert first.walk.kind == "rift"
    assert (first.pacing.kind, first.pacing.look) == ("clip", "faithful")
    assert load("void").walk.radius == 3.0


@pytest.mark.parametrize("name", ["turbo", "lightning", "hyper", "lcm"])
def test_few_step_presets_ask_for_what_their_models_were_made_for(name: str) -> None:
    asked = load(name)
    member = MEMBERS[name]
    said = asked.decoder.scout_lora or asked.world.name
    assert named(said, tuple(MEMBERS)) == name
    scout = asked.decoder.kind == "scout"
    assert (asked.decoder.scout_steps if scout else asked.decoder.steps) in steps_in(said, member)
    assert scout or asked.decoder.guidance == member.guidance


BAD = [
    ("decoder.steps=0", "decoder.steps = 0: must be greater than or equal to 1"),
    ("decoder.steps=2.5", "decoder.steps = 2.5: must be a valid integer"),
    ("decoder.steps=many", 'decoder.steps = "many": must be a valid integer'),
    ("decoder.steps=true", "decoder.steps = true: must be a valid integer"),
    ("decoder.guidance=nan", "decoder.guidance = NaN: must be a finite number"),
    ("decoder.batch=0", 'the default is "auto"'),
    ("decoder.height=101", "multiple of 2"),
    ("decoder.device=gpu", 'decoder.device = "gpu": must be auto, cpu, mps, cuda, xpu or cuda:1; the default is'),
    ("world.loras=style.safetensors", "must be a list, as in"),
    ("film.size=[10,20,30]", "must have at most 2 items, not 3"),
    ("decoder.stpes=3", "unknown key 'decoder.stpes': did you mean 'steps'?"),
    ("decodr.steps=3", "unknown section or key 'decodr': did you mean 'decoder'?"),
    ("film.size=[127, 128]", "film.size[0] = 127: must be a multiple of 2"),
    ("film.chunk=Auto", 'film.chunk = "Auto": must be a valid number or "auto"; the default is "auto"'),
    ("film.fps=0", "film.fps = 0: must be greater than 0; the default is 24.0"),
    ("film.fps=inf", "finite"),
    ("film.seconds=0.001", "no frame at all"),
    ("film.codec=h266", "film.codec = \"h266\": did you mean 'h265'?"),
    ("plane.norm=spher", "did you mean 'sphere'?"),
    ("plane.seeds=[1, 2]", "plane.seeds"),
    ("walk.kind=orbt", "walk.kind = \"orbt\": did you mean 'orbit'?"),
    ("walk.headin=3", "unknown key 'walk.headin': did you mean 'heading'?"),
    ("walk.start=[nan, 0]", "walk.start[0] = NaN: must be a finite number"),
    ("walk.start=[1]", "walk.start[1] = [1]: field required"),
    ("walk.start=[1, 'x']", 'walk.start[1] = "x": must be a valid number'),
    ("walk.start=z7", 'walk.start = "z7"'),
    ("walk.radius=9", "walk.radius = 9: must be less than or equal to 3"),
    ("walk.ease=true", "walk.ease = true: must be a valid number"),
    ("walk.heading='20'", 'walk.heading = "20": must be a valid number'),
    ("pilot.attraction=2", "pilot.attraction = 2"),
    ("pilot.fan='9'", 'pilot.fan = "9": must be a valid integer'),
    ("pacing.speed=true", "pacing.speed = true: must be a valid number"),
    ("pacing.floor=100", "[pacing]: floor 100.0 <= speed"),
    ("world.name=3", "world.name = 3: must be a valid string"),
    ("title=3", "title = 3: must be a valid string"),
    ("nonsense", "write section.key=value"),
    ("walk=3", "write section.key=value"),
    ("title.key=3", "title is no section"),
]


@pytest.mark.parametrize(("override", "words"), BAD, ids=[override for override, _ in BAD])
def test_bad_values_are_refused_in_one_line(override: str, words: str) -> None:
    with pytest.raises(PresetError) as caught:
        parse({"title": "t"}, [override])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_presets_and_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PresetError, match="did you mean 'first-light'"):
        load("frist-light")
    with pytest.raises(PresetError, match="no preset file"):
        load(tmp_path / "none.toml")
    with pytest.raises(PresetError, match="is a folder: give a preset"):
        load(f"{tmp_path}/")
    (tmp_path / "broken.toml").write_text("[film\n")
    with pytest.raises(PresetError, match="is no TOML"):
        load(tmp_path / "broken.toml")


def test_overrides_are_toml_values_or_bare_words() -> None:
    sets = ["film.fps=30", "prompt.positive=a cat = a mountain", "plane.seeds=[1,2,3]", 'world.name="x"', "title=Hello"]
    journey = parse({}, sets)
    assert journey.film.fps == 30.0
    assert journey.prompt.positive == "a cat = a mountain"
    assert journey.plane.seeds == (1, 2, 3)
    assert (journey.world.name, journey.title) == ("x", "Hello")


def test_another_kind_of_walk_drops_the_keys_of_the_first() -> None:
    journey = load("first-light", ["walk.kind=orbit", "walk.inclination=45"])
    assert journey.walk.kind == "orbit"
    assert journey.walk.inclination == 45.0


def test_a_walks_kind_and_keys_may_come_in_any_order() -> None:
    assert load("void", ["walk.breaths=3", "walk.kind=wander"]).walk == walks.Wander(breaths=3.0)


@pytest.mark.parametrize("place", ["world.name", "eye.clip", "decoder.scout_lora", "decoder.tiny_vae", "pilot.atlas"])
def test_every_file_of_a_preset_is_found_beside_it(place: str, tmp_path: Path) -> None:
    section, key = place.split(".")
    (tmp_path / "mine").mkdir()
    (tmp_path / "embedded").mkdir()
    for name, wanted in (("mine", str((tmp_path / "mine").resolve())), ("no/where", "no/where"), ("embedded",) * 2):
        (tmp_path / "p.toml").write_text(f'[{section}]\n{key} = "{name}"\n')
        assert load(tmp_path / "p.toml").model_dump()[section][key] == wanted
    (tmp_path / "p.toml").write_text(f'[{section}]\n{key} = "{"x" * 5000}"\n')
    load(tmp_path / "p.toml")


def test_a_film_of_no_end_is_refused() -> None:
    with pytest.raises(PresetError, match=r"film\.seconds = 1e\+308: must be less than"):
        load("first-light", ["film.seconds=1e308"])


def test_vertices_are_found_beside_their_preset(tmp_path: Path) -> None:
    (tmp_path / "z.safetensors").write_bytes(b"")
    (tmp_path / "p.toml").write_text('[plane]\nvertices = "z.safetensors"\n')
    assert load(tmp_path / "p.toml").plane.vertices == str((tmp_path / "z.safetensors").resolve())


def test_a_preset_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Preset().title = "other"  # type: ignore[misc]


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t\r"), max_size=60))
def test_any_prompt_survives(text: str) -> None:
    journey = parse({"prompt": {"positive": text}})
    assert parse(tomllib.loads(dump(journey))) == journey


def test_presets_are_found_in_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "latentworld"
    (package / "presets").mkdir(parents=True)
    (package / "presets" / "only.toml").write_text("title = 'Only'\n")
    monkeypatch.setattr(preset, "__file__", str(package / "preset.py"))
    monkeypatch.setattr(extras, "__file__", str(package / "extras.py"))
    assert names() == ["only"]
    assert load("only").title == "Only"


# --- other values ------------------------------------------------------------------------------------------------


def test_a_preset_is_changed_section_by_section_and_checked_again() -> None:
    one = preset.parse({"title": "a", "film": {"fps": 12.0}, "walk": {"kind": "orbit", "radius": 2.0}})
    other = one.changed(title="b", film={"seconds": 3.0}, plane={"vertices": None}, walk={"radius": 1.5})
    assert (other.title, other.film.seconds, other.film.fps, other.walk.radius) == ("b", 3.0, 12.0, 1.5)
    assert other.changed(title="a", film=one.film, walk=one.walk) == one
    assert preset.dump(one.changed(film={"fps": 12.0})) == preset.dump(one)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"film": {"second": 3.0}}, "unknown key 'film.second': did you mean 'seconds'?"),
        ({"filme": {"seconds": 3.0}}, "unknown section or key 'filme': did you mean 'film'?"),
        ({"a[b": 1}, "unknown section or key 'a[b': use one of analytic"),
        ({"zzz": {"a": 1}}, "unknown section or key 'zzz': use one of analytic"),
        ({"film": {"str": 1}}, "unknown key 'film.str': use one of "),
        ({"film": {"seconds": -3.0}}, "film.seconds = -3.0"),
        ({"decoder": {"kind": "quick"}}, "decoder.kind = "),
        ({"title": 3}, "title = 3"),
    ],
    ids=str,
)
def test_values_that_no_file_could_have_are_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(PresetError) as caught:
        preset.Preset().changed(**change)
    assert words in str(caught.value)
