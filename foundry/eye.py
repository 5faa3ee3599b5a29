"""The second half of CLIP's training: the picture tower alone, on decoded pictures too, the text tower being finished.

The UNet listens to the text tower, so that one must not move any more; the picture tower may. Half of each batch are
pictures that went through the autoencoder, since those are what the eye will judge.
"""

from __future__ import annotations

import copy
import random
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from transformers import CLIPModel, CLIPTokenizer

from foundry import autoencoder, clip
from foundry.data import Split
from foundry.presets import Preset
from foundry.training import Loss, train


@torch.no_grad()
def decoded(path: Path, vae: AutoencoderKL, latents: Tensor, rows: Tensor) -> np.ndarray:
    """Pictures ``uint8 [n, 3, s, s]`` decoded from the latents of ``rows``, computed once."""
    if not path.exists():
        parts = [autoencoder.decode(vae, latents[part].float().to(vae.device)) for part in rows.split(16)]
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path.with_suffix(".side.npy"), (torch.cat(parts) * 255).round().byte().cpu().numpy())
        path.with_suffix(".side.npy").replace(path)
    return np.load(path, mmap_mode="r")


def loss_for(
    split: Split, rows: Tensor, pictures: np.ndarray, preset: Preset, tokenizer: CLIPTokenizer, device: torch.device
) -> Loss:
    """CLIP's own contrast on drawn and decoded pictures, half and half."""

    def loss(model: nn.Module, rng: torch.Generator, done: float) -> tuple[Tensor, dict[str, float]]:
        half = preset.eye.batch // 2
        drawn = torch.randint(len(split), (half,), generator=rng)
        again = torch.randint(len(rows), (half,), generator=rng)
        x = torch.cat([split.batch(drawn), torch.from_numpy(pictures[again.numpy()]).float() / 127.5 - 1])
        words = random.Random(int(torch.randint(2**31, (1,), generator=rng)))
        chosen = torch.cat([drawn, rows[again]])
        return clip.contrast(model, split, chosen, clip.soften(x, rng), words, tokenizer, preset.bfloat16, device)

    return loss


def cast(
    folder: Path,
    preset: Preset,
    split: Split,
    held: Split,
    seer: CLIPModel,
    tokenizer: CLIPTokenizer,
    vae: AutoencoderKL,
    latents: Tensor,
    device: torch.device,
) -> CLIPModel:
    """Trains, or loads what was trained."""
    if (folder / "model" / "config.json").exists():
        return CLIPModel.from_pretrained(folder / "model").to(device).eval()
    rows = torch.arange(0, len(split), max(1, len(split) // 1000))
    pictures = decoded(folder / "decoded.npy", vae, latents, rows)
    model = copy.deepcopy(seer).train().requires_grad_(True)
    for part in (model.text_model, model.text_projection):
        part.requires_grad_(False)
    loss = loss_for(split, rows, pictures, preset, tokenizer, device)
    model = train("eye", folder, model, preset.eye, loss, preset.fingerprint("eye"))
    clip.calibrate(model, tokenizer, held)
    model.save_pretrained(folder / "model")
    return model.eval()
