"""Writing files so that an interruption leaves the old one or the new one, never half of one."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a side file, flushes it to disk, renames it into place."""
    side = path.with_name(f".{path.name}.{os.getpid()}")
    with open(side, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(side, path)


def save_picture(path: Path, picture: Tensor) -> None:
    """Saves ``[3, h, w]`` in 0..1 as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = (picture.float().clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    Image.fromarray(pixels).save(path)
