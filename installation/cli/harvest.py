"""`latentworld harvest`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from rich.console import Console

from installation.cli.atlas.options import Option, Where
from installation.cli.presets import Override


def harvest(
    atlas: Where,
    *,
    output: Annotated[Path, Option("-o", "--output", help="A new or empty folder.")],
    count: Annotated[int, Option("-n", "--count", min=1, max=2000, help="How many pictures.")] = 48,
    by: Annotated[str | None, Option(help="What counts, as novelty=1,emergence=2,ambiguity=0.5.")] = None,
    set_: Override = None,
) -> None:
    """Bring home the novel pictures of an atlas: what lies between its phases and is like neither side."""
    from latentworld.atlas.extras import need

    need("zarr")
    with Console(stderr=True).status("harvesting"):
        from installation.atlas import harvests
        from installation.atlas.survey_folder import SurveyFolder

        made = harvests.make(SurveyFolder.at(atlas), count, output, harvests.weights(by), set_ or [])
    fewer = f" (of {count} asked for)" if len(made.finds) < count else ""
    emergent = sum(bool(find.third) for find in made.finds)
    print(f"{len(made.finds)} pictures{fewer} of {made.looked} looked at; a third phase appears in {emergent}")
    print(made.folder / "harvest.html")
