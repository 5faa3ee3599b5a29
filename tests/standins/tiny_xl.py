"""A randomly initialised SDXL in the standard layouts: a folder of diffusers', and one file of the original keys.

`python -m standins.tiny_xl FOLDER [--file]` writes one by hand, from `tests/`.
"""

from __future__ import annotations

import argparse
import atexit
import functools
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from diffusers import EulerDiscreteScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from standins import tiny_world
from standins.original_keys import ldm_unet, ldm_vae, open_clip

WIDTHS, POOLED, SIZES = (64, 128), 32, 8
FIRST, SECOND = 64, 128  # of the text encoders; as the original code takes it for granted, heads are 64 wide
SCHEDULE = {
    "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "timestep_spacing": "leading",
    "steps_offset": 1,
}  # fmt: skip
PUBLISHED = {"clip_sample": False, "set_alpha_to_one": False, "sample_max_value": 1.0}
"""What SDXL's own config says beside, which Euler has no use for and other schedulers read."""


def unet(**other: Any) -> UNet2DConditionModel:
    """SDXL's UNet in small: transformers of several layers, sizes and a pooled prompt with the time."""
    return UNet2DConditionModel(**{
        "sample_size": 8, "layers_per_block": 1, "block_out_channels": WIDTHS,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"), "transformer_layers_per_block": (1, 2),
        "cross_attention_dim": FIRST + SECOND, "attention_head_dim": tuple(width // 64 for width in WIDTHS),
        "use_linear_projection": True, "addition_embed_type": "text_time", "addition_time_embed_dim": SIZES,
        "projection_class_embeddings_input_dim": 6 * SIZES + POOLED,
    } | other)  # fmt: skip


def _words(width: int, words: int, act: str) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=words, hidden_size=width, intermediate_size=width * 2, num_hidden_layers=3,
        num_attention_heads=width // 64, max_position_embeddings=16, projection_dim=POOLED, hidden_act=act,
        bos_token_id=words - 2, eos_token_id=words - 1, pad_token_id=words - 1,
    )  # fmt: skip


def modules(words: int) -> dict[str, nn.Module]:
    """The networks, by the names of their folders."""
    shape = tiny_world.CLASSIC
    with tiny_world.seeded(11):
        vae = tiny_world.vae(shape)
        vae.register_to_config(scaling_factor=0.13025, force_upcast=True)
        return {
            "unet": unet(), "vae": vae, "text_encoder": CLIPTextModel(_words(FIRST, words, "quick_gelu")),
            "text_encoder_2": CLIPTextModelWithProjection(_words(SECOND, words, "gelu")),
        }  # fmt: skip


def build(folder: Path, **other: Any) -> Path:
    """Write a folder. other: entries of the scheduler's config."""
    words = tiny_world.write_tokenizer(folder / "tokenizer", tiny_world.TINY)
    tiny_world.write_tokenizer(folder / "tokenizer_2", tiny_world.TINY, pad="!")
    for name, module in modules(words).items():
        module.save_pretrained(folder / name)  # type: ignore[operator]
    EulerDiscreteScheduler(**SCHEDULE, **other).save_pretrained(folder / "scheduler")
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | PUBLISHED))
    classes = {
        "text_encoder": ["transformers", "CLIPTextModel"], "unet": ["diffusers", "UNet2DConditionModel"],
        "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"], "vae": ["diffusers", "AutoencoderKL"],
        "tokenizer": ["transformers", "CLIPTokenizer"], "tokenizer_2": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "EulerDiscreteScheduler"], "image_encoder": [None, None],
        "feature_extractor": [None, None], "force_zeros_for_empty_prompt": True,
    }  # fmt: skip
    index = {"_class_name": "StableDiffusionXLPipeline", "_diffusers_version": "0.42.0"} | classes
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def original(words: int) -> dict[str, torch.Tensor]:
    """The same weights as one file has them."""
    parts = {name: module.state_dict() for name, module in modules(words).items()}
    keys = ldm_unet({key: value for key, value in parts["unet"].items() if not key.startswith("add_embedding")})
    for ours, theirs in (("linear_1", "0.0"), ("linear_2", "0.2")):
        for kind in ("weight", "bias"):
            keys[f"model.diffusion_model.label_emb.{theirs}.{kind}"] = parts["unet"][f"add_embedding.{ours}.{kind}"]
    first = {key.removeprefix("text_model."): value for key, value in parts["text_encoder"].items()}
    keys |= {f"conditioner.embedders.0.transformer.text_model.{key}": value for key, value in first.items()}
    keys |= open_clip(parts["text_encoder_2"], "conditioner.embedders.1.model.")
    return {key: value.contiguous() for key, value in (keys | ldm_vae(parts["vae"])).items()}


def build_file(folder: Path, name: str = "tiny") -> Path:
    """Write one file, with its tokenizers and a card beside it."""
    words = tiny_world.write_tokenizer(folder / "tokenizer", tiny_world.TINY)
    tiny_world.write_tokenizer(folder / "tokenizer_2", tiny_world.TINY, pad="!")
    save_file(original(words), folder / f"{name}.safetensors")
    (folder / f"{name}.toml").write_text("size = 64\n")
    return folder / f"{name}.safetensors"


@functools.cache
def world(kind: str = "folder") -> Path:
    """A tiny SDXL shared by a test run: `folder` or `file`."""
    home = Path(tempfile.mkdtemp(prefix="tiny-xl-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    return build(home / "sdxl") if kind == "folder" else build_file(home)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--file", action="store_true")
    asked = parser.parse_args()
    print(build_file(asked.folder) if asked.file else build(asked.folder))
