"""A first picture without the model libraries: what stands in for them gives the same numbers, and they stay away."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from standins import tiny_world
from standins.decoders import PROMPT
from transformers.models.clip.modeling_clip import CLIPTextModel
from transformers.models.clip.tokenization_clip import CLIPTokenizer

from latentworld import remembered, worlds
from latentworld.decoding import engines, faithful_decoder, foresight, scout_decoder
from latentworld.decoding.ddim import Ddim
from latentworld.decoding.samplers import SAMPLERS
from latentworld.deferred import Deferred
from latentworld.errors import WorldDamaged
from latentworld.vision.clip import ClipEye
from latentworld.worlds.families import clip_layers, clip_words
from latentworld.worlds.find import find

pytestmark = pytest.mark.usefixtures("own_cache")
ROOT = Path(__file__).parent.parent
WORDS = worlds.EMBEDDED / "tokenizer"
ADDED = {"__type": "AddedToken", "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
ODD = [
    "", " ", "a cat", "A CAT,  sitting\n on\ta mat!", "<|endoftext|>", "a <|startoftext|>cat<|endoftext|> b",
    "<|EndOfText|> </w> </w", "it's the cat's, they're", "ﬁ ligature é é Ω Å 猫 🐈\u200d⬛", "123 4.5e6 a1b2",
    "a" * 400, "word " * 90, "\u00a0\u2003x\u3000", "(cat:1.3) [dog] BREAK", "¿qué?", "İstanbul ẞ",
]  # fmt: skip


# ---- a tokenizer


@cache
def folder_of(kind: str, home: str) -> Path:
    """A tokenizer as it comes: whole (`tokenizer.json`), as SD 1.5's, as SDXL's second, or each letter a word."""
    if kind == "whole":
        return WORDS
    folder = Path(home) / kind
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "letters":
        tiny_world.write_tokenizer(folder, tiny_world.TINY)
        return folder
    model = json.loads((WORDS / "tokenizer.json").read_text())["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    lines = [one if isinstance(one, str) else " ".join(one) for one in model["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *lines, ""]))
    start, end = (ADDED | {"content": f"<|{word}oftext|>"} for word in ("start", "end"))
    pad = "!" if kind == "second" else "<|endoftext|>"
    config = {
        "add_prefix_space": False, "bos_token": start, "do_lower_case": True, "eos_token": end, "errors": "replace",
        "model_max_length": 77, "name_or_path": "x", "pad_token": pad, "special_tokens_map_file": "./x",
        "tokenizer_class": "CLIPTokenizer", "unk_token": end,
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    bare = [{key: value for key, value in token.items() if key != "__type"} for token in (start, end)]
    mapped = {"bos_token": bare[0], "eos_token": bare[1], "pad_token": pad, "unk_token": bare[1]}
    (folder / "special_tokens_map.json").write_text(json.dumps(mapped))
    return folder


@cache
def both(kind: str, home: str) -> tuple[clip_words.ClipWords, CLIPTokenizer]:
    folder = folder_of(kind, home)
    ours = clip_words.read(folder)
    assert ours is not None
    return ours, CLIPTokenizer.from_pretrained(folder, local_files_only=True)


KINDS = ("whole", "first", "second", "letters")


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("words"))


def same(kind: str, home: str, text: str) -> None:
    ours, theirs = both(kind, home)
    assert ours.model_max_length == theirs.model_max_length
    asked: dict[str, Any] = {"padding": "max_length", "truncation": True, "return_tensors": "pt"}
    for longest in (16, theirs.model_max_length):
        one, other = (read(text, max_length=longest, **asked) for read in (ours, theirs))
        assert torch.equal(one.input_ids, other.input_ids)
        assert torch.equal(one.attention_mask, other.attention_mask)
        assert ours(text, truncation=True, max_length=longest).input_ids == (
            theirs(text, truncation=True, max_length=longest, verbose=False).input_ids
        )
    whole = theirs(text, truncation=False, verbose=False).input_ids
    assert ours(text, truncation=False, verbose=False).input_ids == whole
    assert ours.decode(whole[1:-1]) == theirs.decode(whole[1:-1])
    bare = ours(text, add_special_tokens=False, truncation=False, verbose=False).input_ids
    assert bare == theirs(text, add_special_tokens=False, truncation=False, verbose=False).input_ids


@pytest.mark.parametrize("kind", KINDS)
def test_a_tokenizer_without_transformers_gives_its_numbers(kind: str, home: str) -> None:
    for text in ODD:
        same(kind, home, text)
    ours, theirs = both(kind, home)
    asked: dict[str, Any] = {"padding": "max_length", "max_length": 20, "truncation": True, "return_tensors": "pt"}
    one, other = ours(ODD, **asked), theirs(ODD, **asked)
    assert torch.equal(one.input_ids, other.input_ids)


@given(text=st.text(max_size=120), kind=st.sampled_from(KINDS))
def test_whatever_is_written_gives_the_same_numbers(text: str, kind: str, home: str) -> None:
    same(kind, home, text)


def rewritten(folder: Path, source: Path, **change: object) -> Path:
    for path in source.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    place = folder / "tokenizer_config.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | change))
    return folder


@pytest.mark.parametrize(
    "change",
    [{"tokenizer_class": "T5Tokenizer"}, {"extra_special_tokens": ["<cat>"]}, {"split_special_tokens": True}],
)
def test_a_tokenizer_that_says_more_is_left_to_the_library(change: dict[str, object], tmp_path: Path) -> None:
    assert clip_words.read(rewritten(tmp_path, WORDS, **change)) is None


def test_a_tokenizer_that_cannot_be_read_is_left_to_the_library(tmp_path: Path) -> None:
    folder = rewritten(tmp_path, WORDS)
    table = json.loads((folder / "tokenizer.json").read_text())
    for broken in (table | {"truncation": {"max_length": 3}}, table | {"model": {}}, {}):
        (folder / "tokenizer.json").write_text(json.dumps(broken))
        assert clip_words.read(folder) is None
    assert clip_words.read(tmp_path / "nowhere") is None


# ---- a text encoder


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("world", ["embedded", "tiny"])
def test_a_text_encoder_without_transformers_gives_its_numbers(world: str, dtype: torch.dtype) -> None:
    folder = (worlds.EMBEDDED if world == "embedded" else tiny_world.folder()) / "text_encoder"
    ours = clip_layers.read(folder, dtype)
    assert ours is not None
    theirs = CLIPTextModel.from_pretrained(folder, dtype=dtype).eval()
    assert ours.state_dict().keys() == {key for key in theirs.state_dict() if not key.endswith("position_ids")}
    ids = torch.randint(0, theirs.config.vocab_size, (2, theirs.config.max_position_embeddings))
    with torch.no_grad():
        one, other = ours(ids), theirs(ids, output_hidden_states=True)
    assert torch.equal(one[0], other[0])
    assert all(torch.equal(a, b) for a, b in zip(one.hidden_states, other.hidden_states, strict=True))


@pytest.mark.parametrize(
    "change",
    [{"hidden_act": "relu"}, {"use_attention_mask": True}, {"num_hidden_layers": 2}, {"num_attention_heads": 7},
     {"architectures": ["CLIPTextModelWithProjection"]}, {"hidden_size": "wide"}],
)  # fmt: skip
def test_a_text_encoder_that_is_not_plain_is_left_to_the_library(change: dict[str, object], tmp_path: Path) -> None:
    for path in (worlds.EMBEDDED / "text_encoder").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    place = tmp_path / "config.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | change))
    assert clip_layers.read(tmp_path, torch.float32) is None


# ---- a scheduler


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("spacing", ["leading", "trailing", "linspace"])
@pytest.mark.parametrize("other", [
    {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1},
    {"rescale_betas_zero_snr": True, "set_alpha_to_one": False}, {},
])  # fmt: skip
def test_ddim_without_diffusers_gives_its_numbers(prediction: str, spacing: str, other: dict[str, object]) -> None:
    config = {"clip_sample": False, "prediction_type": prediction, "timestep_spacing": spacing} | other
    assert Ddim.takes(config)
    ours, theirs = SAMPLERS["ddim"].scheduler(config), SAMPLERS["ddim"].library(config)
    assert isinstance(ours, Ddim)
    assert torch.equal(ours.alphas_cumprod, theirs.alphas_cumprod)
    for steps in (1, 4, 7, 50, 999):
        ours.set_timesteps(steps)
        theirs.set_timesteps(steps)
        assert torch.equal(ours.timesteps, theirs.timesteps)
        for time in ours.timesteps[:: max(1, steps // 3)]:
            said, sample = torch.randn(2, 2, 4, 8, 8)
            one = ours.step(said, time, sample, eta=0.0, return_dict=False)
            two = theirs.step(said, time, sample, eta=0.0, return_dict=False)
            assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize(
    "config",
    [{}, {"clip_sample": True}, {"clip_sample": False, "thresholding": True},
     {"clip_sample": False, "beta_schedule": "squaredcos_cap_v2"}, {"clip_sample": False, "trained_betas": [0.1, 0.2]}],
)  # fmt: skip
def test_a_schedule_that_asks_for_more_is_left_to_the_library(config: dict[str, object]) -> None:
    assert not Ddim.takes(config)
    assert type(SAMPLERS["ddim"].scheduler(config)).__name__ == "DDIMScheduler"


# ---- what is made when it is asked for


def test_what_is_deferred_is_made_once_whoever_asks() -> None:
    made, began = [], threading.Barrier(8)

    def make() -> object:
        made.append(object())
        return made[-1]

    one = Deferred(make)
    threads = [threading.Thread(target=lambda: (began.wait(), one())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert one() is made[0]


def test_what_cannot_be_made_is_tried_again() -> None:
    faults = [OSError("no disk")]

    def make() -> int:
        if faults:
            raise faults.pop()
        return 3

    one = Deferred(make)
    with pytest.raises(OSError, match="no disk"):
        one()
    assert one() == 3


def test_a_quick_world_reads_no_network_before_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latentworld.worlds.parts._whole", lambda *_, **__: pytest.fail("a network was read"))
    world = worlds.load(tiny_world.folder(), quick=True)
    assert world.has_few_step
    assert world.has_tiny_vae
    assert world.vae_dtype == torch.float32
    assert world.text("a cat")[0].shape == (1, 16, 32)


@pytest.mark.parametrize("make", [faithful_decoder, scout_decoder])
def test_a_quick_world_makes_the_same_pictures(make: Callable[..., Any]) -> None:
    z = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    quick, whole = (make(worlds.load(tiny_world.folder(), quick=quick), steps=3, batch=2) for quick in (True, False))
    assert torch.equal(quick(z, PROMPT), whole(z, PROMPT))
    assert quick.profile == whole.profile


def test_a_quick_worlds_text_encoder_is_changed_and_cut_like_the_librarys() -> None:
    def change(own: Any) -> Any:
        with torch.no_grad():
            for name, weight in own.named_parameters():
                if "q_proj" in name:
                    weight.add_(0.05)
        return own

    quick, whole = (worlds.load("embedded", quick=quick).text for quick in (True, False))
    plain = quick("a cat")[0]
    assert torch.equal(plain, whole("a cat")[0])
    assert torch.equal(quick.changed(change)("a cat")[0], whole.changed(change)("a cat")[0])
    assert torch.equal(quick.skipping(2)("a cat")[0], whole.skipping(2)("a cat")[0])
    assert torch.equal(quick("a cat")[0], plain)  # a copy was changed
    words = quick("a cat and " * 3)
    np.testing.assert_array_equal(quick.pooled("a cat and " * 3, words), whole.pooled("a cat and " * 3, words))


def test_half_precision_is_loaded_whole() -> None:
    world = worlds.load(tiny_world.folder(), dtype="bfloat16", quick=True)
    assert world.vae_dtype == world.vae.dtype == torch.bfloat16


def test_a_model_that_was_looked_into_is_not_looked_into_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tiny_world.build(tmp_path / "world", extras=False)
    decoder = faithful_decoder(worlds.load(folder), steps=1)
    foresight.check(find(folder), decoder.settings)
    monkeypatch.setattr("latentworld.worlds.parts._class", lambda *_: pytest.fail("it was laid out again"))
    foresight.check(find(folder), decoder.settings)
    monkeypatch.undo()
    config = folder / "unet" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"block_out_channels": [32, 32]}))
    with pytest.raises(WorldDamaged, match="two models"):
        foresight.check(find(folder), decoder.settings)


def test_what_is_remembered_is_what_was_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    remembered.keep(("a", 1))
    assert remembered.knows(("a", 1))
    assert not remembered.knows(("a", 2))
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LATENTWORLD_CACHE", str(tmp_path / "file"))
    remembered.keep(("a", 1))  # no folder is to be had
    assert not remembered.knows(("a", 1))


needs_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")


@needs_openvino
def test_a_kept_engine_needs_no_module() -> None:
    eye = ClipEye(tiny_world.folder(), engine="openvino", batch=2)
    pictures = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    seen = eye(pictures)
    again = ClipEye(tiny_world.folder(), engine="openvino", batch=2)
    again._clip = Deferred(lambda: pytest.fail("CLIP was read"))
    assert torch.equal(again(pictures), seen)
    assert again.dimension == seen.shape[1]
    z = torch.zeros(1, 3, 8, 8)
    layer = torch.nn.Conv2d(3, 3, 1).eval()
    first = engines.build("openvino", Deferred(lambda: layer), (z,), "of a test")(z)
    other: Deferred[torch.nn.Module] = Deferred(lambda: pytest.fail("it was made"))
    assert torch.equal(engines.build("openvino", other, (z,), "of a test")(z), first)


STILL = """
import sys
from installation.film import make
from latentworld import preset
asked = ["world.name=%r", "decoder.kind=%r", "decoder.engine='openvino'", "decoder.steps=2"]
make.still(preset.parse({}, asked), 0.2, 0.3, 1.0, %r)
heavy = ("diffusers", "transformers", "torch._dynamo", "torch._inductor", "scipy", "sklearn", "matplotlib", "cv2")
print([name for name in heavy if name in sys.modules])
"""


@needs_openvino
@pytest.mark.parametrize("kind", ["faithful", "scout"])
def test_a_picture_from_kept_engines_imports_no_model_library(kind: str, tmp_path: Path) -> None:
    environment = {**os.environ, "LATENTWORLD_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    said, pictures = [], []
    for number in range(2):
        picture = tmp_path / f"{number}.png"
        program = STILL % (str(tiny_world.folder()), kind, str(picture))
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        said.append(done.stdout.strip())
        pictures.append(picture.read_bytes())
    assert "diffusers" in said[0]  # the first time its networks were converted
    assert said[1] == "[]"
    assert pictures[0] == pictures[1]
