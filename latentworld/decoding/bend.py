"""A plane whose first edge is bent: between its first two vertices it leads through latents that lie outside it.

At a place of longitude t along the great circle from z0 to z1 (0 and 1 at the vertices) and latitude l off it, the
plane's direction is cos(l) c(t) + sin(l) n. Here c(t), the great circle, becomes g(t), the bridge's way: slerps between
its latents, evenly walked. The sum is put back to its length. Where t is not between 0 and 1, and far off the edge, the
plane is as it was, and the change is continuous.

The bend is a function of the start latent's direction alone, as a hold is (hold.py): no plane, no batch and no moment
enters it, so the same position has the same picture. It is computed on the CPU in float64, each latent by itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from latentworld import vertices
from latentworld.arrays import Array, Vector
from latentworld.decoding.settings import BridgeSettings
from latentworld.errors import GeometryError, WorldDamaged, WorldMismatch

if TYPE_CHECKING:
    from torch import Tensor

_APART = 1e-4  # radians between the ends, and from antipodes, below which no way is meant


@dataclass(frozen=True, eq=False)
class Bend:
    """latents: float64[k, C, H, W], k >= 2, from z0 to z1.

    Raises GeometryError for ends that are equal or antipodal.
    """

    latents: Array

    def __post_init__(self) -> None:
        apart = self.apart
        if not _APART < apart < math.pi - _APART:
            which = "the same" if apart <= _APART else "antipodes"
            raise GeometryError(f"the two ends of the bridge are {which}: give two pictures that differ in other ways")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Latent C, H, W."""
        _, c, h, w = self.latents.shape
        return c, h, w

    @cached_property
    def apart(self) -> float:
        """Radians between the ends, by the plane's great circle."""
        return _angle(self._units[0], self._units[-1])

    @property
    def stretch(self) -> float:
        """How many times longer the bridge is than the great circle: what a latent distance of the plane along the edge
        is in truth."""
        return float(self._legs.sum()) / self.apart

    def bent(self, starts: Tensor) -> Tensor:
        """Start latents [n, C, H, W] of the plane, on the CPU, as the bridge has them; others keep their bytes."""
        import torch

        rows = [self._bent(start) for start in starts.double().numpy()]
        return torch.stack(
            [start if row is None else torch.from_numpy(row).to(start) for start, row in zip(starts, rows)]
        )

    def at(self, share: float) -> Array:
        """The bridge's direction, a unit vector [d], at a share 0..1 of its length."""
        gone = np.concatenate([[0.0], np.cumsum(self._legs)]) / self._legs.sum()
        leg = min(max(int(np.searchsorted(gone, share, side="right")) - 1, 0), len(self._legs) - 1)
        return _slerp(self._units[leg], self._units[leg + 1], (share - gone[leg]) / (gone[leg + 1] - gone[leg]))

    def _bent(self, start: Array) -> Array | None:
        flat = start.ravel()
        along, across = float((flat * self._first).sum()), float((flat * self._second).sum())
        share = math.atan2(across, along) / self.apart
        reach = math.hypot(along, across)
        if not 0.0 < share < 1.0 or not math.isfinite(reach):
            return None
        turn = share * self.apart
        moved = self.at(share) - (math.cos(turn) * self._first + math.sin(turn) * self._second)
        found = flat + reach * moved
        scaled: Array = (found * (_length(flat) / _length(found))).reshape(start.shape)
        return scaled

    @cached_property
    def _units(self) -> Array:
        flat = self.latents.reshape(len(self.latents), -1)
        units: Array = np.stack([row / _length(row) for row in flat])
        return units

    @cached_property
    def _legs(self) -> Vector:
        """Radians of each of the k - 1 slerps."""
        return np.array([_angle(a, b) for a, b in zip(self._units[:-1], self._units[1:], strict=True)])

    @property
    def _first(self) -> Array:
        return np.asarray(self._units[0])

    @cached_property
    def _second(self) -> Array:
        """Across the first, toward the last."""
        rest: Array = self._units[-1] - (self._units[-1] * self._units[0]).sum() * self._units[0]
        return rest / _length(rest)


def chosen(file: str, trio: vertices.Trio, world: str) -> BridgeSettings | None:
    """How a preset's vertices are bent; None where the file is no bridge. world: the digest of the one it is for.

    Raises WorldMismatch for a bridge of another world.
    """
    if trio.bridge is None:
        return None
    said = trio.origin.get("bridge")
    own = str(said.get("world", "")) if isinstance(said, dict) else ""
    if own != world:
        raise WorldMismatch(
            f"the bridge in {Path(file).name} was built in another world ({own:.12}, this is {world:.12}): build it "
            f"in this one"
        )
    return BridgeSettings(file, trio.digest)


def read(settings: BridgeSettings) -> Bend:
    """The bend that settings name. Raises what `vertices.read` raises, and WorldDamaged for a file that was written
    anew since or is no bridge."""
    trio = vertices.read(settings.file)
    if trio.bridge is None or trio.digest != settings.digest:
        raise WorldDamaged(f"{settings.file} is another file than when the world was opened: open it again")
    return Bend(trio.bridge.latents)


def _slerp(a: Array, b: Array, share: float) -> Array:
    """Between two unit vectors that are not antipodes."""
    whole = _angle(a, b)
    if whole < 1e-9:
        return a
    between: Array = (math.sin((1.0 - share) * whole) * a + math.sin(share * whole) * b) / math.sin(whole)
    return between


def _angle(a: Array, b: Array) -> float:
    """Between unit vectors [d], radians: exact for tiny angles and near pi (Kahan)."""
    return 2.0 * math.atan2(_length(a - b), _length(a + b))


def _length(a: Array) -> float:
    """By a sum of whole products: numpy adds one array's numbers in one order wherever it lies."""
    return math.sqrt(float((a * a).sum()))
