"""`latentworld harvest`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from installation.cli.atlas.options import Option
from installation.cli.interrupt import again, ending
from installation.cli.presets import Override
from installation.cli.progress import speaking


def harvest(
    atlas: Annotated[str, typer.Argument(help="Folder of an atlas; or a preset, whose globe is surveyed on the way.")],
    *,
    output: Annotated[Path, Option("-o", "--output", help="A new or empty folder, or one in which this was stopped.")],
    count: Annotated[int, Option("-n", "--count", min=1, max=2000, help="How many pictures.")] = 48,
    by: Annotated[str | None, Option(help="What counts, as novelty=1,emergence=2,ambiguity=0.5.")] = None,
    globe: Annotated[int, Option(min=1, max=64, help="12 n^2 places of a preset's survey.")] = 16,
    set_: Override = None,
) -> None:
    """Bring home the novel pictures of an atlas, which lie between its phases. They are like neither side."""
    from latentworld.extras import need

    need("zarr")
    with (
        ending(lambda: f"interrupted; what was looked at is kept, and the same command goes on: {again()}"),
        speaking("loading the world") as speaker,
    ):
        from installation.atlas import harvests, on_the_way, weights
        from latentworld.atlas import merits
        from latentworld.atlas.harvest import WEIGHTS

        wanted, overrides = weights.read(by, WEIGHTS, merits.REGISTRY.names()), set_ or []
        there = on_the_way.given(atlas, output, overrides, speaker, globe)
        if line := on_the_way.unfinished(there):
            print(line, file=sys.stderr)
        made = harvests.make(there, count, output, wanted, overrides, on_look=speaker)
    fewer = f" (of {count} asked for)" if len(made.finds) < count else ""
    emergent = sum(bool(find.third) for find in made.finds)
    print(f"{len(made.finds)} pictures{fewer} of {made.looked} looked at; a third phase appears in {emergent}")
    print(made.folder / "harvest.html")
