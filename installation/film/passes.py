"""From the way that was walked to the way that is filmed: loops, rifts, frames between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from installation.film import beats, loops, policies, refining, scored_loop
from installation.film.scored_loop import Played
from installation.film.soundtrack import chosen_beats
from installation.film.telemetry import Telemetry
from installation.film.ways import SILENT, Said, Way
from installation.rig import Rig
from latentworld.arrays import Radii, Units
from latentworld.errors import PresetError
from latentworld.lipschitz import Lookout
from latentworld.preset import Preset
from latentworld.walks.fixed import Fixed

if TYPE_CHECKING:
    from torch import Tensor


SHORTEST = 3  # frames of a loop


def planned_first(preset: Preset) -> bool:
    """Whether a film's way is to be known before its first frame is made."""
    film, rift = preset.film, preset.rift
    policies = {rift.policy, *rift.each.values()}
    on_beats = preset.pacing.kind == "beat"
    return film.loop or film.there_and_back or film.interpolate > 1 or policies != {"slow"} or on_beats


def check(preset: Preset) -> None:
    """Refuse what no way can be, before any is walked. Raises PresetError."""
    if preset.pacing.kind != "beat":
        return
    film, policies = preset.film, {preset.rift.policy, *preset.rift.each.values()}
    if film.loop or film.there_and_back or policies != {"slow"}:
        other = "film.loop" if film.loop else "film.there_and_back" if film.there_and_back else "a rift.policy"
        raise PresetError(f'pacing.kind = "beat" says itself when rifts are crossed, and {other} too: choose one')
    chosen_beats(preset)


def walked(preset: Preset, coarse: int = 1) -> Preset:
    """The preset by which the way is walked: no frame more than the film asks for, and only those that are decoded.
    coarse: one in so many of them is walked, the others are laid between (`ways.Way.finer`)."""
    film, each = preset.film, preset.film.interpolate
    if film.loop:
        frames = max(film.frames // each, SHORTEST)
    elif film.there_and_back:
        frames = max(film.frames // (2 * each), 1) + 1
    else:
        frames = -(-(film.frames - 1) // each) + 1  # the last one is decoded, or lies between two that are
    frames, each = -(-(frames - 1) // coarse) + 1 if coarse > 1 else frames, each * coarse
    fps, step = film.fps / each, preset.pacing.clip_step * each
    return preset.changed(film={"seconds": frames / fps, "fps": fps}, pacing={"clip_step": step})


def length(preset: Preset) -> int:
    """Frames of the film: of a loop, a whole number of those that are decoded, and of the way there as many as back."""
    film, each = preset.film, preset.film.interpolate
    if film.loop:
        return max(film.frames // each, SHORTEST) * each
    return 2 * each * max(film.frames // (2 * each), 1) if film.there_and_back else film.frames


def laps(rig: Rig) -> bool:
    """Whether the way is a lap of a fixed walk, which nobody needs to walk first."""
    return rig.preset.film.loop and isinstance(rig.walk, Fixed)


def passed(
    rig: Rig, preset: Preset, record: Telemetry | None, looked: Callable[[int], object] = lambda places: None,
    said: Said = SILENT,
    crossed: Callable[[Sequence[beats.Crossing]], object] = lambda crossings: None,
    played: Played | None = None, coarse: int = 1,
) -> Way:  # fmt: skip
    """The way of a film. rig: by which it was walked, that of `walked(preset, coarse)`; preset: the film's own; record:
    what was found by walking, None for a lap; looked: is told how many places of a lap were looked at so far; said: by
    a score, of each frame of the way, also of those that are laid between; crossed: when rifts are crossed that are
    laid on beats; played: what a score makes of a loop.

    Raises GeometryError where a loop cannot be closed.
    """
    spec, look = preset.film, _counted(rig.pilot.ahead, looked)
    if spec.loop:
        way = _closed(rig, None if record is None else Way.of(record), look, played)
    else:
        assert record is not None  # else it is a lap
        way = Way.of(record).finer(coarse, rig.plane, said)
    if preset.pacing.kind == "beat":
        way, crossings = beats.laid(way, rig, chosen_beats(preset), coarse * rig.preset.film.fps)
        crossed(crossings)
    if preset.rift.policy == "refine" or "refine" in preset.rift.each.values():
        way = _refined(rig, way, preset, look, coarse)
    way = policies.applied(way, preset.rift, coarse * rig.preset.film.fps)
    if spec.interpolate > 1:
        way = between(way, spec.interpolate, spec.loop)
    if spec.there_and_back:
        way = there_and_back(way.first(length(preset) // 2 + 1))
    return way.first(length(preset))


def _counted(lookout: Lookout, looked: Callable[[int], object], each: int = 32) -> Lookout:
    """The lookout, a few places at a time, each time told of."""
    seen = 0

    def look(units: Units, radii: Radii) -> Tensor:
        nonlocal seen
        import torch

        found = []
        for first in range(0, len(units), each):
            found.append(lookout(units[first : first + each], radii[first : first + each]))
            seen += len(found[-1])
            looked(seen)
        return torch.cat(found)

    return look


def _closed(rig: Rig, way: Way | None, look: Lookout, played: Played | None) -> Way:
    """One lap of the walk, or the way closed, in as many frames as the film that is walked has."""
    spec, pacing = rig.preset.film, rig.preset.pacing
    lap = loops.lap(rig.walk) if way is None else loops.closed(way, rig.plane)
    if pacing.kind == "latent":
        way = loops.steady(lap, rig.plane, spec.frames)
        return way if played is None else played.placed(way)
    floor = pacing.floor / spec.fps
    places, way = loops.even(lap, rig.plane, look, spec.frames, floor)
    return way if played is None else scored_loop.even(lap, places, played, rig.plane, floor)


def _refined(rig: Rig, way: Way, preset: Preset, look: Lookout, coarse: int) -> Way:
    """Every rift refined that is to be, the last one first, so that those before keep their rows."""
    spec, fps, step = preset.rift, coarse * rig.preset.film.fps, rig.preset.pacing.clip_step / coarse
    for number in reversed(range(len(way.rifts))):
        if spec.each.get(str(number + 1), spec.policy) == "refine":
            most = max(1, round(spec.seconds * fps))
            way = refining.refined(way, number, look, rig.plane, step, most)
    return way


def between(way: Way, each: int, closed: bool = False) -> Way:
    """The way with `each - 1` frames between two neighbours: drawn between where the step is no rift, else the first
    one held. closed: the last one's neighbour is the first."""
    rows = np.repeat(np.arange(len(way), dtype=np.int64), each)
    found = replace(way.picked(rows), marked=np.zeros(len(rows), np.bool_))
    found.marked[::each] = way.marked
    blends = {row * each + k: blend for row, blend in way.blends.items() for k in range(each)}
    for row in range(len(way)):
        after = (row + 1) % len(way)
        open_end = after == 0 and not closed
        rift = open_end or bool(way.marked[after]) or row in way.blends or after in way.blends
        for k in range(1, each):
            if row not in way.blends:
                blends[row * each + k] = way.held(row) if rift else way.blended(after, k / each, "between")
    return replace(found, blends=blends)


def there_and_back(way: Way) -> Way:
    """The way, and back to the frame after its first, so that the last step leads to the first frame."""
    rows = np.append(np.arange(len(way)), np.arange(len(way) - 2, 0, -1))
    found = way.picked(rows)
    back = len(way) + np.arange(max(len(way) - 2, 0))
    found.marked[back] = way.marked[rows[back] + 1]
    blends = {new: way.blends[row] for new, row in enumerate(rows.tolist()) if row in way.blends}
    return replace(found, blends=blends)
