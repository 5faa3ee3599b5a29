"""`latentworld atlas emergence`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from installation.cli.atlas.options import Labels, Option, Where
from installation.cli.groups import grouped
from installation.cli.interrupt import again, ending
from installation.cli.progress import speaking


@grouped
def emergence(
    atlas: Where,
    *,
    output: Annotated[Path, Option("-o", "--output", help="A new or empty folder, or one in which this was stopped.")],
    labels: Labels,
    each: Annotated[int, Option(min=1, max=10000, help="Ways across each rift that are looked at, at most.")] = 12,
    probes: Annotated[int, Option(min=0, max=1000, help="Places on each way that are looked at first.")] = 5,
    looks: Annotated[int, Option(min=1, max=30, help="Halvings for each border: how finely it is known.")] = 5,
) -> None:
    """Report what appears between phases: in every rift of an atlas, a third phase, where, how wide, at what rate."""
    from latentworld.extras import need

    need("zarr")
    from installation.atlas import on_the_way
    from installation.atlas.survey_folder import SurveyFolder

    folder = SurveyFolder.at(atlas)
    if line := on_the_way.unfinished(folder):
        print(line, file=sys.stderr)
    with (
        ending(lambda: f"interrupted; what was looked at is kept, and the same command goes on: {again()}"),
        speaking("loading the world") as speaker,
    ):
        from installation.atlas import emergences

        made = emergences.make(folder, output, labels.chosen, labels.phases, each, looks, probes, on_look=speaker)
    for row in made.rows[:40]:
        print(f"{row.between}: {row.third:<16} on {row.found} of {row.walked} ways, {row.width:.3g} latents wide, "
              f"rate {row.rate:.3g}, share {row.share:.2f}  {row.options}")  # fmt: skip
    print(f"{made.rifts} rifts; in {made.silent} of them nothing appears; {made.looks} pictures looked at")
    print(made.folder / "emergence.csv")
