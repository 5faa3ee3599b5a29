"""What the deck's pages take from the program: the parameters' names for its scripts, made from the address table
(`WALK_POSITION` is `walk.position`), and the design tokens of both papers for its styles."""

from __future__ import annotations

import json
from collections.abc import Iterable

from latentworld import tokens

NAMES, DRAWING, TOKENS = "/static/names.js", "/static/drawing.js", "/static/tokens.css"
LIT = ':root[data-paper="light"]'  # the page of who chose light paper (look.js)
WELLS = ".map, .routing, .trace canvas, .curve, .bars"
"""Pictures and plots, which keep their dark ground: the wall is dark too, and inferno runs away from black."""


def names_module(names: Iterable[str]) -> str:
    """A module that exports each name as a constant; those of numbered many (`lfo.1.rate`) are left out."""
    single = [name for name in names if not any(character.isdigit() for character in name)]
    return "".join(f"export const {name.replace('.', '_').upper()} = {json.dumps(name)};\n" for name in single)


def papers() -> str:
    """The tokens on dark paper, over them those of light paper where it was chosen, and there the dark wells."""
    return tokens.css() + tokens.colours(tokens.LIGHT, LIT) + tokens.colours(tokens.DARK, f"{LIT} :is({WELLS})")
