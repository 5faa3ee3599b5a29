"""From two pictures to a bridge: both inverted as far as a noise level, and the way between them relaxed.

::

    inverter = inverter_of(studio)
    made = build(inverter, studio.prompt, (a, b), third, Wanted())
    disk.save(path, vertices.serialised(made.trio))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from installation.pictures import SourcePicture
from installation.vertices.held import corrections
from installation.vertices.making import SHORT, Made, of_picture, psnr
from latentworld import __version__
from latentworld.arrays import Array
from latentworld.decoding import inverse
from latentworld.decoding.bend import Bend
from latentworld.decoding.uphill import By, uphill
from latentworld.errors import GeometryError, PresetError
from latentworld.plane import Plane
from latentworld.prompts import Prompt
from latentworld.relaxed import STAGES, SWEEPS, relax
from latentworld.vertices import Bridge, Trio

if TYPE_CHECKING:
    from torch import Tensor

    from latentworld.decoding.diffusion import Diffusion

LOWEST, HIGHEST = 0.05, 0.95  # noise levels
LEAST = 1e-4  # share of the picture at the level of a bridge, below which nothing of it is left
SETTLED = 0.02  # of the radius: the most a point may still move in the last sweep


@dataclass(frozen=True)
class Wanted:
    """noise_level: share of the schedule's times at which the way lies; strength: k, above 0 keeps to the likely; by:
    whose gradient it follows; stages: 2^stages - 1 points between the ends; seed: of the white noise in the pictures'
    last steps, the next number for the second one. Raises PresetError for a noise level out of range."""

    noise_level: float = 0.6
    strength: float = 0.002
    by: By = "score"
    stages: int = STAGES
    sweeps: int = SWEEPS
    seed: int = 0

    def __post_init__(self) -> None:
        if not LOWEST < self.noise_level < HIGHEST:
            raise PresetError(
                f"a noise level of {self.noise_level:g}: give one between {LOWEST} and {HIGHEST}, such as 0.6 (below, "
                "pictures only fade into each other; above, every way is equally likely)"
            )


def build(
    inverter: Diffusion,
    prompt: Prompt,
    pictures: tuple[SourcePicture, SourcePicture],
    third: Array,
    wanted: Wanted,
    told: Callable[[str], None] = lambda _: None,
) -> Made:
    """The bridge between two pictures. inverter: as `vertices.making.inverter_of` gives it; third: a start latent
    [C, H, W] of pure noise, which becomes the direction aside; told: is given a line before each part.

    Raises PresetError for one picture twice, GeometryError for ways that cannot be relaxed, DecodeError as `invert`.
    """
    if np.array_equal(pictures[0].levels, pictures[1].levels):
        raise PresetError(f"{pictures[1].name} is the same picture as {pictures[0].name}: a bridge needs two")
    start = _start(inverter, wanted.noise_level)
    noisy = inverter.variant(replace(inverter.settings, start=start))
    told("inverting both pictures")
    clean = noisy.world.encode(_levels(pictures))
    found = inverse.invert(noisy, clean, prompt, [wanted.seed, wanted.seed + 1])
    aside = _at_level(inverter, third, start, prompt)
    values = _on_one_sphere(np.concatenate([found.start.double().numpy(), aside[None]]))
    Bend(values[:2])  # refuses ends that are equal or antipodal
    told("relaxing the way between them")
    gradient = uphill(noisy.variant(replace(noisy.settings, batch=min(15, 2**wanted.stages - 1))), prompt, wanted.by)
    flat = values.reshape(3, -1)
    way = relax(flat[0], flat[1], gradient, wanted.strength, stages=wanted.stages, sweeps=wanted.sweeps)
    latents = np.concatenate([values[:1], way.points[1:-1].reshape(-1, *noisy.shape), values[1:2]])
    told("looking at both ends")
    added = corrections(noisy, Plane(values), [0, 1], found, prompt)
    tables, notes = _ends(noisy, prompt, pictures, (clean, added.reached), wanted.seed)
    if way.moved > SETTLED:
        notes.append(f"the way still moves by {100 * way.moved:.0f}% of its radius: give a smaller --strength")
    said = asdict(wanted) | {
        "start": start, "world": noisy.world.digest, "prompt": repr(prompt.toward), "negative": repr(prompt.away),
        "steps": noisy.settings.steps, "stretch": Bend(latents).stretch, "moved": way.moved, "calls": way.calls,
    }  # fmt: skip
    origin = {"vertices": tables, "hold": "guidance", "norm": "sphere", "program": __version__, "bridge": said}
    return Made(Trio(values, origin, added.details, None, Bridge(latents, start)), tuple(notes))


def _ends(
    noisy: Diffusion, prompt: Prompt, pictures: Sequence[SourcePicture], clean: tuple[Tensor, Tensor], seed: int
) -> tuple[list[dict[str, object]], list[str]]:
    """What the file says of its vertices, and what a person should know. clean: latents of the pictures as they were
    encoded, and as the held ends come to."""
    levels = _levels(pictures)
    floors, shown = (noisy.paint_all(each) for each in clean)
    tables, notes = list[dict[str, object]](), [note for picture in pictures for note in picture.notes]
    for row, picture in enumerate(pictures):
        floor, own = psnr(floors[row], levels[row]), psnr(shown[row], levels[row])
        told = of_picture(noisy, prompt, picture, seed + row)
        tables.append(told | {"floor": round(floor, 3), "reached": round(own, 3)})
        if own < floor - SHORT:
            notes.append(f"{picture.name} comes to {own:.1f} dB, its autoencoder alone to {floor:.1f} dB")
    return [*tables, {"kind": "aside"}], notes


def _levels(pictures: Sequence[SourcePicture]) -> Tensor:
    import torch

    return torch.from_numpy(np.stack([picture.levels for picture in pictures]))


def _start(inverter: Diffusion, level: float) -> int:
    """The time of the decoder's own schedule that is nearest to a noise level."""
    scheduler = inverter.begin()
    wanted = level * len(scheduler.alphas_cumprod)
    start = max(min((int(time) for time in scheduler.timesteps), key=lambda time: abs(time - wanted)), 1)
    if float(scheduler.alphas_cumprod[start]) < LEAST:
        raise PresetError(f"at time {start} nothing of a picture is left: take more steps, or a lower --noise-level")
    return start


def _at_level(inverter: Diffusion, latent: Array, start: int, prompt: Prompt) -> Array:
    """Where the faithful decoder has taken a start latent [C, H, W] when its schedule comes to a time."""
    import torch

    alone = inverter.variant(replace(inverter.settings, batch=1))
    sample = torch.from_numpy(latent[None].astype(np.float32))
    for moment in alone.moments(sample, prompt):
        if moment.time <= start:
            return _array(moment.sample[0])
    raise GeometryError(f"the schedule has no time {start}: take more steps")  # of its own times one is the start


def _array(sample: Tensor) -> Array:
    return np.asarray(sample.cpu().double().numpy(), np.float64)


def _on_one_sphere(latents: Array) -> Array:
    """Latents [3, C, H, W] at one length, the mean of the first two: half-noisy ones are shorter than white noise. What
    the change of length takes from the pictures is part of what the hold adds."""
    length = np.sqrt((latents.reshape(3, -1) ** 2).sum(axis=1))
    if not (np.isfinite(length).all() and (length > 0).all()):
        raise GeometryError("a latent at this noise level has no length: take another picture or noise level")
    scaled: Array = latents * ((length[0] + length[1]) / 2 / length)[:, None, None, None]
    return scaled
