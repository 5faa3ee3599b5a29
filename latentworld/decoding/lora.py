"""LoRA files fused into a world's networks, once, so that decoding costs nothing more.

Every key of a file is counted: it is applied, to the UNet or to the text encoder, or the file is refused by the name of
what it is. See decision 0020.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from latentworld.decoding.lora_names import Role, layers, meaning, strange
from latentworld.decoding.lora_products import PRODUCTS, Factors, core, directed, is_directed, rank
from latentworld.errors import UnsafeWeights, WorldDamaged, WorldMismatch, WorldMissing
from latentworld.worlds.card import read_json
from latentworld.worlds.files import header_and_metadata, tensors

METADATA = (
    "lora_adapter_metadata"  # as diffusers writes it: a LoraConfig of PEFT, its keys below `unet.` in a pipeline's
)
Part = Literal["denoiser", "text", "text2"]
FOLDERS: Mapping[Part, str] = {"text": "text_encoder", "text2": "text_encoder_2"}
"""The text encoders that a LoRA may have parts for, by the folders they lie in."""
Shape = tuple[int, ...]
N = TypeVar("N", bound=nn.Module)
LAST = "final_layer_adaLN"  # its halves stand the other way round in diffusers
FLOATS = re.compile("B?F[0-9]")  # types of safetensors
AGAIN = "copy or download it again, or take another"
_ADAPTERS = ("LORA", "")  # PEFT's other kinds are scaled by numbers that no weight shows


@dataclass(frozen=True)
class Factor:
    """One weight of a file."""

    key: str
    shape: Shape


@dataclass(frozen=True)
class Contents:
    """What a LoRA file holds: the factors of each layer by part, and its scaling.

    scaling: PEFT's settings by part (`lora_alpha`, `alpha_pattern`, `use_rslora`), empty where a file has an alpha a
    layer.
    """

    path: Path
    parts: Mapping[Part, Mapping[str, Mapping[Role, Factor]]]
    scaling: Mapping[Part, Mapping[str, object]]


def fused(network: N, path: Path, part: Part = "denoiser", strength: float = 1.0) -> N:
    """The same network with what a LoRA has for it added to its weights, so many times. Raises as `look` and `check`,
    and WorldDamaged for numbers that are not finite."""
    contents = look(path)
    parameters = dict(network.named_parameters())
    check(contents, part, {name: tuple(parameter.shape) for name, parameter in parameters.items()})
    known, held = layers(parameters), tensors(path)
    for layer, roles in contents.parts[part].items():
        factors = {role: held[factor.key].float() for role, factor in roles.items()}
        weights = [parameters[name] for name in known[layer]]
        own = whole(weights)
        change = PRODUCTS[core(roles)](factors).view_as(own) * scale(contents, part, layer, factors)
        with torch.no_grad():
            if is_directed(roles):
                made = directed(own.float().cpu() + change, factors)
                made = made if strength == 1.0 else torch.lerp(own.float().cpu(), made, strength)
            else:
                made = own + (strength * change).to(own)  # before it is rounded to the weight's numbers
            for weight, rows in zip(weights, torch.split(made, [len(weight) for weight in weights]), strict=True):
                weight.copy_(rows)
        if not (change.isfinite().all() and all(weight.isfinite().all() for weight in weights)):
            raise WorldDamaged(f"{path} has numbers for {layer} that are not finite, or too large: {AGAIN}")
    return network


def look(path: Path) -> Contents:
    """What a file holds, by its header. Raises UnsafeWeights, WorldMissing, WorldDamaged, and WorldMismatch for what is
    no LoRA that can be applied, named."""
    if path.suffix.lower() != ".safetensors":
        raise UnsafeWeights(f"{path} is no .safetensors file: convert the LoRA to safetensors first")
    if path.is_dir():
        raise WorldMissing(f"{path} is a folder, no LoRA file: name the file")
    if not path.is_file():
        raise WorldMissing(f"there is no LoRA file {path}: check the path")
    keys, metadata = header_and_metadata(path)
    found = {key: meaning(key) for key in keys}
    unknown = [key for key, what in found.items() if what is None]
    if unknown:
        raise WorldMismatch(
            f"{path} holds {strange(unknown)}, in {len(unknown)} of {len(keys)} weights: give a LoRA, LoHa or LoKr"
        )
    parts: dict[Part, dict[str, dict[Role, Factor]]] = {"denoiser": {}, "text": {}, "text2": {}}
    for key, what in found.items():
        assert what is not None  # else it was refused
        if what.network == "text3":
            raise WorldMismatch(f"{path} changes T5 ({key:.80}), which stays as it is here: take a LoRA without that")
        roles = parts[what.network].setdefault(what.layer, {})
        if what.role in roles:
            raise WorldMismatch(f"{path} has two weights for one thing ({roles[what.role].key}, {key}): give one LoRA")
        if what.role != "alpha" and not FLOATS.match(keys[key]["dtype"]):
            kind = keys[key]["dtype"]
            raise WorldMismatch(
                f"{path} holds whole numbers ({kind:.20} in {key:.80}): give a LoRA in floats, no quantised one"
            )
        roles[what.role] = Factor(key, tuple(keys[key]["shape"]))
    if not parts["denoiser"]:
        raise WorldDamaged(f"{path} holds no LoRA of a UNet or a transformer: give a LoRA file (.safetensors) with one")
    contents = Contents(path, parts, _scaling(path, metadata))
    _check_whole(contents)
    return contents


def check(contents: Contents, part: Part, weights: Mapping[str, Shape]) -> None:
    """Raises WorldMismatch where a LoRA was made for another network than that of these weights, by name; no number is
    read."""
    path, known = contents.path, layers(weights)
    lacking = [layer for layer in contents.parts[part] if layer not in known]
    if last := next((layer for layer in lacking if LAST in layer), None):
        raise WorldMismatch(f"{path} changes {last:.80}, which is not applied here: take a LoRA without that layer")
    if lacking:
        raise WorldMismatch(
            f"{path} has parts for {len(lacking)} layers that this world lacks ({lacking[0]:.80}): "
            f"take a LoRA made for its kind"
        )
    twice = Counter(name for layer in contents.parts[part] for name in known[layer])
    if several := next((name for name, times in twice.items() if times > 1), None):
        raise WorldMismatch(f"{path} changes {several:.80} twice, by two names of it: give a LoRA that does so once")
    for layer, roles in contents.parts[part].items():
        own = [torch.empty(weights[name], device="meta") for name in known[layer]]
        factors = {role: torch.empty(factor.shape, device="meta") for role, factor in roles.items()}
        if not _fits(factors, own):
            raise WorldMismatch(f"{path} does not fit {layer}: take a LoRA made for this kind of world")


def whole(weights: Sequence[Tensor]) -> Tensor:
    """A layer's weight, of the rows `layers` names for it."""
    return weights[0] if len(weights) == 1 else torch.cat(list(weights))


def _fits(factors: Factors, weights: Sequence[Tensor]) -> bool:
    try:
        weight = whole(weights)
        product = PRODUCTS[core(factors)](factors)
        if is_directed(factors):
            directed(weight, factors)
    except (RuntimeError, ValueError, IndexError):
        return False
    return len(product) == len(weight) and 0 < product.numel() == weight.numel() and rank(factors) != 0


def _check_whole(contents: Contents) -> None:
    """Raises WorldDamaged for a layer without all of its factors."""
    of_all = [(part, layer, roles) for part, found in contents.parts.items() for layer, roles in found.items()]
    half = next((layer for _, layer, roles in of_all if core(roles) not in PRODUCTS), None)
    if half is not None:
        raise WorldDamaged(f"{contents.path} has no whole set of factors for {half:.80}: copy or download it again")
    several = next((r["alpha"].key for _, _, r in of_all if "alpha" in r and math.prod(r["alpha"].shape) != 1), None)
    if several is not None:
        raise WorldDamaged(f"{contents.path}: {several:.80} is no single number: copy or download it again")
    for part, _, roles in of_all:
        if contents.scaling[part].get("use_dora") and not is_directed(roles):
            raise WorldDamaged(f"{contents.path} says it is a DoRA, and lacks magnitudes: copy or download it again")


def scale(contents: Contents, part: Part, layer: str, factors: Factors) -> float:
    """alpha / rank, rank stabilised alpha / sqrt(rank): alpha is the layer's own, else the settings', else the rank."""
    ranks = rank(factors)
    if ranks is None:
        return 1.0
    if "alpha" in factors:
        return float(factors["alpha"]) / ranks
    scaling = contents.scaling[part]
    alpha = scaling.get("lora_alpha", ranks)
    patterns = scaling.get("alpha_pattern")
    for pattern, value in patterns.items() if isinstance(patterns, dict) else ():
        name = re.escape(str(pattern).replace(".", "_").removeprefix("text_model_"))
        alpha = value if re.fullmatch(f"(.*_)?{name}", layer) else alpha
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not abs(alpha) <= sys.float_info.max:
        raise WorldDamaged(f"{contents.path}: its lora_alpha is {alpha!r:.40}, where a number is wanted: get it again")
    return float(alpha) / (math.sqrt(ranks) if scaling.get("use_rslora") else ranks)


def _scaling(path: Path, metadata: Mapping[str, str]) -> Mapping[Part, Mapping[str, object]]:
    """PEFT's settings: in the file's metadata, or in adapter_config.json beside a file of PEFT's name."""
    beside = path.parent / "adapter_config.json"
    content: Mapping[str, object] = {}
    if METADATA in metadata:
        try:
            said = json.loads(metadata[METADATA])
        except (ValueError, RecursionError) as error:
            raise WorldDamaged(f"{path}: its {METADATA} is no JSON ({error}): get it again") from error
        content = said if isinstance(said, dict) else {}
    elif path.name.lower().startswith("adapter_model") and beside.is_file():
        content = read_json(beside)
    prefixes: dict[Part, tuple[str, ...]] = {
        "denoiser": ("unet.", "transformer."), **{part: (f"{folder}.",) for part, folder in FOLDERS.items()}
    }  # fmt: skip
    of_parts: dict[Part, Mapping[str, object]] = {
        part: {key.partition(".")[2]: value for key, value in content.items() if key.startswith(own)}
        for part, own in prefixes.items()
    }
    scaling = of_parts if any(of_parts.values()) else dict.fromkeys(prefixes, content)
    kinds = {str(settings.get("peft_type") or "") for settings in scaling.values()}
    if strangers := kinds.difference(_ADAPTERS):
        raise WorldMismatch(f"{path} is a {min(strangers):.20} of PEFT: give it as LyCORIS or kohya's tools write it")
    return scaling
