"""LoRA in flow models: by diffusers' names and those of the original code, in pictures as the pipeline makes them."""

from __future__ import annotations

import copy
import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.loaders import lora_conversion_utils as files
from diffusers.loaders import single_file_utils as checkpoints
from safetensors.torch import save_file
from standins import tiny_flow
from standins.decoders import PROMPT
from test_flow import KINDS, latents, pipeline, read, theirs, world
from torch import Tensor

from installation import rig
from latentworld import preset
from latentworld.decoding import DecoderSettings, faithful_decoder, foresight, world_decoder
from latentworld.decoding.lora import fused
from latentworld.decoding.lora_mix import OpenedLora, mixed
from latentworld.decoding.settings import LoraSettings
from latentworld.errors import WorldMismatch
from latentworld.worlds.find import find

pytestmark = pytest.mark.usefixtures("own_cache")
Weights = dict[str, Tensor]


@functools.cache
def linear(kind: str) -> Mapping[str, Tensor]:
    """Weights of the layers that LoRA are made for, by their names: of attention and MLP, in every block."""
    named = world(kind).denoiser.named_parameters()
    return {name: weight for name, weight in named if weight.ndim == 2 and re.search(r"attn|attention|ff|mlp", name)}


def factors(rows: int, columns: int, seed: int) -> tuple[Tensor, Tensor]:
    """Down and up of rank 2."""
    drawn = torch.Generator().manual_seed(seed)
    return tuple(0.3 * torch.randn(*shape, generator=drawn) for shape in ((2, columns), (rows, 2)))  # type: ignore[return-value]


def in_diffusers_names(kind: str, file: Path, prefix: str = "transformer.") -> Weights:
    """A LoRA of all these layers, written to a file; what it adds to each."""
    held, added = {}, {}
    for seed, (name, weight) in enumerate(linear(kind).items()):
        down, up = factors(*weight.shape, seed)
        stem = prefix + name.removesuffix(".weight")
        held |= {f"{stem}.lora_A.weight": down, f"{stem}.lora_B.weight": up}
        added[name] = up @ down
    save_file(held, file)
    return added


def changed(kind: str, file: Path, strength: float = 1.0) -> Weights:
    """What a LoRA adds to each weight of a world's network, where it adds anything; played and fused alike."""
    base = world(kind).denoiser
    before = {name: weight.clone() for name, weight in base.named_parameters()}
    made = dict(mixed(base, [(OpenedLora.read(file), strength)], "denoiser").named_parameters())
    if strength == 1.0:
        other = dict(fused(copy.deepcopy(base), file).named_parameters())
        for name, weight in made.items():
            torch.testing.assert_close(other[name], weight, atol=1e-6, rtol=1e-5)
    assert all(torch.equal(weight, before[name]) for name, weight in base.named_parameters())
    differing = {name: (weight - before[name]).detach() for name, weight in made.items()}
    return {name: change for name, change in differing.items() if change.any()}


def same(found: Weights, wanted: Weights) -> None:
    assert found.keys() == wanted.keys()
    for name, change in wanted.items():
        torch.testing.assert_close(found[name], change, atol=2e-6, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("prefix", ["transformer.", "base_model.model.", "base_model.model.transformer.", ""])
def test_diffusers_names_are_added_each_times_its_strength(kind: str, prefix: str, tmp_path: Path) -> None:
    added = in_diffusers_names(kind, tmp_path / "a.safetensors", prefix)
    assert len(added) > 8
    same(changed(kind, tmp_path / "a.safetensors"), added)
    same(changed(kind, tmp_path / "a.safetensors", 0.5), {name: 0.5 * change for name, change in added.items()})


# --- names of the original code --------------------------------------------------------------------------------------


def fused_layers(kind: str) -> dict[str, tuple[int, int]]:
    """Layers of the original code and their shapes, by what its makers publish."""
    wide = 32
    attention = {"qkv": (3 * wide, wide), "proj": (wide, wide)}
    if kind == "z-image":
        return {f"{block}.0.attention.{name}": shape for block in ("layers", "noise_refiner", "context_refiner")
                for name, shape in {"qkv": attention["qkv"], "out": attention["proj"]}.items()}  # fmt: skip
    if kind == "sd3":
        names = [("joint_blocks.0.x_block.attn", attention), ("joint_blocks.0.context_block.attn", attention),
                 ("joint_blocks.0.x_block.attn2", attention), ("joint_blocks.1.x_block.attn", attention),
                 ("joint_blocks.0.x_block.mlp", {"fc1": (4 * wide, wide), "fc2": (wide, 4 * wide)})]  # fmt: skip
        return {f"{stem}.{name}": shape for stem, own in names for name, shape in own.items()}
    wider = 6 if kind == "klein" else 4  # its MLP is gated
    found = {f"double_blocks.0.{stream}_attn.{name}": shape for stream in ("img", "txt")
             for name, shape in attention.items()}  # fmt: skip
    narrow = 3 if kind == "klein" else 4
    for block in (0, 1):
        found[f"single_blocks.{block}.linear1"] = ((3 + wider) * wide, wide)
        found[f"single_blocks.{block}.linear2"] = (wide, (1 + narrow) * wide)
    for stream in ("img", "txt"):
        found[f"double_blocks.0.{stream}_mlp.0"] = (wider * wide, wide)
        found[f"double_blocks.0.{stream}_mlp.2"] = (wide, narrow * wide)
    return found


def kohya(layer: str) -> tuple[str, str, str]:
    stem = "lora_unet_" + layer.replace(".", "_")
    return f"{stem}.lora_down.weight", f"{stem}.lora_up.weight", f"{stem}.alpha"


def dotted(layer: str) -> tuple[str, str, str]:
    return (*(f"diffusion_model.{layer}.lora_{end}.weight" for end in "AB"), f"diffusion_model.{layer}.alpha")  # type: ignore[return-value]


def converted(held: Weights, convert: Callable[[Weights], Any]) -> Weights:
    """What diffusers makes of a file, as changes of our weights."""
    theirs: Weights = convert(dict(held))
    theirs = {key.removeprefix("transformer."): value for key, value in theirs.items()}
    stems = [key.removesuffix(".lora_A.weight") for key in theirs if key.endswith(".lora_A.weight")]
    return {f"{stem}.weight": theirs[f"{stem}.lora_B.weight"] @ theirs[f"{stem}.lora_A.weight"] for stem in stems}


def original(kind: str, file: Path, named: Callable[[str], tuple[str, str, str]], alpha: float | None) -> Weights:
    """A LoRA of the original code's layers, written to a file."""
    held: Weights = {}
    for seed, (layer, shape) in enumerate(fused_layers(kind).items()):
        keys = named(layer)
        held |= dict(zip(keys, factors(*shape, seed)))
        if alpha is not None:
            held[keys[2]] = torch.tensor(alpha)
    save_file(held, file)
    return held


@pytest.mark.parametrize(
    ("kind", "named", "alpha", "convert"),
    [
        ("flux-dev", kohya, 1.0, files._convert_kohya_flux_lora_to_diffusers),
        ("klein", dotted, None, files._convert_non_diffusers_flux2_lora_to_diffusers),
        ("klein", kohya, 4.0, files._convert_kohya_flux2_lora_to_diffusers),
    ],
)
def test_original_names_are_what_diffusers_makes_of_them(
    kind: str,
    named: Callable[[str], tuple[str, str, str]],
    alpha: float | None,
    convert: Callable[[Weights], Any],
    tmp_path: Path,
) -> None:
    held = original(kind, tmp_path / "a.safetensors", named, alpha)
    if kind == "flux-dev":  # whose converter knows 3,072 rows a layer alone
        convert = functools.partial(narrowly, convert)
    same(changed(kind, tmp_path / "a.safetensors"), converted(held, convert))


def narrowly(convert: Callable[[Weights], Any], held: Weights) -> Weights:
    """What it makes of all but the fused layer of single blocks, whose rows stand in the order that it has them in."""
    first = {key: held.pop(key) for key in list(held) if "linear1" in key}
    made: Weights = convert(held)
    for block in (0, 1):
        down, up, alpha = (first[key] for key in kohya(f"single_blocks.{block}.linear1"))
        for name, rows in zip(("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"), up.split([32, 32, 32, 128])):
            stem = f"transformer.single_transformer_blocks.{block}.{name}"
            made |= {f"{stem}.lora_A.weight": down * alpha / 2, f"{stem}.lora_B.weight": rows}
    return made


@pytest.mark.parametrize("named", [kohya, dotted])
def test_z_images_original_names_are_what_diffusers_makes_of_them(
    named: Callable[[str], tuple[str, str, str]], tmp_path: Path
) -> None:
    """Its converter reads them in one spelling alone."""
    held = original("z-image", tmp_path / "a.safetensors", named, None)
    spelled = {
        f"diffusion_model.{layer}.lora.{end}.weight": held[key]
        for layer in fused_layers("z-image")
        for end, key in zip(("down", "up"), named(layer))
    }
    wanted = converted(spelled, files._convert_non_diffusers_z_image_lora_to_diffusers)
    assert len(wanted) == 12
    same(changed("z-image", tmp_path / "a.safetensors"), wanted)


def test_stable_diffusion_3s_original_names_are_those_of_its_checkpoints(tmp_path: Path) -> None:
    """diffusers has no converter of its LoRA: what it makes of a whole checkpoint that is nothing but these changes."""
    held = original("sd3", tmp_path / "a.safetensors", dotted, None)
    changes = {layer: held[dotted(layer)[1]] @ held[dotted(layer)[0]] for layer in fused_layers("sd3")}
    whole = Blank({f"{layer}.weight": change for layer, change in changes.items()})
    whole["context_embedder.weight"] = torch.zeros(1, 1)
    made = checkpoints.convert_sd3_transformer_checkpoint_to_diffusers(whole)
    same(changed("sd3", tmp_path / "a.safetensors"), {name: weight for name, weight in made.items() if weight.any()})


class Blank(dict[str, Tensor]):
    """A checkpoint that has a number for whatever it is asked."""

    def pop(self, key: str, *default: Tensor) -> Tensor:  # type: ignore[override]
        return super().pop(key, torch.zeros(12, 1) if re.search("qkv|linear1|adaLN", key) else torch.zeros(1, 1))


# --- pictures --------------------------------------------------------------------------------------------------------


def with_lora(file: Path, strength: float) -> DecoderSettings:
    return DecoderSettings("faithful", 2, 4.0, batch=1, loras=(LoraSettings(str(file), strength),))


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_the_pipelines_with_the_same_weights(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.safetensors"
    added, z = in_diffusers_names(kind, file), latents(1, world(kind).shape)
    plain = faithful_decoder(world(kind), steps=2, guidance=4.0, batch=1)(z, read(kind))
    settings = replace(plain_settings(kind), loras=(LoraSettings(str(file), 0.5),))
    ours = world_decoder(world(kind), settings)(z, read(kind))
    off = world_decoder(world(kind), replace(settings, loras=(LoraSettings(str(file), 0.0),)))(z, read(kind))
    transformer = dict(pipeline(kind).transformer.named_parameters())
    with torch.no_grad():
        for name, change in added.items():
            transformer[name].add_(0.5 * change)
        try:
            wanted = theirs(kind, z, monkeypatch, steps=2)
        finally:
            for name in added:
                transformer[name].copy_(linear(kind)[name])
    assert torch.equal(off, plain)
    assert (ours - plain).abs().max() > 2 / 255
    assert (ours - wanted).abs().max() < 1 / 255


def plain_settings(kind: str) -> DecoderSettings:
    return replace(faithful_decoder(world(kind), steps=2, guidance=4.0, batch=1).settings)


def test_a_text_encoders_part_is_applied_to_clip(tmp_path: Path) -> None:
    """FLUX.1's one vector is another."""
    layer = "text_model.encoder.layers.0.self_attn.q_proj"
    down, up = factors(32, 32, 1)
    network = "transformer.transformer_blocks.0.attn.to_q"
    held = {f"text_encoder.{layer}.lora_A.weight": 9 * down, f"text_encoder.{layer}.lora_B.weight": up,
            f"{network}.lora_A.weight": 0 * down, f"{network}.lora_B.weight": up.clone()}  # fmt: skip
    save_file(held, tmp_path / "a.safetensors")
    z = latents(1, world("flux-dev").shape)
    settings = plain_settings("flux-dev")
    words, plain = (
        world_decoder(world("flux-dev"), replace(settings, loras=loras))(z, PROMPT)
        for loras in ((LoraSettings(str(tmp_path / "a.safetensors"), 1.0),), ())
    )
    assert not torch.equal(words, plain)


def test_a_preset_names_it(tmp_path: Path) -> None:
    """Through the whole rig, as a film has it."""
    in_diffusers_names("flux-schnell", tmp_path / "a.safetensors")
    asked = [f'world.name="{tiny_flow.world("flux-schnell")}"', "eye.clip=embedded", "decoder.width=64",
             "decoder.height=64", "decoder.steps=1", "decoder.guidance=1"]  # fmt: skip
    chosen = preset.load("neutral", asked)
    styled = chosen.changed(world={"loras": [{"file": str(tmp_path / "a.safetensors"), "strength": 1.0}]})
    shown = [rig.open_studio(each).decoder(latents(1, (16, 8, 8)), PROMPT) for each in (chosen, styled)]
    assert (shown[0] - shown[1]).abs().max() > 1 / 255


# --- few steps -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name", "strength", "steps", "guidance"),
    [
        ("flux-dev", "Hyper-FLUX.1-dev-8steps-lora", 0.125, 8, 3.5),
        ("flux-dev", "Hyper-FLUX.1-dev-16steps-lora", 0.125, 16, 3.5),
        ("flux-dev", "flux.1-turbo-alpha", 1.0, 8, 3.5),
        ("sd3", "Hyper-SD3-4steps-CFG-lora", 0.125, 4, 3.0),
        ("sd3", "Hyper-SD3-16steps-CFG-lora", 0.125, 16, 7.0),
        ("z-image", "of nobody that is known", 1.0, None, 1.0),
    ],
)
def test_a_scouts_lora_is_fused_and_sampled_as_its_makers_do(
    kind: str, name: str, strength: float, steps: int | None, guidance: float, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    file = tmp_path / f"{name}.safetensors"
    added, z = in_diffusers_names(kind, file), latents(1, world(kind).shape)
    asked = [f'world.name="{tiny_flow.world(kind)}"', "eye.clip=embedded", "decoder.width=64", "decoder.height=64",
             "decoder.kind=scout", f'decoder.scout_lora="{file}"', "decoder.engine=eager", "decoder.batch=1",
             ]  # fmt: skip
    journey = preset.load("neutral", asked).changed(decoder={"guidance": None})
    decoder = rig.open_studio(journey).decoder
    card = find(tiny_flow.world(kind)).card.defaults
    assert decoder.settings.steps == (steps or card.scout_steps)
    assert decoder.settings.guidance == guidance
    assert decoder.profile.sampler == "flow_euler"
    transformer = dict(pipeline(kind).transformer.named_parameters())
    with torch.no_grad():
        for weight, change in added.items():
            transformer[weight].add_(strength * change)
        try:
            wanted = theirs(kind, z, monkeypatch, steps=decoder.settings.steps, guidance=guidance)
        finally:
            for weight in added:
                transformer[weight].copy_(linear(kind)[weight])
    assert (decoder(z, read(kind)) - wanted).abs().max() < 1 / 255


# --- what cannot be --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "other"), [("sd3", "flux-dev"), ("flux-dev", "klein"), ("z-image", "sd3")])
def test_a_lora_of_another_kind_of_flow_is_refused_before_a_weight_is_read(
    kind: str, other: str, tmp_path: Path
) -> None:
    in_diffusers_names(other, tmp_path / "a.safetensors")
    with pytest.raises(WorldMismatch, match=r"this world lacks|does not fit") as error:
        foresight.check(find(tiny_flow.world(kind)), with_lora(tmp_path / "a.safetensors", 1.0))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("diffusion_model.double_blocks.0.img_attn.qkv", "changes transformer_blocks.0.attn.to_q.weight twice"),
        ("text_encoder_3.encoder.block.0.layer.0.SelfAttention.q", "changes T5"),
        ("diffusion_model.double_blocks.7.img_attn.qkv", "parts for 1 layers that this world lacks"),
        ("diffusion_model.single_blocks.0.linear1", "does not fit single_blocks_0_linear1"),
    ],
)
def test_what_cannot_be_applied_is_named(more: str, words: str, tmp_path: Path) -> None:
    in_diffusers_names("flux-dev", tmp_path / "a.safetensors")
    own = "transformer.transformer_blocks.0.attn.to_q"
    held = {f"{stem}.lora_{end}.weight": torch.ones(rows, columns) for stem in (own, more)
            for end, rows, columns in (("A", 2, 32), ("B", 96 if "qkv" in stem else 32, 2))}  # fmt: skip
    save_file(held, tmp_path / "a.safetensors")
    with pytest.raises(WorldMismatch, match=words):
        foresight.check(find(tiny_flow.world("flux-dev")), with_lora(tmp_path / "a.safetensors", 1.0))
