"""Letters on sheets, strips and the test card: the faces that matplotlib brings, so that they look alike everywhere."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from latentworld.tokens import DRAWN, Face

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont


@cache
def font(size: float, face: Face = "sans") -> FreeTypeFont:
    """A face at this size in pixels. matplotlib is not imported: that takes most of a second, of a live wall."""
    from PIL import ImageFont

    found = find_spec("matplotlib")
    assert found is not None
    assert found.origin is not None
    name = f"{DRAWN[face].replace(' ', '')}.ttf"
    return ImageFont.truetype(str(Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / name), size)


def cut(pen: ImageDraw, words: str, width: float, face: FreeTypeFont) -> str:
    """As much of a line as fits into so many pixels."""
    while len(words) > 4 and pen.textlength(words, font=face) > width:
        words = words[:-2].rstrip("…") + "…"
    return words
