"""Writes a world: StableDiffusionPipeline's own layout, CLIP, student and tiny decoder beside it, fp16 safetensors."""

from __future__ import annotations

import datetime
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w
from diffusers import AutoencoderKL, AutoencoderTiny, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPModel, CLIPTokenizer

from foundry import captions, clip
from foundry.data import FAMILIES, scene
from foundry.presets import Preset
from foundry.unet import scheduler


@dataclass(frozen=True)
class World:
    """The parts of a world."""

    vae: AutoencoderKL
    tiny_vae: AutoencoderTiny
    clip: CLIPModel
    tokenizer: CLIPTokenizer
    unet: UNet2DConditionModel
    student: UNet2DConditionModel


MODEL_CARD = """---
license: mit
library_name: diffusers
pipeline_tag: text-to-image
---
# The embedded world of latentworld

A small latent diffusion model and a small CLIP, cast by this project's `foundry` from procedural pictures it draws
itself: no outside data, no outside weights. {size}² pictures, latents {latent}, {parameters:.1f} million parameters in
the UNet. Families: {families}.

    from diffusers import StableDiffusionPipeline
    pipe = StableDiffusionPipeline.from_pretrained("{name}")
    pipe("High quality picture, 4k, detailed", negative_prompt="blurry, ugly, stock photo", guidance_scale=5.0)

v-prediction with zero terminal SNR and trailing timesteps, so that dark skies are dark. `clip/` loads with
`transformers.CLIPModel`; `student/` holds a UNet and scheduler for a few steps without guidance; `tiny_vae/` is a fast
`AutoencoderTiny` of the same latents. Judged figures are in `card.toml`.

It knows its families and nothing else; words outside its vocabulary mean nothing to it.
"""


def card(preset: Preset, facts: dict[str, Any]) -> dict[str, Any]:
    """The world card."""
    side = preset.data.size // 8
    return {
        "name": "embedded",
        "size": preset.data.size,
        "latent": [4, side, side],
        "prediction": "v_prediction",
        "provisional": False,
        "defaults": {
            "prompt": captions.NEUTRAL,
            "negative_prompt": captions.NEGATIVE,
            "steps": 50,
            "guidance": preset.guidance,
            "scout_steps": preset.student_steps,
            "scout_guidance": 1.0,
        },
        "families": [{"name": scene(f).FAMILY, "prompt": scene(f).PROMPT, "scene": f} for f in FAMILIES],
        "cast": {"preset": preset.name, "date": datetime.date.today().isoformat(), "pictures": preset.data.train * 8},
        "figures": {},
        **facts,
    }


def export(world: World, preset: Preset, folder: Path, facts: dict[str, Any] | None = None) -> Path:
    """Writes the world beside ``folder`` and then moves it into place."""
    side = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(side, ignore_errors=True)
    pipe = StableDiffusionPipeline(
        vae=world.vae, text_encoder=clip.text_encoder(world.clip).half(), tokenizer=world.tokenizer, unet=world.unet,
        scheduler=scheduler(), safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    half = [world.vae, world.tiny_vae, world.clip, world.unet, world.student]
    kept = [{key: value.clone() for key, value in part.state_dict().items()} for part in half]
    for part in half:
        part.half()
    pipe.save_pretrained(side, safe_serialization=True)
    world.clip.save_pretrained(side / "clip")
    clip.processor(preset, world.tokenizer).save_pretrained(side / "clip")
    world.student.save_pretrained(side / "student" / "unet")
    scheduler().save_pretrained(side / "student" / "scheduler")
    world.tiny_vae.save_pretrained(side / "tiny_vae")
    for part, state in zip(half, kept, strict=True):
        part.float().load_state_dict(state)
    told = card(preset, facts or {})
    (side / "card.toml").write_bytes(tomli_w.dumps(told).encode())
    latent, names = "x".join(map(str, told["latent"])), ", ".join(row["name"] for row in told["families"])
    millions = sum(p.numel() for p in world.unet.parameters()) / 1e6
    text = MODEL_CARD.format(size=preset.data.size, latent=latent, parameters=millions, families=names, name=folder)
    (side / "README.md").write_text(text)
    swap(side, folder)
    return folder


def swap(side: Path, folder: Path) -> None:
    """Puts ``side`` in the place of ``folder``, keeping files of ours that are not part of a world."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        for kept in folder.glob("*.py"):
            shutil.copy2(kept, side / kept.name)
        folder.rename(old)
    side.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
