"""`latentworld atlas tour`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from installation.cli.atlas.options import Option, Where, pair


def tour(
    atlas: Where,
    mode: Annotated[str, typer.Argument(help="seek, follow, avoid, visit or shortest.")] = "seek",
    *,
    output: Annotated[Path, Option("-o", "--output", help="The preset to write, a .toml file; replaces one there.")],
    point: Annotated[list[str] | None, Option(help="A place to pass, as 0.25,0.5; repeatable.")] = None,
    label: Annotated[list[str] | None, Option(help="A phase to visit, by its name; repeatable.")] = None,
    line: Annotated[list[int] | None, Option(help="A rift line to follow, 1 the strongest; repeatable.")] = None,
    stops: Annotated[int, Option(min=2, help="How many places seek and avoid choose.")] = 8,
    ordered: Annotated[bool, Option("--ordered", help="Keep the order of points and labels.")] = False,
    closed: Annotated[bool | None, Option("--closed/--open", help="Come back to the start, or not.")] = None,
    weave: Annotated[float | None, Option(help="Cells by which seek and follow cross a rift to and fro.")] = None,
    speed: Annotated[float | None, Option(help="Latent arc length a second; default: the preset's.")] = None,
) -> None:
    """Plan a journey over an atlas and write it as a preset that `latentworld film` renders."""
    from installation.atlas import surveys

    points = [pair(text, ",", float, "--point", "0.25,0.5") for text in point or ()]
    chosen = surveys.TourOptions(
        stops=stops, ordered=ordered, closed=closed, weave=weave, labels=label or [], follow=line or [1]
    )
    with Console(stderr=True).status("planning"):
        made = surveys.tour(surveys.folder(atlas), mode, points, output, speed, chosen)
    shape = "a loop" if made.closed else "a way"
    print(f"{shape} of {len(made.unit)} waypoints, {made.length:.1f} latent units long")
    print(f"it strays {made.strays:.2f} cells at most from what was planned on the map")
    print(output)
