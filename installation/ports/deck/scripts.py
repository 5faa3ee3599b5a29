"""The parameters' names for the deck's scripts, made from the address table: `WALK_POSITION` is `walk.position`."""

from __future__ import annotations

import json
from collections.abc import Iterable

NAMES, DRAWING, TOKENS = "/static/names.js", "/static/drawing.js", "/static/tokens.css"


def names_module(names: Iterable[str]) -> str:
    """A module that exports each name as a constant; those of numbered many (`lfo.1.rate`) are left out."""
    single = [name for name in names if not any(character.isdigit() for character in name)]
    return "".join(f"export const {name.replace('.', '_').upper()} = {json.dumps(name)};\n" for name in single)
