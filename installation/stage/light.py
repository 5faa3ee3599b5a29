"""Light: between bytes as pictures hold them (sRGB) and light as eyes and projectors add it.

Pictures are mixed as light. Of a white line that moves from one place to another, a mixture of bytes at one half shows
two lines of 0.21 of its light each: the wall would dim and recover with every picture, and 10 Hz is where eyes see
flicker best. A mixture of light keeps the sum the same at every weight.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from latentworld.arrays import Picture

DISPLAY = 2.2  # exponent by which a projector turns values into light


def linear(value: NDArray[np.floating]) -> NDArray[np.float32]:
    """sRGB values 0..1 to light 0..1 (IEC 61966-2-1)."""
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


def coded(light: NDArray[np.floating]) -> NDArray[np.float32]:
    """Light 0..1 to sRGB values 0..1."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)


def mixed(older: Picture, newer: Picture, weight: float) -> Picture:
    """Two pictures uint8[h, w, 3] mixed as light; weight 0..1 of the newer."""
    if weight <= 0 or older is newer:
        return older
    if weight >= 1:
        return newer
    import cv2

    steps, back = _tables()
    light = cv2.addWeighted(cv2.LUT(older, steps), 1 - weight, cv2.LUT(newer, steps), weight, 0)
    return np.asarray(np.take(back, light), np.uint8)


def graded(light: float, gamma: float, black: float) -> Picture:
    """The table uint8[256] that a wall's values go through: (black + (1 - black) v^(1/gamma)) light."""
    value = np.arange(256) / 255
    out = (black + (1 - black) * value ** (1 / gamma)) * light
    return np.rint(out * 255).clip(0, 255).astype(np.uint8)


def brightness(picture: Picture) -> float:
    """Mean light of a picture, 0..1, of every fourth pixel either way."""
    return float(_tables()[0][picture[::4, ::4]].mean()) / _FINE


def varied(picture: Picture) -> bool:
    """Whether it shows anything: not one value all over."""
    some = picture[::8, ::8]
    return bool(some.min() != some.max() or picture.min() != picture.max())


_FINE = 16383  # steps of light: the darkest two bytes are 5 of them apart


@cache
def _tables() -> tuple[NDArray[np.uint16], Picture]:
    """Bytes to steps of light, and back."""
    forth = np.rint(linear(np.arange(256, dtype=np.float32) / 255) * _FINE).astype(np.uint16)
    back = coded(np.arange(_FINE + 1, dtype=np.float32) / _FINE)
    return forth, np.rint(back * 255).clip(0, 255).astype(np.uint8)
