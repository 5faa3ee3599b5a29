"""`latentworld film`: a preset to a film."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console

from installation.cli.presets import Override

if TYPE_CHECKING:
    from installation.film.make import Film
    from installation.takes.film import Journey


def film(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the film and what goes with it.")],
    preset: Annotated[
        str | None, typer.Argument(help="A preset's name, or a .toml file; with --take by default the take's own.")
    ] = None,
    set_: Override = None,
    take: Annotated[Path | None, typer.Option("--take", help="Film a recorded performance.")] = None,
    as_recorded: Annotated[
        bool, typer.Option("--as-recorded", help="With --take: the very frames that were shown, compared with them.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a film that is there already.")] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Show the frames in a window as they come.")] = False,
) -> None:
    """Render a film: video, resolved preset, telemetry, contact sheet and the path on the chart."""
    from installation.cli.interrupt import Interrupt
    from installation.cli.progress import Bar
    from installation.film.output import check as check_folder
    from installation.film.preview_window import PreviewWindow
    from installation.film.sinks import Sink
    from latentworld import preset as presets

    if preset is None and take is None:
        raise typer.BadParameter("name a preset, or a performance with --take FILE")
    if as_recorded and take is None:
        raise typer.BadParameter("--as-recorded goes with --take FILE")
    console = Console(stderr=True)
    played = _played(take, preset, set_ or [], as_recorded, console) if take else None
    journey = played.preset if played else presets.load(preset or "", set_ or [])
    title = journey.title or preset or "latentworld"
    check_folder(output, overwrite)  # before torch is imported: what cannot be kept is refused at once
    bar = Bar(title, journey.film.frames, console)
    sinks: list[Sink] = [PreviewWindow(title), bar] if preview else [bar]
    check = played.check() if played and as_recorded else None
    sinks += [check] if check else []
    with Interrupt() as interrupt:
        with console.status("loading the world"):
            from installation.film import make
            from installation.film.summary import words
        made = make.film(journey, output, overwrite=overwrite, sinks=sinks, watch=interrupt.watch, journey=played)
    seen = made.summary
    median = "" if seen.median_clip_step is None else f", median CLIP step {seen.median_clip_step:.4f}"
    console.print(
        f"{seen.frames} frames in {seen.wall_seconds:.0f} s ({seen.frames_per_second:.1f} a second)"
        f"{median}, {words(seen.rifts, seen.marked_steps, seen.at_ceiling)}",
        highlight=False,
    )
    if check:
        console.print(check.report(seen.profile), highlight=False, soft_wrap=True)
    if seen.frames:
        print(made.video)
    if not made.complete:
        given = [*filter(None, [preset]), "-o", str(output), *(part for s in set_ or [] for part in ("--set", s))]
        given += ["--take", str(take)] if take else []
        _interrupted(made, [*given, "--as-recorded"] if as_recorded else given)
    if check and check.failed(seen.profile):
        raise typer.Exit(1)


def _interrupted(made: Film, given: list[str]) -> NoReturn:
    """Say what there is of a film and how to make it whole, and end."""
    from installation.film.output import UNFINISHED

    seen, again = made.summary, shlex.join(["latentworld", "film", *given, "--overwrite"])
    state = f"{made.video} plays so far" if seen.frames else "there is no film yet"
    state += "; the earlier film stays" if seen.frames and made.folder.path.name == UNFINISHED else ""
    count = f"interrupted after {seen.frames} of {seen.planned} frames"
    print(f"{count}: {state}. To make it whole: {again}", file=sys.stderr)
    raise typer.Exit(130)


def _played(take: Path, preset: str | None, overrides: list[str], as_recorded: bool, console: Console) -> Journey:
    """The take, and how it is filmed; what its reader should know goes to the console."""
    from installation import takes
    from installation.takes.film import journey
    from latentworld import preset as presets

    read = takes.read(take)
    for warning in read.warnings:
        console.print(warning, style="yellow", highlight=False, soft_wrap=True)
    return journey(read, overrides, presets.load(preset) if preset else None, as_recorded)
