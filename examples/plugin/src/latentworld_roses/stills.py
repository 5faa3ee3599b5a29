"""An output that keeps a PNG of what the wall shows, once a second."""

from __future__ import annotations

import io
from pathlib import Path
from typing import ClassVar, Self

from PIL import Image

from installation.stage.outputs.output import Output, Settings
from latentworld import disk
from latentworld.arrays import Picture
from latentworld.errors import PortError


class Stills(Output):
    """Files FOLDER/000000000.png, numbered by the slot; each is whole or not there."""

    usage: ClassVar[str] = "stills:FOLDER"

    @classmethod
    def named(cls, argument: str, settings: Settings) -> Self:
        """FOLDER is made when the output is opened."""
        if not argument:
            raise PortError(f"stills need a folder: write {cls.usage}")
        return cls(Path(argument), settings.rate)

    def __init__(self, folder: Path, rate: float) -> None:
        self.folder, self.every = folder, max(1, round(rate))
        self._due = 0

    def __enter__(self) -> Self:
        with disk.writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *fault: object) -> None: ...

    def send(self, picture: Picture, slot: int) -> None:
        """Keep it, if a second has passed since the last."""
        if slot < self._due:
            return
        self._due = slot + self.every
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, format="PNG")
        disk.save(self.folder / f"{slot:09d}.png", buffer.getvalue())
