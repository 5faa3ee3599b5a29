"""What other programs' files have in common, before it becomes a preset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from installation.score.schedules import Key
from installation.score.words import Words
from latentworld.arrays import Array
from latentworld.errors import PresetError


@dataclass(frozen=True, eq=False)
class Piece:
    """prompts: frames and prompts, in order; blends: whether each goes evenly into the next; motion: how fast the
    camera goes at every frame, None where it does not; camera: what says so; notes: what has no equivalent."""

    title: str
    fps: float
    frames: int
    prompts: tuple[tuple[int, Words], ...]
    blends: bool
    guidance: tuple[Key, ...]
    motion: Array | None
    camera: str
    seeds: tuple[int, int, int] | None
    steps: int | None
    size: tuple[int, int] | None  # height, width in pixels
    bpm: float | None
    notes: tuple[str, ...]


def number(table: Mapping[str, object], name: str, otherwise: float, low: float, high: float) -> float:
    """A number of a table within a range. Raises PresetError."""
    value = table.get(name, otherwise)
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        found = low - 1.0
    if not low <= found <= high:
        raise PresetError(f"{name} = {value!r:.40}: a number from {low:g} to {high:g} is wanted")
    return found


def seeds(seed: float) -> tuple[int, int, int] | None:
    """The plane that a seed and the two after it span; None for one that is to be drawn."""
    first = int(seed)
    return None if first < 0 else (first % 2**32, (first + 1) % 2**32, (first + 2) % 2**32)
