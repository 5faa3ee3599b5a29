"""`latentworld atlas find`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from installation.cli.atlas.options import Option, Where
from installation.cli.progress import speaking


def find(
    atlas: Where,
    words: Annotated[str, typer.Argument(help="What to look for, as 'a cat with rings'.")],
    *,
    output: Annotated[Path, Option("-o", "--output", help="Folder for the sheet, the pictures and find.json.")],
    count: Annotated[int, Option("-n", "--count", min=1, max=200, help="How many places.")] = 12,
    decodes: Annotated[int, Option(min=1, help="Pictures made beyond the survey, at most.")] = 64,
) -> None:
    """Find the places of an atlas whose pictures are most like words, and look closer between them."""
    with speaking("loading the world"):
        from installation.atlas import finds, on_the_way
        from installation.atlas.survey_folder import SurveyFolder

        if line := on_the_way.unfinished(SurveyFolder.at(atlas)):
            print(line, file=sys.stderr)
        made = finds.write(SurveyFolder.at(atlas), finds.checked(words), count, output, decodes)
    if len(made.spots) < count:
        why = "each takes a picture: raise --decodes" if len(made.spots) == decodes else "no more lie apart"
        print(f"{len(made.spots)} of {count} asked for: {why}", file=sys.stderr)
    for number, spot in enumerate(made.spots, 1):
        print(f"{number:3}  {spot.score:.3f} (the survey's {spot.surveyed:.3f})  {spot.options}")
    print(made.sheet)
