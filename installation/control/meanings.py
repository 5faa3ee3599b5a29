"""What parameters mean, in the words of the presets' keys that decide while nobody has set them."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel

from installation.control.controls import WALK_KIND
from installation.control.parameter import Parameter
from latentworld import walks
from latentworld.preset import Preset
from latentworld.reference import KIND, about


def meanings(rows: Iterable[Parameter]) -> dict[str, str]:
    """By name, of those rows that a preset's key stands behind and says something of."""
    found = {row.name: meaning(row.preset) for row in rows if row.preset}
    return {name: words for name, words in found.items() if words}


def meaning(key: str) -> str:
    """Of a key as `section.key` (a number behind it is a place in a list); "" for one that says nothing."""
    section, _, rest = key.partition(".")
    if key == WALK_KIND.preset:
        return KIND
    field = Preset.model_fields.get(section)
    model = walks.Spec if section == "walk" else type(field.default) if field is not None else None
    named = rest.partition(".")[0]
    return about(model, named) if model is not None and issubclass(model, BaseModel) else ""
