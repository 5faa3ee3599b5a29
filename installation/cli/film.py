"""`latentworld film`: a preset to a film."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from installation.cli import completion
from installation.cli.consoles import Telling, on_stderr, say_last
from installation.cli.help import Group
from installation.cli.presets import Negative, Override, Positive, heard, prompted
from installation.cli.tables import AsJson, give_json
from latentworld.errors import PresetError

if TYPE_CHECKING:
    from rich.console import Console

    from installation.cli.frames_told import FrameTeller
    from installation.cli.progress import Speaker
    from installation.film.make import Film
    from installation.film.plan import Planned, Watching
    from installation.film.remote import OnRay
    from installation.film.sinks import Sink
    from installation.film.verify import Standing
    from installation.takes.film import Check, Journey
    from latentworld.preset import Preset


class WithRender(Group):
    """`film PRESET …` renders: what is not the name of a command here is a preset, or an option of rendering."""

    own = "render"


app = typer.Typer(cls=WithRender, help="Render a preset into a film; see how one stands, and whether it is whole.")


@app.command("render")
def film(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the film and what goes with it.")],
    preset: Annotated[
        str | None,
        typer.Argument(
            autocompletion=completion.preset,
            help="A preset's name, or a .toml file; with --take by default the take's own.",
        ),
    ] = None,
    prompt: Positive = None,
    negative: Negative = None,
    set_: Override = None,
    like: Annotated[
        Path | None, typer.Option("--like", help="As a film or picture of ours was made: it says how itself.")
    ] = None,
    take: Annotated[
        Path | None, typer.Option("--take", "--plan", help="Film a recorded performance, or a plan.")
    ] = None,
    frames: Annotated[
        str | None, typer.Option("--frames", metavar="FIRST:END", help="Of a plan, only the chunks of these frames.")
    ] = None,
    as_recorded: Annotated[
        bool, typer.Option("--as-recorded", help="With --take: the very frames that were shown, compared with them.")
    ] = False,
    ray: Annotated[
        str | None, typer.Option("--ray", help="Have a plan's chunks made by Ray workers: auto, local or an address.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Ray workers; default: what the cluster has room for.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Make a few frames and say what all of them take; nothing is kept.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a film that is there already.")] = False,
    progress: Annotated[
        Telling, typer.Option("--progress", help="auto: a bar in a terminal, elsewhere a line a minute.")
    ] = Telling.AUTO,
    preview: Annotated[bool, typer.Option("--preview", help="Show the frames in a window as they come.")] = False,
    as_json: AsJson = False,
) -> None:
    """Render a film, or go on with it: video, telemetry, contact sheet, the path on the chart.

    `film status DIR` says how far one is, `film verify DIR` whether it is whole.
    """
    console = on_stderr()
    journey, played = _chosen(preset, like, take, prompted(prompt, negative, set_), as_recorded, console)
    if workers is not None and ray is None:
        raise typer.BadParameter("--workers are Ray's: give --ray auto, local or an address too")
    if ray is not None and (take is None or as_recorded or preview):
        raise typer.BadParameter("--ray renders a plan or a take: give --plan FILE, without --as-recorded or --preview")
    asked = Asked(
        journey, played, journey.title or preset or "latentworld", output, overwrite, progress, preview, as_recorded,
        _range(frames, journey.film.frames) if frames else None, ray, workers, as_json,
    )  # fmt: skip
    if dry_run:
        from installation.cli.estimates import tell_film

        tell_film(journey, played, console, workers, as_json=as_json)
    else:
        _render(asked, console)


@dataclass(frozen=True, eq=False)
class Asked:
    """What film is asked for. played: the take or plan it follows; part: the frames of it that are wanted, None for
    all; ray: address of a cluster."""

    preset: Preset
    played: Journey | None
    title: str
    output: Path
    overwrite: bool
    progress: Telling
    preview: bool
    as_recorded: bool
    part: range | None
    ray: str | None
    workers: int | None
    as_json: bool


def _render(asked: Asked, console: Console) -> None:
    """Make the film, or what of it is missing, and say what was made."""
    from installation.cli.interrupt import Interrupt
    from installation.cli.progress import Speaker
    from installation.film.output import check as check_folder

    played, title = asked.played, asked.title
    check_folder(asked.output, asked.overwrite)  # before torch is imported: what cannot be kept is refused at once
    check = played.check() if played and asked.as_recorded else None
    planned: list[Planned] = []
    speaker = Speaker(console, "loading the world", asked.progress)
    with Interrupt() as interrupt, _ended_early(), speaker:
        from installation.film import beats, make
        from installation.film.preview_window import PreviewWindow

        bar = teller(speaker, title, asked.preset.film.frames, played.origin if played else 0)
        sinks: list[Sink] = [PreviewWindow(title), bar] if asked.preview else [bar]
        sinks += [check] if check else []
        made = make.film(
            asked.preset, asked.output, overwrite=asked.overwrite, sinks=sinks,
            watch=speaker.stepping(interrupt.watch), journey=played, frames=asked.part,
            ray=_on_ray(asked.ray, asked.workers, bar, console) if asked.ray else None,
            planning=replace(watching(speaker, title, asked.preset), planned=planned.append),
        )  # fmt: skip
    for text in beats.words(planned[0].crossings) if planned else []:
        console.print(text, highlight=False, soft_wrap=True)
    if asked.as_json:
        from installation.ipc import jsonable

        give_json({"video": str(made.video), "folder": str(asked.output), **jsonable.table(made.summary)})
    else:
        _tell(made, console)
    _end(made, check, None if interrupt.asked else asked.part, asked.output, console)


def _end(made: Film, check: Check | None, part: range | None, output: Path, console: Console) -> None:
    """Say what is missing. part: the frames that were asked for, and nobody interrupted them."""
    if check:
        console.print(check.report(made.summary.profile), highlight=False, soft_wrap=True)
    if not made.complete and part is not None:
        _tell_part(part, output)
    elif not made.complete:
        _interrupted(made)
    if check and check.failed(made.summary.profile):
        raise typer.Exit(1)


@contextmanager
def _ended_early() -> Iterator[None]:
    """Of a film that is interrupted while its way is planned, or at once: say how it goes on, and end."""
    from installation.cli.interrupt import again
    from latentworld.errors import Cancelled

    try:
        yield
    except (Cancelled, KeyboardInterrupt) as error:
        when = " while its way was planned" if isinstance(error, Cancelled) else ""
        print(f"interrupted{when}. To go on with it: {again()}", file=sys.stderr)
        raise typer.Exit(130) from None


def watching(speaker: Speaker, title: str, journey: Preset, coarse: int = 1) -> Watching:
    """What tells how far the plan of a film is. coarse: as in `plan`."""
    from installation.film.passes import walked
    from installation.film.plan import Watching

    bar = teller(speaker, f"the way of {title}", walked(journey, coarse).film.frames)

    def looked(places: int) -> None:
        speaker.part("looking along the lap")
        speaker.detail(f"{places} places")

    return Watching([bar], looked)


def _on_ray(address: str, workers: int | None, bar: FrameTeller, console: Console) -> OnRay:
    """The workers of a cluster."""
    from installation.film.remote import OnRay
    from latentworld.cluster.crew import Means

    return OnRay(Means(address, workers), console.print, [bar])


def _tell_part(wanted: range, output: Path) -> None:
    """What there is after a part was asked for."""
    there = f"the chunks of frames {wanted.start} to {wanted.stop - 1} are there"
    print(f"{there}; for the rest see `latentworld film status {shlex.quote(str(output))}`")


def _range(text: str, most: int) -> range:
    """FIRST:END, zero-based, the end not included; either may be left out."""
    first, colon, end = text.partition(":")
    try:
        found = range(int(first or 0), int(end) if end else most)
    except ValueError:
        found = range(0)
    if not colon or not 0 <= found.start < found.stop <= most:
        raise typer.BadParameter(
            f"--frames {text} is no range of 0:{most}: write FIRST:END, such as 0:{min(1440, most)}"
        )
    return found


def _tell(made: Film, console: Console) -> None:
    """What was made, in a line, and where it is."""
    from installation.film.summary import words

    seen = made.summary
    if not seen.frames:  # nothing was made: what ended it says so
        return
    median = "" if seen.median_clip_step is None else f", median CLIP step {seen.median_clip_step:.4f}"
    said = words(seen.rifts, seen.marked_steps, seen.at_ceiling)
    took = f"{seen.frames} frames"
    if seen.wall_seconds:  # none while no chunk is whole
        took += f" in {seen.wall_seconds:.0f} s ({seen.frames_per_second:.1f} a second)"
    console.print(f"{took}{median}, {said}", highlight=False, soft_wrap=True)
    say_last(str(made.video))


def teller(speaker: Speaker, title: str, frames: int, origin: int = 0) -> FrameTeller:
    """What tells how far the film is. origin: the number of its first frame."""
    from installation.cli.frames_told import Spoken
    from installation.film.progress import progress_lines

    if speaker.telling is Telling.JSON:
        return progress_lines(frames, 1.0, partial(print, flush=True), origin)
    return Spoken(speaker, title, frames, origin)


def _interrupted(made: Film) -> NoReturn:
    """Say what there is of a film and how to make it whole, and end."""
    from installation.cli.interrupt import again

    seen = made.summary
    state = f"{made.video} plays so far" if seen.frames else "there is no film yet"
    count = f"interrupted after {seen.frames} of {seen.planned} frames"
    lost = seen.frames - made.kept
    kept = "" if not lost else f"; the chunk under way is made again, {lost} frames of it"
    print(f"{count}: {state}{kept}. To go on with it: {again()}", file=sys.stderr)
    raise typer.Exit(130)


def _chosen(
    preset: str | None, like: Path | None, take: Path | None, overrides: list[str], as_recorded: bool, console: Console
) -> tuple[Preset, Journey | None]:
    """What is to be filmed, of all that may be named."""
    from latentworld import preset as presets

    if (take is None and (like is None) == (preset is None)) or (like and preset) or (as_recorded and not take):
        raise typer.BadParameter(
            "name a preset, a film with --like FILE, a plan with --plan FILE, or a performance with --take FILE "
            "(--as-recorded goes with --take)"
        )
    start = _like(like, take) if like else presets.load(preset) if preset and take else None
    if take is not None:
        played = _played(take, start, overrides, as_recorded, console)
        return heard(played.preset, overrides), played
    if start is None:
        return heard(presets.load(preset or "", overrides), overrides), None
    return heard(presets.parse(start.model_dump(mode="json", exclude_none=True), overrides), overrides), None


def _like(film: Path, take: Path | None) -> Preset:
    """The preset that a film or picture of ours was made from, with the very take or plan where it is of one."""
    from installation.film import imprint
    from latentworld import preset as presets

    found = imprint.read(film)
    if found.take is not None and take is None:
        raise PresetError(
            f"{film} is of a take or a plan: give it too, with --take FILE (a film's folder keeps a copy)"
        )
    if take is not None and found.take != imprint.digest_of(take):
        raise PresetError(
            f"{film} is of another take or plan than {take}, or of none: give its own, or leave out --like"
        )
    return presets.parse(found.preset)


def _played(take: Path, preset: Preset | None, overrides: list[str], as_recorded: bool, console: Console) -> Journey:
    """The take, and how it is filmed; what its reader should know goes to the console."""
    from installation import takes
    from installation.takes.film import journey

    read = takes.read(take)
    for warning in read.warnings:
        console.print(warning, style="yellow", highlight=False, soft_wrap=True)
    return journey(read, overrides, preset, as_recorded)


@app.command()
def status(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a film.")], as_json: AsJson = False
) -> None:
    """How far a film is: frames, how long they took and will take, what is missing."""
    from installation.film import verify as verifying
    from installation.film.output import UNFINISHED, Folder

    seen, other = verifying.status(Folder(folder)), Folder(folder / UNFINISHED)
    if as_json:
        from installation.ipc import jsonable

        next_one = jsonable.table(verifying.status(other)) if other.manifest.exists() else None
        give_json({**jsonable.table(seen), "left": seen.left, "unfinished": next_one})
        return
    _stands(seen)
    if other.manifest.exists():
        print("the film that is to replace it:")
        _stands(verifying.status(other))


def _stands(seen: Standing) -> None:
    from installation.cli.progress import duration

    took = f", {duration(seen.seconds)} so far" if seen.seconds else ""
    print(f"{seen.frames} of {seen.planned} frames at {seen.fps:g} a second are kept{took}")
    for first, end in seen.missing:
        print(f"missing: frames {first} to {end - 1}")
    if seen.missing and seen.left is not None:
        print(f"left: {duration(seen.left)} at this rate")
    print(_standing(seen))


def _standing(seen: Standing) -> str:
    """Whether a film is whole, and what to do where it is not."""
    if seen.joined:
        return "whole"
    if seen.busy:
        return "it is being made now"
    if seen.one_file and not seen.missing:
        return "film.json is gone: the command that made the film writes it anew"
    state = "every chunk is there, they are to be joined" if not seen.missing else "it is not being made now"
    return f"{state}: the command that began it goes on with it"


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a film.")],
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Take a damaged film apart: its command makes the rest anew."),
    ] = False,
) -> None:
    """Hold a film against its manifest: every file, frame and line of telemetry. Exit 1 where it is not whole."""
    from installation.film import verify as verifying
    from installation.film.output import Folder

    found = Folder(folder)
    standing = verifying.status(found)
    total = standing.frames
    from rich.progress import Progress

    with Progress(console=on_stderr(), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("reading", total=total)
        damages = verifying.verify(found, lambda chunk: bar.update(task, advance=chunk.frames))
    for damage in damages:
        print(damage)
    if damages:
        remedy = "verify --repair takes it apart" if found.joined else "the film command makes them again"
        if repair and found.joined:
            from installation.film.repair import repair as taken_apart

            sound = taken_apart(found, damages)
            remedy = f"{sound} frames are sound and stay, the command that made the film makes the others again"
        print(f"{len(damages)} damaged: {remedy}", file=sys.stderr)
        raise typer.Exit(1)
    if not found.whole:
        print(f"{total} of {standing.planned} frames are there, every one as it was made; {_standing(standing)}")
        raise typer.Exit(1)
    print(f"{total} frames, every one as it was made")
