"""A tiny decoder of the same latents for the scout: diffusers' AutoencoderTiny, which learns what the full one paints.

It reads scaled latents, as the UNet writes them, so its own scaling factor is 1; half of what it learns from are the
teacher's own answers, as in the polish. Its aim is the full decoder's picture of the same latents, whole, since that
one's norms and attention look over all of it, and not the drawn picture: of the many that a blurred latent may mean a
decoder of this size learns the mean, and the first cast's and the second's kept an eighth of the finest energy. Its
encoder is a stub that imitates the full encoder roughly: the scout only decodes.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, AutoencoderTiny
from torch import Tensor, nn

from foundry import ranks
from foundry.autoencoder import decode, edge_error
from foundry.files import save_network
from foundry.polish import Answers
from foundry.presets import Preset
from foundry.training import Loss, train
from foundry.unet import Ground


def build(preset: Preset) -> AutoencoderTiny:
    """A fresh tiny autoencoder."""
    width, blocks = preset.shapes.tiny, preset.shapes.tiny_blocks
    return AutoencoderTiny(
        encoder_block_out_channels=(8,) * len(blocks),
        decoder_block_out_channels=(width,) * len(blocks),
        num_encoder_blocks=(1,) * len(blocks),
        num_decoder_blocks=blocks,
        latent_channels=preset.shapes.channels,
        scaling_factor=1.0,
    )


def loss_for(ground: Ground, given: Answers, vae: AutoencoderKL) -> Loss:
    """Absolute and squared error and edges against the full decoder, and the squared error of the stub's latents."""
    device = ground.machine.device

    def loss(model: nn.Module, rng: torch.Generator, done: float, count: int) -> tuple[Tensor, dict[str, float]]:
        own, free = (torch.randint(len(part), (count,), generator=rng) for part in (given.latents, ground.latents))
        even = (torch.arange(count) % 2 == 0).view(-1, 1, 1, 1)
        latents = torch.where(even, given.latents[own], ground.latents[free])
        z = latents.float().to(device)
        wanted = decode(vae, z).float() * 2 - 1
        again, stub = model.decoder(z).float(), model.encoder(wanted).float()
        square = F.mse_loss(again, wanted)
        value = square + 0.3 * F.l1_loss(again, wanted) + 0.15 * edge_error(again, wanted) + 0.05 * F.mse_loss(stub, z)
        return value, {"psnr": float(-10 * torch.log10(square.detach() / 4))}

    return loss


def cast(folder: Path, preset: Preset, ground: Ground, given: Answers, vae: AutoencoderKL) -> AutoencoderTiny:
    """Trains, or loads what was trained, to paint as ``vae`` does."""
    machine = ground.machine
    if not (folder / "model" / "config.json").exists():
        torch.manual_seed(4)
        model, mark = build(preset).to(machine.device), preset.fingerprint("tiny_vae")
        tiny = train("tiny_vae", folder, model, preset.tiny_vae, loss_for(ground, given, vae), mark, machine).average
        if ranks.rank() == 0:
            assert isinstance(tiny, AutoencoderTiny)
            save_network(tiny, folder / "model")
        ranks.wait()
    return AutoencoderTiny.from_pretrained(folder / "model").to(machine.device).eval()
