"""The weights of tiny models by the names of the original code, as single files have them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from latentworld import worlds
from latentworld.worlds import World
from standins import tiny_world


def ldm_unet(state: dict[str, Tensor], layers: int = 1, blocks: int = 2) -> dict[str, Tensor]:
    """diffusers' names of the tiny UNet to those of the original code (two levels, the first without attention)."""
    names = {
        "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
        "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
        "down_blocks.0.resnets.0": "input_blocks.1.0", "down_blocks.0.downsamplers.0.conv": "input_blocks.2.0.op",
        "down_blocks.1.resnets.0": "input_blocks.3.0", "down_blocks.1.attentions.0": "input_blocks.3.1",
        "mid_block.resnets.0": "middle_block.0", "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2", "up_blocks.0.upsamplers.0.conv": "output_blocks.1.2.conv",
    }  # fmt: skip
    for block in range(blocks):
        for layer in range(layers + 1):
            row = block * (layers + 1) + layer
            names[f"up_blocks.{block}.resnets.{layer}"] = f"output_blocks.{row}.0"
            names[f"up_blocks.{block}.attentions.{layer}"] = f"output_blocks.{row}.1"
    inner = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
             "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}  # fmt: skip
    made = {}
    for key, value in state.items():
        stem = next(name for name in sorted(names, key=len, reverse=True) if key.startswith(name + "."))
        rest = key.removeprefix(stem)
        if ".resnets." in stem:
            rest = re.sub(r"^\.(\w+)\.", lambda match: f".{inner[match[1]]}.", rest)
        made[f"model.diffusion_model.{names[stem]}{rest}"] = value
    return made


def ldm_vae(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """diffusers' names of a VAE to those of the original code: levels of the decoder run the other way."""
    made, last = {}, len(tiny_world.TINY.vae) - 1
    attention = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
    for name, tensor in state.items():
        key, value = name, tensor
        key = re.sub(r"down_blocks\.(\d)\.resnets", r"down.\1.block", key)
        key = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", key)
        key = re.sub(r"up_blocks\.(\d)\.resnets", lambda match: f"up.{last - int(match[1])}.block", key)
        key = re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda match: f"up.{last - int(match[1])}.upsample", key)
        key = re.sub(r"mid_block\.resnets\.(\d)", lambda match: f"mid.block_{int(match[1]) + 1}", key)
        if "mid_block.attentions.0" in key:
            theirs = next(part for part in attention if f".0.{part}." in key)
            key = key.replace(f"mid_block.attentions.0.{theirs}", f"mid.attn_1.{attention[theirs]}")
            value = tensor[:, :, None, None] if value.ndim == 2 else value
        key = key.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")
        made[f"first_stage_model.{key}"] = value
    return made


def open_clip(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """transformers' names of a CLIP text encoder to OpenCLIP's, which keeps query, key and value in one."""
    names = {"embeddings.token_embedding.weight": "token_embedding.weight",
             "embeddings.position_embedding.weight": "positional_embedding", "final_layer_norm": "ln_final",
             "encoder.layers.": "transformer.resblocks.", "layer_norm": "ln_", "mlp.fc1": "mlp.c_fc",
             "mlp.fc2": "mlp.c_proj", "self_attn.out_proj": "attn.out_proj"}  # fmt: skip
    made, bare = {}, {key.removeprefix("text_model."): value for key, value in state.items()}
    for key, value in bare.items():
        if key == "text_projection.weight":
            made[prefix + "text_projection"] = value.T.contiguous()
        elif ".q_proj." in key:
            three = [bare[key.replace(".q_proj.", f".{one}_proj.")] for one in "qkv"]
            layer, kind = key.split(".")[2], key.rpartition(".")[2]
            made[f"{prefix}transformer.resblocks.{layer}.attn.in_proj_{kind}"] = torch.cat(three)
        elif not re.search(r"\.[kv]_proj\.|position_ids", key):
            for theirs, ours in names.items():
                key = key.replace(theirs, ours)
            made[prefix + key] = value
    return made


def second_file(folder: Path, world: World) -> Path:
    """A tiny Stable Diffusion 2 as one file, its tokenizer and a card beside it."""
    text = open_clip(world.text.encoder.state_dict(), "cond_stage_model.model.")
    parts = ldm_unet(world.denoiser.state_dict()) | ldm_vae(world.vae.state_dict()) | text
    said = {"modelspec.prediction_type": str(world.schedule["prediction_type"])}  # else a file of its kind predicts v
    save_file({key: value.contiguous() for key, value in parts.items()}, folder / "tiny2.safetensors", said)
    tiny_world.write_tokenizer(folder / "tokenizer", tiny_world.SECOND)
    (folder / "tiny2.toml").write_text('title = "One file"\nsize = 64\n')
    return folder / "tiny2.safetensors"


def classic_file(folder: Path) -> Path:
    """The classic tiny world as one file with its tokenizer and a card beside it."""
    world = worlds.load(tiny_world.folder("classic"))
    text = {
        f"cond_stage_model.transformer.text_model.{key.removeprefix('text_model.')}": value
        for key, value in world.text.encoder.state_dict().items()
    }
    parts = ldm_unet(world.denoiser.state_dict()) | ldm_vae(world.vae.state_dict()) | text
    save_file({key: value.contiguous() for key, value in parts.items()}, folder / "tiny.safetensors")
    shutil.copytree(tiny_world.folder("classic") / "tokenizer", folder / "tokenizer")
    (folder / "tiny.toml").write_text('title = "One file"\nsize = 64\n')
    return folder / "tiny.safetensors"
