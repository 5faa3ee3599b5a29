"""A loaded world: one family's model, whole, on one device."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from latentworld.deferred import Deferred, Held, held
from latentworld.errors import WorldMismatch
from latentworld.worlds.card import Card
from latentworld.worlds.families.family import Config, Family, LatentFormat

if TYPE_CHECKING:
    import torch
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
    from diffusers.models.modeling_utils import ModelMixin
    from torch import Tensor

    from latentworld.prompts import TextEncoder


@dataclass(frozen=True, eq=False, kw_only=True)
class Student:
    """A few-step denoiser distilled from the world's own, with the schedule it was made for; it needs no guidance."""

    denoiser: Held[ModelMixin] = Held()
    schedule: Config


@dataclass(frozen=True, eq=False, kw_only=True)
class World:
    """A loaded model bundle.

    family: what its networks are and how they are called. latent: what its latents are. denoiser: the network itself
    (a UNet, later a transformer), as its library loads it. text: how it reads a prompt. schedule: the config of its
    scheduler, as its family repairs it. few_step: as in `Facts`. digest: a hash of every file that pictures depend on.
    Networks may be deferred: then the first who asks waits for them.
    source: where it came from, for the record.
    """

    name: str
    source: str
    family: Family
    card: Card
    latent: LatentFormat
    denoiser: Held[ModelMixin] = Held()
    vae: Held[AutoencoderKL] = Held()
    text: TextEncoder
    schedule: Config
    few_step: str
    student: Student | None
    tiny_vae: Held[AutoencoderTiny | None] = Held()
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

    @property
    def has_tiny_vae(self) -> bool:
        """Whether it has a tiny VAE; none is read for that."""
        return held(self, "tiny_vae") is not None

    @property
    def vae_dtype(self) -> torch.dtype:
        """Of its VAE's numbers; none is read for that, since a VAE is deferred in float32 alone."""
        return self.dtype if isinstance(held(self, "vae"), Deferred) else self.vae.dtype

    def latent_of(self, vae: AutoencoderKL | AutoencoderTiny) -> LatentFormat:
        """The latents as another VAE of this family takes them: scale and shift are a VAE's own."""
        return self.family.latent(self.denoiser.config, vae.config)

    @property
    def encodes(self) -> bool:
        """Whether its VAE has an encoder: a file may have left that half out."""
        return self.family.encoder is not None and "encoder" in dict(self.vae.named_children())

    def encode(self, pictures: Tensor) -> Tensor:
        """Clean latents float32 [n, C, H, W] on the CPU of pictures [n, 3, height, width] in 0..1: the VAE's mean, in
        float32 whatever the world is in. Raises WorldMismatch for a world without an encoder."""
        import torch

        from latentworld.worlds.steady import steady

        if self.family.encoder is None or not self.encodes:
            raise WorldMismatch(f"the VAE of {self.name} has no encoder: give a world with a whole VAE (world.vae)")
        vae = self.vae if self.dtype == torch.float32 else copy.deepcopy(self.vae).float()
        for name, part in vae.named_children():  # as eager decoders leave it, so that their order does not matter
            if name in ("encoder", "quant_conv"):
                steady(part)
        encoder = self.family.encoder(vae, self.latent)
        with torch.inference_mode():  # one at a time: a picture does not depend on its mates
            found = [encoder(picture[None].to(self.device, torch.float32)).float().cpu() for picture in pictures]
        return torch.cat(found).clone()

    def in_float32(self) -> World:
        """The same world in float32; itself where it is so already. Its networks are copies."""
        import torch

        if self.dtype == torch.float32:
            return self
        return replace(
            self,
            denoiser=copy.deepcopy(self.denoiser).float(),
            vae=copy.deepcopy(self.vae).float(),
            text=self.text.changed(lambda own: own.float()),
            dtype=torch.float32,
        )
