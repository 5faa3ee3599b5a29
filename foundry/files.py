"""Pictures and networks on disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Protocol

import torch
from PIL import Image
from torch import Tensor


def save_picture(path: Path, picture: Tensor) -> None:
    """Saves ``[3, h, w]`` in 0..1 as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = (picture.float().clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    Image.fromarray(pixels).save(path)


class Network(Protocol):
    """What diffusers and transformers save in their own layouts."""

    def save_pretrained(self, save_directory: str) -> object:
        """Write into a folder."""


def save_network(network: Network, folder: Path) -> None:
    """Saves a network in its library's layout, whole or not at all: beside ``folder``, synced, renamed."""
    side = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(side, ignore_errors=True)
    network.save_pretrained(str(side))
    for path in side.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    shutil.rmtree(folder, ignore_errors=True)
    side.rename(folder)
