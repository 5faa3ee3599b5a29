"""Pictures that the program made: their files say where they lie, so that their latents are had without inversion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from installation.film import imprint
from installation.film.imprint import Imprint
from installation.frames import digest
from installation.pictures import SourcePicture
from installation.rig import plane_of
from installation.vertices.making import Place
from latentworld import vertices
from latentworld.arrays import Array
from latentworld.decoding import DecoderSettings, Profile
from latentworld.errors import DecodeError, GeometryError, LatentWorldError
from latentworld.preset import parse
from latentworld.prompts import Prompt
from latentworld.whiteness import whiteness


@dataclass(frozen=True)
class Here:
    """Where a vertex is to stand: the digest of the world, the decoder's settings, the prompt, a latent's shape."""

    world: str
    settings: DecoderSettings
    prompt: Prompt
    shape: tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Recognised:
    """A vertex whose latent is known; and what a person should know of it, "" for nothing."""

    place: Place | None
    note: str = ""


def recognised(data: bytes, picture: SourcePicture, here: Here, beside: Path | None = None) -> Recognised:
    """The latent of a picture of ours, by what its file says; no place where it is none, or cannot be had any more.

    beside: the folder of the picture, where a file of vertices that it names may lie.
    """
    found = imprint.of_picture(data, picture.name)
    if found is None:
        return Recognised(None)
    why = _changed(found, picture, here)
    if why:
        return Recognised(
            None, f"{picture.name} was made by latentworld, but {why}: it is inverted as any other picture"
        )
    try:
        latent = _latent(found, here, beside)
    except LatentWorldError as error:
        return Recognised(
            None, f"{picture.name} says where it lies, but not so that it is found ({error}): it is inverted"
        )
    assert found.place is not None
    said = {
        "kind": "own", "name": picture.name, "sha256": picture.sha256, "world": here.world,
        "place": [found.place.alpha, found.place.beta, found.place.radius], "profile": found.profile_hash,
        "whiteness": whiteness(latent).record(),
    }  # fmt: skip
    return Recognised(Place(None, latent, said), _otherwise(found, picture.name, here))


def _changed(found: Imprint, picture: SourcePicture, here: Here) -> str:
    """Why its latent would not make it; "" where it would."""
    if found.place is None or found.made:
        return "it is of no single place"
    if found.world != here.world:
        return "in another world"
    try:
        profile = Profile.read(found.profile)
    except DecodeError:
        return "its profile cannot be read"
    if profile.kind != "faithful":
        return f"by the decoder {profile.kind!r}"
    if profile.hold:
        return "where another picture was held"
    if (
        picture.size != profile.size
        or digest(np.rint(picture.levels * 255).astype(np.uint8).transpose(1, 2, 0)) != found.sum
    ):
        return "enlarged, cut or changed since"
    return ""


def _latent(found: Imprint, here: Here, beside: Path | None) -> Array:
    """At its place on its plane. Raises what drawing or reading vertices raises, GeometryError for another plane."""
    preset = parse(found.preset)
    if preset.plane.vertices is not None and beside is not None:
        preset = preset.changed(plane={"vertices": str(beside / preset.plane.vertices)})
    plane = plane_of(preset, here.shape)
    if vertices.digest(plane.vertices) != found.vertices:
        raise GeometryError("its vertices are others here")
    assert found.place is not None
    unit, radius = np.array(found.place.unit), abs(found.place.radius)
    latent: Array = plane.latents(unit, radius)[0].double().numpy()
    return latent


def _otherwise(found: Imprint, name: str, here: Here) -> str:
    """What would have to be set for its latent to make the very picture."""
    profile = Profile.read(found.profile)
    own = [("steps", profile.steps, here.settings.steps), ("guidance", profile.guidance, here.settings.guidance)]
    prompt = found.preset.get("prompt")
    words = prompt if isinstance(prompt, dict) else {}
    texts = (words.get("positive", ""), words.get("negative", ""))
    said = [f"{key} {before:g}, not {now:g}" for key, before, now in own if before != now]
    said += ["another prompt"] if texts != (here.prompt.positive, here.prompt.negative) else []
    return f"{name} was made with {', '.join(said)}: its latent is kept, and shows another picture here" if said else ""


def pixels(picture: SourcePicture) -> Image.Image:
    """As an image, for a strip."""
    return Image.fromarray(np.rint(picture.levels * 255).astype(np.uint8).transpose(1, 2, 0))
