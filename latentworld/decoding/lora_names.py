"""What the keys of a LoRA file mean: of which layer of which network they are, and which factor.

Trainers write the same thing under many names (kohya's, those of PEFT, of older and newer diffusers, of the original
code). A key is read by its end, the role, and its beginning, the network; between them stands the layer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from latentworld.decoding.flow_names import Rows, rows_by_original_name

Role = Literal[
    "down", "up", "mid", "alpha", "magnitude", "dora_scale",
    "hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2",
    "lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2",
]  # fmt: skip
"""What a weight is of a layer. magnitude: the lengths of a DoRA's outputs, as PEFT has them; dora_scale: see
`lora_products.directed`; LoHa's and LoKr's are called as in the files."""
Network = Literal["denoiser", "text", "text2", "text3"]
"""denoiser: a UNet or a transformer; text3: T5, where it is a third text encoder."""

_ROLES: tuple[tuple[Role, str], ...] = (
    ("down", r"(\.lora_down|[._]lora\.down|\.lora_linear_layer\.down|\.lora_A(\.\w+)?)\.weight"),
    ("up", r"(\.lora_up|[._]lora\.up|\.lora_linear_layer\.up|\.lora_B(\.\w+)?)\.weight"),
    ("mid", r"\.lora_mid\.weight"),
    ("alpha", r"\.(lora_)?alpha"),
    ("magnitude", r"\.lora_magnitude_vector(\.\w+)*"),
    *((role, rf"\.{role}") for role in get_args(Role) if role.startswith(("dora", "hada", "lokr"))),
)
# of what is done to a weight in another way than by adding a product of two factors
OTHERS = {
    r"oft_|\.oft\b|boft|vera_": "a fine-tuning in another form (OFT, VeRA)",
    r"\.processor\.\w*lora\d*\.": "a LoRA by XLabs' own names, which wants converting to diffusers' or kohya's,",
    r"on_input|ia3": "IA3, which scales what layers give",
    r"\.diff(_b)?$|\.set_weight$|\.w_norm$|\.b_norm$|modules_to_save": "whole weights in place of factors",
    r"\.lora_[AB](\.\w+)?\.bias$": "biases beside the factors",
}
_TEXT = "|".join((
    r"lora_te1?_", r"te1?\.", r"text_encoder\.", r"cond_stage_model\.transformer\.",
    r"(base_model\.model\.)?(?=text_model\.)",
))  # fmt: skip
_TEXT2 = "|".join((r"lora_te2_", r"te2\.", r"text_encoder_2\."))
_TEXT3 = "|".join((r"lora_te3_", r"te3\.", r"text_encoder_3\."))
_DENOISER = "|".join((
    r"lora_(unet|transformer)[_.]", r"(unet|transformer)\.", r"base_model\.model\.((unet|transformer)\.)?",
    r"(model\.)?diffusion_model\.",
))  # fmt: skip


@dataclass(frozen=True)
class Meaning:
    """Of which network a key is, of which layer (its name, dots as underscores), and what of it."""

    network: Network
    layer: str
    role: Role


def meaning(key: str) -> Meaning | None:
    """What a key is; None where it is of no LoRA that is known here."""
    for role, end in _ROLES:
        match = re.search(f"(?P<stem>.+?){end}$", key)
        if match:
            return Meaning(*_place(match["stem"]), role)
    return None


def strange(keys: Iterable[str]) -> str:
    """What the first of some keys is that is of no LoRA, in words."""
    keys = list(keys)
    named = (what for pattern, what in OTHERS.items() for key in keys if re.search(pattern, key))
    return next(named, f"something that is not known here ({keys[0]:.80})")


def _place(stem: str) -> tuple[Network, str]:
    if re.match(_TEXT3, stem):
        return "text3", stem
    if second := re.match(_TEXT2, stem):
        return "text2", re.sub(r"_to_(q|k|v|out)$", r"_\1_proj", _flat(stem[second.end() :]))
    if re.match(_TEXT, stem):
        name = _flat(re.sub(f"^({_TEXT})", "", stem))
        return "text", re.sub(r"_to_(q|k|v|out)$", r"_\1_proj", name)  # as older files call them after the UNet's
    name = _flat(re.sub(f"^({_DENOISER})", "", stem).replace(".processor", ""))
    # older files have the attention's output by its list
    return "denoiser", f"{name}_0" if name.endswith("_to_out") else name


def _flat(layer: str) -> str:
    """A layer's name with underscores for dots. What a text encoder is called within its own library differs."""
    return layer.replace(".", "_").removeprefix("text_model_")


def layers(weights: Iterable[str]) -> dict[str, Rows]:
    """The weights of a network's layers by the names that files give these, dots as underscores: diffusers' and
    transformers' own, and those of the original code where it is a UNet of Stable Diffusion's build or a transformer of
    `flow_names`. Of a layer that is several here there are several, in the order of its rows.

    weights: the names of all of them.
    """
    weights = list(weights)
    own = {name.removesuffix(".weight"): name for name in weights if name.endswith(".weight")}
    found: dict[str, Rows] = {_flat(layer): (name,) for layer, name in own.items()}
    found |= {f"{_flat(layer)}_0": (name,) for layer, name in own.items() if layer.endswith(".to_out")}
    for theirs, rows in rows_by_original_name(own).items():
        found[_flat(theirs)] = tuple(own[layer] for layer in rows)
    stems = original_names(weights)
    for layer, name in own.items():
        for stem, theirs in stems.items():
            if layer == stem or layer.startswith(stem + "."):
                rest = layer.removeprefix(stem)
                rest = (
                    re.sub(r"^\.\w+", lambda match: RESNET.get(match[0], match[0]), rest)
                    if ".resnets." in stem
                    else rest
                )
                found[f"{theirs}{rest}".replace(".", "_")] = (name,)
    return found


RESNET = {
    ".norm1": ".in_layers.0", ".conv1": ".in_layers.2", ".time_emb_proj": ".emb_layers.1", ".norm2": ".out_layers.0",
    ".conv2": ".out_layers.3", ".conv_shortcut": ".skip_connection",
}  # fmt: skip
ENDS = {
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
}  # fmt: skip


def original_names(weights: Iterable[str]) -> Mapping[str, str]:
    """Names of the original code by those of diffusers, of the parts of a UNet with these weights.

    A level is a row of blocks, and its change of size a block of its own on the way down, and part of the last one on
    the way up.
    """
    parts = _parts(weights)
    if not {"down_blocks", "mid_block", "up_blocks"} <= parts.keys():
        return {}
    names, row = dict(ENDS), 1
    for level in range(_count(parts, "down_blocks")):
        stem = f"down_blocks.{level}"
        for index in range(_count(parts, f"{stem}.resnets")):
            names |= _block(stem, index, f"input_blocks.{row}")
            row += 1
        if f"{stem}.downsamplers" in parts:
            names[f"{stem}.downsamplers.0.conv"] = f"input_blocks.{row}.0.op"
            row += 1
    for index in range(_count(parts, "mid_block.resnets")):
        names[f"mid_block.resnets.{index}"] = f"middle_block.{2 * index}"
        names[f"mid_block.attentions.{index}"] = f"middle_block.{2 * index + 1}"
    row = 0
    for level in range(_count(parts, "up_blocks")):
        stem = f"up_blocks.{level}"
        for index in range(_count(parts, f"{stem}.resnets")):
            names |= _block(stem, index, f"output_blocks.{row}")
            row += 1
        place = 2 if f"{stem}.attentions" in parts else 1
        names[f"{stem}.upsamplers.0.conv"] = f"output_blocks.{row - 1}.{place}.conv"
    return names


def _block(stem: str, index: int, theirs: str) -> dict[str, str]:
    return {f"{stem}.resnets.{index}": f"{theirs}.0", f"{stem}.attentions.{index}": f"{theirs}.1"}


def _parts(weights: Iterable[str]) -> Mapping[str, set[str]]:
    """The parts of a network that have weights, and the names of what lies in each."""
    found: dict[str, set[str]] = {}
    for weight in weights:
        steps = weight.split(".")
        for place in range(1, len(steps)):
            found.setdefault(".".join(steps[:place]), set()).add(steps[place])
    return found


def _count(parts: Mapping[str, set[str]], name: str) -> int:
    return len(parts.get(name, ()))
