"""A strip for each picture at a vertex: as it was given, through the autoencoder, and as the plane shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from installation.lettering import cut, font
from installation.vertices.held import at, shown
from installation.vertices.making import Place, psnr
from latentworld.decoding import inverse
from latentworld.plane import Norm, Plane
from latentworld.prompts import Prompt
from latentworld.tokens import DARK, GAP, MARGIN, SHEET
from latentworld.vertices import Trio

if TYPE_CHECKING:
    from torch import Tensor

    from latentworld.decoding.diffusion import Diffusion

HEAD, FOOT = 28, 30
SIDE = 256  # pixels of a picture's longer side at least: small ones are enlarged by whole factors
TITLES = ("given", "autoencoder", "inverted, no guidance", "held", "naive inversion")


@dataclass(frozen=True, eq=False)
class Row:
    """One picture's strip: five pictures [3, height, width] in 0..1, the first one as it was given."""

    name: str
    pictures: tuple[Tensor, ...]

    @property
    def decibels(self) -> tuple[float, ...]:
        """How near each comes to the first."""
        return tuple(psnr(picture, self.pictures[0]) for picture in self.pictures)


def rows(
    inverter: Diffusion, prompt: Prompt, places: Sequence[Place], made: Trio, norm: Norm, reach: float
) -> list[Row]:
    """Strips of the vertices that were inverted; naive: by one call a step, decoded under the inverter's guidance."""
    import torch

    numbers = made.pictures
    given = [picture for number in numbers if (picture := places[number].picture) is not None]
    levels = torch.from_numpy(np.stack([picture.levels for picture in given]))
    clean = inverter.world.encode(levels)
    plane, hold = Plane(made.vertices, norm), str(made.origin.get("hold"))
    whole = inverter.variant(replace(inverter.settings, batch=len(numbers)))
    naive = inverse.invert(inverter, clean, prompt, [0] * len(numbers), calls=1, white=0.0)
    columns = (
        levels, inverter.paint_all(clean), inverse.unguided(inverter, len(numbers))(at(plane, numbers), prompt),
        shown(inverter, plane, numbers, made, prompt, hold, reach), whole(naive.start, prompt),
    )  # fmt: skip
    return [Row(picture.name, tuple(column[row] for column in columns)) for row, picture in enumerate(given)]


def draw(strips: Sequence[Row]) -> Image.Image:
    """All strips on one page."""
    height, width = strips[0].pictures[0].shape[1:]
    times = max(1, -(-SIDE // max(height, width)))
    high, wide = height * times, width * times
    across = 2 * MARGIN + len(TITLES) * (wide + GAP) - GAP
    page = Image.new("RGB", (across, MARGIN + HEAD + len(strips) * (high + FOOT + GAP)), DARK.ground)
    pen = ImageDraw.Draw(page)
    for column, title in enumerate(TITLES):
        pen.text(
            (MARGIN + column * (wide + GAP), MARGIN + HEAD - 14), title, DARK.ink, font=font(SHEET.heading), anchor="ls"
        )
    for row, strip in enumerate(strips):
        top = MARGIN + HEAD + row * (high + FOOT + GAP)
        for column, picture in enumerate(strip.pictures):
            left = MARGIN + column * (wide + GAP)
            levels = np.rint(picture.numpy() * 255).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
            page.paste(Image.fromarray(levels).resize((wide, high), Image.Resampling.BICUBIC), (left, top))
            words = strip.name if column == 0 else f"{strip.decibels[column]:.1f} dB"
            is_off = column > 1 and strip.decibels[column] < strip.decibels[1] - 1.0
            colour = DARK.faint if column == 0 else DARK.accent if is_off else DARK.ink
            pen.text(
                (left, top + high + 20),
                cut(pen, words, wide, font(SHEET.text)),
                colour,
                font=font(SHEET.text),
                anchor="ls",
            )
    return page
