"""Stable Diffusion 2: as Stable Diffusion 1, with the words of OpenCLIP ViT-H, read at its last layer but one.

Its members: Stable Diffusion 2.0 and 2.1 (base, and 768 with a prediction of v), SD-Turbo.
"""

from __future__ import annotations

from latentworld.worlds.families.original_parts import OPEN_CLIP_WIDTH, SD2
from latentworld.worlds.families.plain_unet import family
from latentworld.worlds.families.sd1 import COLOURS

FAMILY = family(
    "sd2",
    "Stable Diffusion 2",
    claims=lambda unet: unet.get("cross_attention_dim") == OPEN_CLIP_WIDTH,
    channels=4,
    colours=COLOURS,  # its VAE's encoder is that of Stable Diffusion 1
    single=SD2,
    few_step=("turbo",),
)
