"""latentworld: walk the latent plane of a diffusion model, feel where its meaning breaks, and film it.

Importing this package imports no torch, no window, no socket. What is public stands in the modules named here, each
name in one of them: `from latentworld import plane, preset, walks`. docs/api has a page of it.
"""

from __future__ import annotations

import importlib
from types import ModuleType

__version__ = "0.1.0"

__all__ = [
    "aims", "decoding", "device", "drawing", "errors", "extras", "frozen", "globe", "lipschitz", "pacing", "pilot",
    "plane", "preset", "prompts", "registry", "score", "tokens", "vertices", "vision", "walks", "worlds",
]  # fmt: skip


def __getattr__(name: str) -> ModuleType:
    """A public module, imported when it is asked for."""
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
