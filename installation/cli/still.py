"""`latentworld still`: one place to a picture."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from installation.cli.groups import grouped
from installation.cli.presets import Override

Option = typer.Option


@dataclass(frozen=True)
class Place:
    """World and plane, in place of the preset's."""

    world: Annotated[str | None, Option(help="`embedded`, a folder, a .safetensors file or a hub name.")] = None
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

    prompt: Annotated[str | None, Option(help="What the picture should be.")] = None
    negative: Annotated[str | None, Option(help="What it should not be.")] = None
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


@grouped
def still(
    preset: Annotated[
        str | None,
        typer.Argument(help="A preset to start from, or a PNG of ours to make again; without one, plain defaults."),
    ] = None,
    *,
    alpha: Annotated[float | None, Option(help="From z0 toward z1.")] = None,
    beta: Annotated[float | None, Option(help="From z0 toward z2.")] = None,
    output: Annotated[Path, Option("-o", "--output", help="The PNG file; replaces one that is there.")],
    radius: Annotated[
        float | None,
        Option(help="Factor of the shell, 0.05 to 3; negative: of the place on the far side. 1 if absent."),
    ] = None,
    place: Place,
    decoding: Decoding,
    set_: Override = None,
) -> None:
    """Render the picture at one place of the plane, or one that says how it was made once more."""
    from latentworld import preset as presets

    chosen = place.keys | decoding.keys
    # JSON strings, numbers and lists are TOML too, so that a prompt may hold quotes and equals signs
    overrides = [f"{key}={json.dumps(value)}" for key, value in chosen.items() if value is not None] + (set_ or [])
    if preset is not None and preset.lower().endswith(".png"):
        if (alpha, beta, radius) != (None, None, None):
            raise typer.BadParameter("a picture has a place of its own: leave out --alpha, --beta and --radius")
        _again(Path(preset), overrides, output)
    elif alpha is None or beta is None:
        raise typer.BadParameter("say where: give --alpha and --beta, or a picture of ours to make again")
    else:
        journey = presets.parse({}, overrides) if preset is None else presets.load(preset, overrides)
        from installation.film import again

        again.still(journey, alpha, beta, 1.0 if radius is None else radius, output)
    print(output)


def _again(picture: Path, overrides: list[str], output: Path) -> None:
    """A picture of ours once more; what is another now, and whether it shows, goes to stderr."""
    from installation.film import imprint
    from latentworld import preset as presets

    found = imprint.read(picture)
    journey = presets.parse(found.preset, overrides)
    from installation.film.again import again

    made = again(found, journey, output)
    if made.differences:
        print(f"otherwise than {picture.name} was made: {'; '.join(made.differences)}", file=sys.stderr)
    if not made.same:
        print("the picture is another, as the model makes it", file=sys.stderr)


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"{text!r}: write three whole numbers, as 0,123,200", param_hint="--seeds") from None
