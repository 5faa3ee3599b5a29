"""`latentworld vertices from-picture`: files in, a vertex file out."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from installation import pictures
from installation.pictures import Fit
from installation.rig import open_studio
from installation.studio import Studio
from installation.vertices.making import Asked, Made, Options, Place, inverter_of, of_seed, trio
from installation.vertices.own import Here, recognised
from latentworld import disk, vertices
from latentworld import preset as presets
from latentworld.arrays import Array
from latentworld.errors import OutputError, OutputExists, PresetError
from latentworld.preset import Preset
from latentworld.sections import PlaneSpec

if TYPE_CHECKING:
    from latentworld.decoding.diffusion import Diffusion


@dataclass(frozen=True)
class Wish:
    """What the command was asked for. seeds: by the number of a vertex without a picture."""

    pictures: tuple[Path, ...]
    output: Path
    preset: str | None
    overrides: tuple[str, ...]
    hold: Asked
    fit: Fit
    seed: int
    seeds: dict[int, int]
    strip: Path | None
    overwrite: bool


def make(wish: Wish, told: Callable[[str], object] = lambda _: None) -> Made:
    """Write the file, and the strip if one is wished for. told: is given a line before each part.

    Raises OutputExists, and whatever does not fit.
    """
    _check(wish)
    preset = journey(wish.preset, wish.overrides)
    sources = [(path, picture_bytes(path)) for path in wish.pictures]
    if not all(sources):
        raise PresetError("give at least one picture")
    studio = open_studio(preset)
    inverter = inverter_of(studio)
    told("looking at the pictures")
    places, notes = _places(wish, studio, inverter, sources)
    plane = studio.preset.plane
    told("inverting the pictures")
    made = trio(inverter, studio.prompt, places, Options(wish.hold, plane.norm, plane.reach, wish.seed))
    made = replace(made, notes=(*notes, *made.notes))
    disk.save(wish.output, vertices.serialised(made.trio))
    if wish.strip is not None and made.trio.pictures:
        told("drawing the strip")
        _draw(wish.strip, inverter, studio, places, made)
    return made


def _check(wish: Wish) -> None:
    """What can be refused before a world is loaded."""
    if wish.output.exists() and not wish.overwrite:
        raise OutputExists(f"{wish.output} is there already: give --overwrite, or another file")
    if wish.output.suffix != ".safetensors":
        raise OutputError(f"vertices are a .safetensors file: {wish.output} should end so")
    disk.writable(wish.output)
    if wish.strip is None:
        return
    if wish.strip.suffix.lower() != ".png":
        raise OutputError(f"a strip is a PNG: {wish.strip} should end in .png")
    if wish.strip.exists() and (
        not wish.overwrite or wish.strip.resolve() in {each.resolve() for each in wish.pictures}
    ):
        raise OutputExists(f"{wish.strip} is there already: give another file")
    disk.writable(wish.strip)


def journey(preset: str | None, overrides: tuple[str, ...]) -> Preset:
    """The journey that vertices are for, its decoder the faithful one in float32, its plane drawn from seeds."""
    found = presets.parse({}, overrides) if preset is None else presets.load(preset, overrides)
    if found.decoder.kind == "analytic":
        raise PresetError("the analytic world takes no pictures as vertices: choose a world with networks")
    decoder = {"kind": "faithful", "dtype": "float32", "engine": "eager"}
    return found.changed(decoder=decoder, plane={"vertices": None, "hold": "auto"})


def picture_bytes(path: Path) -> bytes:
    """A picture's file. Raises PresetError."""
    try:
        return disk.read(path, pictures.LARGEST)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise PresetError(f"{path} cannot be read ({why}): give a picture's file") from None


def _places(
    wish: Wish, studio: Studio, inverter: Diffusion, sources: list[tuple[Path, bytes]]
) -> tuple[list[Place], list[str]]:
    """What stands at each vertex, and what is to be said of pictures that we made."""
    here, notes, places = (
        Here(studio.world, inverter.settings, studio.prompt, inverter.shape),
        list[str](),
        list[Place](),
    )
    for path, data in sources:
        picture = pictures.decoded(data, path.name, inverter.size, wish.fit)
        found = recognised(data, picture, here, path.parent)
        notes += [found.note] if found.note else []
        places.append(Place(picture) if found.place is None else found.place)
    drawn = studio.preset.plane
    for number in range(len(places), 3):
        seed = wish.seeds.get(number, drawn.seeds[number])
        places.append(of_seed(seed, lambda seed: latent_of(seed, drawn, inverter.shape), studio.world))
    return places, notes


def latent_of(seed: int, spec: PlaneSpec, shape: tuple[int, int, int]) -> Array:
    """A seed's latent [C, H, W], drawn as the plane draws."""
    drawn: Array = vertices.from_seeds((seed, seed, seed), shape, spec.layout, spec.device, spec.dtype)[0]
    return drawn


def _draw(target: Path, inverter: Diffusion, studio: Studio, places: list[Place], made: Made) -> None:
    from installation.vertices import strip

    plane = studio.preset.plane
    page = strip.draw(strip.rows(inverter, studio.prompt, places, made.trio, plane.norm, plane.reach))
    buffer = io.BytesIO()
    page.save(buffer, format="PNG")
    disk.save(target, buffer.getvalue())
