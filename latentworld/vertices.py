"""Where z0, z1, z2 come from: seeds, drawn exactly as the write-up draws them, and files that carry their own hash.

A file of form 2 also says of each vertex what it is (`origin["vertices"]`, a table each, whose `kind` is `picture`,
`own` or `seed`), and holds what is added where pictures are held (see decoding/hold.py). Files of form 1 had neither,
and are read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from latentworld import disk
from latentworld.arrays import Array, Vertices
from latentworld.device import torch_dtype
from latentworld.errors import GeometryError, WorldDamaged, WorldMissing

Layout = Literal["nhwc", "nchw"]
Precision = Literal["float32", "float16"]

_FORMAT = "latentworld.vertices.2"
KNOWN = ("latentworld.vertices.1", _FORMAT)
_HALVES = ("details", "fixed", "per_guidance")
PICTURE = "picture"  # the kind of a vertex that was inverted, and is held where the plane has it

Halves = NDArray[np.float16]


@dataclass(frozen=True, eq=False)
class Residuals:
    """What a guided sampler lacks, step by step, of the way on which a picture was inverted.

    fixed, per_guidance: float16[k, S, C, H, W] for k pictures and S steps. To the sample after step i of picture j is
    added `fixed[j, i] + (g - 1) per_guidance[j, i]` at a guidance weight g: guided prediction is affine in g, so these
    two serve every weight.
    """

    fixed: Halves
    per_guidance: Halves

    @property
    def steps(self) -> int:
        """S, of the sampler they were recorded with."""
        return int(self.fixed.shape[1])


@dataclass(frozen=True, eq=False)
class Trio:
    """A vertex file as read: the three latents, where they came from, and of its pictures, in the order of `pictures`,
    details (what the clean latents lack when they are decoded without guidance, float16[k, C, H, W]) and residuals,
    where it holds any."""

    vertices: Vertices
    origin: Mapping[str, object]
    details: Halves | None = None
    residuals: Residuals | None = None

    @property
    def each(self) -> list[Mapping[str, object]]:
        """What the origin says of each vertex; empty tables where it says nothing."""
        said = self.origin.get("vertices")
        tables = said if isinstance(said, list) and len(said) == 3 else [{}, {}, {}]
        return [table if isinstance(table, dict) else {} for table in tables]

    @property
    def pictures(self) -> list[int]:
        """Numbers of the vertices that were inverted from pictures."""
        return [number for number, table in enumerate(self.each) if table.get("kind") == PICTURE]

    @property
    def digest(self) -> str:
        """SHA-256 of all that pictures depend on: vertices, which of them are held, and what is added there."""
        parts = [digest(self.vertices), repr(self.pictures)]
        parts += [f"{name} {_hashed(half)}" for name, half in self.halves.items()]
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()

    @property
    def halves(self) -> dict[str, Halves]:
        """Details and residuals by their names in the file."""
        found = {} if self.details is None else {"details": self.details}
        if self.residuals is not None:
            found |= {"fixed": self.residuals.fixed, "per_guidance": self.residuals.per_guidance}
        return found


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
    disk.save(Path(path), serialised(Trio(vertices, origin)))


def serialised(trio: Trio) -> bytes:
    """A vertex file's bytes: equal values and origins, equal bytes."""
    from safetensors.numpy import save as written

    values = np.ascontiguousarray(trio.vertices, np.float64)
    metadata = {"format": _FORMAT, "sha256": digest(values), "origin": json.dumps(dict(trio.origin), sort_keys=True)}
    metadata |= {f"sha256.{name}": _hashed(half) for name, half in trio.halves.items()}
    halves = {name: np.ascontiguousarray(half) for name, half in trio.halves.items()}  # else written in another order
    return _ordered(written({"vertices": values, **halves}, metadata))


def load(path: str | Path) -> tuple[Array, dict[str, object]]:
    """Vertices float64[3, C, H, W] and their origin, as `save` wrote them. Errors as `read`."""
    trio = read(path)
    return trio.vertices, dict(trio.origin)


def read(path: str | Path) -> Trio:
    """A vertex file of either form.

    Raises WorldMissing when no file is there, WorldDamaged when it cannot be read, is of a newer form, or its values do
    not match its hash.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise WorldMissing(f"No vertices at {path}: check the path, or give seeds instead.")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
        form, values, known = metadata["format"], tensors["vertices"], metadata["sha256"]
        origin: dict[str, object] = json.loads(metadata["origin"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise WorldDamaged(f"{path} is not a vertex file of latentworld: make it again from its seeds.") from error
    if form not in KNOWN:
        raise WorldDamaged(f"{path} is a vertex file of another version ({form:.40}): read it with that one.")
    halves = {name: tensors[name] for name in _HALVES if name in tensors}
    is_whole = values.dtype == np.float64 and digest(values) == known and isinstance(origin, dict)
    if not is_whole or any(metadata.get(f"sha256.{name}") != _hashed(half) for name, half in halves.items()):
        raise WorldDamaged(f"The vertices in {path} do not match their hash: copy or make the file again.")
    pair = halves.get("fixed"), halves.get("per_guidance")
    both = None if pair[0] is None or pair[1] is None else Residuals(pair[0], pair[1])
    trio = Trio(values, origin, halves.get("details"), both)
    if not _fits(trio):
        raise WorldDamaged(f"What {path} adds to its vertices is not of their shape: make the file again.")
    return trio


def _fits(trio: Trio) -> bool:
    """Whether what is added to vertices is of their pictures: an array [k, C, H, W], or with an axis of steps more."""
    wanted, found = (len(trio.pictures), *trio.vertices.shape[1:]), trio.halves
    ranks = {name: 4 if name == "details" else 5 for name in found}
    if any(half.dtype != np.float16 or half.ndim != ranks[name] for name, half in found.items()):
        return False
    steps = {half.shape[1] for name, half in found.items() if name != "details"}
    return {(half.shape[0], *half.shape[-3:]) for half in found.values()} <= {wanted} and len(steps) <= 1


def _hashed(values: Array | Halves) -> str:
    """SHA-256 of an array's bytes in C order, little-endian."""
    own = np.ascontiguousarray(values)
    return hashlib.sha256(own.astype(own.dtype.newbyteorder("<")).tobytes()).hexdigest()


def _ordered(file: bytes) -> bytes:
    """A safetensors file with its header in order, which the library writes in another order each time: equal values,
    equal files. The header is JSON behind its length (8 bytes, little-endian), padded to a multiple of 8."""
    length = int.from_bytes(file[:8], "little")
    header = json.dumps(json.loads(file[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + file[8 + length :]
