"""`latentworld atlas zoom`."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from installation.cli import completion
from installation.cli.atlas.options import DEFAULT, Decoding, Dpi, Interval, Option, pair, spans
from installation.cli.groups import grouped
from installation.cli.interrupt import again, ending
from installation.cli.presets import Override, heard
from installation.cli.progress import speaking


@dataclass(frozen=True)
class Begin:
    """Where the fall begins, and into what."""

    atlas: Annotated[Path | None, Option(help="Begin at the strongest rift of this atlas.")] = None
    rift: Annotated[int, Option(help="Which of its rifts, 1 the strongest.")] = 1
    at: Annotated[str | None, Option(help="Fall into this place, as 0.25,0.5, instead of the steepest.")] = None
    alpha: Interval = "0:1"
    beta: Interval = "0:1"
    size: Annotated[str, Option(help="Rows along alpha by columns along beta of every level.")] = "24x24"


@dataclass(frozen=True)
class Fall:
    """How far, how fast, and how it is kept."""

    factor: Annotated[float, Option(help="How much smaller every window is.")] = 10.0
    levels: Annotated[int | None, Option(help="How many; without, until pictures stop changing.")] = None
    film: Annotated[bool, Option(help="Film the fall.")] = True
    seconds: Annotated[float, Option(help="How long the film takes for a level.")] = 3.0
    dpi: Dpi = 150


@grouped
def zoom(
    preset: Annotated[
        str | None,
        typer.Argument(autocompletion=completion.preset, help="What decodes; default: what the atlas did, or neutral."),
    ] = None,
    *,
    output: Annotated[Path, Option("-o", "--output", help="Folder for the series, the growth and the film.")],
    overwrite: Annotated[bool, Option("--overwrite", help="Replace a zoom that is there already.")] = False,
    begin: Begin,
    fall: Fall,
    decoding: Decoding,
    set_: Override = None,
) -> None:
    """Fall into a rift, window by window, until pictures stop changing."""
    from latentworld import preset as presets
    from latentworld.extras import need

    need("matplotlib")
    rows, columns = pair(begin.size, "x", int, "--size", "24x24")
    follow = None if begin.at is None else pair(begin.at, ",", float, "--at", "0.25,0.5")
    intervals, overrides = spans(begin.alpha, begin.beta), decoding.overrides(set_)
    told = speaking("loading the world")
    with ending(lambda: f"interrupted, no zoom was kept: to begin anew, {again()}"), ExitStack() as claims, told:
        from installation import rig
        from installation.atlas import rendering, zoom_start, zooms
        from installation.atlas.survey_folder import SurveyFolder, preset_of

        where = None if begin.atlas is None else SurveyFolder.at(begin.atlas)
        if preset is None and where is not None:
            journey = heard(preset_of(where, overrides), overrides)
        else:
            journey = heard(presets.load(preset or DEFAULT, overrides), overrides)
        claims.enter_context(zooms.prepared(output, fall.seconds, overwrite))
        start = zoom_start.window(where, begin.rift, intervals, rows, columns, fall.factor)
        studio = rig.open_studio(journey)
        if where is not None:
            zoom_start.same_plane(where, studio.plane)
        render = rendering.renderer(studio, rendering.chosen(studio, decoding.scout), decoding.thumb)
        told.part("the first window")
        found, whole = zooms.run(
            render, studio.plane, start, fall.factor, fall.levels, decoding.radius, follow,
            lambda level: told.part(f"after level {level.index + 1}, a width of {level.width:.1g}"),
        )  # fmt: skip
        told.part("drawing")
        made = zooms.make(output, found, journey.title, fall.seconds, fall.film, fall.dpi)
    for line in zooms.table(found):
        print(line)
    print(made.film or made.series)
    if not whole:
        count = f"interrupted after {len(found.levels)} levels, which are drawn"
        print(f"{count}: to fall to the ground, {again('--overwrite')}", file=sys.stderr)
        raise typer.Exit(130)
