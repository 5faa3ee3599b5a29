"""`latentworld still`: places to pictures."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from installation.cli import completion
from installation.cli.groups import grouped
from installation.cli.places import Places, Written
from installation.cli.presets import Negative, Override, Positive, keys_of, overriding, tell_idle
from installation.cli.progress import speaking

if TYPE_CHECKING:
    from latentworld.preset import Preset

Option = typer.Option
HEEDED = ("world", "plane", "prompt", "decoder", "analytic", "eye", "title", "description")
FINISHING = ("scale", "size", "fit", "upscale", "added_grain")
"""Keys of [film] that make a picture another, beside `private`; of the others a still knows nothing."""


@dataclass(frozen=True)
class Place:
    """World and plane, in place of the preset's."""

    world: Annotated[
        str | None,
        Option(autocompletion=completion.world, help="`embedded`, a folder, a .safetensors file or a hub name."),
    ] = None
    seeds: Annotated[str | None, Option(help="Three seeds, as 0,123,200.")] = None
    layout: Annotated[str | None, Option(help="nhwc (the write-up's) or nchw.")] = None
    norm: Annotated[str | None, Option(help="sphere, global or raw.")] = None

    @property
    def keys(self) -> dict[str, object]:
        """Of a preset; None: as the preset has it."""
        return {
            "world.name": self.world, "plane.seeds": None if self.seeds is None else _numbers(self.seeds),
            "plane.layout": self.layout, "plane.norm": self.norm,
        }  # fmt: skip


@dataclass(frozen=True)
class Decoding:
    """Prompt and decoder, in place of the preset's."""

    prompt: Positive = None
    negative: Negative = None
    steps: Annotated[int | None, Option(help="Denoising steps, of whichever decoder it is.")] = None
    guidance: Annotated[float | None, Option(help="Classifier-free guidance; 1 is none.")] = None
    decoder: Annotated[str | None, Option(help="faithful, scout or analytic.")] = None

    @property
    def keys(self) -> dict[str, object]:
        """Of a preset; None: as the preset has it."""
        return {
            "prompt.positive": self.prompt, "prompt.negative": self.negative, "decoder.steps": self.steps,
            "decoder.scout_steps": self.steps, "decoder.guidance": self.guidance, "decoder.kind": self.decoder,
        }  # fmt: skip


@dataclass(frozen=True)
class Finishing:
    """How large it is kept; without, as the model makes it."""

    scale: Annotated[int | None, Option(min=1, max=16, help="How many times larger.")] = None
    size: Annotated[str | None, Option(metavar="HxW", help="Height x width in pixels, as 1080x1920.")] = None

    @property
    def keys(self) -> dict[str, object]:
        """Of a preset; None: as the preset has it."""
        return {"film.scale": self.scale, "film.size": None if self.size is None else _pixels(self.size)}


@grouped
def still(
    preset: Annotated[
        str | None,
        typer.Argument(
            autocompletion=completion.preset,
            help="A preset to start from, or a PNG of ours to make again; without one, plain defaults.",
        ),
    ] = None,
    *,
    places: Places,
    output: Annotated[
        Path, Option("-o", "--output", help="The PNG file, of several places their folder; replaces what is there.")
    ],
    place: Place,
    decoding: Decoding,
    finishing: Finishing,
    set_: Override = None,
) -> None:
    """Render pictures of places of the plane, or one that says how it was made once more.

    Pictures are as the model makes them; --scale, --size and what --set says of film enlarge and grain them.
    """
    from latentworld import preset as presets

    overrides = overriding(place.keys | decoding.keys | finishing.keys, set_)
    finished = any(text.strip().startswith(tuple(f"film.{key}" for key in FINISHING)) for text in overrides)
    if preset is not None and preset.lower().endswith(".png"):
        if places.given:
            raise typer.BadParameter("a picture has a place of its own: leave out what says another")
        _again(Path(preset), overrides, output, finished)
        print(output)
        return
    if preset is not None and Path(preset).suffix.lower() not in ("", ".toml") and Path(preset).is_file():
        raise typer.BadParameter(
            f"{preset} says nothing of how it was made: a PNG of ours does. To start from a picture of your own, "
            f"`latentworld vertices from-picture` makes it a vertex of a plane"
        )
    wanted = places.written
    if len(wanted) > 1 and output.suffix.lower() == ".png":
        raise typer.BadParameter(f"{len(wanted)} pictures go into a folder: give a name without .png", param_hint="-o")
    journey = presets.parse({}, overrides) if preset is None else presets.load(preset, overrides)
    _tell(journey, overrides)
    guided = any(text.startswith("decoder.guidance=") for text in overrides)
    for file in _render(journey, wanted, output, finished, guided):
        print(file)


def _render(journey: Preset, places: Sequence[Written], output: Path, finished: bool, guided: bool) -> list[Path]:
    """The files: one picture, or those of a folder. guided: a guidance weight was asked for here."""
    files = [output / _name(number, place) for number, place in enumerate(places)] if len(places) > 1 else [output]
    with speaking("loading the world") as speaker:
        from installation.film import again

        told = partial(speaker, "pictures")
        profile = again.stills(
            journey, places, files, finished=finished, told=told, watch=speaker.stepping(lambda done, total: True)
        )
    asked = journey.decoder.guidance
    if guided and journey.decoder.kind == "scout" and asked is not None and asked != profile.guidance:
        _note(f"decoder.guidance = {asked:g}: nothing to this scout, which has none")
    return files


def _name(number: int, place: Written) -> str:
    alpha, beta, radius = place
    own = "" if radius == 1.0 else f"_r{radius:.4g}"
    return f"{number:04d}_a{alpha:.4g}_b{beta:.4g}{own}.png"


def _tell(journey: Preset, overrides: Sequence[str]) -> None:
    """No setting that is named here is passed over in silence: what a still does not heed is a line."""
    keys = keys_of(overrides)
    heeded = {*HEEDED, *(f"film.{key}" for key in (*FINISHING, "private"))}
    idle = [key for key in keys if key not in heeded and key.partition(".")[0] not in HEEDED]
    if journey.decoder.kind == "analytic":
        idle += [key for key in keys if key.startswith(("prompt.", "world.")) or key == "decoder.guidance"]
    tell_idle(idle, "the analytic decoder" if journey.decoder.kind == "analytic" else "a still")


def _note(text: str) -> None:
    from latentworld.errors import Notice

    warnings.warn(text, Notice, stacklevel=2)


def _again(picture: Path, overrides: list[str], output: Path, finished: bool) -> None:
    """A picture of ours once more; what is another now, and whether it shows, goes to stderr."""
    from installation.film import imprint
    from latentworld import preset as presets

    found = imprint.read(picture)
    journey = presets.parse(found.preset, overrides)
    with speaking("loading the world"):
        from installation.film.again import again

        made = again(found, journey, output, finished=finished)
    if made.differences:
        print(f"otherwise than {picture.name} was made: {'; '.join(made.differences)}", file=sys.stderr)
    if not made.same:
        print("the picture is another, as the model makes it", file=sys.stderr)


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"{text!r}: write three whole numbers, as 0,123,200", param_hint="--seeds") from None


def _pixels(text: str) -> list[int]:
    try:
        height, width = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise typer.BadParameter(f"{text!r}: write height x width, as 1080x1920", param_hint="--size") from None
    return [height, width]
