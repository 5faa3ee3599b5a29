"""What is seen: the Eye contract, and the CLIP eye of a world. Importing this package imports no torch.

from latentworld.vision import clip_eye
eye = clip_eye(None, world)                      # the world's own CLIP, else the embedded one's
features = eye(pictures)                         # [n, F], unit length
classify = eye.labels(["a cat", "a mountain"])   # features -> probabilities
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from latentworld.vision.eye import Classifier, Eye

if TYPE_CHECKING:
    from latentworld.vision.clip import ClipEye
    from latentworld.worlds import World
    from latentworld.worlds.find import Found

__all__ = ["Classifier", "Eye", "clip_eye", "foresee"]


def foresee(source: str | Path | None, found: Found) -> None:
    """Raises what `clip_eye` would for this eye of a model that was found, before a weight is read."""
    from latentworld.vision.clip import find_clip

    find_clip(_source(source, found))


def clip_eye(
    source: str | Path | None,
    world: World,
    *,
    device: str | None = None,
    dtype: str | None = None,
    batch: int = 8,
    engine: str = "auto",
) -> ClipEye:
    """The eye named by `source` (a CLIPModel folder, a hub name or a world), else the world's own, else the embedded.

    Options as ClipEye's; device and dtype default to the world's, and the engine to what `auto` makes of them. Raises
    WorldMismatch when there is no CLIP at all, or what is there is none.
    """
    from latentworld.device import choose
    from latentworld.vision.clip import ClipEye

    source = _source(source, world)
    device, dtype = device or str(world.device), dtype or str(world.dtype).removeprefix("torch.")
    return ClipEye(source, device, dtype, batch, choose(device, dtype).engine if engine == "auto" else engine)


def _source(named: str | Path | None, world: World | Found) -> str | Path:
    """Whose eye it is."""
    from latentworld.errors import WorldMismatch
    from latentworld.vision.clip import SUGGESTED
    from latentworld.worlds import EMBEDDED

    source = named or world.clip or (EMBEDDED if (EMBEDDED / "clip").is_dir() else None)
    if source is None:
        raise WorldMismatch(f"world {world.name!r} has no CLIP of its own: name one, for example {SUGGESTED}")
    return source
