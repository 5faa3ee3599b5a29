"""Latents of a split, encoded once in chunks, so that an interrupted cast encodes one chunk again at most."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from foundry import autoencoder, ranks
from foundry import machine as machines
from foundry.data import Split
from foundry.machine import Machine, Plan
from latentworld.disk import put

CHUNK = 1000


def chunks(
    folder: Path, count: int, size: int, machine: Machine, make: Callable[[int, int], Tensor], name: str
) -> Tensor:
    """``float16 [count, ...]``, made by ``make(start, stop)`` in chunks of ``size`` that stay in ``folder``.

    Several processes share the chunks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{start:06d}.npy" for start in range(0, count, size)]
    for number, path in enumerate(paths):
        if number % ranks.count() != ranks.rank() or path.exists():
            continue
        machine.breathe()
        start = number * size
        buffer = io.BytesIO()
        np.save(buffer, make(start, min(start + size, count)).half().cpu().numpy())
        put(path, buffer.getvalue())
        machine.log(f"{name}: {min(start + size, count)} of {count}")
    ranks.wait()
    return torch.from_numpy(np.concatenate([np.load(path) for path in paths]))


@torch.no_grad()
def latents_of(folder: Path, vae: AutoencoderKL, split: Split, machine: Machine, mirrors: bool = True) -> Tensor:
    """Scaled latents ``float16 [n, c, h, w]`` of a split; with ``mirrors`` those of the mirrored pictures follow."""
    total, part = len(split) * (2 if mirrors else 1), 20 if machine.device.type == "cpu" else 250

    def encoded(rows: Tensor, plan: Plan) -> Tensor:
        pictures = split.batch(rows % len(split))
        pictures = torch.where((rows >= len(split)).view(-1, 1, 1, 1), pictures.flip(-1), pictures)
        with machine.autocast(plan):
            return autoencoder.encode(vae, pictures.to(machine.device)).half().cpu()

    some = torch.arange(min(part, total))

    @functools.cache
    def plan() -> Plan:
        return machines.precise(machine, len(some), lambda plan: encoded(some, plan))

    def make(start: int, stop: int) -> Tensor:
        made = []
        for rows in torch.arange(start, stop).split(part):
            machine.breathe()
            made.append(encoded(rows, plan()))
        return torch.cat(made)

    return chunks(folder, total, CHUNK, machine, make, "latents")
