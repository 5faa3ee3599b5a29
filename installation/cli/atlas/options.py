"""Options that several commands of the atlas have, and what is read from their text."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from installation.cli.presets import Negative, Positive, prompted
from latentworld.errors import AtlasError

Number = TypeVar("Number", int, float)
Option = typer.Option
Out = Annotated[Path, Option("-o", "--output", help="Folder of the atlas; a survey that is there goes on.")]
Where = Annotated[Path, typer.Argument(help="Folder of an atlas, or the .zarr store in it.")]
Words = Annotated[str | None, Option(help="Phases by these words, as 'a cat,mountains'; without, by clusters.")]
Count = Annotated[int | None, Option(help="How many clusters; without, as many as fit.")]
Interval = Annotated[str, Option(help="An interval, both ends included, as 0.4:0.6.")]
Dpi = Annotated[int, Option(min=20, max=1200, help="Of the PNGs; 300 for print.")]
Thumb = Annotated[int, Option(min=4, max=1024, help="Longest edge of the thumbnails, in pixels.")]
DEFAULT = "neutral"


@dataclass(frozen=True)
class Decoding:
    """What places are decoded into, and how."""

    prompt: Positive = None
    negative: Negative = None
    radius: Annotated[float, Option(help="Factor of the shell.")] = 1.0
    scout: Annotated[bool, Option("--scout", help="Decode with the few-step scout.")] = False
    thumb: Thumb = 64

    def overrides(self, also: Sequence[str] | None) -> list[str]:
        """Of a preset's prompt, and what --set says. Raises typer.BadParameter for a part that both say."""
        return prompted(self.prompt, self.negative, also)


@dataclass(frozen=True)
class Labels:
    """How places are told apart: by words through the eye, or by clusters of features."""

    words: Words = None
    phases: Count = None

    @property
    def chosen(self) -> list[str] | None:
        """The words, None without."""
        return None if self.words is None else self.words.split(",")


def spans(alpha: str, beta: str) -> dict[str, tuple[float, float]]:
    """Two intervals as LOW:HIGH. Raises AtlasError."""
    return {"alpha": pair(alpha, ":", float, "--alpha", "0:1"), "beta": pair(beta, ":", float, "--beta", "0:1")}


def pair(text: str, between: str, kind: Callable[[str], Number], option: str, like: str) -> tuple[Number, Number]:
    """Two numbers of an option's text. Raises AtlasError, which shows one `like` it."""
    try:
        first, second = (kind(part) for part in text.split(between))
    except ValueError:
        raise AtlasError(f"{option} {json.dumps(text)}: write two numbers, as {like}") from None
    return first, second
