"""What happens to a picture after it was made and measured, before it is kept: enlarging, fitting, zoom, light, grain.

Telemetry and digests are of the pictures as the model made them. A finished picture depends on the picture and its
number in the film, and on nothing else: not on its neighbours, its chunk, or when the film was stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image

from installation.fit import Fit, Size, box
from latentworld.arrays import Array, Picture

DEEPEST = 14.0  # of 255: the standard deviation of grain 1 at middle grey
_SEED = 0x6C61_7465_6E74


class Enlarger(Protocol):
    """Makes a picture larger: uint8[height, width, 3] to uint8[scale height, scale width, 3]."""

    @property
    def scale(self) -> int: ...
    def __call__(self, picture: Picture) -> Picture: ...


@dataclass(frozen=True, eq=False)
class Showing:
    """What a film's score says of the stage, by frame. zoom: [frames], 1 and more, by which the middle is enlarged;
    light: [frames], 0..1, of the whole."""

    zoom: Array
    light: Array

    def at(self, number: int) -> tuple[float, float]:
        """Zoom and light of a frame; past the end, the last one's."""
        k = min(number, len(self.zoom) - 1)
        return float(self.zoom[k]), float(self.light[k])


@dataclass(frozen=True)
class Finish:
    """How the pictures of a film are finished. size: (height, width) of the film; enlarger: None where they grow as
    they are encoded; grain: 0 to 1; showing: zoom and light, None where they stay as they are."""

    size: Size
    fit: Fit = "contain"
    enlarger: Enlarger | None = None
    grain: float = 0.0
    showing: Showing | None = None

    def __call__(self, picture: Picture, number: int) -> Picture:
        """Finish frame `number`, uint8[height, width, 3]."""
        if self.enlarger is not None:
            picture = self.enlarger(picture)
        if self.whole:
            picture = fitted_in(picture, self.size, self.fit)
        if self.showing is not None:
            picture = shown(picture, *self.showing.at(number))
        return grained(picture, self.grain, number) if self.grain else picture

    @property
    def whole(self) -> bool:
        """Whether pictures are handed on as frames of the film, so that nothing is left to the encoder."""
        return self.grain > 0 or self.showing is not None

    def leaves(self, source: Size) -> Size:
        """The size in which pictures of that size are handed on; what is left to do to it is the encoder's."""
        if self.whole:
            return self.size
        scale = 1 if self.enlarger is None else self.enlarger.scale
        return source[0] * scale, source[1] * scale


def fitted_in(picture: Picture, size: Size, fit: Fit) -> Picture:
    """A picture in a frame of that size, by Lanczos."""
    if size == picture.shape[:2]:
        return picture
    place = box(size, (picture.shape[0], picture.shape[1]), fit)
    resized = Image.fromarray(picture).resize((place.width, place.height), Image.Resampling.LANCZOS)
    image = Image.new("RGB", (size[1], size[0]))
    image.paste(resized, (place.left, place.top))
    return np.asarray(image)


def shown(picture: Picture, zoom: float, light: float) -> Picture:
    """A frame with its middle enlarged, 1 and more, to parts of a pixel, and its light taken down, 0 to 1; as a stage
    shows it (`stage.warp`, `stage.light.graded`)."""
    if zoom > 1.0:
        height, width = picture.shape[:2]
        x, y = 0.5 * width * (1 - 1 / zoom), 0.5 * height * (1 - 1 / zoom)
        image = Image.fromarray(picture).resize(
            (width, height), Image.Resampling.LANCZOS, box=(x, y, width - x, height - y)
        )
        picture = np.asarray(image)
    if light < 1.0:
        table = np.rint(np.arange(256) * light).astype(np.uint8)
        picture = table[picture]
    return picture


def grained(picture: Picture, amount: float, number: int) -> Picture:
    """Film grain over a picture: of one colour, soft by about a pixel, deepest in the middle tones, none in black and
    white. It is drawn from the frame's number alone, from bits that no version of numpy changes."""
    noise = _grain(picture.shape[:2], number)
    light = picture.astype(np.float32) @ np.array([0.2126, 0.7152, 0.0722], np.float32) / np.float32(255)
    depth = np.float32(DEEPEST * amount) * np.sqrt(4 * light * (1 - light))
    made = picture + (noise * depth)[..., None]
    return np.rint(made).clip(0, 255).astype(np.uint8)


def _grain(size: tuple[int, ...], number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """float32[height, width], mean 0 and standard deviation 1: sums of four random bytes, which are nearly normal,
    blurred by 1 4 1 either way."""
    height, width = size[0] + 2, size[1] + 2
    bits = np.random.Philox(key=np.array([_SEED, number], np.uint64)).random_raw(-(-height * width // 2))
    raw = bits.view(np.uint8)[: 4 * height * width].reshape(height, width, 4).sum(axis=2, dtype=np.int32) - 510
    rows = raw[:-2] + 4 * raw[1:-1] + raw[2:]
    both = rows[:, :-2] + 4 * rows[:, 1:-1] + rows[:, 2:]
    spread = 18.0 * np.sqrt(4 * (256**2 - 1) / 12)  # 18: the length of the two blurs, sqrt(1 + 16 + 1) twice
    made: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = both.astype(np.float32) / np.float32(spread)
    return made
