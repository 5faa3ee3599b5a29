"""The gallery: each walk, pilot mode, pacing and preset as a strip of pictures, made by the program itself.

folder()          # where the pictures are that come along
entries()         # what there is to be shown
"""

from __future__ import annotations

from pathlib import Path

from latentworld.extras import checkout

ENDING = ".webp"


def folder() -> Path:
    """Where the pictures lie: `docs/gallery` of the checkout, or beside this module when installed from a wheel."""
    here = checkout()
    return Path(__file__).resolve().parent / "pictures" if here is None else here / "docs" / "gallery"


def picture(name: str) -> Path:
    """The picture of an entry, such as `walk-orbit`; it may not be there."""
    return folder() / f"{name}{ENDING}"
