"""Super-resolution networks, loaded by spandrel, which knows some forty architectures by their weights.

A picture goes through in tiles of one size that overlap, one at a time, so that what comes out hangs on the picture
alone. Only safetensors are read.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Protocol

import numpy as np

from installation.film.imprint import Enlarged
from latentworld.arrays import Picture
from latentworld.decoding.batches import is_out_of_memory
from latentworld.errors import NotFinite, OutOfMemory, UnsafeWeights, WorldDamaged, WorldMismatch, WorldMissing
from latentworld.extras import need

if TYPE_CHECKING:
    from torch import Tensor

LANCZOS = "lanczos"
TILE, OVERLAP = 192, 32  # pixels of a side, pixels that two neighbours share


class Described(Protocol):
    """A network as spandrel describes it (`ImageModelDescriptor`)."""

    scale: int
    input_channels: int
    output_channels: int
    purpose: str

    def to(self, device: str) -> object: ...
    def eval(self) -> object: ...
    def __call__(self, pictures: Tensor) -> Tensor:
        """float32[1, 3, h, w] in 0..1 to [1, 3, scale h, scale w]."""
        ...


@dataclass(frozen=True, eq=False)
class Network:
    """An `Enlarger`. name, digest: of its file."""

    name: str
    digest: str
    described: Described
    device: str = "cpu"

    @property
    def scale(self) -> int:
        """How many times larger a side becomes."""
        return int(self.described.scale)

    @property
    def record(self) -> Enlarged:
        """As film.json and pictures have it."""
        return Enlarged(self.name, self.digest, self.scale)

    def on(self, device: str) -> Network:
        """The same on another device."""
        self.described.to(device)
        return replace(self, device=device)

    def __call__(self, picture: Picture) -> Picture:
        """Enlarge uint8[height, width, 3]. Where tiles overlap, each counts the less the nearer its edge is.

        Raises NotFinite and OutOfMemory.
        """
        import torch

        scale, (high, wide) = self.scale, picture.shape[:2]
        values = torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255.0
        side = (min(TILE, high), min(TILE, wide))
        weight = _ramp(side[0] * scale)[:, None] * _ramp(side[1] * scale)
        whole, weights = torch.zeros(3, scale * high, scale * wide), torch.zeros(scale * high, scale * wide)
        for y in _starts(high):
            for x in _starts(wide):
                tile = self._run(values[None, :, y : y + side[0], x : x + side[1]])
                rows, columns = (slice(scale * at, scale * (at + n)) for at, n in zip((y, x), side))
                whole[:, rows, columns] += tile * weight
                weights[rows, columns] += weight
        made = (whole / weights * 255.0).round().clamp(0, 255).to(torch.uint8)
        return np.ascontiguousarray(made.permute(1, 2, 0).numpy())

    def _run(self, tile: Tensor) -> Tensor:
        """float32[1, 3, h, w] to [3, scale h, scale w], on the processor."""
        try:
            made = self.described(tile.contiguous().to(self.device))[0].float().cpu()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemory(f"{self.name} does not fit into memory: take a smaller network, or lanczos") from None
        if not made.isfinite().all():
            raise NotFinite(f"{self.name} gives numbers that are no picture: take another network, or lanczos")
        return made


def _starts(side: int) -> list[int]:
    """Where tiles begin along a side: they overlap, and the last one ends with it."""
    if side <= TILE:
        return [0]
    return [*range(0, side - TILE, TILE - OVERLAP), side - TILE]


def _ramp(length: int) -> Tensor:
    """Weights [length], rising from both ends."""
    import torch

    at = torch.arange(length)
    return (torch.minimum(at, length - 1 - at) + 1).float()


def load(name: str) -> Network | None:
    """The network that `film.upscale` names, on the processor; None for lanczos.

    Raises WorldMissing, UnsafeWeights for pickles, WorldDamaged for what is no network that enlarges, WorldMismatch for
    one of other channels than three, ShowError where spandrel is missing.
    """
    if name == LANCZOS:
        return None
    path = Path(name).expanduser()
    if not path.is_file():
        raise WorldMissing(f"film.upscale = {name!r}: there is no such file; give lanczos, or a network's .safetensors")
    if path.suffix.lower() != ".safetensors":
        raise UnsafeWeights(f"{path} may hold a pickle, which could run code: convert it to .safetensors")
    there = path.stat()
    return _loaded(path.resolve(), there.st_mtime_ns, there.st_size)


@functools.lru_cache(maxsize=2)
def _loaded(path: Path, changed: int, size: int) -> Network:
    """The network of a file as it is, loaded once."""
    described = _described(path)
    channels = (described.input_channels, described.output_channels)
    if channels != (3, 3):
        raise WorldMismatch(f"{path} takes {channels[0]} channels and gives {channels[1]}: give a network of 3 and 3")
    if described.purpose != "SR" or described.scale < 2:
        raise WorldMismatch(f"{path} is a network that enlarges nothing: give one for super-resolution")
    described.eval()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Network(path.name, digest, described)


def _described(path: Path) -> Described:
    """The network in a file, on the processor."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        weights = load_file(path, device="cpu")
    except (SafetensorError, OSError, ValueError) as error:
        raise WorldDamaged(f"{path} is no safetensors file ({error!s:.100}): give another") from None
    with _without_torchvision():
        spandrel = need("spandrel")
    try:
        found: Described = spandrel.ModelLoader(device="cpu").load_from_state_dict(weights)
    except Exception as error:  # which architecture it is, is guessed from names and shapes: anything may go wrong
        said = " ".join(f"{type(error).__name__} {error}".split())
        raise WorldMismatch(f"{path} is no super-resolution network that spandrel knows ({said:.120})") from None
    return found


@contextmanager
def _without_torchvision() -> Iterator[None]:
    """spandrel imports torchvision for two architectures that enlarge nothing. One that was built for another torch
    breaks transformers, so it may well be absent: then the three names stand for nothing meanwhile."""
    parts = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")
    try:
        importlib.import_module("torchvision.transforms.functional")
    except (ImportError, OSError, RuntimeError):
        made = {name: ModuleType(name) for name in parts}
        made[parts[2]].__dict__.update(InterpolationMode=None, rotate=None, normalize=None)
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]  # what a failed import left
        sys.modules.update(made)
        try:
            yield
        finally:
            for name in parts:
                sys.modules.pop(name, None)
    else:
        yield
