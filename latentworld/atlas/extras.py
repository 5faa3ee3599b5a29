"""What the atlas alone needs; see `latentworld.extras`."""

from __future__ import annotations

from types import ModuleType

from latentworld import extras
from latentworld.errors import AtlasError


def need(module: str, extra: str = "atlas") -> ModuleType:
    """The module, imported now. Raises AtlasError where it is not installed."""
    return extras.need(module, extra, AtlasError)
