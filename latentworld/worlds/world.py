"""A loaded world: one family's model, whole, on one device."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from latentworld.worlds.card import Card
from latentworld.worlds.families.family import Config, Family, LatentFormat

if TYPE_CHECKING:
    import torch
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
    from diffusers.models.modeling_utils import ModelMixin

    from latentworld.prompts import TextEncoder


@dataclass(frozen=True, eq=False)
class Student:
    """A few-step denoiser distilled from the world's own, with the schedule it was made for; it needs no guidance."""

    denoiser: ModelMixin
    schedule: Config


@dataclass(frozen=True, eq=False)
class World:
    """A loaded model bundle.

    family: what its networks are and how they are called. latent: what its latents are. denoiser: the network itself
    (a UNet, later a transformer), as its library loads it. text: how it reads a prompt. schedule: the config of its
    scheduler, as its family repairs it. few_step: as in `Facts`. digest: a hash of every file that pictures depend on.
    source: where it came from, for the record.
    """

    name: str
    source: str
    family: Family
    card: Card
    latent: LatentFormat
    denoiser: ModelMixin
    vae: AutoencoderKL
    text: TextEncoder
    schedule: Config
    few_step: str
    student: Student | None
    tiny_vae: AutoencoderTiny | None
    clip: Path | str | None
    digest: str
    device: torch.device
    dtype: torch.dtype

    @property
    def shape(self) -> tuple[int, int, int]:
        """Latent channels, height, width at the card's size."""
        return self.latent.shape(self.card.size, self.card.size)

    @property
    def has_few_step(self) -> bool:
        """Whether it has a few-step denoiser, or is one."""
        return bool(self.few_step) or self.student is not None

    def latent_of(self, vae: AutoencoderKL | AutoencoderTiny) -> LatentFormat:
        """The latents as another VAE of this family takes them: scale and shift are a VAE's own."""
        return self.family.latent(self.denoiser.config, vae.config)
