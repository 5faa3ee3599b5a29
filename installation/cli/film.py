"""`latentworld film`: a preset to a film."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from installation.cli.presets import Override


def film(
    preset: Annotated[str, typer.Argument(help="A preset's name, or a .toml file.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the film and what goes with it.")],
    set_: Override = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a film that is there already.")] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Show the frames in a window as they come.")] = False,
) -> None:
    """Render a film: video, resolved preset, telemetry, contact sheet and the path on the chart."""
    from installation.cli.interrupt import Interrupt
    from installation.cli.progress import Bar
    from installation.film.output import prepare
    from installation.film.preview import Preview
    from installation.film.sinks import Sink
    from latentworld import preset as presets

    console = Console(stderr=True)
    journey = presets.load(preset, set_ or [])
    prepare(output, overwrite)  # before torch is imported: what cannot be kept is refused at once
    bar = Bar(journey.title or preset, journey.film.frames, console)
    sinks: list[Sink] = [Preview(journey.title or "latentworld"), bar] if preview else [bar]
    with Interrupt() as interrupt:
        with console.status("loading the world"):
            from installation import show
        made = show.film(journey, output, overwrite=overwrite, sinks=sinks, watch=interrupt.watch)
    seen = made.summary
    median = "" if seen.median_clip_step is None else f", median CLIP step {seen.median_clip_step:.4f}"
    console.print(
        f"{seen.frames} frames in {seen.wall_seconds:.0f} s ({seen.frames_per_second:.1f} a second)"
        f"{median}, {seen.rifts} rifts, {seen.marked_steps} steps marked",
        highlight=False,
    )
    if seen.frames:
        print(made.video)
    if not made.complete:
        settings = [part for override in set_ or [] for part in ("--set", override)]
        again = shlex.join(["latentworld", "film", preset, "-o", str(output), *settings, "--overwrite"])
        state = f"{made.video} plays so far" if seen.frames else "there is no film yet"
        count = f"interrupted after {seen.frames} of {seen.planned} frames"
        print(f"{count}: {state}. To make it whole: {again}", file=sys.stderr)
        raise typer.Exit(130)
