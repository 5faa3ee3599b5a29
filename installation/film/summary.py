"""A film in figures: what film.json says."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass

import numpy as np

from installation.film.imprint import Enlarged
from installation.film.telemetry import ABOVE, Telemetry, rifts
from installation.ipc.jsonable import page
from latentworld.arrays import Array
from latentworld.decoding import Profile
from latentworld.pacing import LOW, NEARLY, PacingSpec


@dataclass(frozen=True)
class Summary:
    """Steps are CLIP steps between neighbours; `even` is the share of unmarked ones within 2x of the median;
    rifts: stretches whose Lipschitz value is far above the median of the way; at_ceiling: steps at the greatest pace
    that [pacing] allows, calmer than was asked for; made: frames that are no picture of their own place alone, by how
    they were made; seam_step: of a loop, the CLIP step from its last frame to its first; noise_floor: the CLIP step
    that rounding alone makes at the film's last place (None for a film that was cut short); upscale: the network that
    every picture was enlarged by."""

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
    at_ceiling: int
    rifts: int
    repeated_frames: int
    made: dict[str, int]
    seam_step: float | None
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
    upscale: Enlarged | None = None

    def json(self) -> str:
        """As film.json has it."""
        return page(asdict(self) | {"profile": self.profile.record()})


Figure = float | int | dict[str, int] | None


def figures(telemetry: Telemetry, pacing: PacingSpec, fps: float) -> dict[str, Figure]:
    """What the telemetry says about a film's steps, under that pacing; those to and from frames that are no picture of
    their own place alone are no steps of the way."""
    steps, marked = telemetry.clip_step[1:].copy(), telemetry.marked[1:]
    made = np.array(sorted(telemetry.made), np.int64)
    steps[np.union1d(made[made > 0] - 1, made[made < len(steps)])] = np.nan
    median, plain = _median(steps), steps[~marked & np.isfinite(steps)]
    even = None
    if median and len(plain):
        even = float(np.mean((plain <= 2 * median) & (plain >= median / 2)))
    return {
        "median_clip_step": median,
        "largest_unmarked_step": float(np.nanmax(plain)) if np.isfinite(plain).any() else None,
        "even": even,
        "made": dict(Counter(telemetry.made.values())),
        "marked_steps": int(telemetry.marked.sum()),
        "at_ceiling": _at_ceiling(telemetry, pacing, fps),
        "rifts": len(rifts(telemetry)),
        "median_lipschitz": _median(telemetry.lipschitz),
        "largest_lipschitz": float(np.nanmax(telemetry.lipschitz)) if np.isfinite(telemetry.lipschitz).any() else None,
    }


def words(rifts: int, marked: int, ceiling: int) -> str:
    """What the figures of a film mean, for the chart and the terminal."""
    said = [_counted(rifts, "rift") + f" (over {ABOVE:g} times the median of the way)"]
    said += [f"{_counted(marked, 'step')} too steep to be split"] if marked else []
    slow = "as fast as pacing.ceiling allows, yet calmer than asked for: raise it to pass faster"
    said += [f"{_counted(ceiling, 'step')} {slow}"] if ceiling else []
    return ", ".join(said)


def _counted(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"


def _at_ceiling(telemetry: Telemetry, pacing: PacingSpec, fps: float) -> int:
    if pacing.kind == "latent":
        return 0
    near = telemetry.distance[1:] >= NEARLY * pacing.ceiling / fps
    return int((near & ~telemetry.marked[1:] & (telemetry.clip_step[1:] < LOW * pacing.clip_step)).sum())


def _median(values: Array) -> float | None:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else None
