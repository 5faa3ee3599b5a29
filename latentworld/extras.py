"""Libraries that only some parts need: imported where they are used, missed in one line that says what to install."""

from __future__ import annotations

import importlib
from types import ModuleType

from latentworld.errors import LatentWorldError


def need(module: str, extra: str, error: type[LatentWorldError]) -> ModuleType:
    """The module, imported now. Raises `error`, naming the extra that brings it, where it or what it needs is not
    installed, or a library of the system is missing."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as fault:
        name = (fault.name or module).split(".")[0]  # what is there may ask for what is not
        raise error(f"{name} is missing: pip install 'latentworld[{extra}]'") from fault
    except (ImportError, OSError) as fault:  # the wheel is there, its system library is not
        raise error(
            f"{module} cannot be used ({fault}): pip install 'latentworld[{extra}]', or see `latentworld doctor`"
        ) from fault
