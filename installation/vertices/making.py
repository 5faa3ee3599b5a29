"""From pictures and seeds to three vertices, with what holds the pictures there.

::

    inverter = inverter_of(studio)             # the faithful decoder in float32, whatever the studio shows
    made = trio(inverter, studio.prompt, places, Options("guidance"))
    disk.save(path, vertices.serialised(made.trio))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from installation.pictures import SourcePicture
from installation.studio import Studio
from installation.vertices.held import corrections
from latentworld import __version__, vertices
from latentworld.arrays import Array
from latentworld.decoding import Watch, inverse, world_decoder
from latentworld.errors import WorldMismatch
from latentworld.plane import Norm, Plane
from latentworld.prompts import Prompt
from latentworld.vertices import Halves, Trio
from latentworld.whiteness import whiteness

if TYPE_CHECKING:
    from torch import Tensor

    from latentworld.decoding.diffusion import Diffusion

Asked = Literal["guidance", "residual", "none"]
SHORT = 0.3  # dB below the autoencoder's floor, from which a vertex counts as missed


@dataclass(frozen=True, eq=False)
class Place:
    """What stands at a vertex: a picture that is inverted, or a latent [C, H, W] that is there already, and what the
    file says of that; details: of a picture that was inverted before, which goes on being held."""

    picture: SourcePicture | None = None
    latent: Array | None = None
    said: Mapping[str, object] = field(default_factory=dict)
    details: Halves | None = None


@dataclass(frozen=True)
class Options:
    """hold: how pictures are to be held; norm: of the plane they are for; seed: of the white noise in their last steps,
    the next number for each further vertex."""

    hold: Asked = "guidance"
    norm: Norm = "sphere"
    reach: float = 45.0
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Made:
    """Vertices, and a line for everything that a person should know of them."""

    trio: Trio
    notes: tuple[str, ...]


def inverter_of(studio: Studio) -> Diffusion:
    """The faithful decoder of a studio's world, in float32; networks are copied where they are in half precision.

    Raises WorldMismatch for a world without networks, or without an encoder.
    """
    if studio.networks is None:
        raise WorldMismatch("the analytic world takes no pictures as vertices: choose a world with networks")
    world = studio.networks.world
    if not world.encodes:
        raise WorldMismatch(
            f"the VAE of {world.name} has no encoder, pictures cannot be encoded: name a whole one as world.vae"
        )
    settings = replace(studio.own["faithful"], dtype="float32", engine="eager", hold=None)
    whole = world.in_float32()
    return studio.networks.variant(settings) if whole is world else world_decoder(whole, settings)


def trio(
    inverter: Diffusion, prompt: Prompt, places: Sequence[Place], options: Options, watch: Watch | None = None
) -> Made:
    """Three vertices of what stands at each. watch: is told of every call of the network while pictures are inverted.

    Raises GeometryError for places that span no plane, DecodeError as `inverse.invert`, Cancelled.
    """
    import torch

    numbers = [number for number, place in enumerate(places) if place.picture is not None]
    pictures = [picture for place in places if (picture := place.picture) is not None]
    notes = [note for picture in pictures for note in picture.notes] + _twice(pictures)
    values = np.stack([np.zeros(inverter.shape) if place.latent is None else place.latent for place in places])
    levels = torch.from_numpy(np.stack([picture.levels for picture in pictures])) if pictures else None
    if levels is None:
        return Made(Trio(values, _origin([dict(place.said) for place in places], options)), tuple(notes))
    clean = inverter.world.encode(levels)
    seeds = [options.seed + number for number in numbers]
    found = inverse.invert(inverter, clean, prompt, seeds, watch=watch)
    values[numbers] = on_shell(found.start.double().numpy())
    plane = Plane(values, options.norm)  # refuses what spans none before anything else is computed
    with_residuals = options.hold == "residual" and all(place.details is None for place in places)
    added = corrections(inverter, plane, numbers, found, prompt, with_residuals, watch)
    floors, shown = inverter.paint_all(clean), inverter.paint_all(added.reached)
    tables = [dict(place.said) for place in places]
    for row, number in enumerate(numbers):
        floor, own = psnr(floors[row], levels[row]), psnr(shown[row], levels[row])
        told = _of_picture(inverter, prompt, pictures[row], seeds[row])
        report = whiteness(values[number])
        worst = float(found.residuals[: -inverse.chosen_white(inverter.settings.steps) or None, row].max(initial=0.0))
        told |= {"floor": round(floor, 3), "reached": round(own, 3), "residual": worst, "whiteness": report.record()}
        tables[number] = told
        notes += _missed(pictures[row].name, floor, own, report.faults)
    details = {number: place.details for number, place in enumerate(places) if place.details is not None}
    details |= dict(zip(numbers, added.details, strict=True))
    whole = np.stack([details[number] for number in sorted(details)])
    return Made(Trio(values, _origin(tables, options), whole, added.residuals), tuple(notes))


def on_shell(latents: Array) -> Array:
    """Latents [n, C, H, W] at the typical length of white noise, sqrt(d), where seeds lie too: inverted ones come out
    within 8% of it. What the change of length takes from the pictures is part of what the hold adds."""
    flat = latents.reshape(len(latents), -1)
    length = np.sqrt((flat * flat).mean(axis=1))
    scaled: Array = latents / np.maximum(length, 1e-12)[:, None, None, None]
    return scaled


def psnr(one: Tensor, other: Tensor) -> float:
    """Peak signal over noise of two pictures in 0..1, in dB; 99 at most, of equal ones."""
    error = float(((one - other) ** 2).mean())
    return 99.0 if error <= 1e-10 else float(-10.0 * np.log10(error))


def _of_picture(inverter: Diffusion, prompt: Prompt, picture: SourcePicture, seed: int) -> dict[str, object]:
    """What a file says of a vertex that was made from a picture."""
    settings = inverter.settings
    return {
        "kind": vertices.PICTURE, "name": picture.name, "sha256": picture.sha256, "size": list(picture.size),
        "crop": list(picture.crop), "seed": seed, "world": inverter.world.digest, "prompt": repr(prompt.toward),
        "negative": repr(prompt.away), "steps": settings.steps, "guidance": settings.guidance,
    }  # fmt: skip


def _origin(tables: list[dict[str, object]], options: Options) -> dict[str, object]:
    return {"vertices": tables, "hold": options.hold, "norm": options.norm, "program": __version__}


def _missed(name: str, floor: float, own: float, faults: Sequence[str]) -> list[str]:
    said = [f"{name} is not quite white: {'; '.join(faults)}"] if faults else []
    if own < floor - SHORT:
        said.append(f"{name} comes to {own:.1f} dB, its autoencoder alone to {floor:.1f} dB: take more steps")
    return said


def _twice(pictures: Sequence[SourcePicture]) -> list[str]:
    """A line for each picture that was given before."""
    seen = set[str]()
    said = []
    for picture in pictures:
        if picture.sha256 in seen:
            said.append(f"{picture.name} is there twice: the two vertices are two latents of one picture")
        seen.add(picture.sha256)
    return said


def of_seed(seed: int, draw: Callable[[int], Array], world: str) -> Place:
    """A vertex that is drawn."""
    latent = draw(seed)
    return Place(None, latent, {"kind": "seed", "seed": seed, "world": world, "whiteness": whiteness(latent).record()})
