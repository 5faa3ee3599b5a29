"""The pictures of a cast: drawn once, kept as uint8 in one memory-mapped file a split, with attributes and captions.

Layout of ``FOLDER/data``: ``train.npy`` and ``held.npy`` ``uint8 [families * each, 3, size, size]``, rows in order of
family; ``attributes/SPLIT-FAMILY.json`` marks a family as drawn, so an interrupted run redraws one family at most.
"""

from __future__ import annotations

import importlib
import json
import random
import zlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from foundry import captions
from foundry.presets import DataPreset
from latentworld.disk import put

FAMILIES = ("planets", "moons", "mountains", "seas", "cats", "rosettes", "textures", "flowers")
BATCH = 20


@dataclass(frozen=True)
class Split:
    """Pictures ``uint8 [n, 3, size, size]``, and for each its family, attributes and captions."""

    pictures: np.ndarray
    family: Tensor
    attributes: list[dict[str, Any]]
    captions: list[list[str]]

    def __len__(self) -> int:
        return len(self.pictures)

    def batch(self, rows: Tensor) -> Tensor:
        """Pictures of ``rows`` as float32 ``[k, 3, size, size]`` in -1..1."""
        return torch.from_numpy(self.pictures[rows.numpy()]).float() / 127.5 - 1


def scene(family: str) -> ModuleType:
    """The module that draws a family."""
    return importlib.import_module(f"foundry.scenes.{family}")


def seed_of(*names: object) -> int:
    """A stable seed from names."""
    return zlib.crc32("/".join(map(str, names)).encode())


def degrade(picture: Tensor, rng: torch.Generator) -> Tensor:
    """A picture ``[3, h, w]`` in 0..1 spoilt: blurred, coarse blocks, or low contrast."""
    kind, amount = int(torch.randint(3, (1,), generator=rng)), float(torch.rand(1, generator=rng))
    size = picture.shape[-1]
    if kind < 2:
        small = F.interpolate(picture[None], (max(4, int(size / (5 + 7 * amount))),) * 2, mode="area")
        mode = "bicubic" if kind == 0 else "nearest"
        picture = F.interpolate(small, (size, size), mode=mode)[0]
    flat = 0.35 + 0.35 * amount
    dull = picture.mean() * (1 - flat) + picture * flat
    return (dull * 0.75 + 0.15 if kind == 2 else 0.5 * (picture + dull)).clamp(0, 1)


def draw_family(folder: Path, split: str, family: str, preset: DataPreset, out: np.ndarray) -> None:
    """Draws one family into ``out`` (a slice of the memory map) and then writes its attributes."""
    module, attributes = scene(family), []
    for start in range(0, len(out), BATCH):
        rng = torch.Generator().manual_seed(seed_of(split, family, start, preset.size))
        sheet = module.draw(rng, BATCH, preset.size)
        for row in range(min(BATCH, len(out) - start)):
            spoilt = split == "train" and float(torch.rand(1, generator=rng)) < preset.degraded
            picture = degrade(sheet.pictures[row], rng) if spoilt else sheet.pictures[row]
            out[start + row] = (picture.clamp(0, 1) * 255).round().byte().numpy()
            attributes.append({**sheet.attributes[row], "degraded": spoilt})
    out.flush() if isinstance(out, np.memmap) else None
    put(folder / "attributes" / f"{split}-{family}.json", json.dumps(attributes).encode())


def draw_split(folder: Path, split: str, preset: DataPreset, families: tuple[str, ...] = FAMILIES) -> None:
    """Draws what is missing of a split. Several processes may each draw some of the families."""
    each = preset.train if split == "train" else preset.held
    path = folder / f"{split}.npy"
    (folder / "attributes").mkdir(parents=True, exist_ok=True)
    if not path.exists():
        shape = (len(FAMILIES) * each, 3, preset.size, preset.size)
        np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    pictures = np.lib.format.open_memmap(path, mode="r+")
    for family in families:
        if not (folder / "attributes" / f"{split}-{family}.json").exists():
            start = FAMILIES.index(family) * each
            draw_family(folder, split, family, preset, pictures[start : start + each])


def caption(family: str, attributes: dict[str, Any], words: random.Random) -> str:
    """One caption of one picture."""
    phrase = scene(family).describe(attributes, words)
    return captions.degraded(phrase, words) if attributes["degraded"] else captions.clean(phrase, words)


def write_captions(folder: Path, split: str, preset: DataPreset) -> list[list[str]]:
    """Several captions for every picture, drawn once and kept, the same ones every time."""
    texts: list[list[str]] = []
    for name in FAMILIES:
        words = random.Random(seed_of("captions", split, name))
        rows = json.loads((folder / "attributes" / f"{split}-{name}.json").read_text())
        texts += [[caption(name, row, words) for _ in range(preset.captions)] for row in rows]
    put(folder / f"{split}-captions.json", json.dumps(texts).encode())
    return texts


def load_split(folder: Path, split: str, preset: DataPreset) -> Split:
    """Opens a drawn split."""
    pictures = np.load(folder / f"{split}.npy", mmap_mode="r")
    attributes = [json.loads((folder / "attributes" / f"{split}-{name}.json").read_text()) for name in FAMILIES]
    family = torch.tensor([index for index, rows in enumerate(attributes) for _ in rows])
    kept = folder / f"{split}-captions.json"
    texts = json.loads(kept.read_text()) if kept.exists() else write_captions(folder, split, preset)
    return Split(pictures, family, [row for rows in attributes for row in rows], texts)
