"""The palette book: twelve sets of five inks that every family prints with, so that between families form changes and
colour may hold; and the one light, which falls from the upper left or the upper right.

A set is written ground, deep, mid, light, accent. Seven grounds are dark and five are paper. The two families in
Cassini's manner are printed in neutral grey in half of all cases.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from torch import Tensor

from foundry.scenes import canvas

BOOK = {
    "ink and gold": "11141d 2a3654 62789c eee3cb dfa646",
    "indigo": "121a3a 27418c 6a93cc e3ebf4 f0b65c",
    "oxblood": "270b12 74202a bd5a4c f4dcc6 efae62",
    "forest": "0d211c 1f5341 62987a e8ecd6 e2984f",
    "petrol": "09222c 145a68 54a3a6 dff0e6 f28c5c",
    "plum": "1d1129 533070 9a76b4 f0deea e8b552",
    "ember": "1c1412 5a2c22 b06a48 f6e3c8 ee7838",
    "vermilion": "f0e6d4 2b2f40 8b929e fdf8ee d8452f",
    "sand": "ecdcc0 60402a bd8c5a fcf5e4 2f7480",
    "mist": "d0dadb 25444e 72989f f7fbf8 d87a40",
    "rose": "f2dcd4 642f42 c87a8a fff6f0 3f7362",
    "celadon": "d6e4d4 1e4440 6ea18e f9fcf4 cc5540",
}
DARK = 7  # the first so many sets have dark grounds
TONES = ("{} tones", "{} colours", "{}")
SIDES = ("left", "right")


@dataclass(frozen=True)
class Inks:
    """The inks of n pictures, each ``[n, 3, 1, 1]`` in 0..1; ``dark [n, 1, 1, 1]`` is 1 where the ground is dark."""

    index: Tensor
    ground: Tensor
    deep: Tensor
    mid: Tensor
    light: Tensor
    accent: Tensor
    dark: Tensor

    def either(self, on_dark: Tensor, on_paper: Tensor) -> Tensor:
        """One ink on dark grounds and another on paper."""
        return on_paper + (on_dark - on_paper) * self.dark

    def ramp(self, middle: Tensor) -> Tensor:
        """Stops ``[n, 4, 3]`` from shade over ``middle`` to light, for `canvas.gradient_map`."""
        shade = self.either(self.ground * 0.72, self.deep)
        stops = (shade, self.either(self.deep, self.deep.lerp(middle, 0.45)), middle, self.light)
        return torch.stack([stop.flatten(1) for stop in stops], dim=1)


def draw(rng: torch.Generator, n: int) -> Inks:
    """A set for each of n pictures, its value varied a little, as one print differs from the next."""
    index = canvas.choose(rng, n, len(BOOK))
    value = canvas.uniform(rng, n, 0.96, 1.03)[:, None]
    inks = [(ink * value).clamp(max=1) for ink in canvas.paints(BOOK, index)]
    return Inks(index, *inks, dark=(index < DARK).float().view(n, 1, 1, 1))


def lights(rng: torch.Generator, n: int) -> Tensor:
    """Where the light is: -1 upper left or 1 upper right, ``[n, 1, 1]``."""
    return canvas.choose(rng, n, 2).view(n, 1, 1) * 2.0 - 1


def backdrop(inks: Inks, side: Tensor, size: int) -> Tensor:
    """The ground ``[n, 3, size, size]``, a little lighter towards the light."""
    x, y = canvas.grid(size)
    glow = torch.exp(-((x - 0.7 * side) ** 2 + (y + 0.8) ** 2) / 1.6)
    lifted = inks.either(inks.ground.lerp(inks.deep, 0.6), inks.ground.lerp(inks.light, 0.8))
    return inks.ground * (1 - 0.06 * (y + 1) / 2) + (lifted - inks.ground) * glow[:, None]


def greys(n: int, which: Tensor) -> Tensor:
    """Stops ``[n, 4, 3]`` of a neutral photograph, to stand in for `Inks.ramp` where ``which [n]`` is true."""
    return torch.tensor((0.012, 0.34, 0.67, 1.0)).view(1, 4, 1).expand(n, 4, 3) * which.float().view(n, 1, 1)


def photographed(ramp: Tensor, which: Tensor) -> Tensor:
    """``ramp`` with neutral greys in the rows ``which [n]``."""
    return torch.where(which.view(-1, 1, 1), greys(len(ramp), which), ramp)


def named(inks: Inks) -> tuple[list[str], Tensor]:
    """The sets' names and each picture's, as a column of `canvas.records`."""
    return list(BOOK), inks.index


def tones(name: str, words: random.Random) -> str:
    """A set in words."""
    return words.choice(TONES).format(name)
