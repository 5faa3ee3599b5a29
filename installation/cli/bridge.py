"""`latentworld bridge`: the likely way between two pictures."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Annotated, Literal

import typer

from installation.cli import completion
from installation.cli.presets import Override
from installation.cli.progress import speaking

Option = typer.Option


def bridge(
    first: Annotated[Path, typer.Argument(metavar="A", help="The picture to begin at.")],
    last: Annotated[Path, typer.Argument(metavar="B", help="The picture to end at.")],
    output: Annotated[Path, Option("-o", "--output", help="The preset; the bridge is written beside it.")],
    preset: Annotated[
        str | None,
        Option(autocompletion=completion.preset, help="Whose world, prompt and steps; without one, defaults."),
    ] = None,
    noise_level: Annotated[float, Option(help="How noisy the way's latents are, 0.05 to 0.95.")] = 0.6,
    strength: Annotated[
        float, Option(help="How much it keeps to the likely; 0: the great circle; below: not.")
    ] = 0.002,
    by: Annotated[
        Literal["score", "prompt"], Option(help="Likely at all, or under the prompt against the negative one.")
    ] = "score",
    fit: Annotated[Literal["crop", "pad"], Option(help="Cut to the picture's shape, or grey beside it.")] = "crop",
    seed: Annotated[int, Option(min=0, max=2**63 - 1, help="Of the white noise in the pictures' last steps.")] = 0,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace files that are there already.")] = False,
    set_: Override = None,
) -> None:
    """Lead from one picture to another through likely latents, as a preset to film. They lie outside the plane."""
    from latentworld.errors import Notice

    with speaking("loading the world") as speaker:
        from installation.bridge.command import Wish, make
        from installation.bridge.making import Wanted

        wanted = Wanted(noise_level, strength, by, seed=seed)
        wish = Wish((first, last), output, preset, tuple(set_ or ()), wanted, fit, overwrite)
        made = make(wish, speaker.part)
    for note in made.notes:
        warnings.warn(note, Notice, stacklevel=2)
    said = made.trio.origin["bridge"]
    assert isinstance(said, dict)
    print(f"{said['stretch']:.3f} times the great circle, {said['calls']} gradients", file=sys.stderr)
    print(output)
