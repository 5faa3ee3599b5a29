"""`latentworld gallery`: what walks, pilot modes, pacing and presets look like, as strips of pictures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from installation.gallery.entries import Entry


def gallery(
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder of the pictures; the page is beside it.")],
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="NAME", help="Make these alone, such as walk-orbit; no page. May be repeated."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace pictures that are there.")] = False,
) -> None:
    """Show each walk, pilot mode, pacing and preset as a strip of pictures. Takes minutes.

    The pictures are in the folder, the page that shows them is FOLDER.md."""
    from installation.gallery import making, page
    from installation.gallery.entries import entries
    from latentworld.disk import save
    from latentworld.errors import OutputExists, PresetError

    found = entries()
    names = [entry.file for entry in found if not entry.missing]
    strange = [name for name in only or () if name not in names]
    if strange:
        raise PresetError(f"the gallery has no {strange[0]}: choose among {', '.join(names)}")
    sheet = output.with_name(f"{output.name}.md")
    if not only and sheet.exists() and not overwrite:
        raise OutputExists(f"{sheet} is there already: give --overwrite, or another folder")
    making.make([entry for entry in found if not only or entry.file in only], output, overwrite, _told)
    if not only:
        save(sheet, page.page(found, output.name).encode())
    print(output if only else sheet)


def _told(entry: Entry, number: int, count: int) -> None:
    print(f"{number} of {count}: {entry.file}", file=sys.stderr, flush=True)
