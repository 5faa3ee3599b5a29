"""The scout: few steps, no guidance, a tiny VAE if there is one. Rough and fast, and as reproducible as the other.

Where nothing was made for a few steps it is the faithful decoder in a few guided ones."""

from __future__ import annotations

from pathlib import Path

from latentworld.decoding import engines
from latentworld.decoding.diffusion import Diffusion
from latentworld.decoding.networks import Networks
from latentworld.decoding.running import Build
from latentworld.decoding.settings import GUIDED_STEPS, DecoderSettings
from latentworld.worlds import World


def scout(
    world: World,
    steps: int | None = None,
    batch: int = 8,
    engine: str = "eager",
    size: tuple[int, int] | None = None,
    lora: Path | None = None,
    tiny_vae: Path | None = None,
    build: Build = engines.build,
) -> Diffusion:
    """A few-step decoder: the world's student; else the world itself, where it was made for that, or in guided steps.

    `lora` is an LCM LoRA (.safetensors), fused into a copy of the world's UNet; `tiny_vae` a folder with an
    AutoencoderTiny, instead of the world's. Raises PresetError, WorldDamaged.
    """
    own, is_guided = world.card.defaults, lora is None and not world.has_few_step
    usual = min(GUIDED_STEPS, own.steps) if is_guided else own.scout_steps
    settings = DecoderSettings(
        kind="scout",
        steps=usual if steps is None else steps,
        guidance=own.guidance if is_guided or world.family.guidance == "distilled" else 1.0,
        batch=batch,
        size=size or (world.card.size, world.card.size),
        engine=engine,
        device=str(world.device),
        dtype=str(world.dtype).removeprefix("torch."),
        lora=None if lora is None else str(lora),
        tiny_vae=None if tiny_vae is None else str(tiny_vae),
    )
    return Diffusion(Networks(world), settings, build)
