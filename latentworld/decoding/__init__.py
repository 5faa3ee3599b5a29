"""Decoders: latents to pictures under one contract (see decoder.py). Importing this package imports no torch.

from latentworld.decoding import Cached, faithful_decoder
decoder = Cached(faithful_decoder(world, steps=50, guidance=5.0, batch=8, engine="openvino"))
pictures = decoder(latents, Prompt("a cat", "blurry"))
faster = decoder.variant(replace(decoder.settings, steps=20))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from latentworld.decoding.cache import Cached
from latentworld.decoding.decoder import Decoder, Watch, Watched
from latentworld.decoding.profile import Profile
from latentworld.decoding.settings import DecoderSettings

if TYPE_CHECKING:
    from latentworld.decoding.diffusion import Diffusion
    from latentworld.worlds import World

__all__ = [
    "Cached",
    "Decoder",
    "DecoderSettings",
    "Profile",
    "Watch",
    "Watched",
    "faithful_decoder",
    "scout_decoder",
    "world_decoder",
]


def world_decoder(world: World, settings: DecoderSettings) -> Diffusion:
    """A decoder of a loaded world. Raises PresetError, WorldMismatch, and what reading a LoRA or VAE file raises."""
    from latentworld.decoding.diffusion import Diffusion
    from latentworld.decoding.networks import Networks

    return Diffusion(Networks(world), settings)


def faithful_decoder(world: World, **options: Any) -> Diffusion:
    """DDIM, eta = 0, guided: the pipeline's picture. Options as in `latentworld.decoding.faithful.faithful`."""
    from latentworld.decoding.faithful import faithful

    return faithful(world, **options)


def scout_decoder(world: World, **options: Any) -> Diffusion:
    """Few steps, no guidance, tiny VAE. Options as in `latentworld.decoding.scout.scout`."""
    from latentworld.decoding.scout import scout

    return scout(world, **options)
