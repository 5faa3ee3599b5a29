"""LoRA files fused into a UNet: W += scale x up @ down, once, so that decoding costs nothing more and needs no peft."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from latentworld.errors import UnsafeWeights, WorldDamaged, WorldMismatch, WorldMissing
from latentworld.worlds.files import header

if TYPE_CHECKING:
    from diffusers.models.modeling_utils import ModelMixin

# The ways in which files name the two factors: kohya and the older and newer diffusers layouts.
DOWN = (".lora_down.weight", ".lora.down.weight", "_lora.down.weight", ".lora_A.weight")
UP = (".lora_up.weight", ".lora.up.weight", "_lora.up.weight", ".lora_B.weight")


def fused(unet: ModelMixin, path: Path) -> ModelMixin:
    """The same UNet with a LoRA of the UNet added to its weights; parts for the text encoder are left alone.

    Raises WorldMissing, UnsafeWeights, WorldDamaged, or WorldMismatch when the LoRA was made for another UNet.
    """
    parameters = {name.replace(".", "_"): parameter for name, parameter in unet.named_parameters()}
    pairs = _pairs(path)
    if not pairs:
        raise WorldDamaged(f"{path} holds no LoRA of a UNet: give a LoRA file (.safetensors) for Stable Diffusion")
    for name, (down, up, alpha) in pairs.items():
        weight = parameters.get(f"{name}_weight")
        if weight is None:
            raise WorldMismatch(f"{path} has a part for {name}, which this world lacks: take a LoRA made for its kind")
        rank = down.shape[0]
        with torch.no_grad():
            change = (up.flatten(1).float() @ down.flatten(1).float()) * (alpha / rank)
            if not change.isfinite().all():
                raise WorldDamaged(f"{path} holds NaN or infinite numbers for {name}: get the LoRA again")
            if change.numel() != weight.numel():
                raise WorldMismatch(f"{path} does not fit {name}: take a LoRA made for this kind of world")
            weight += change.view_as(weight).to(weight)
    return unet


def _pairs(path: Path) -> dict[str, tuple[Tensor, Tensor, float]]:
    """(down, up, alpha) by layer name with underscores for dots."""
    from safetensors.torch import load_file

    if path.suffix != ".safetensors":
        raise UnsafeWeights(f"{path} is no .safetensors file: convert the LoRA to safetensors first")
    if not path.is_file():
        raise WorldMissing(f"there is no LoRA file {path}: check the path")
    header(path)
    weights = load_file(path)
    pairs = {}
    for key, down in weights.items():
        for down_end, up_end in zip(DOWN, UP, strict=True):
            stem = key.removesuffix(down_end)
            if stem == key or stem + up_end not in weights:
                continue
            if not stem.startswith(("lora_unet_", "unet.", "base_model.model.")) and "text" in stem:
                continue
            alpha = weights.get(stem + ".alpha")
            pairs[_layer(stem)] = (down, weights[stem + up_end], float(len(down) if alpha is None else alpha))
    return pairs


def _layer(stem: str) -> str:
    for prefix in ("lora_unet_", "unet.", "base_model.model."):
        stem = stem.removeprefix(prefix)
    name = stem.replace(".processor", "").replace(".", "_")
    return f"{name}_0" if name.endswith("_to_out") else name  # files of old name the attention's output by its list
