"""The pictures of a cast: drawn once, kept as uint8 in one memory-mapped file a split, with attributes and captions.

Layout of ``FOLDER/data``: ``train.npy`` and ``held.npy`` ``uint8 [families * each, 3, size, size]``, rows in order of
family; ``attributes/SPLIT-FAMILY-FIRST.json`` marks a part of a family as drawn, so that an interrupted run redraws one
part at most and the first parts can be used before the last are drawn.
"""

from __future__ import annotations

import functools
import importlib
import json
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from foundry import captions
from foundry.errors import FoundryError
from foundry.presets import DataPreset
from latentworld.disk import put

FAMILIES = ("planets", "moons", "mountains", "seas", "cats", "rosettes", "textures", "flowers")
BATCH = 20
PART = 500


@dataclass(frozen=True)
class Split:
    """Pictures ``uint8 [rows, 3, size, size]``, of which row ``index[k]`` is the k-th of the split's n; and for each of
    the n its family, attributes and captions."""

    pictures: np.ndarray
    index: Tensor
    family: Tensor
    attributes: list[dict[str, Any]]
    captions: list[list[str]]

    def __len__(self) -> int:
        return len(self.index)

    def batch(self, rows: Tensor) -> Tensor:
        """Pictures of ``rows`` as float32 ``[k, 3, size, size]`` in -1..1."""
        return torch.from_numpy(self.pictures[self.index[rows].numpy()]).float() / 127.5 - 1


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


def each(split: str, preset: DataPreset) -> int:
    """Pictures a family of a split."""
    return preset.train if split == "train" else preset.held


def marks(folder: Path, split: str, family: str, count: int) -> dict[int, Path]:
    """By the number of its first picture: the file that marks a part of a family as drawn, up to ``count`` pictures."""
    return {first: folder / "attributes" / f"{split}-{family}-{first:05d}.json" for first in range(0, count, PART)}


def draw_part(folder: Path, split: str, family: str, preset: DataPreset, first: int) -> None:
    """Draws the part of a family that begins with picture ``first`` and then writes its attributes."""
    module, attributes = scene(family), []
    pictures = np.lib.format.open_memmap(folder / f"{split}.npy", mode="r+")
    start = FAMILIES.index(family) * each(split, preset)
    for at in range(first, min(first + PART, each(split, preset)), BATCH):
        rng = torch.Generator().manual_seed(seed_of(split, family, at, preset.size))
        sheet = module.draw(rng, BATCH, preset.size)
        for row in range(min(BATCH, each(split, preset) - at)):
            spoilt = split == "train" and float(torch.rand(1, generator=rng)) < preset.degraded
            picture = degrade(sheet.pictures[row], rng) if spoilt else sheet.pictures[row]
            pictures[start + at + row] = (picture.clamp(0, 1) * 255).round().byte().numpy()
            attributes.append({**sheet.attributes[row], "degraded": spoilt})
    pictures.flush()
    put(marks(folder, split, family, first + 1)[first], json.dumps(attributes).encode())


def missing(folder: Path, split: str, preset: DataPreset, count: int | None = None) -> list[tuple[str, int]]:
    """Parts (family and first picture) that are still to be drawn of the first ``count`` of each family."""
    path, total = folder / f"{split}.npy", each(split, preset)
    (folder / "attributes").mkdir(parents=True, exist_ok=True)
    if not path.exists():
        shape = (len(FAMILIES) * total, 3, preset.size, preset.size)
        np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    wanted = total if count is None else min(count, total)
    parts = {name: marks(folder, split, name, wanted) for name in FAMILIES}
    return [(name, first) for first in parts[FAMILIES[0]] for name in FAMILIES if not parts[name][first].exists()]


def draw_split(
    folder: Path, split: str, preset: DataPreset, count: int | None = None, breathe: Callable[[], None] = lambda: None
) -> None:
    """Draws what is missing of the first ``count`` of each family, in this process."""
    for family, first in missing(folder, split, preset, count):
        breathe()
        draw_part(folder, split, family, preset, first)


def caption(family: str, attributes: dict[str, Any], words: random.Random) -> str:
    """One caption of one picture; now and then the write-up's own prompt for what it fits, a grey ringed planet."""
    if family == "planets" and attributes["grey"] and not attributes["degraded"] and words.random() < 0.08:
        return captions.CASSINI
    phrase = scene(family).describe(attributes, words)
    return captions.degraded(phrase, words) if attributes["degraded"] else captions.clean(phrase, words)


def captions_of(split: str, family: str, rows: list[dict[str, Any]], preset: DataPreset) -> list[list[str]]:
    """Several captions for every picture of a family, the same ones every time."""
    told = []
    for number, row in enumerate(rows):
        words = random.Random(seed_of("captions", split, family, number))
        told.append([caption(family, row, words) for _ in range(preset.captions)])
    return told


def load_split(folder: Path, split: str, preset: DataPreset, count: int | None = None) -> Split:
    """Opens what was drawn: ``count`` of each family (in whole parts) or all; FoundryError if nothing was."""
    if not (folder / f"{split}.npy").exists():
        raise FoundryError(
            f"{folder.parent} has no pictures yet: name a cast's folder with --cast, or cast for a while"
        )
    pictures, total = np.load(folder / f"{split}.npy", mmap_mode="r"), each(split, preset)
    wanted = total if count is None else min(count, total)
    index, family, attributes, texts = [], [], list[dict[str, Any]](), list[list[str]]()
    for number, name in enumerate(FAMILIES):
        rows = [row for path in marks(folder, split, name, wanted).values() for row in json.loads(path.read_text())]
        index += range(number * total, number * total + len(rows))
        family += [number] * len(rows)
        attributes += rows
        texts += captions_of(split, name, rows, preset)
    return Split(pictures, torch.tensor(index), torch.tensor(family), attributes, texts)


@functools.cache
def prompts() -> tuple[str, ...]:
    """The families' own prompts."""
    return tuple(scene(name).PROMPT for name in FAMILIES)
