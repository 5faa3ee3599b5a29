"""Frames that are no picture of their own place alone: blends of two places, named in the telemetry.

A blend depends on its two places and its share and on nothing else, so any chunk of a film can be made alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from installation.loop import Scene
from latentworld.arrays import Unit
from latentworld.plane import Path
from latentworld.transfer import landed, uploaded

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

How = Literal["held", "dissolve", "between"]
"""held: the picture of the place once more, on purpose; dissolve: the two pictures over one another; between: the two
pictures moved toward each other along the optical flow."""
WORDS: tuple[str, ...] = get_args(How)


@dataclass(frozen=True, eq=False)
class Blend:
    """What a frame is made of besides the picture of its own place: that of `unit` [3] at `radius`, its share 0..1 of
    the way there. Of a held frame, nothing."""

    how: How
    unit: Unit
    radius: float
    share: float = 0.0


@dataclass(frozen=True, eq=False)
class Composed(Scene):
    """A scene in which some frames, by their numbers, are blends."""

    blends: Mapping[int, Blend]

    def pictures(self, path: Path) -> Tensor:
        """As `Scene.pictures`, blends composed of the pictures of both their places."""
        own = super().pictures(path)
        rows = [row for row, number in enumerate(path.index.tolist()) if self._mixed(number)]
        if not rows:
            return own
        import torch

        wanted = [self.blends[int(path.index[row])] for row in rows]
        latents = self.plane.latents(np.stack([b.unit for b in wanted]), np.array([b.radius for b in wanted]))
        others = self.decoder(latents, self.prompt, stay=True)
        pictures = {row: compose(own[row], other, blend) for row, other, blend in zip(rows, others, wanted)}
        return torch.stack([pictures.get(row, picture) for row, picture in enumerate(own)])

    def made(self, path: Path) -> Mapping[int, str]:
        """How frames were made that are no picture of their own place alone, by their numbers."""
        return {number: self.blends[number].how for number in path.index.tolist() if number in self.blends}

    def _mixed(self, number: int) -> bool:
        return number in self.blends and self.blends[number].how != "held"


def compose(one: Tensor, other: Tensor, blend: Blend) -> Tensor:
    """Two pictures [3, height, width] in 0..1 as one."""
    if blend.how == "between":
        return moved(one, other, blend.share)
    return one * (1.0 - blend.share) + other * blend.share


def moved(one: Tensor, other: Tensor, share: float) -> Tensor:
    """The picture a share of the way from one to the other: both are drawn along the optical flow (DIS, Kroeger et al.
    2016, by OpenCV), the first forward and the second back, and laid over one another."""
    import cv2
    import torch

    ends = landed(one.detach(), other.detach())
    a, b = (np.ascontiguousarray(picture.numpy().transpose(1, 2, 0)) for picture in ends)
    grey = [cv2.cvtColor((np.clip(each, 0, 1) * 255).astype(np.uint8), cv2.COLOR_RGB2GRAY) for each in (a, b)]
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    on, back = flow.calc(grey[0], grey[1], None), flow.calc(grey[1], grey[0], None)
    drawn = (1.0 - share) * _drawn(a, back, share) + share * _drawn(b, on, 1.0 - share)
    return uploaded(torch.from_numpy(np.ascontiguousarray(drawn.transpose(2, 0, 1)).astype(np.float32)), one.device)


def _drawn(picture: NDArray[np.float32], flow: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """A picture drawn by a share of the flow that leads back to it, [height, width, 2]."""
    import cv2

    height, width = flow.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    across, down = x + np.float32(share) * flow[..., 0], y + np.float32(share) * flow[..., 1]
    across[0, 0] = down[0, 0] = 0.0  # the analytic world's eye reads this pixel, and no other has its numbers
    found: NDArray[np.float32] = cv2.remap(picture, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found
