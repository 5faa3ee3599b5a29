"""Families of models: what Stable Diffusion 1 and 2 are, and, by name, what is none of them.

Importing this package imports neither torch nor diffusers.
"""

from __future__ import annotations

from latentworld.worlds.families import sd1, sd2
from latentworld.worlds.families.family import Facts, Family, LatentFormat, Part
from latentworld.worlds.families.refusal import refusal
from latentworld.worlds.layout import Checkpoint, Folder

__all__ = ["BUILT_IN", "Facts", "Family", "LatentFormat", "Part", "facts", "known", "recognise"]

BUILT_IN: tuple[Family, ...] = (sd1.FAMILY, sd2.FAMILY)


def known() -> tuple[Family, ...]:
    """Every family that worlds may be of; the first that claims a model has it."""
    return BUILT_IN


def recognise(seen: Folder | Checkpoint) -> Family:
    """The family of a model. Raises UnknownFamily, one line, that says what the model is instead; WorldDamaged or
    WorldMissing for what is no whole model."""
    for family in known():
        if _claims(family, seen):
            return family
    titles = " or ".join(family.title for family in known())
    raise refusal(seen, titles)


def facts(family: Family, seen: Folder | Checkpoint) -> Facts:
    """What a model of this family says of itself. Raises WorldMismatch or WorldDamaged."""
    if isinstance(seen, Folder):
        return family.facts(seen)
    assert family.checkpoint is not None  # it claimed the file
    return family.checkpoint.facts(seen)


def _claims(family: Family, seen: Folder | Checkpoint) -> bool:
    if isinstance(seen, Folder):
        return family.claims(seen)
    return family.checkpoint is not None and family.checkpoint.claims(seen)
