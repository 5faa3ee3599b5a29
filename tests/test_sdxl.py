"""SDXL is the pipeline's to 1/255, from a folder and from a file; what is nearly one is refused by name."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from safetensors.torch import load_file, save_file
from standins import tiny_xl
from standins.decoders import PROMPT, latents
from torch import Tensor

from latentworld import vertices, worlds
from latentworld.decoding import DecoderSettings, engines, faithful_decoder, foresight, scout_decoder
from latentworld.decoding.sampling import Sampling
from latentworld.errors import PresetError, WorldDamaged, WorldError, WorldMismatch
from latentworld.plane import Plane
from latentworld.prompts import Prompt, PromptTruncated
from latentworld.worlds import World
from latentworld.worlds.find import find

pytestmark = [pytest.mark.usefixtures("own_cache"), pytest.mark.filterwarnings("ignore:__array__ implementation")]


@functools.cache
def world(kind: str = "folder") -> World:
    return worlds.load(tiny_xl.world(kind))


@functools.cache
def pipeline() -> Any:
    pipe = StableDiffusionXLPipeline.from_pretrained(tiny_xl.world(), dtype=torch.float32, add_watermarker=False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def theirs(z: Tensor, guidance: float = 5.0, **options: Any) -> Tensor:
    height, width = 8 * z.shape[2], 8 * z.shape[3]
    asked = {"prompt": PROMPT.positive, "negative_prompt": PROMPT.negative, "guidance_scale": guidance, "latents": z}
    asked |= {"num_images_per_prompt": len(z), "height": height, "width": width, "num_inference_steps": 4}
    images: Tensor = pipeline()(**asked, output_type="pt", **options).images
    return images


# --- the pipeline's picture --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["folder", "file"])
@pytest.mark.parametrize("guidance", [5.0, 1.0])
def test_faithful_is_the_pipeline(kind: str, guidance: float) -> None:
    z = latents(3) * torch.tensor([1.0, 2.0, 0.5]).view(3, 1, 1, 1)
    ours = faithful_decoder(world(kind), steps=4, guidance=guidance, batch=2)
    assert ours.profile.sampler == "euler"  # as the pipeline comes
    assert (ours(z, PROMPT) - theirs(z, guidance)).abs().max() < 1 / 255


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_picture_of_other_sides_is_told_its_size(kind: str) -> None:
    z = torch.randn(1, 4, 8, 16, generator=torch.Generator().manual_seed(3))
    ours = faithful_decoder(world(kind), steps=4, guidance=5.0, batch=1, size=(64, 128))(z, PROMPT)
    assert (ours - theirs(z)).abs().max() < 1 / 255


def test_openvino_makes_the_same() -> None:
    z = latents(2)
    made = faithful_decoder(world(), steps=4, guidance=5.0, batch=2, engine="openvino")(z, PROMPT)
    assert (made - theirs(z)).abs().max() < 1 / 255


def test_rescaled_guidance_and_skipped_layers_are_the_pipelines() -> None:
    z, base = latents(2), faithful_decoder(world(), steps=4, guidance=5.0, batch=2)
    ours = base.variant(replace(base.settings, sampling=Sampling(rescale=0.7)))(z, PROMPT)
    assert (ours - theirs(z, guidance_rescale=0.7)).abs().max() < 1 / 255
    skipping = base.variant(replace(base.settings, sampling=Sampling(clip_skip=1)))
    embeds, _, pooled, _ = pipeline().encode_prompt(PROMPT.positive, None, torch.device("cpu"), 1, False, clip_skip=1)
    for mine, other in zip(skipping.texts.text(PROMPT.positive), (embeds, pooled), strict=True):
        assert torch.allclose(mine, other, atol=1e-6)
    assert not torch.allclose(base.texts.text(PROMPT.positive)[0], embeds, atol=0.1)


def test_a_picture_is_the_same_bytes_in_any_slot() -> None:
    decoder, z = faithful_decoder(world(), steps=3, guidance=5.0, batch=3), latents(4)
    together = decoder(z, PROMPT)
    assert torch.equal(together, torch.cat([decoder(z[row : row + 1], PROMPT) for row in range(4)]))


def test_the_vae_stays_in_float32_where_it_says_so(tmp_path: Path) -> None:
    """As the pipeline has it: SDXL's own overflows in float16."""
    half = worlds.load(tiny_xl.world(), dtype="float16")
    assert (half.denoiser.dtype, half.vae.dtype) == (torch.float16, torch.float32)
    assert worlds.load(tiny_xl.world("file"), dtype="float16").vae.dtype == torch.float32
    assert worlds.load(tiny_xl.world(), dtype="bfloat16").vae.dtype == torch.bfloat16
    mended = changed(tmp_path, "vae/config.json", force_upcast=False)  # as the VAE that was mended for float16 says
    assert worlds.load(mended, dtype="float16").vae.dtype == torch.float16


def test_the_painter_is_given_what_the_vae_takes() -> None:
    half, seen = worlds.load(tiny_xl.world(), dtype="bfloat16"), []

    def build(engine: str, module: Any, example: tuple[Tensor, ...], key: str) -> engines.Run:
        seen.append((key, example[0].dtype))
        return engines.build(engine, module, example, key)

    mixed = replace(half, vae=world().vae)
    faithful_decoder(mixed, steps=1, guidance=1.0, batch=1, build=build)(latents(1), PROMPT)
    assert [kind for key, kind in seen if key.endswith("/vae")] == [torch.float32]


# --- what it is --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_its_latents_and_planes_are_its_own(kind: str) -> None:
    found = find(tiny_xl.world(kind))
    assert (found.family.name, found.facts.size, found.card.defaults.steps) == ("sdxl", found.facts.size, 30)
    latent = found.facts.latent
    assert (latent.channels, latent.cell, latent.multiple, latent.scale) == (4, 8, 16, 0.13025)
    shape = latent.shape(128, 64)
    assert shape == (4, 16, 8)
    assert Plane(vertices.from_seeds((1, 2, 3), shape, "nchw", "cpu", "float32")).dimension == 4 * 16 * 8
    assert worlds.inspect(tiny_xl.world(kind)).parameters.keys() == {"unet", "vae", "text_encoder", "text_encoder_2"}


def test_an_unguided_negative_text_is_read_as_one() -> None:
    """As where the pipeline is given "": zeros are what it takes where it is given none."""
    z, empty = latents(1), Prompt(PROMPT.positive, "")
    asked = {"prompt": PROMPT.positive, "negative_prompt": "", "guidance_scale": 5.0, "latents": z, "height": 64}
    other = pipeline()(**asked, width=64, num_inference_steps=4, output_type="pt").images
    ours = faithful_decoder(world(), steps=4, guidance=5.0, batch=1)(z, empty)
    assert (ours - other).abs().max() < 1 / 255


def test_texts_mix_and_are_cut_with_a_word() -> None:
    texts = faithful_decoder(world(), steps=1, batch=1).texts
    both = texts(Prompt(mixture=(("a cat", 1.0), ("a dog", 1.0))), guided=True)
    assert [tuple(tensor.shape) for tensor in both] == [(2, 16, 192), (2, 32)]
    assert texts.pooled("a cat").shape == (32,)
    assert texts.text("a long text that has many letters")[0].shape == (1, 32, 192)
    with pytest.warns(PromptTruncated, match="is longer than 10 chunks, 140 tokens") as said:
        texts.text("a long text " * 20)
    assert len(said) == 1  # though two read it


def named(tmp_path: Path, name: str) -> Path:
    return Path(shutil.copytree(tiny_xl.world(), tmp_path / name))


@pytest.mark.parametrize(
    ("name", "few_step", "sampler", "times"),
    [
        ("sdxl-turbo", "turbo", "euler", [999, 749, 499, 249]),
        ("sdxl_lightning_4step", "lightning", "euler", [999, 749, 499, 249]),
        ("Hyper-SDXL-4steps", "hyper", "ddim", [999, 749, 499, 249]),
        ("dmd2_sdxl_4step", "dmd2", "lcm", [999, 749, 499, 249]),
        ("hyperrealism-xl", "", "euler", [751, 501, 251, 1]),
    ],
)
def test_a_few_step_model_is_sampled_as_it_was_made(
    name: str, few_step: str, sampler: str, times: list[int], tmp_path: Path
) -> None:
    found = find(named(tmp_path, name))
    assert found.facts.few_step == few_step
    assert (found.card.defaults.steps, found.card.defaults.guidance) == ((4, 1.0) if few_step else (30, 5.0))
    for decoder in (faithful_decoder, *((scout_decoder,) if few_step else ())):
        made = decoder(worlds.load(found), batch=1, steps=4)
        assert made.profile.sampler == sampler
        made(latents(1), PROMPT)
        assert [round(float(time)) for time in made.scheduler.timesteps] == times


def test_one_step_of_dmd2_begins_where_it_was_trained(tmp_path: Path) -> None:
    made = faithful_decoder(worlds.load(named(tmp_path, "dmd2")), batch=1, steps=1)
    made(latents(1), PROMPT)
    assert made.scheduler.timesteps.tolist() == [399]


def test_a_card_says_what_a_name_does_not(tmp_path: Path) -> None:
    made = named(tmp_path, "mine")
    (made / "card.toml").write_text('few_step = "lightning"\n[defaults]\nsteps = 8\n')
    found = find(made)
    assert (found.facts.few_step, found.card.defaults.steps, found.card.defaults.guidance) == ("lightning", 8, 1.0)
    (named(tmp_path, "turbo") / "card.toml").write_text('few_step = ""\n')
    assert find(tmp_path / "turbo").facts.few_step == ""


def test_sdxl_turbo_is_known_by_its_scheduler_too(tmp_path: Path) -> None:
    made = changed(tmp_path, "unet/config.json", sample_size=64)
    file = made / "scheduler/scheduler_config.json"
    said = {"_class_name": "EulerAncestralDiscreteScheduler", "timestep_spacing": "trailing"}
    file.write_text(json.dumps(json.loads(file.read_text()) | said))
    assert find(made).facts.few_step == "turbo"


# --- what is nearly one ------------------------------------------------------------------------------------------


def changed(tmp_path: Path, file: str, **entries: object) -> Path:
    made = Path(shutil.copytree(tiny_xl.world(), tmp_path / "near"))
    path = made / file
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))
    return made


def without(part: str) -> Callable[[Path], Path]:
    def make(tmp_path: Path) -> Path:
        made = Path(shutil.copytree(tiny_xl.world(), tmp_path / "near"))
        shutil.rmtree(made / part)
        return made

    return make


def with_types(one: torch.dtype, other: torch.dtype) -> Callable[[Path], Path]:
    def make(tmp_path: Path) -> Path:
        made = Path(shutil.copytree(tiny_xl.world(), tmp_path / "near"))
        file = made / "unet/diffusion_pytorch_model.safetensors"
        held = load_file(file)
        save_file({key: value.to(one if row else other) for row, (key, value) in enumerate(held.items())}, file)
        return made

    return make


NEAR: list[tuple[Callable[[Path], Path], str, type[WorldError]]] = [
    (without("text_encoder_2"), r"text_encoder_2 is missing: SDXL reads its prompt through two text", WorldDamaged),
    (without("tokenizer_2"), "tokenizer_2 is missing: a world needs", WorldDamaged),
    (lambda path: changed(path, "vae/config.json", scaling_factor=0.18215), "its VAE is scaled by 0.18215, as Stable",
     WorldMismatch),
    (lambda path: changed(path, "vae/config.json", latent_channels=16), "its VAE has 16 latent channels",
     WorldMismatch),
    (lambda path: changed(path, "vae/config.json", block_out_channels=[32, 32, 32]), "cells are 4 pixels wide and SDXL",
     WorldMismatch),
    (lambda path: changed(path, "text_encoder_2/config.json", hidden_size=64), r"text encoders give 64 \+ 64",
     WorldMismatch),
    (lambda path: changed(path, "text_encoder_2/config.json", projection_dim=64), "text_encoder_2 gives 64",
     WorldMismatch),
    (lambda path: changed(path, "text_encoder/config.json", model_type="t5"), "text_encoder is a 't5'", WorldMismatch),
    (lambda path: changed(path, "scheduler/scheduler_config.json", _class_name="FlowMatchEulerDiscreteScheduler"),
     "its schedule is a FlowMatchEulerDiscreteScheduler", WorldMismatch),
    (with_types(torch.float16, torch.bfloat16), r"unet mixes BF16 and F16, as parts of two models do", WorldMismatch),
    (with_types(torch.float8_e4m3fn, torch.float8_e4m3fn), r"unet has weights of 8 bits \(F8_E4M3\)", WorldMismatch),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message", "kind"), NEAR)
def test_what_is_nearly_sdxl_is_refused_by_name(
    make: Callable[[Path], Path], message: str, kind: type[WorldError], tmp_path: Path
) -> None:
    made = make(tmp_path)
    with pytest.raises(kind, match=message) as error:
        worlds.inspect(made)
    assert "\n" not in str(error.value)
    assert str(made) in str(error.value)


@pytest.mark.parametrize(
    ("lacking", "message"),
    [
        (r"conditioner.embedders.1.", "text encoder 2 of two is missing"),
        (r"conditioner.", "both text encoders are missing"),
        (r"first_stage_model.", "has no VAE: name one as world.vae"),
        (r"conditioner.embedders.1.model.text_projection", "is no whole SDXL checkpoint"),
    ],
)
def test_a_file_that_is_nearly_sdxl_is_refused_by_name(lacking: str, message: str, tmp_path: Path) -> None:
    whole = load_file(tiny_xl.world("file"))
    file = tmp_path / "near.safetensors"
    save_file({key: value for key, value in whole.items() if not key.startswith(lacking)}, file)
    with pytest.raises(WorldDamaged, match=message) as error:
        worlds.inspect(file)
    assert "\n" not in str(error.value)


def test_a_file_of_mixed_types_is_refused(tmp_path: Path) -> None:
    whole, file = load_file(tiny_xl.world("file")), tmp_path / "near.safetensors"
    types = {key: torch.bfloat16 if "input_blocks" in key else torch.float16 for key in whole}
    save_file({key: value.to(types[key]) for key, value in whole.items()}, file)
    with pytest.raises(WorldMismatch, match="mixes BF16 and F16"):
        worlds.inspect(file)


def test_a_setting_that_no_picture_has_is_refused_before_a_weight_is_read() -> None:
    found = find(tiny_xl.world())
    foresight.check(found, DecoderSettings("faithful", 4, size=(64, 64)))
    with pytest.raises(PresetError, match="multiples of 16 pixels"):
        foresight.check(found, DecoderSettings("faithful", 4, size=(64, 72)))
    with pytest.raises(PresetError, match="is a diffusion"):
        foresight.check(found, DecoderSettings("faithful", 4, size=(64, 64), sampler="scm"))
