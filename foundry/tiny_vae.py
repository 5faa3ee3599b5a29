"""A tiny decoder of the same latents for the scout: diffusers' AutoencoderTiny, learnt from the full one's latents.

It reads scaled latents, as the UNet writes them, so its own scaling factor is 1. Its encoder is a stub that imitates
the full encoder roughly: the scout only decodes.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from torch import Tensor, nn

from foundry.data import Split
from foundry.presets import Preset
from foundry.training import Loss, train


def build(preset: Preset) -> AutoencoderTiny:
    """A fresh tiny autoencoder."""
    width, blocks = preset.shapes.tiny, preset.shapes.tiny_blocks
    return AutoencoderTiny(
        encoder_block_out_channels=(8,) * len(blocks),
        decoder_block_out_channels=(width,) * len(blocks),
        num_encoder_blocks=(1,) * len(blocks),
        num_decoder_blocks=blocks,
        latent_channels=4,
        scaling_factor=1.0,
    )


def loss_for(latents: Tensor, split: Split, preset: Preset, device: torch.device) -> Loss:
    """Absolute and squared error of crops, and of the stub's latents."""
    side = preset.data.size // 8
    half = side // 2

    def loss(model: nn.Module, rng: torch.Generator, done: float) -> tuple[Tensor, dict[str, float]]:
        rows = torch.randint(len(split), (preset.tiny_vae.batch,), generator=rng)
        y, x = torch.randint(0, side - half + 1, (2,), generator=rng).tolist()
        z = latents[rows].float()[..., y : y + half, x : x + half].to(device)
        wanted = split.batch(rows)[..., 8 * y : 8 * (y + half), 8 * x : 8 * (x + half)].to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=preset.bfloat16):
            again = model.decoder(z).float()
            stub = model.encoder(wanted).float()
        square = F.mse_loss(again, wanted)
        value = square + 0.2 * F.l1_loss(again, wanted) + 0.05 * F.mse_loss(stub, z)
        return value, {"psnr": float(-10 * torch.log10(square.detach() / 4))}

    return loss


def cast(folder: Path, preset: Preset, split: Split, latents: Tensor, device: torch.device) -> AutoencoderTiny:
    """Trains, or loads what was trained."""
    if (folder / "model" / "config.json").exists():
        return AutoencoderTiny.from_pretrained(folder / "model").to(device).eval()
    torch.manual_seed(4)
    loss = loss_for(latents, split, preset, device)
    model = train("tiny_vae", folder, build(preset).to(device), preset.tiny_vae, loss, preset.fingerprint("tiny_vae"))
    model.save_pretrained(folder / "model")
    return model
