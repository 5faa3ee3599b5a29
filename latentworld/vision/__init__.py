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

__all__ = ["Classifier", "Eye", "clip_eye"]


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
    from latentworld.errors import WorldMismatch
    from latentworld.vision.clip import SUGGESTED, ClipEye
    from latentworld.worlds import EMBEDDED

    source = source or world.clip or (EMBEDDED if (EMBEDDED / "clip").is_dir() else None)
    if source is None:
        raise WorldMismatch(f"world {world.name!r} has no CLIP of its own: name one, for example {SUGGESTED}")
    device, dtype = device or str(world.device), dtype or str(world.dtype).removeprefix("torch.")
    return ClipEye(source, device, dtype, batch, choose(device, dtype).engine if engine == "auto" else engine)
