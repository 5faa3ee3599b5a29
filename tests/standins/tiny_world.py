"""A randomly initialised SD-shaped world, written in the standard layout: the ground most tests stand on.

`python -m standins.tiny_world FOLDER [--full]` writes one by hand; `--full` has the shape of the embedded world.
"""

from __future__ import annotations

import argparse
import atexit
import functools
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTextModel, CLIPVisionConfig


@dataclass(frozen=True)
class Shape:
    """How large the parts are."""

    latent: int = 8
    unet: tuple[int, ...] = (32, 64)
    head: int = 16
    vae: tuple[int, ...] = (8, 8, 8, 16)
    tiny: tuple[int, ...] = (8, 8, 8, 8)
    text: int = 32
    text_layers: int = 1
    text_head: int = 16
    clip: int = 32
    clip_layers: int = 1
    patch: int = 8
    picture: int = 32  # what CLIP sees; the world's own pictures are 8 x latent
    tokens: int = 16
    projection: int = 16
    groups: int = 16
    vae_groups: int = 8
    heads: int | None = None  # everywhere, as SD 1 has it; else widths over `head`
    act: str = "quick_gelu"
    linear: bool = False  # projections of the attention


TINY = Shape()
# What the original code takes for granted: 32 groups, 8 heads in the UNet, heads 64 wide in the text encoder.
CLASSIC = Shape(vae=(32, 32, 32, 32), groups=32, vae_groups=32, heads=8, text=64, text_head=64)
# Of Stable Diffusion 2: heads 64 wide, linear projections, OpenCLIP's width and activation.
SECOND = replace(CLASSIC, unet=(64, 128), head=64, heads=None, text=1024, act="gelu", linear=True)
FULL = Shape(
    latent=16, unet=(96, 160, 256), head=32, vae=(16, 32, 64, 128), tiny=(32, 32, 32, 32), text=192, text_layers=4,
    clip=192, clip_layers=6, patch=16, picture=128, tokens=64, projection=160,
)  # fmt: skip


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Random weights that are the same every time, without touching the tests' own generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def scheduler(prediction: str = "v_prediction") -> DDIMScheduler:
    """DDIM as the embedded world has it, or as SD 1.5 has it for `epsilon`."""
    zero = prediction == "v_prediction"
    return DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=zero,
        steps_offset=1, prediction_type=prediction, rescale_betas_zero_snr=zero,
        timestep_spacing="trailing" if zero else "leading",
    )  # fmt: skip


def unet(shape: Shape = TINY, **other: Any) -> UNet2DConditionModel:
    """A plain SD UNet whose first block has no attention, as in the embedded world."""
    deep = len(shape.unet) - 1
    return UNet2DConditionModel(
        sample_size=shape.latent, in_channels=4, out_channels=4, layers_per_block=1, block_out_channels=shape.unet,
        down_block_types=("DownBlock2D",) + ("CrossAttnDownBlock2D",) * deep,
        up_block_types=("CrossAttnUpBlock2D",) * deep + ("UpBlock2D",), norm_num_groups=shape.groups,
        cross_attention_dim=shape.text,
        attention_head_dim=shape.heads or tuple(width // shape.head for width in shape.unet),
        use_linear_projection=shape.linear, **other,
    )  # fmt: skip


def vae(shape: Shape = TINY) -> AutoencoderKL:
    """A factor-8, 4-channel autoencoder."""
    blocks = len(shape.vae)
    return AutoencoderKL(
        block_out_channels=shape.vae, down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks, layers_per_block=1, latent_channels=4,
        norm_num_groups=shape.vae_groups, scaling_factor=0.18215, sample_size=shape.latent * 8,
    )  # fmt: skip


def _tiny_vae(shape: Shape) -> AutoencoderTiny:
    return AutoencoderTiny(
        encoder_block_out_channels=shape.tiny, decoder_block_out_channels=shape.tiny,
        num_encoder_blocks=(1, 1, 1, 1), num_decoder_blocks=(1, 1, 1, 1),
    )  # fmt: skip


def write_tokenizer(folder: Path, shape: Shape, pad: str = "<|endoftext|>") -> int:
    """CLIP's tokenizer, each letter a word; returns how many it knows."""
    letters = [chr(code) for code in range(33, 127)]
    pieces = letters + [letter + "</w>" for letter in letters] + ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({piece: row for row, piece in enumerate(pieces)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    special = dict.fromkeys(("eos_token", "pad_token", "unk_token"), "<|endoftext|>") | {"pad_token": pad}
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": shape.tokens, "bos_token": "<|startoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config | special))
    (folder / "special_tokens_map.json").write_text(json.dumps({"bos_token": "<|startoftext|>"} | special))
    return len(pieces)


def _text_config(shape: Shape, words: int) -> dict[str, Any]:
    return {
        "vocab_size": words, "hidden_size": shape.text, "intermediate_size": shape.text * 2,
        "num_hidden_layers": shape.text_layers, "num_attention_heads": shape.text // shape.text_head,
        "max_position_embeddings": shape.tokens, "projection_dim": shape.projection, "hidden_act": shape.act,
        "bos_token_id": words - 2, "eos_token_id": words - 1, "pad_token_id": words - 1,
    }  # fmt: skip


def _write_clip(folder: Path, shape: Shape, words: int, dtype: torch.dtype) -> None:
    vision = CLIPVisionConfig(
        hidden_size=shape.clip, intermediate_size=shape.clip * 4, num_hidden_layers=shape.clip_layers,
        num_attention_heads=shape.clip // 16, image_size=shape.picture, patch_size=shape.patch,
        projection_dim=shape.projection,
    )  # fmt: skip
    text = _text_config(shape, words)
    config = CLIPConfig(text_config=text, vision_config=vision.to_dict(), projection_dim=shape.projection)
    CLIPModel(config).to(dtype).save_pretrained(folder)
    side = shape.picture
    processor = {
        "image_processor_type": "CLIPImageProcessor", "do_resize": True, "size": {"shortest_edge": side},
        "resample": 3, "do_center_crop": True, "crop_size": {"height": side, "width": side}, "do_rescale": True,
        "rescale_factor": 1 / 255, "do_normalize": True, "do_convert_rgb": True,
        "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    write_tokenizer(folder, shape)


def _widen(path: Path) -> None:
    """Half on disk, float32 when loaded: transformers follows the config, diffusers does so by itself."""
    path.write_text(json.dumps(json.loads(path.read_text()) | {"dtype": "float32"}))


def build(
    folder: Path, *, shape: Shape = TINY, prediction: str = "v_prediction", half: bool = False, extras: bool = True
) -> Path:
    """Write a world; `extras` are student, tiny_vae, clip and card.toml, which a plain checkpoint lacks."""
    dtype = torch.float16 if half else torch.float32
    with seeded(7):
        words = write_tokenizer(folder / "tokenizer", shape)
        unet(shape).to(dtype).save_pretrained(folder / "unet")
        vae(shape).to(dtype).save_pretrained(folder / "vae")
        text = CLIPTextModel(CLIPTextConfig(**_text_config(shape, words)))
        text.to(dtype).save_pretrained(folder / "text_encoder")
        _widen(folder / "text_encoder" / "config.json")
        scheduler(prediction).save_pretrained(folder / "scheduler")
        if extras:
            unet(shape).to(dtype).save_pretrained(folder / "student" / "unet")
            scheduler(prediction).save_pretrained(folder / "student" / "scheduler")
            _tiny_vae(shape).to(dtype).save_pretrained(folder / "tiny_vae")
            _write_clip(folder / "clip", shape, words, dtype)
            (folder / "card.toml").write_text(CARD.format(size=shape.latent * 8))
    index: dict[str, Any] = {
        "_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.42.0", "requires_safety_checker": False,
        "scheduler": ["diffusers", "DDIMScheduler"], "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"], "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"], "safety_checker": [None, None], "feature_extractor": [None, None],
        "image_encoder": [None, None],
    }  # fmt: skip
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


@functools.cache
def folder(kind: str = "embedded") -> Path:
    """A tiny world shared by a test run: `embedded` (v-prediction, fp16 on disk, extras), `plain` or `classic`."""
    home = Path(tempfile.mkdtemp(prefix="tiny-world-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    if kind in ("plain", "classic"):
        return build(home / kind, shape=TINY if kind == "plain" else CLASSIC, prediction="epsilon", extras=False)
    return build(home / kind, half=True)


CARD = """\
name = "tiny"
title = "A tiny random world"
size = {size}

[defaults]
prompt = "a cat"
negative = "blurry"
steps = 4
guidance = 5.0
"""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--full", action="store_true")
    asked = parser.parse_args()
    print(build(asked.folder, shape=FULL if asked.full else TINY, half=True))
