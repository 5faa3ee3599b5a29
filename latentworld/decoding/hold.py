"""How pictures that are vertices stay themselves on a guided plane: more so the nearer a start latent is to theirs.

A vertex that was inverted at guidance 1 decodes to its picture at guidance 1. On a plane that is decoded with more, its
*hold* is 1 at the vertex and falls to 0 at `reach` degrees from it. By it guidance is eased to 1 and the detail that
the last step cannot make is added (`guidance`), or the residuals that were recorded with the vertex are added after
each step (`residual`).

The hold is a function of the start latent's direction alone: no plane, no batch and no moment enters it, so the same
position has the same picture. It is computed on the CPU in float64, each latent by itself.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from latentworld import vertices
from latentworld.arrays import Array, Float64, Reals
from latentworld.decoding.settings import HoldSettings
from latentworld.errors import PresetError, WorldDamaged, WorldMismatch
from latentworld.transfer import uploaded

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Shares = Float64[Reals, "n k"]


@dataclass(frozen=True, eq=False)
class Hold:
    """anchors: float64[k, C, H, W], the inverted vertices; settings: kind and reach; details, residuals: of the same
    vertices in the same order, those that this kind adds."""

    anchors: Float64[Reals, "k c h w"]
    settings: HoldSettings
    details: vertices.Halves | None = None
    residuals: vertices.Residuals | None = None

    @cached_property
    def reaches(self) -> Float64[Reals, " k"]:
        """Radians from each anchor at which it holds no more: the reach, or the nearest other anchor where that is
        closer, so that at one of them no other pulls."""
        most = math.radians(self.settings.reach)
        between = np.array([[self._angle(a, b) for b in self.anchors] for a in self.anchors])
        np.fill_diagonal(between, np.inf)
        nearest: Float64[Reals, " k"] = np.minimum(most, between.min(axis=1))
        return nearest

    @property
    def digest(self) -> str:
        """16 hexadecimal digits: of all that pictures depend on."""
        parts = [self.settings.kind, repr(self.settings.reach), self.settings.digest]
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]

    def shares(self, starts: Array) -> Shares:
        """How much each anchor holds each start latent [n, C, H, W]: 0..1, of a latent 1 in sum at most.

        s(1 - angle / reach) with s(q) = q^2 (3 - 2 q): continuous with its derivative, level at the vertex and at the
        reach's end.
        """
        found = np.array([[self._share(start, k) for k in range(len(self.anchors))] for start in starts])
        held: Shares = found / np.maximum(found.sum(axis=1, keepdims=True), 1.0)
        return held

    def rows(self, starts: Tensor) -> HeldRows:
        """The hold of a batch of start latents [n, C, H, W], on the CPU."""
        return HeldRows(self, self.shares(starts.double().numpy()))

    def added(self, k: int, step: int, steps: int, weight: float) -> Tensor | None:
        """What an anchor adds to a sample after a step, float32[C, H, W] on the CPU; None for nothing.

        weight: of guidance, 1 where there is none.
        """
        import torch

        if self.residuals is not None:
            fixed, per_guidance = self.residuals.fixed[k, step], self.residuals.per_guidance[k, step]
            return torch.from_numpy(fixed.astype(np.float32) + np.float32(weight - 1.0) * per_guidance)
        if self.details is not None and step == steps - 1:
            return torch.from_numpy(self.details[k].astype(np.float32))
        return None

    def _share(self, start: Array, k: int) -> float:
        q = 1.0 - self._angle(start, self.anchors[k]) / float(self.reaches[k])
        return q * q * (3.0 - 2.0 * q) if q > 0.0 else 0.0

    @staticmethod
    def _angle(a: Array, b: Array) -> float:
        """Radians, by sums of whole products: numpy adds one array's numbers in one order wherever it lies."""
        length = math.sqrt(float((a * a).sum()) * float((b * b).sum()))
        if not 0.0 < length < math.inf:  # no direction; what is not finite is no picture, and said so by the decoder
            return math.pi
        return math.acos(min(max(float((a * b).sum()) / length, -1.0), 1.0))


@dataclass(frozen=True, eq=False)
class HeldRows:
    """The hold of one batch. shares: float64[n, k], of each row by each anchor."""

    hold: Hold
    shares: Shares

    def guidance(self, weight: float, device: torch.device) -> Tensor:
        """Each row's guidance weight, float32[n, 1, 1, 1]: eased toward 1 where the hold is of that kind."""
        import torch

        eased = np.full(len(self.shares), weight)
        if self.hold.settings.kind == "guidance" and weight > 1.0:
            eased = weight - (weight - 1.0) * self.shares.sum(axis=1)
        return uploaded(torch.from_numpy(eased.astype(np.float32))[:, None, None, None], device)

    def corrected(self, sample: Tensor, step: int, steps: int, weight: float) -> Tensor:
        """A sample [n, C, H, W] after a step, with what the hold adds there; rows that nothing holds stay the same.

        weight: as in `Hold.added`.
        """
        import torch

        for k, held in enumerate(self.shares.T):
            lacking = self.hold.added(k, step, steps, weight) if held.any() else None
            if lacking is not None:
                share = uploaded(torch.from_numpy(held.astype(np.float32))[:, None, None, None], sample.device)
                sample = torch.where(share > 0, sample + share * uploaded(lacking, sample.device), sample)
        return sample


def chosen(file: str, trio: vertices.Trio, asked: str, reach: float, world: str) -> HoldSettings | None:
    """How a preset's vertices are held; None where they are not. asked: `auto` (what the file says), a kind, or `none`;
    reach: degrees; world: digest of the one they are for.

    Raises WorldMismatch for pictures that were inverted in another world: they are no pictures here.
    """
    if asked == "none" or not trio.pictures:
        return None
    elsewhere = {str(trio.each[number].get("world", "")) for number in trio.pictures} - {world}
    if elsewhere:
        raise WorldMismatch(
            f"the pictures in {Path(file).name} were encoded in another world ({elsewhere.pop():.12}, this is "
            f'{world:.12}): encode them in this one, or set plane.hold = "none"'
        )
    said = trio.origin.get("hold") if asked == "auto" else asked
    return HoldSettings(file, trio.digest, "residual" if said == "residual" else "guidance", reach)


def read(settings: HoldSettings) -> Hold:
    """The hold that settings name. Raises what `vertices.read` raises, WorldDamaged for a file that was written anew
    since, PresetError where it has no picture, or no residuals and they are asked for."""
    trio, name = vertices.read(settings.file), Path(settings.file).name
    if trio.digest != settings.digest:
        raise WorldDamaged(f"{settings.file} is another file than when the world was opened: open it again")
    if not trio.pictures:
        raise PresetError(f'{name} has no vertex that was inverted from a picture: set plane.hold = "none"')
    if settings.kind == "residual" and trio.residuals is None:
        raise PresetError(f'{name} holds no residuals: encode with --hold residual, or set plane.hold = "guidance"')
    anchors = trio.vertices[trio.pictures]
    if settings.kind == "residual":
        return Hold(anchors, settings, residuals=trio.residuals)
    return Hold(anchors, settings, trio.details)


def check_steps(hold: Hold, steps: int) -> None:
    """Raises PresetError where residuals are of other steps than a decoder takes."""
    own = None if hold.residuals is None else hold.residuals.steps
    if own is not None and own != steps:
        raise PresetError(
            f"steps = {steps}: the residuals in {Path(hold.settings.file).name} are of {own} steps: take {own}, encode "
            f'the pictures again, or set plane.hold = "guidance"'
        )
