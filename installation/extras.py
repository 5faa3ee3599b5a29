"""What some parts of films and shows need; see `latentworld.extras`."""

from __future__ import annotations

from types import ModuleType

from latentworld import extras
from latentworld.errors import ShowError


def need(module: str, extra: str) -> ModuleType:
    """The module, imported now. Raises ShowError where it is not installed."""
    return extras.need(module, extra, ShowError)
