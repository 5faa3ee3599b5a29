"""Where z0, z1, z2 come from: seeds, drawn exactly as the write-up draws them, and files that carry their own hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from latentworld import disk
from latentworld.arrays import Array
from latentworld.device import torch_dtype
from latentworld.errors import GeometryError, WorldDamaged, WorldMissing

Layout = Literal["nhwc", "nchw"]
Precision = Literal["float32", "float16"]

_FORMAT = "latentworld.vertices.1"


def from_seeds(
    seeds: Sequence[int],
    shape: tuple[int, int, int],
    layout: Layout = "nhwc",
    device: str = "cpu",
    dtype: Precision = "float32",
) -> Array:
    """Three latents, float64[3, C, H, W], of shape (C, H, W), one seed each.

    A generator per seed on the device, drawn in dtype as [1, H, W, C] and permuted (`nhwc`, the write-up's) or drawn as
    [1, C, H, W] (`nchw`, the diffusers pipelines'): what diffusers' randn_tensor draws. Devices and dtypes draw
    different numbers, layouts different latents: keep all three with a film. Raises GeometryError for seeds, shapes,
    devices or names that cannot be used.
    """
    import torch

    if len(seeds) != 3 or not all(-(2**63) <= int(s) < 2**64 for s in seeds):
        raise GeometryError(f"Seeds are {list(seeds)}: give three whole numbers of at most 64 bits.")
    if len(shape) != 3 or min(shape) < 1:
        raise GeometryError(f"Latent shape is {list(shape)}: give channels, height and width, each at least 1.")
    if layout not in get_args(Layout) or dtype not in get_args(Precision):
        raise GeometryError(f"No layout {layout!r} in {dtype!r}: use nhwc or nchw, float32 or float16.")
    c, h, w = shape
    size = (1, h, w, c) if layout == "nhwc" else (1, c, h, w)
    drawn = []
    for seed in seeds:
        try:
            generator = torch.Generator(device=device).manual_seed(int(seed))
            z = torch.randn(size, generator=generator, device=device, dtype=torch_dtype(dtype))
        except (RuntimeError, AssertionError) as error:
            raise GeometryError(
                f"Device {device!r} cannot draw latents: use 'cpu', or a device torch finds."
            ) from error
        drawn.append(z.permute(0, 3, 1, 2) if layout == "nhwc" else z)
    vertices: Array = torch.cat(drawn).cpu().double().contiguous().numpy()
    return vertices


def digest(vertices: Array) -> str:
    """SHA-256 of the values as little-endian float64 in C order, hexadecimal: equal exactly when the values are."""
    return hashlib.sha256(np.ascontiguousarray(vertices, "<f8").tobytes()).hexdigest()


def save(path: str | Path, vertices: Array, origin: Mapping[str, object]) -> None:
    """Write vertices float64[3, C, H, W] as safetensors, with their hash and their origin (anything JSON can hold).

    Whole or not at all: a side file, synced, then renamed. Raises DiskFull or OutputError.
    """
    from safetensors.numpy import save as serialise

    path = Path(path)
    values = np.ascontiguousarray(vertices, np.float64)
    metadata = {"format": _FORMAT, "sha256": digest(values), "origin": json.dumps(dict(origin), sort_keys=True)}
    disk.save(path, _ordered(serialise({"vertices": values}, metadata)))


def load(path: str | Path) -> tuple[Array, dict[str, object]]:
    """Vertices float64[3, C, H, W] and their origin, as `save` wrote them.

    Raises WorldMissing when no file is there, WorldDamaged when it cannot be read or its values do not match its hash.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise WorldMissing(f"No vertices at {path}: check the path, or give seeds instead.")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            values: Array = file.get_tensor("vertices")
        origin: dict[str, object] = json.loads(metadata["origin"])
        known = metadata["sha256"]
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise WorldDamaged(f"{path} is not a vertex file of latentworld: make it again from its seeds.") from error
    if values.dtype != np.float64 or digest(values) != known:
        raise WorldDamaged(f"The vertices in {path} do not match their hash: copy or make the file again.")
    return values, origin


def _ordered(file: bytes) -> bytes:
    """A safetensors file with its header in order, which the library writes in another order each time: equal values,
    equal files. The header is JSON behind its length (8 bytes, little-endian), padded to a multiple of 8."""
    length = int.from_bytes(file[:8], "little")
    header = json.dumps(json.loads(file[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + file[8 + length :]
