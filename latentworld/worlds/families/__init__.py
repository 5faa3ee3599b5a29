"""Families of models: what Stable Diffusion 1 and 2 are, those that other packages add, and what is none of them.

Importing this package imports neither torch nor diffusers, and no other package's family.
"""

from __future__ import annotations

import warnings

from latentworld.errors import Notice
from latentworld.registry import Registry, blamed
from latentworld.worlds.families.family import Facts, Family, LatentFormat, Part
from latentworld.worlds.families.refusal import refusal
from latentworld.worlds.layout import Checkpoint, Folder

__all__ = ["BUILT_IN", "REGISTRY", "Facts", "Family", "LatentFormat", "Part", "facts", "known", "recognise"]

BUILT_IN = ("sd1", "sd2", "sdxl", "sd3", "flux", "klein", "z_image", "sana_sprint")
"""Each is a file of this folder with a `FAMILY` of that name. They are asked in this order."""


def checked(name: str, found: object) -> Family:
    """A family, under its own name. Raises TypeError or ValueError."""
    if not isinstance(found, Family):
        raise TypeError(f"{found!r:.80} is no worlds.Family")
    if found.name != name:
        raise ValueError(f"its name is {found.name!r} and its entry point {name!r}: the two must be one")
    return found


REGISTRY: Registry[Family] = Registry(
    "latentworld.families",
    "family of models",
    {name: f"latentworld.worlds.families.{name}:FAMILY" for name in BUILT_IN},
    checked,
)


def known() -> tuple[Family, ...]:
    """Every family that worlds may be of; the first that claims a model has it."""
    return tuple(REGISTRY.usable().values())


def recognise(seen: Folder | Checkpoint) -> Family:
    """The family of a model. Raises UnknownFamily, one line, that says what the model is instead; WorldDamaged or
    WorldMissing for what is no whole model."""
    families = known()
    for family in families:
        try:
            if _claims(family, seen):
                return family
        except Exception as error:  # of another package's: the families after it are asked all the same
            if (line := blamed(error)) is None:
                raise
            warnings.warn(line, Notice, stacklevel=2)
    raise refusal(seen, _either([family.title for family in families]))


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


def _either(titles: list[str]) -> str:
    """`A, B or C`."""
    return " or ".join([", ".join(titles[:-1]), titles[-1]] if len(titles) > 1 else titles)
