"""Textual inversions: words that stand for vectors, in prompts as they are written."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from safetensors.torch import save_file
from standins import tiny_xl
from torch import Tensor

from installation.rig import open_studio
from latentworld import preset, worlds
from latentworld.errors import PresetError, UnsafeWeights, WorldMismatch, WorldMissing
from latentworld.worlds import World, inversions
from latentworld.worlds.families.clip_chunks import split
from latentworld.worlds.families.clip_text import ClipText
from latentworld.worlds.inversions import Inversion

pytestmark = [pytest.mark.usefixtures("own_cache"), pytest.mark.filterwarnings("ignore:__array__ implementation")]


@functools.cache
def embedded() -> World:
    return worlds.load("embedded", quick=True)


@functools.cache
def xl() -> World:
    return worlds.load(tiny_xl.world())


def rows(world: World, *words: str) -> Tensor:
    """The vectors that a world's own words have."""
    text = world.text
    assert isinstance(text, ClipText)
    table = next(part for name, part in text.encoder.named_modules() if name.endswith("token_embedding"))
    ids = [token for word in words for token in text.tokenizer(word, add_special_tokens=False).input_ids]
    found: Tensor = table.weight[ids]  # type: ignore[index]
    return found.clone()


def file(tmp_path: Path, name: str = "easynegative", **tensors: Tensor) -> Path:
    path = tmp_path / f"{name}.safetensors"
    save_file(tensors, path)
    return path


@pytest.fixture
def taught(tmp_path: Path) -> World:
    """The embedded world, in which EasyNegative means a cat, and zz rings."""
    easy = inversions.read(file(tmp_path, "EasyNegative", emb_params=rows(embedded(), "a", "cat")))
    rings = inversions.read(file(tmp_path, "other", emb_params=rows(embedded(), "rings")[0]), "zz")
    return inversions.taught(embedded(), [easy, rings])


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("easynegative", "a cat"),
        ("EasyNegative with zz", "a cat with rings"),
        ("(easynegative:1.3), a [zz]", "(a cat:1.3), a [rings]"),
        ("zz BREAK easynegative", "rings BREAK a cat"),
        ("a cat", "a cat"),
        ("zzz and easynegatives", "zzz and easynegatives"),
    ],
)
def test_a_taught_word_is_read_as_what_it_stands_for(written: str, meant: str, taught: World) -> None:
    read, own = taught.text(written)[0], embedded().text(meant)[0]
    assert torch.equal(read, own)
    if written != meant:
        assert not torch.equal(read, embedded().text(written)[0])


@pytest.mark.parametrize(("word", "spelling"), [("easy", "ea\u017fy"), ("\u00b5m", "\u039cM"), ("\u0130x", "\u0130x")])
def test_letters_of_many_cases_are_one_word(word: str, spelling: str, tmp_path: Path) -> None:
    one = inversions.read(file(tmp_path, "mine", emb_params=rows(embedded(), "cat")), word)
    other = inversions.read(file(tmp_path, "other", emb_params=rows(embedded(), "rings")), "zz")
    world = inversions.taught(embedded(), [one, other])
    assert torch.equal(world.text(f"a {spelling}")[0], embedded().text("a cat")[0])
    assert inversions.taught(embedded(), [other, one]).digest == world.digest


def test_a_world_with_other_words_is_another(taught: World, tmp_path: Path) -> None:
    assert taught.digest != embedded().digest
    assert inversions.taught(embedded(), []) is embedded()
    again = inversions.read(file(tmp_path, "b", emb_params=rows(embedded(), "rings")), "zz")
    assert inversions.taught(embedded(), [again]).digest not in (taught.digest, embedded().digest)
    changed = taught.text.changed(lambda own: own)  # as a LoRA changes it
    assert torch.equal(changed("zz")[0], taught.text("zz")[0])


def test_sdxl_reads_it_as_the_pipeline_does(tmp_path: Path) -> None:
    draw = torch.Generator().manual_seed(3)
    widths = [one.encoder.config.hidden_size for one in (xl().text.first, xl().text.second)]  # type: ignore[attr-defined]
    vectors = {name: torch.randn(3, width, generator=draw) for name, width in zip(("clip_l", "clip_g"), widths)}
    one = inversions.read(file(tmp_path, **vectors), "toy")
    read = inversions.taught(xl(), [one]).text("a toy on a table")
    pipe: Any = StableDiffusionXLPipeline.from_pretrained(tiny_xl.world(), dtype=torch.float32, add_watermarker=False)
    for name, number in (("clip_l", ""), ("clip_g", "_2")):
        parts = {part: getattr(pipe, part + number) for part in ("tokenizer", "text_encoder")}
        pipe.load_textual_inversion({"emb_params": vectors[name]}, token="toy", **parts)
        for module in parts["text_encoder"].modules():
            if "eos_token_id" in vars(module):
                module.eos_token_id = parts["tokenizer"].eos_token_id  # else it pools at the toy
    states, _, pooled, _ = pipe.encode_prompt("a toy on a table", do_classifier_free_guidance=False)
    torch.testing.assert_close(read[0], states, atol=2e-5, rtol=0)
    torch.testing.assert_close(read[1], pooled, atol=2e-5, rtol=0)


def test_no_word_is_cut_between_two_chunks() -> None:
    tokens = [(1, 1.0)] * 6 + [(90, 1.0), (91, 1.0), (92, 1.0)] + [(2, 1.0)] * 3
    assert [len(piece) for piece in split([tokens], 8, None)] == [8, 4]
    assert [len(piece) for piece in split([tokens], 8, None, {91, 92})] == [6, 6]
    long = [(90, 1.0), *[(91, 1.0)] * 11]
    assert [len(piece) for piece in split([long], 8, None, {91})] == [8, 4]


def one(word: str, *widths: int) -> Inversion:
    return Inversion(word, Path(f"{word}.safetensors"), tuple(torch.zeros(1, width) for width in widths), "0")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([one("toy", 9)], "'toy' has vectors of 9 numbers, and this world's text encoder reads "),
        ([one("toy", 9, 9)], "toy.safetensors was made for SDXL: take an embedding made for Stable Diffusion 1"),
        ([one("toy", 64), one("TOY", 64)], "two embeddings are the word 'TOY'"),
    ],
)
def test_what_does_not_fit_a_world_is_refused(given: list[Inversion], message: str) -> None:
    with pytest.raises(WorldMismatch, match=message):
        inversions.taught(embedded(), given)
    with pytest.raises(WorldMismatch, match="made for Stable Diffusion 1 or 2: take an embedding made for SDXL"):
        inversions.taught(xl(), [one("toy", 64)])


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    cases: list[tuple[Path, type[Exception], str]] = [
        (tmp_path / "none.safetensors", WorldMissing, "no embedding .*: check the path in world.embeddings"),
        (tmp_path / "old.pt", UnsafeWeights, "convert it to .safetensors"),
        (file(tmp_path, "lora", a=torch.zeros(2, 2), b=torch.zeros(2, 2)), WorldMismatch, "it holds 2 tensors"),
        (file(tmp_path, "deep", a=torch.zeros(2, 2, 2)), WorldMismatch, "2x2x2 numbers, not 1 to 75 finite"),
        (file(tmp_path, "many", a=torch.zeros(76, 2)), WorldMismatch, "76x2 numbers"),
        (file(tmp_path, "nan", a=torch.full((1, 2), torch.nan)), WorldMismatch, "finite"),
        (file(tmp_path, "ints", a=torch.zeros(1, 2, dtype=torch.int64)), WorldMismatch, "not floats"),
        (file(tmp_path, "complex", a=torch.zeros(1, 2, dtype=torch.complex64)), WorldMismatch, "not floats"),
        (file(tmp_path, "empty", a=torch.zeros(2, 0)), WorldMismatch, "2x0 numbers"),
        (tmp_path / ("a" * 300 + ".safetensors"), WorldMissing, "no embedding"),
        (file(tmp_path, "BREAK", a=torch.zeros(1, 2)), WorldMismatch, "cannot be called 'BREAK'"),
        (file(tmp_path, "bad (1)", a=torch.zeros(1, 2)), WorldMismatch, "cannot be called 'bad .1.' in a prompt"),
    ]
    for path, kind, message in cases:
        with pytest.raises(kind, match=message):
            inversions.read(path)
    assert inversions.read(file(tmp_path, "mine", **{"<cat-toy>": torch.zeros(4)})).word == "<cat-toy>"


def test_a_preset_teaches_its_world(tmp_path: Path) -> None:
    file(tmp_path, "mittens", emb_params=rows(embedded(), "cat"))
    piece = tmp_path / "piece.toml"
    text = '[prompt]\npositive = "a {}"\n[[world.embeddings]]\nfile = "mittens.safetensors"\n'
    piece.write_text(text.format("mittens"))
    studio = open_studio(preset.load(piece))
    plain = open_studio(preset.load("first-light", ["prompt.positive=a cat"]))
    assert studio.world != plain.world
    unit, radius = studio.plane.unit([0.3], [0.4]), [1.0]
    latents = studio.plane.latents(unit, radius)
    assert torch.equal(studio.scout(latents, studio.prompt), plain.scout(latents, plain.prompt))
    with pytest.raises(WorldMismatch, match=r"analytic world has no networks: leave world\.embeddings out"):
        open_studio(preset.load(piece, ["decoder.kind=analytic"]))
    with pytest.raises(PresetError):
        preset.parse({"world": {"embeddings": [{"file": "a.safetensors", "strength": 1.0}]}})
