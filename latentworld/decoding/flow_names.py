"""What the original code calls the layers of flow transformers, by diffusers' names for them.

The original code multiplies queries, keys and values as one matrix, and in FLUX's single blocks the way into the MLP
with them; diffusers keeps the rows of it as layers of their own. So one layer of a LoRA file may be several here, one
below another. Names as the code of their makers has them (black-forest-labs/flux and flux2, Stability-AI/sd3.5,
Tongyi-MAI/Z-Image) and as diffusers converts them (`loaders/lora_conversion_utils.py`,
`loaders/single_file_utils.py`). The last layer's modulation, whose halves diffusers swaps, is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

Rows = tuple[str, ...]
"""Layers that stand one below another as the rows of one matrix."""


@dataclass(frozen=True)
class Original:
    """mark: a layer that only this kind of transformer has. names: theirs to ours; {n} is the number of a block."""

    mark: str
    names: Mapping[str, Rows]


def _double(stem: str) -> Mapping[str, Rows]:
    """The attention of a block of two streams."""
    return {
        f"{stem}.img_attn.qkv": _attention("transformer_blocks.{n}.attn.to_q", "to_k", "to_v"),
        f"{stem}.txt_attn.qkv": _attention("transformer_blocks.{n}.attn.add_q_proj", "add_k_proj", "add_v_proj"),
        f"{stem}.img_attn.proj": ("transformer_blocks.{n}.attn.to_out.0",),
        f"{stem}.txt_attn.proj": ("transformer_blocks.{n}.attn.to_add_out",),
    }


def _attention(first: str, *others: str) -> Rows:
    """Names in one place: of the first in full, of the others their ends."""
    place = first.rpartition(".")[0]
    return (first, *(f"{place}.{other}" for other in others))


def _alone(theirs: str, ours: str, names: Mapping[str, str]) -> Mapping[str, Rows]:
    """Layers that are one in both, below these stems."""
    return {theirs + own: (ours + other,) for own, other in names.items()}


FLUX = Original(
    "single_transformer_blocks.0.proj_mlp",
    {
        **_double("double_blocks.{n}"),
        **_alone("double_blocks.{n}.", "transformer_blocks.{n}.", {
            "img_mlp.0": "ff.net.0.proj", "img_mlp.2": "ff.net.2", "txt_mlp.0": "ff_context.net.0.proj",
            "txt_mlp.2": "ff_context.net.2", "img_mod.lin": "norm1.linear", "txt_mod.lin": "norm1_context.linear",
        }),
        "single_blocks.{n}.linear1": (
            *_attention("single_transformer_blocks.{n}.attn.to_q", "to_k", "to_v"),
            "single_transformer_blocks.{n}.proj_mlp",
        ),
        **_alone("single_blocks.{n}.", "single_transformer_blocks.{n}.", {
            "linear2": "proj_out", "modulation.lin": "norm.linear",
        }),
        **_alone("", "", {
            "img_in": "x_embedder", "txt_in": "context_embedder", "final_layer.linear": "proj_out",
            "time_in.in_layer": "time_text_embed.timestep_embedder.linear_1",
            "time_in.out_layer": "time_text_embed.timestep_embedder.linear_2",
            "vector_in.in_layer": "time_text_embed.text_embedder.linear_1",
            "vector_in.out_layer": "time_text_embed.text_embedder.linear_2",
            "guidance_in.in_layer": "time_text_embed.guidance_embedder.linear_1",
            "guidance_in.out_layer": "time_text_embed.guidance_embedder.linear_2",
        }),
    },
)  # fmt: skip
FLUX2 = Original(
    "single_transformer_blocks.0.attn.to_qkv_mlp_proj",
    {
        **_double("double_blocks.{n}"),
        **_alone("double_blocks.{n}.", "transformer_blocks.{n}.", {
            "img_mlp.0": "ff.linear_in", "img_mlp.2": "ff.linear_out",
            "txt_mlp.0": "ff_context.linear_in", "txt_mlp.2": "ff_context.linear_out",
        }),
        **_alone("single_blocks.{n}.", "single_transformer_blocks.{n}.attn.", {
            "linear1": "to_qkv_mlp_proj", "linear2": "to_out",
        }),
        **_alone("", "", {
            "img_in": "x_embedder", "txt_in": "context_embedder", "final_layer.linear": "proj_out",
            "time_in.in_layer": "time_guidance_embed.timestep_embedder.linear_1",
            "time_in.out_layer": "time_guidance_embed.timestep_embedder.linear_2",
            "single_stream_modulation.lin": "single_stream_modulation.linear",
            "double_stream_modulation_img.lin": "double_stream_modulation_img.linear",
            "double_stream_modulation_txt.lin": "double_stream_modulation_txt.linear",
        }),
    },
)  # fmt: skip
SD3 = Original(
    "pos_embed.proj",
    {
        "joint_blocks.{n}.x_block.attn.qkv": _attention("transformer_blocks.{n}.attn.to_q", "to_k", "to_v"),
        "joint_blocks.{n}.x_block.attn2.qkv": _attention("transformer_blocks.{n}.attn2.to_q", "to_k", "to_v"),
        "joint_blocks.{n}.context_block.attn.qkv": _attention(
            "transformer_blocks.{n}.attn.add_q_proj", "add_k_proj", "add_v_proj"
        ),
        **_alone("joint_blocks.{n}.x_block.", "transformer_blocks.{n}.", {
            "attn.proj": "attn.to_out.0", "attn2.proj": "attn2.to_out.0", "mlp.fc1": "ff.net.0.proj",
            "mlp.fc2": "ff.net.2", "adaLN_modulation.1": "norm1.linear",
        }),
        **_alone("joint_blocks.{n}.context_block.", "transformer_blocks.{n}.", {
            "attn.proj": "attn.to_add_out", "mlp.fc1": "ff_context.net.0.proj", "mlp.fc2": "ff_context.net.2",
        }),
        **_alone("", "", {
            "x_embedder.proj": "pos_embed.proj", "final_layer.linear": "proj_out",
            "t_embedder.mlp.0": "time_text_embed.timestep_embedder.linear_1",
            "t_embedder.mlp.2": "time_text_embed.timestep_embedder.linear_2",
            "y_embedder.mlp.0": "time_text_embed.text_embedder.linear_1",
            "y_embedder.mlp.2": "time_text_embed.text_embedder.linear_2",
        }),
    },
)  # fmt: skip
Z_IMAGE = Original(
    "noise_refiner.0.attention.to_q",
    {
        f"{block}.{{n}}.attention.{theirs}": ours
        for block in ("layers", "noise_refiner", "context_refiner")
        for theirs, ours in {
            "qkv": _attention(f"{block}.{{n}}.attention.to_q", "to_k", "to_v"),
            "out": (f"{block}.{{n}}.attention.to_out.0",),
        }.items()
    },
)
ORIGINALS = (FLUX, FLUX2, SD3, Z_IMAGE)


def rows_by_original_name(layers: Iterable[str]) -> Mapping[str, Rows]:
    """Layers of a transformer by the names of the original code, {} where it is none of these; layers: all it has."""
    layers = set(layers)
    kind = next((kind for kind in ORIGINALS if kind.mark in layers), None)
    return {} if kind is None else dict(_found(kind, layers))


def _found(kind: Original, layers: set[str]) -> Iterator[tuple[str, Rows]]:
    numbers = sorted({match[1] for layer in layers if (match := re.search(r"\.(\d+)\.", layer))}, key=int)
    for theirs, ours in kind.names.items():
        for number in numbers if "{n}" in theirs else [""]:
            rows = tuple(name.replace("{n}", number) for name in ours)
            if layers.issuperset(rows):
                yield theirs.replace("{n}", number), rows
