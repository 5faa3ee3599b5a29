"""A sink of one's own: a film as a barcode, a line of its mean colour for every frame.

    python examples/sink.py first-light out/barcode [film.seconds=4 ...]

A sink is a context manager with `send`; frames come in batches, in order, with the places they are of and their rates.
What it keeps is its own affair: it closes its file when the `with` ends, also after a fault.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from installation.film import make
from installation.frames import Frames
from latentworld import preset


@dataclass
class Barcode:
    """Writes a PNG with a column a frame, `height` pixels high."""

    target: Path
    height: int = 120
    columns: list[NDArray[np.uint8]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.columns.clear()
        return self

    def send(self, frames: Frames) -> None:
        """Take a batch: pictures uint8 [n, height, width, 3]."""
        self.columns += list(frames.pictures.mean(axis=(1, 2)).round().astype(np.uint8))

    def __exit__(self, *fault: object) -> None:
        if self.columns:
            Image.fromarray(np.repeat(np.stack(self.columns)[None], self.height, axis=0)).save(self.target)


def main(name: str, out: str, *settings: str) -> None:
    """Film a preset, and leave `barcode.png` beside the film's folder."""
    target = Path(f"{out}.png")
    target.parent.mkdir(parents=True, exist_ok=True)
    film = make.film(preset.load(name, settings), out, overwrite=True, sinks=[Barcode(target)])
    print(film.video, target)


if __name__ == "__main__":
    main(*sys.argv[1:])
