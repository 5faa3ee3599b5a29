"""The atlas's libraries are an extra: asked for where they are used, and missed in one line."""

from __future__ import annotations

import importlib
from types import ModuleType

from latentworld.errors import AtlasError


def need(module: str, extra: str = "atlas") -> ModuleType:
    """The module, imported now. Raises AtlasError naming the extra that brings it when it is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        name = (error.name or module).split(".")[0]  # a module of ours asks for others
        raise AtlasError(f"the atlas needs {name}: pip install 'latentworld[{extra}]'") from error
