"""What a film does at its rifts: the frames of a plan about each are held, cut, dissolved, played again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from installation.film.ways import Rift, Way
from installation.takes.composed import Blend
from latentworld.sections import RiftPolicy, RiftSpec


@dataclass(frozen=True, eq=False)
class Row:
    """A frame of the film that comes of it: a row of the way it was; blend: what it is made of besides; mark: the step
    to it is a rift, and on purpose."""

    row: int
    blend: Blend | None = None
    mark: bool = False


def applied(way: Way, spec: RiftSpec, fps: float) -> Way:
    """The way with every rift done as its policy says. It is longer or shorter by what that takes."""
    rows = list(_rows(way, spec, fps))
    found = way.picked(np.array([each.row for each in rows], np.int64))
    marked = found.marked | np.array([each.mark for each in rows])
    blends = {new: each.blend for new, each in enumerate(rows) if each.blend is not None}
    return replace(found, marked=marked, blends=blends)


def _rows(way: Way, spec: RiftSpec, fps: float) -> Iterator[Row]:
    done = -1  # the newest row
    frames, each = max(1, round(spec.seconds * fps)), max(1, round(fps / spec.rate / 2))
    for number, rift in enumerate(way.rifts, 1):
        policy = spec.each.get(str(number), spec.policy)
        if policy in ("slow", "refine") or rift.before < max(done, 0):
            continue
        yield from map(Row, range(done + 1, rift.before + 1))
        yield from _crossed(way, rift, policy, frames, each)
        done = rift.after
    yield from map(Row, range(done + 1, len(way)))


def _crossed(way: Way, rift: Rift, policy: RiftPolicy, frames: int, each: int) -> Iterator[Row]:
    """What comes after the last row before a rift, the first one after it included. frames: that the policy lasts;
    each: for how many frames a side is seen of a strobe."""
    before, after = rift.before, rift.after
    match policy:
        case "hold":
            yield from [Row(before, way.held(before))] * frames
        case "dissolve":
            yield from [Row(before, way.blended(after, (k + 1) / (frames + 1))) for k in range(frames)]
        case "dwell":
            there = [Row(row) for row in range(before + 1, after + 1)]
            back = [Row(row) for row in range(after - 1, before - 1, -1)]
            yield from [*there, *back, *there]
            return
        case "strobe":
            for k in range(frames):
                row, again = (before, after)[(k // each + 1) % 2], k % each > 0
                yield Row(row, way.held(row) if again else None, mark=not again)
    yield Row(after, mark=policy != "dissolve")
