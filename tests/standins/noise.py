"""What tests of pictures at vertices and of bridges ask the command line with: a tiny world, and pictures of noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from installation.cli import app


def command(*words: object) -> None:
    """A command of ours, its errors raised."""
    app([str(word) for word in words], standalone_mode=False)


def options(settings: list[str]) -> list[str]:
    """Settings as the command line takes them."""
    return [part for one in settings for part in ("--set", one)]


def noise(path: Path, seed: int = 0) -> Path:
    """A picture 64 x 64 of soft noise."""
    small = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8)
    Image.fromarray(small).resize((64, 64), Image.Resampling.BICUBIC).save(path)
    return path
