"""Libraries that only some parts of the show need: imported where they are used, and missed in one line."""

from __future__ import annotations

import importlib
from types import ModuleType

from latentworld.errors import ShowError


def need(module: str, extra: str) -> ModuleType:
    """The module, or ShowError that names the extra which brings it."""
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:  # OSError: the wheel is there, its system library is not
        raise ShowError(f"{module} is missing ({error}): pip install 'latentworld[{extra}]'") from error
