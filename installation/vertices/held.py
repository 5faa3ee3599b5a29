"""What is added where pictures are held, recorded by walking the sampler forward from the latents of a plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from latentworld.decoding import inverse
from latentworld.decoding.hold import Hold
from latentworld.decoding.settings import HoldSettings
from latentworld.plane import Plane
from latentworld.prompts import Prompt
from latentworld.vertices import Halves, Residuals, Trio

if TYPE_CHECKING:
    from torch import Tensor

    from latentworld.decoding.diffusion import Diffusion
    from latentworld.decoding.inverse import Inverted

PROBE = 2.0  # a guidance weight above 1: by one, so that the difference to no guidance is what is added per weight


def corrections(
    inverter: Diffusion, plane: Plane, numbers: Sequence[int], found: Inverted, prompt: Prompt, with_residuals: bool
) -> tuple[Halves, Residuals | None]:
    """Details and, where they are wanted, residuals of the vertices `numbers`, whose inversion is `found`."""
    starts, clean = at(plane, numbers), found.path[-1]
    bare = inverse.unguided(inverter, len(numbers))
    details = _half(clean - bare.clean(starts, prompt))
    return details, _residuals(inverter, starts, found, prompt) if with_residuals else None


def at(plane: Plane, numbers: Sequence[int]) -> Tensor:
    """Start latents float32[n, C, H, W] of vertices, as the plane gives them to every decoder."""
    units = plane.unit([float(n == 1) for n in numbers], [float(n == 2) for n in numbers])
    return plane.latents(units)


def reached(
    inverter: Diffusion, plane: Plane, numbers: Sequence[int], made: Trio, prompt: Prompt, hold: str, reach: float
) -> Tensor:
    """The pictures [n, 3, height, width] that the faithful decoder, under its guidance, shows at held vertices."""
    batch = replace(inverter.settings, batch=len(numbers))
    if hold == "none":
        return inverter.variant(batch)(at(plane, numbers), prompt)
    kind: HoldSettings = HoldSettings("", made.digest, "residual" if hold == "residual" else "guidance", reach)
    anchors = made.vertices[list(numbers)]
    held = Hold(anchors, kind, residuals=made.residuals) if hold == "residual" else Hold(anchors, kind, made.details)
    return inverter.variant(batch).holding(held)(at(plane, numbers), prompt)


def _residuals(inverter: Diffusion, starts: Tensor, found: Inverted, prompt: Prompt) -> Residuals:
    """What the sampler lacks of the inverted path, step by step: without guidance, and per weight above 1.

    The first sample is the plane's, whose length may be another than the inverted one's: the first step makes up for
    it. What is added is rounded to half precision, and each step begins where that led.
    """
    import torch

    bare = inverse.unguided(inverter, len(starts))
    guided = bare.variant(replace(bare.settings, guidance=PROBE))
    plain, both = bare.conditioning(prompt), guided.conditioning(prompt)
    sample, fixed, per_guidance = starts.to(bare.device), list[Halves](), list[Halves]()
    for number in range(bare.settings.steps):
        alone, probed = bare.advanced(sample, number, plain), guided.advanced(sample, number, both)
        fixed.append(_half(found.path[number + 1].to(bare.device) - alone))
        per_guidance.append(_half(alone - probed))
        sample = alone + torch.from_numpy(fixed[-1].astype(np.float32)).to(bare.device)
    return Residuals(np.stack(fixed, axis=1), np.stack(per_guidance, axis=1))


def _half(values: Tensor) -> Halves:
    return np.ascontiguousarray(values.cpu().numpy().astype(np.float16))
