"""Stable Diffusion 1: CLIP ViT-L/14's words, a UNet that reads them, 4 latent channels of 8 pixels.

Its members: Stable Diffusion 1.1 to 1.5 and what was made from them (DreamShaper, Realistic Vision, LCM, Turbo and
Hyper versions), and the embedded world, which is of their build throughout: the same parts, text conditioning and
call, only smaller. What is its own (a prediction of v, a schedule that ends in pure noise, its VAE's scale) it says
in its configs as any member does, and the colours of its VAE in its card.
"""

from __future__ import annotations

from latentworld.worlds.families.family import Colour, LatentFormat
from latentworld.worlds.families.original_parts import OPEN_CLIP_WIDTH, SD1
from latentworld.worlds.families.plain_unet import family

# Latents of Stable Diffusion's VAE as colours: ComfyUI, comfy/latent_formats.py, SD15.
COLOURS: tuple[Colour, ...] = (
    (0.3512, 0.2297, 0.3227),
    (0.3250, 0.4974, 0.2350),
    (-0.2829, 0.1762, 0.2721),
    (-0.2120, -0.2616, -0.7177),
)
LATENT = LatentFormat(4, 8, 64, 0.18215, colours=COLOURS)  # of the checkpoints that the write-up used

FAMILY = family(
    "sd1",
    "Stable Diffusion 1",
    claims=lambda unet: unet.get("cross_attention_dim") != OPEN_CLIP_WIDTH,
    channels=4,
    colours=COLOURS,
    single=SD1,
    few_step=("hyper",),
)
