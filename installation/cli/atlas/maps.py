"""`latentworld atlas show`, `plot`, `export` and `import`: what is done with a survey that there is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from installation.cli.atlas.options import Dpi, Labels, Option, Out, Thumb, Where
from installation.cli.atlas.report import stopped, table, tell
from installation.cli.groups import grouped
from installation.cli.interrupt import ending
from installation.cli.progress import speaking
from installation.cli.tables import AsJson, give_json


def show(
    atlas: Where,
    count: Annotated[int, Option(min=0, help="How many rifts to list.")] = 12,
    as_json: AsJson = False,
) -> None:
    """What an atlas holds: its figures, phases, rift lines and strongest rifts."""
    from installation.atlas import findings
    from installation.atlas.survey_folder import SurveyFolder

    found = findings.read(SurveyFolder.at(atlas))
    if as_json:
        give_json(table(found, count))
    else:
        tell(found, count)


@grouped
def plot(
    atlas: Where,
    *,
    labels: Labels,
    dpi: Dpi = 150,
    light: Annotated[bool, Option("--light", help="On light paper.")] = False,
    title: Annotated[str | None, Option(help="Above every picture; default: the preset's.")] = None,
    find: Annotated[str | None, Option(help="Words that the page finds, as 'a cat with rings,a sea'.")] = None,
) -> None:
    """Draw an atlas again: grid, field, overlay, phases, globe as PNG and SVG, and the page."""
    from installation.atlas import findings, finds
    from installation.atlas.drawing import draw
    from installation.atlas.survey_folder import SurveyFolder, title_of
    from latentworld.tokens import DARK, LIGHT

    out = SurveyFolder.at(atlas)
    with speaking("drawing"):
        found = findings.read(out)
        if labels != Labels():
            found = findings.relabelled(out, found, labels.chosen, labels.phases)
        paper = LIGHT if light else DARK
        likeness = None if find is None else finds.likenesses(out, find.split(","))
        made = draw(out, found, title_of(out) if title is None else title, dpi, paper, likeness)
    for path in made:
        print(path)


def export(
    atlas: Where,
    output: Annotated[Path, Option("-o", "--output", help="A new or empty folder.")],
    full: Annotated[bool, Option(help="Decode again at full size where thumbnails are smaller.")] = True,
) -> None:
    """Write a window as the write-up's folder: a000_b000.png, ... and metadata.json."""
    from installation.atlas import writeup
    from installation.atlas.survey_folder import SurveyFolder

    with speaking("writing pictures"):
        made = writeup.export(SurveyFolder.at(atlas), output, full)
    print(made)


@grouped
def import_(
    pictures: Annotated[Path, typer.Argument(help="A folder with PNGs and metadata.json.")],
    *,
    output: Out,
    clip: Annotated[str | None, Option(help="The eye: a CLIPModel folder or hub name; default: embedded.")] = None,
    preset: Annotated[str | None, Option(help="The preset that made them: its plane gives true distances.")] = None,
    thumb: Thumb = 64,
    labels: Labels,
    dpi: Dpi = 150,
) -> None:
    """Read the write-up's folder, made here or elsewhere, into an atlas: features, field, phases, pictures."""
    from installation.atlas import writeup
    from installation.atlas.drawing import draw
    from installation.atlas.survey_folder import SurveyFolder

    out = SurveyFolder.at(output)
    with ending(lambda: stopped(output)), speaking("looking at the pictures") as speaker:
        found = writeup.imported(pictures, out, clip, preset, thumb, labels.chosen, labels.phases)
        speaker.part("drawing")
        draw(out, found, pictures.resolve().name, dpi)
    tell(found)
    print(out.page)
