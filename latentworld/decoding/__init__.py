"""Decoders: latents to pictures under one contract (see contract.py). Importing this package imports no torch.

from latentworld.decoding import Cached, faithful_decoder
decoder = Cached(faithful_decoder(world, steps=50, guidance=5.0, batch=8, engine="openvino"))
pictures = decoder(latents, Prompt("a cat", "blurry"))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from latentworld.decoding.cache import Cached
from latentworld.decoding.decoder import Decoder, Profile, Watch

if TYPE_CHECKING:
    from latentworld.decoding.diffusion import Diffusion
    from latentworld.worlds import World

__all__ = ["Cached", "Decoder", "Profile", "Watch", "faithful_decoder", "scout_decoder"]


def faithful_decoder(world: World, **options: Any) -> Diffusion:
    """DDIM, eta = 0, guided: the pipeline's picture. Options as in `latentworld.decoding.faithful.faithful`."""
    from latentworld.decoding.faithful import faithful

    return faithful(world, **options)


def scout_decoder(world: World, **options: Any) -> Diffusion:
    """Few steps, no guidance, tiny VAE. Options as in `latentworld.decoding.scout.scout`."""
    from latentworld.decoding.scout import scout

    return scout(world, **options)
