"""LoRA files fused into a UNet: W += scale x up @ mid @ down, once, so that decoding costs nothing more.

Every key of a file is counted: it is applied, or named in a Notice (what is for a text encoder), or the file is refused
by the name of what it is. See decision 0020.
"""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from latentworld.decoding.lora_names import Role, layers, meaning, strange
from latentworld.errors import Notice, UnsafeWeights, WorldDamaged, WorldMismatch, WorldMissing
from latentworld.worlds.card import read_json
from latentworld.worlds.files import header_and_metadata

if TYPE_CHECKING:
    from diffusers.models.modeling_utils import ModelMixin

METADATA = (
    "lora_adapter_metadata"  # as diffusers writes it: a LoraConfig of PEFT, its keys below `unet.` in a pipeline's
)


@dataclass(frozen=True)
class Contents:
    """What a LoRA file holds: keys by role and layer of the UNet, how many are of a text encoder, and its scaling.

    scaling: PEFT's settings (`lora_alpha`, `alpha_pattern`, `use_rslora`), empty where a file has an alpha a layer.
    """

    path: Path
    unet: Mapping[str, Mapping[Role, str]]
    text: int
    scaling: Mapping[str, object]


def fused(unet: ModelMixin, path: Path) -> ModelMixin:
    """The same UNet with a LoRA of the UNet added to its weights; parts for a text encoder are left alone, with a
    Notice. Raises WorldMissing, UnsafeWeights, WorldDamaged, or WorldMismatch when the LoRA was made for another UNet.
    """
    from safetensors.torch import load_file

    contents = look(path)
    known, parameters = layers(unet), dict(unet.named_parameters())
    lacking = [layer for layer in contents.unet if layer not in known]
    if lacking:
        raise WorldMismatch(
            f"{path} has parts for {len(lacking)} layers that this world lacks ({lacking[0]:.80}): "
            f"take a LoRA made for its kind"
        )
    weights = load_file(path)
    for layer, roles in contents.unet.items():
        factors = {role: weights[key].float() for role, key in roles.items()}
        weight = parameters[known[layer]]
        change = _product(path, layer, factors, weight) * _scale(contents, layer, factors)
        if not change.isfinite().all():
            raise WorldDamaged(f"{path} has numbers for {layer} that are not finite: copy or download it again")
        with torch.no_grad():
            weight += change.view_as(weight).to(weight)
    if contents.text:
        warnings.warn(
            f"{path}: its parts for the text encoder ({contents.text} weights) are not used: a scout's LoRA changes "
            f"the UNet alone",
            Notice,
            stacklevel=2,
        )
    return unet


def look(path: Path) -> Contents:
    """What a file holds, by its header. Raises UnsafeWeights, WorldMissing, WorldDamaged, and WorldMismatch for what is
    no plain LoRA of a UNet, named."""
    if path.suffix.lower() != ".safetensors":
        raise UnsafeWeights(f"{path} is no .safetensors file: convert the LoRA to safetensors first")
    if not path.is_file():
        raise WorldMissing(f"there is no LoRA file {path}: check the path")
    keys, metadata = header_and_metadata(path)
    found = {key: meaning(key) for key in keys}
    unknown = [key for key, what in found.items() if what is None]
    if unknown:
        raise WorldMismatch(
            f"{path} holds {strange(unknown)}, in {len(unknown)} of {len(keys)} weights: give a plain LoRA"
        )
    others = [key for key, what in found.items() if what is not None and what.network == "other"]
    if others:
        raise WorldMismatch(f"{path} is of a model of another kind ({others[0]:.80}): take a LoRA made for this world")
    unet: dict[str, dict[Role, str]] = {}
    for key, what in found.items():
        if what is not None and what.network == "unet":
            roles = unet.setdefault(what.layer, {})
            if what.role in roles:
                raise WorldMismatch(f"{path} has two weights for one thing ({roles[what.role]}, {key}): give one LoRA")
            roles[what.role] = key
    if not unet:
        raise WorldDamaged(f"{path} holds no LoRA of a UNet: give a LoRA file (.safetensors) for Stable Diffusion")
    half = next((layer for layer, roles in unet.items() if not {"down", "up"} <= roles.keys()), None)
    if half is not None:
        raise WorldDamaged(f"{path} has no pair of factors for {half:.80}: copy or download it again")
    text = sum(what is not None and what.network == "text" for what in found.values())
    return Contents(path, unet, text, _scaling(path, metadata))


def _product(path: Path, layer: str, factors: Mapping[Role, Tensor], weight: Tensor) -> Tensor:
    """up @ mid @ down, of as many numbers as the weight; mid: `[rank, rank, ...]`, the kernel of a convolution."""
    down, up, mid = factors["down"].flatten(1), factors["up"].flatten(1), factors.get("mid")
    fits = up.shape[0] == weight.shape[0] and up.shape[1] == down.shape[0]
    if mid is None:
        product = up @ down if fits else None
    else:
        fits = fits and mid.shape[:2] == (len(down), len(down))
        product = torch.einsum("oi,ij...,jr->or...", up, mid, down).flatten(1) if fits else None
    if product is None or product.numel() != weight.numel():
        raise WorldMismatch(f"{path} does not fit {layer}: take a LoRA made for this kind of world")
    return product


def _scale(contents: Contents, layer: str, factors: Mapping[Role, Tensor]) -> float:
    """alpha / rank, rank stabilised alpha / sqrt(rank): alpha is the layer's own, else the settings', else the rank."""
    rank = len(factors["down"])
    if "alpha" in factors:
        return float(factors["alpha"]) / rank
    scaling = contents.scaling
    alpha = scaling.get("lora_alpha", rank)
    patterns = scaling.get("alpha_pattern")
    for pattern, value in patterns.items() if isinstance(patterns, dict) else ():
        name = re.escape(str(pattern).replace(".", "_"))
        alpha = value if re.fullmatch(f"(.*_)?{name}", layer) else alpha
    if isinstance(alpha, bool) or not isinstance(alpha, int | float):
        raise WorldDamaged(f"{contents.path}: its lora_alpha is {alpha!r:.40}, where a number is wanted: get it again")
    return float(alpha) / (math.sqrt(rank) if scaling.get("use_rslora") else rank)


def _scaling(path: Path, metadata: Mapping[str, str]) -> Mapping[str, object]:
    """PEFT's settings: in the file's metadata, or in adapter_config.json beside a file of PEFT's name."""
    beside = path.parent / "adapter_config.json"
    if METADATA in metadata:
        try:
            content = json.loads(metadata[METADATA])
        except (ValueError, RecursionError) as error:
            raise WorldDamaged(f"{path}: its {METADATA} is no JSON ({error}): get it again") from error
        content = content if isinstance(content, dict) else {}
        unet = {key.removeprefix("unet."): value for key, value in content.items() if key.startswith("unet.")}
        scaling: Mapping[str, object] = unet or content
    elif path.name.lower().startswith("adapter_model") and beside.is_file():
        scaling = read_json(beside)
    else:
        return {}
    if scaling.get("use_dora"):
        raise WorldMismatch(f"{path} is a DoRA, which scales a layer's directions: give a plain LoRA")
    return scaling
