"""`latentworld plan`: where every frame of a film will lie, before it is paid for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from installation.cli.consoles import Telling, on_stderr
from installation.cli.film import watching
from installation.cli.presets import Negative, Override, Positive, PresetName, heard, prompted


def plan(
    preset: PresetName,
    output: Annotated[Path, typer.Option("-o", "--output", help="The plan, a text file such as piece.plan.")],
    prompt: Positive = None,
    negative: Negative = None,
    set_: Override = None,
    decoder: Annotated[
        Literal["scout", "faithful"], typer.Option("--decoder", help="What looks for the way.")
    ] = "scout",
    coarse: Annotated[
        int, typer.Option("--coarse", min=1, max=48, help="Walk one frame in so many, and lay the others between.")
    ] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Walk a few frames and say what all of them take; nothing is kept.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a plan that is there already.")] = False,
    progress: Annotated[
        Telling, typer.Option("--progress", help="auto: a bar in a terminal, elsewhere a line a minute.")
    ] = Telling.AUTO,
) -> None:
    """Walk a journey with the scout, and write where every frame lies: `film --plan` films it. Pilots steer."""
    from installation.cli.interrupt import Interrupt, again
    from installation.cli.progress import Speaker
    from latentworld import preset as presets

    overrides = prompted(prompt, negative, set_)
    journey = heard(presets.load(preset, overrides), overrides)
    console = on_stderr()
    if dry_run:
        from installation.cli.estimates import tell_plan

        tell_plan(journey, decoder, console, coarse)
        return
    with Interrupt() as interrupt, Speaker(console, "loading the world", progress) as speaker:
        from installation.film import beats
        from installation.film import plan as planning
        from installation.film.summary import words

        made = planning.plan(
            journey, output, kind=decoder, coarse=coarse, overwrite=overwrite,
            watching=watching(speaker, journey.title or preset, journey, coarse),
            watch=speaker.stepping(interrupt.watch),
        )  # fmt: skip
    seen = f", {words(made.rifts, made.marked, made.at_ceiling)}" if made.complete else ""
    console.print(f"{made.frames} frames placed in {made.seconds:.0f} s{seen}", highlight=False, soft_wrap=True)
    for text in beats.words(made.crossings):
        console.print(text, highlight=False, soft_wrap=True)
    if not made.complete:
        print(f"interrupted after {made.frames} of {made.planned} frames. To go on with it: {again()}", file=sys.stderr)
        raise typer.Exit(130)
    print(output)
