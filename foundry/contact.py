"""Contact sheets of the scenes: what an art director looks at before anything is trained."""

from __future__ import annotations

from pathlib import Path

import torch

from foundry.data import FAMILIES, scene
from foundry.files import save_picture
from foundry.scenes.canvas import sheet

SIDE = 8


def write(folder: Path, size: int, seed: int) -> None:
    """A sheet of `SIDE` by `SIDE` pictures a family, and one of all families mixed."""
    mixed = []
    for family in FAMILIES:
        pictures = scene(family).draw(torch.Generator().manual_seed(seed), SIDE * SIDE, size).pictures
        save_picture(folder / f"{family}.png", sheet(pictures, SIDE))
        mixed.append(pictures[:SIDE])
    shuffled = torch.cat(mixed)[torch.randperm(SIDE * len(FAMILIES), generator=torch.Generator().manual_seed(seed))]
    save_picture(folder / "mixed.png", sheet(shuffled, SIDE))
