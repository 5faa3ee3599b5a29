"""What is added where pictures are held, recorded by walking the sampler forward from the latents of a plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from latentworld.decoding import Watch, inverse
from latentworld.decoding.hold import Hold
from latentworld.decoding.settings import HoldSettings
from latentworld.plane import Plane
from latentworld.prompts import Prompt
from latentworld.vertices import Halves, Residuals, Trio

if TYPE_CHECKING:
    from torch import Tensor

    from latentworld.decoding.diffusion import Diffusion
    from latentworld.decoding.inverse import Inverted


@dataclass(frozen=True, eq=False)
class Corrections:
    """What is added at vertices: details, and residuals where they are wanted; reached: the clean latents [n, C, H, W]
    that the held decoder comes to there, at any guidance."""

    details: Halves
    residuals: Residuals | None
    reached: Tensor


def corrections(
    inverter: Diffusion,
    plane: Plane,
    numbers: Sequence[int],
    found: Inverted,
    prompt: Prompt,
    with_residuals: bool = False,
    watch: Watch | None = None,
) -> Corrections:
    """Those of the vertices `numbers`, whose inversion is `found`. watch: is told of each step of the details."""
    starts = at(plane, numbers)
    alone = inverse.unguided(inverter, len(numbers)).clean(starts, prompt, watch)
    details = _half(found.path[-1] - alone)
    if not with_residuals:
        return Corrections(details, None, alone + _whole(details))
    residuals, reached = _residuals(inverter, starts, found, prompt)
    return Corrections(details, residuals, reached)


def at(plane: Plane, numbers: Sequence[int]) -> Tensor:
    """Start latents float32[n, C, H, W] of vertices, as the plane gives them to every decoder."""
    units = plane.unit([float(n == 1) for n in numbers], [float(n == 2) for n in numbers])
    return plane.latents(units)


def shown(
    inverter: Diffusion, plane: Plane, numbers: Sequence[int], made: Trio, prompt: Prompt, hold: str, reach: float
) -> Tensor:
    """The pictures [n, 3, height, width] that the faithful decoder, under its guidance, shows at these vertices."""
    decoder = inverter.variant(replace(inverter.settings, batch=len(numbers)))
    if hold != "none":
        decoder = decoder.holding(hold_of(made, hold, reach))
    return decoder(at(plane, numbers), prompt)


def hold_of(made: Trio, hold: str, reach: float) -> Hold:
    """The hold of vertices that lie in no file yet."""
    anchors = made.vertices[made.pictures]
    if hold == "residual":
        return Hold(anchors, HoldSettings("", made.digest, "residual", reach), residuals=made.residuals)
    return Hold(anchors, HoldSettings("", made.digest, "guidance", reach), made.details)


def _residuals(inverter: Diffusion, starts: Tensor, found: Inverted, prompt: Prompt) -> tuple[Residuals, Tensor]:
    """What the sampler lacks of the inverted path, step by step: without guidance, and per weight above 1; and where it
    comes to with that.

    The first sample is the plane's, whose length may be another than the inverted one's: the first step makes up for
    it. What is added is rounded to half precision, and each step begins where that led.
    """
    bare = inverse.unguided(inverter, len(starts))
    both = bare.variant(replace(bare.settings, guidance=2.0))  # two rows: towards the prompt and against it
    conditioning = both.conditioning(prompt)
    sample, fixed, per_guidance = starts.to(bare.device), list[Halves](), list[Halves]()
    for number in range(bare.settings.steps):
        alone, probed = both.advanced(sample, number, conditioning)
        fixed.append(_half(found.path[number + 1].to(bare.device) - alone))
        per_guidance.append(_half(alone - probed))
        sample = alone + _whole(fixed[-1]).to(bare.device)
    return Residuals(np.stack(fixed, axis=1), np.stack(per_guidance, axis=1)), sample.cpu()


def _half(values: Tensor) -> Halves:
    return np.ascontiguousarray(values.cpu().numpy().astype(np.float16))


def _whole(values: Halves) -> Tensor:
    import torch

    return torch.from_numpy(values.astype(np.float32))
