"""From pictures to latents that decode to them: a deterministic sampler walked backwards, each step solved.

In angles (cos phi = sqrt(alpha_bar), the clean latent's share) a step of DDIM with eta = 0 turns the sample x by
delta = phi - phi' toward the clean one, whatever the network predicts, and nothing divides by a share that is 0 at zero
terminal SNR::

    x' = cos(delta) x - sin(delta) v(x)         v = (eps - sin(phi) x) / cos(phi) = (cos(phi) x - x0) / sin(phi)

Its inverse is implicit in x and is solved by fixed-point iteration, accelerated (Anderson 1965; Walker and Ni 2011);
one call without acceleration is what is elsewhere called DDIM inversion, and falls short. At guidance 1 alone: with
more, the latents that are found are no white noise, and there is mud between them (docs/decisions/0026).

The sampler's last steps are nearly singular, so that many latents make the same picture: there the iteration begins at
the picture with seeded white noise on it and ends early, which finds a white one of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from latentworld.arrays import Array, Float64, LatentTensor, Reals, Vector
from latentworld.decoding.decoder import Progress, Watch
from latentworld.errors import DecodeError
from latentworld.prompts import Prompt

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from latentworld.decoding.diffusion import Diffusion
    from latentworld.worlds.families.family import Scheduler

CALLS = 3  # of the network a step; 2 leave residuals of 5e-4, 4 of 7e-6
WHITE = 0.04  # share of the steps, at the clean end, whose preimage is chosen white
WHITE_CALLS = 2
DEPTH = 3  # differences that Anderson's acceleration looks back on
MOST = 4  # pictures that are inverted at once

Turn = Callable[["Tensor"], "Tensor"]
"""v at a sample, both [n, C, H, W]."""


@dataclass(frozen=True)
class Level:
    """One step of a sampler: its time, the noise's angle before it and after it, in radians, before > after."""

    time: int
    before: float
    after: float

    @property
    def delta(self) -> float:
        """By how much the step turns."""
        return self.before - self.after


@dataclass(frozen=True, eq=False)
class Inverted:
    """path: samples float32[S + 1, n, C, H, W], from the start latents to the clean ones; residuals: of the equation of
    each of the S steps, relative to the sample, as they were last evaluated, [S, n]."""

    path: Tensor
    residuals: Float64[Reals, "s n"]

    @property
    def start(self) -> LatentTensor:
        """What decodes to the pictures, [n, C, H, W]."""
        return self.path[0]


def invert(
    decoder: Diffusion,
    clean: LatentTensor,
    prompt: Prompt,
    seeds: Sequence[int],
    *,
    calls: int = CALLS,
    white: float = WHITE,
    watch: Watch | None = None,
) -> Inverted:
    """Start latents whose unguided decoding under `prompt`, in the decoder's steps, ends at `clean` [n, C, H, W].

    seeds: one a picture, of the white noise in its last steps; equal pictures need different ones. calls: of the
    network, a step; one step is the naive inversion. white: share of the steps whose preimage is chosen white, 0: none.
    watch is told of every call. Raises DecodeError for a sampler that draws noise, a world in half precision, latents
    of another shape; Cancelled.
    """
    import torch

    tuned = unguided(decoder, min(len(clean), MOST))
    sampler = levels(tuned)
    if tuple(clean.shape[1:]) != tuned.shape or len(seeds) != len(clean):
        raise DecodeError(f"latents {list(clean.shape)} with {len(seeds)} seeds: this world wants [n, {tuned.shape}]")
    total = -(-len(clean) // MOST) * calls_of(len(sampler), calls, white)
    progress = Progress(watch, total)
    pieces = [
        _inverted(tuned, sampler, clean[at : at + MOST], prompt, seeds[at : at + MOST], calls, white, progress)
        for at in range(0, len(clean), MOST)
    ]
    return Inverted(
        torch.cat([piece.path for piece in pieces], dim=1),
        np.concatenate([piece.residuals for piece in pieces], axis=1),
    )


def calls_of(steps: int, calls: int = CALLS, white: float = WHITE) -> int:
    """How often the network is called for a batch of pictures."""
    chosen = chosen_white(steps, white)
    return chosen * WHITE_CALLS + (steps - chosen) * calls


def chosen_white(steps: int, white: float = WHITE) -> int:
    """Of how many steps the preimage is chosen white: 1 at up to 25 steps, 2 at 50."""
    return max(1, round(white * steps)) if white > 0 else 0


def unguided(decoder: Diffusion, batch: int) -> Diffusion:
    """The decoder without guidance and hold, for so many pictures at once. Raises DecodeError in half precision."""
    if decoder.settings.dtype != "float32":
        raise DecodeError(f"a world in {decoder.settings.dtype} inverts no picture: open it in float32")
    return decoder.variant(
        replace(decoder.settings, kind="faithful", guidance=1.0, batch=batch, engine="eager", precision="", hold=None)
    )


def levels(decoder: Diffusion) -> list[Level]:
    """The steps of a decoder's sampler. Raises DecodeError for one that is not deterministic, or not in angles."""
    if decoder.profile.sampler != "ddim":
        raise DecodeError(
            f"the sampler {decoder.profile.sampler!r} has no step that is walked backwards here: use the faithful "
            f"decoder with 'ddim'"
        )
    scheduler = decoder.begin()
    config = scheduler.config
    if config.get("thresholding") or config.get("clip_sample"):
        raise DecodeError("this world's schedule clips what is predicted, and cannot be walked backwards")
    return [_level(scheduler, int(time), decoder.settings.steps) for time in scheduler.timesteps]


def _level(scheduler: Scheduler, time: int, steps: int) -> Level:
    """As DDIMScheduler.step has it: the level after a step lies a whole stride below, not at the next time."""
    config, known = scheduler.config, scheduler.alphas_cumprod
    below = time - int(config["num_train_timesteps"]) // steps
    last = 1.0 if config.get("set_alpha_to_one", True) else float(known[0])
    return Level(time, _angle(float(known[time])), _angle(float(known[below]) if below >= 0 else last))


def _angle(alpha_bar: float) -> float:
    return math.atan2(math.sqrt(max(1.0 - alpha_bar, 0.0)), math.sqrt(max(alpha_bar, 0.0)))


def velocity(prediction: Tensor, sample: Tensor, angle: float, kind: str) -> Tensor:
    """v of what a network predicts at a sample, by the schedule's word for it.

    Raises DecodeError for another word, and for a prediction of noise where there is nothing else.
    """
    if kind == "v_prediction":
        return prediction
    cos, sin = math.cos(angle), math.sin(angle)
    if kind == "epsilon" and cos > 1e-6:
        return (prediction - sin * sample) / cos
    if kind == "sample" and sin > 1e-6:
        return (cos * sample - prediction) / sin
    raise DecodeError(f"a prediction of {kind!r} says nothing where the noise's angle is {math.degrees(angle):.3f}°")


def turned(sample: Tensor, v: Tensor, delta: float) -> Tensor:
    """One step of the sampler."""
    return math.cos(delta) * sample - math.sin(delta) * v


def preimage(turn: Turn, after: Tensor, delta: float, begin: Tensor, calls: int) -> tuple[Tensor, Vector]:
    """The sample y with turned(y, v(y), delta) = after, by `calls` calls from `begin`, all [n, C, H, W]; and the
    equation's residual, relative to the sample, where it was last evaluated, [n].

    Each picture is solved alone: its mates in the batch do not matter. In the dtype of `after`; the least squares in
    float64. One call from `after` is the naive inversion.
    """
    cos, sin = math.cos(delta), math.sin(delta)
    points: list[Tensor] = [begin]
    images: list[Tensor] = []
    for _ in range(calls):
        images.append((after + sin * turn(points[-1])) / cos)
        points.append(_accelerated(points[-DEPTH - 1 :], images[-DEPTH - 1 :]))
    moved, size = (images[-1] - points[-2]).flatten(1), images[-1].flatten(1)
    residual = moved.double().norm(dim=1) / size.double().norm(dim=1).clamp_min(1e-30)
    return points[-1], np.asarray(residual.cpu().numpy())


def _accelerated(points: Sequence[Tensor], images: Sequence[Tensor]) -> Tensor:
    """The newest image, less the mixture of earlier differences that cancels most of its distance to its point."""
    import torch

    if len(images) == 1:
        return images[0]
    gaps = [(image - point).flatten(1).double().cpu().numpy() for point, image in zip(points, images)]
    shares = [_least([gap[row] for gap in gaps]) for row in range(len(images[0]))]
    mixed = images[-1].clone()
    for number in range(len(images) - 1):
        share = torch.tensor([own[number] for own in shares], dtype=mixed.dtype, device=mixed.device)
        mixed -= share[:, None, None, None] * (images[number + 1] - images[number])
    return mixed


def _least(gaps: Sequence[Array]) -> list[float]:
    """The shares of the differences of gaps that come nearest to the newest gap."""
    differences = np.stack([later - earlier for earlier, later in pairwise(gaps)], axis=1)
    if not np.isfinite(differences).all() or not np.isfinite(gaps[-1]).all():
        return [0.0] * (len(gaps) - 1)
    found: list[float] = np.linalg.lstsq(differences, gaps[-1], rcond=None)[0].tolist()
    return found


def _inverted(
    decoder: Diffusion,
    sampler: Sequence[Level],
    clean: Tensor,
    prompt: Prompt,
    seeds: Sequence[int],
    calls: int,
    white: float,
    progress: Progress,
) -> Inverted:
    """Those of one batch, which may be fewer than the decoder's: it is filled up."""
    import torch

    from latentworld.decoding import batches

    count, batch = len(clean), decoder.settings.batch
    kind = str(decoder.scheduler.config["prediction_type"])
    conditioning, device = decoder.conditioning(prompt), decoder.device
    x0 = batches.padded(clean.float(), batch).to(device)
    noise = batches.padded(noise_of(seeds, decoder.shape), batch).to(device)
    steps, chosen = len(sampler), chosen_white(len(sampler), white)
    path, residuals = [x0], []
    for number in range(steps - 1, -1, -1):
        level = sampler[number]

        def turn(sample: Tensor, level: Level = level) -> Tensor:
            predicted = decoder.predict(sample, torch.tensor(level.time), conditioning)
            progress.step()
            return velocity(predicted, sample, level.before, kind)

        is_chosen = number >= steps - chosen
        begin = math.cos(level.before) * x0 + math.sin(level.before) * noise if is_chosen else path[-1]
        found, residual = preimage(turn, path[-1], level.delta, begin, WHITE_CALLS if is_chosen else calls)
        path.append(found)
        residuals.append(residual)
    whole = torch.stack([sample[:count].cpu() for sample in reversed(path)])
    if not whole.isfinite().all():
        raise DecodeError(
            "the picture cannot be inverted: the network gives numbers that are not finite; take more steps"
        )
    return Inverted(whole, np.stack(residuals[::-1])[:, :count])


def noise_of(seeds: Sequence[int], shape: tuple[int, int, int]) -> torch.Tensor:
    """White noise float32[n, C, H, W], a seed each, drawn on the CPU."""
    import torch

    return torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed % 2**63)) for seed in seeds])
