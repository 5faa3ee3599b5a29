"""A film in figures: what film.json says."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Self

import numpy as np

from installation.film.telemetry import Telemetry, rifts
from installation.frames import Frames
from installation.ipc.jsonable import page
from latentworld.arrays import Array, Pictures
from latentworld.decoding import Profile


@dataclass(frozen=True)
class Summary:
    """Steps are CLIP steps between neighbours; `even` is the share of unmarked ones within 2x of the median;
    rifts: stretches whose Lipschitz value is far above the median of the way; noise_floor: the CLIP step that rounding
    alone makes at the film's last place (None for a film that was cut short)."""

    title: str
    frames: int
    planned: int
    complete: bool
    seconds: float
    fps: float
    size: tuple[int, int]
    median_clip_step: float | None
    largest_unmarked_step: float | None
    even: float | None
    marked_steps: int
    rifts: int
    repeated_frames: int
    median_lipschitz: float | None
    largest_lipschitz: float | None
    noise_floor: float | None
    world: str
    eye: str
    profile: Profile
    profile_hash: str
    vertices: str
    wall_seconds: float
    frames_per_second: float
    version: str

    def json(self) -> str:
        """As film.json has it."""
        return page(asdict(self) | {"profile": self.profile.record()})


def figures(telemetry: Telemetry) -> dict[str, float | int | None]:
    """What the telemetry says about a film's steps."""
    steps, marked = telemetry.clip_step[1:], telemetry.marked[1:]
    median, plain = _median(steps), steps[~marked]
    even = None
    if median and len(plain):
        even = float(np.mean((plain <= 2 * median) & (plain >= median / 2)))
    return {
        "median_clip_step": median,
        "largest_unmarked_step": float(np.nanmax(plain)) if np.isfinite(plain).any() else None,
        "even": even,
        "marked_steps": int(telemetry.marked.sum()),
        "rifts": len(rifts(telemetry)),
        "median_lipschitz": _median(telemetry.lipschitz),
        "largest_lipschitz": float(np.nanmax(telemetry.lipschitz)) if np.isfinite(telemetry.lipschitz).any() else None,
    }


class Tally:
    """Counts frames, and frames that repeat the one before."""

    def __init__(self) -> None:
        self.frames = 0
        self.repeated = 0
        self._last: Pictures | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._last = None

    def send(self, frames: Frames) -> None:
        """Count the batch."""
        for picture in frames.pictures:
            self.repeated += self._last is not None and bool(np.array_equal(picture, self._last))
            self._last = picture
        self.frames += len(frames)
        if len(frames):
            self._last = frames.pictures[-1].copy()  # not a view, which would keep the whole batch alive


def _median(values: Array) -> float | None:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else None
