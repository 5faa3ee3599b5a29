"""Walks as plain values, so that a walk goes on, to the last bit, where another process left it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from latentworld import globe
from latentworld.arrays import Unit
from latentworld.errors import GeometryError
from latentworld.plane import FARTHEST as SHELLS
from latentworld.plane import Plane
from latentworld.tables import number, section
from latentworld.walks.breath import Breath
from latentworld.walks.catalogue import WalkSpec, build
from latentworld.walks.fixed import Fixed
from latentworld.walks.free import Free
from latentworld.walks.joined import Joined, onto_at
from latentworld.walks.rift import Rift
from latentworld.walks.spec import FreeSpec
from latentworld.walks.walk import Walk

WIDEST = 2 * SHELLS  # shells: beyond it a radius was damaged, and the picture would be noise for good
FARTHEST = 1e9  # latents of arc, which no walk travels in a lifetime: beyond it a number was damaged


def keep(walk: Walk) -> dict[str, object]:
    """The state of a walk, as JSON takes it. Raises GeometryError for a walk of another kind."""
    if isinstance(walk, Free):
        numbers = {"arc": walk.arc, "bend": walk.bend, "radius": walk.breath.radius}
        return {"free": walk.unit.tolist(), "heading": walk.heading.tolist(), **numbers}
    if isinstance(walk, Fixed):
        return {"fixed": walk.begin, "arc": walk.arc, "way": walk.way, "closed": walk.closed}
    if isinstance(walk, Joined):
        unit, heading, radius = walk.start
        start = [unit.tolist(), heading.tolist(), radius]
        return {"joined": start, "arc": walk.arc, "then": keep(walk.then)}
    raise GeometryError(f"a {type(walk).__name__} walk cannot be kept: keep the walk inside it")


def restore(saved: Mapping[str, object], spec: WalkSpec, plane: Plane) -> Free | Fixed | Joined:
    """The walk that was kept, where `spec` is what it was built from. Raises GeometryError for other values."""
    try:
        if "free" in saved:
            return _free(saved, roaming(spec, plane))
        walk = build(spec, plane)
        if "joined" in saved and isinstance(walk, Fixed):
            start = saved["joined"]
            if not isinstance(start, list | tuple):
                raise TypeError("joined is no list")
            unit, heading, radius = start
            arc = number(saved, "arc")
            if not (0.0 <= arc < FARTHEST and 0.0 < float(radius) <= WIDEST):
                raise ValueError("arc or radius")
            way = onto_at((_unit(unit), _unit(heading), float(radius)), _fixed(section(saved, "then"), walk), plane)
            return replace(way, arc=arc)
        if "fixed" in saved and isinstance(walk, Fixed):
            return _fixed(saved, walk)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise GeometryError(f"no walk was kept in {saved!r:.200} ({error!r}): begin a new one") from None
    raise GeometryError(f"a {spec.kind} walk cannot go on from {saved!r:.200}: begin a new one")


def roaming(spec: WalkSpec, plane: Plane) -> Free:
    """A free walk at its start: the spec's own, or what a fixed walk becomes when it is steered by hand. Raises
    WalkRefused."""
    walk = build(spec if isinstance(spec, FreeSpec) else Rift(radius=spec.radius), plane)
    assert isinstance(walk, Free)  # `FreeSpec.build` builds no other
    return walk


def _free(saved: Mapping[str, object], like: Free) -> Free:
    breath = Breath(number(saved, "radius")) if like.breath.constant else like.breath
    arc, bend = number(saved, "arc"), number(saved, "bend")
    unit, heading = _unit(saved["free"]), _unit(saved["heading"])
    likely = 0.0 <= arc < FARTHEST and abs(bend) < FARTHEST and 0.0 < breath.radius <= WIDEST
    if not (likely and abs(float(globe.dot(unit, heading))) < 1e-6):
        raise ValueError("arc, bend, radius or heading")
    return replace(like, unit=unit, heading=heading, breath=breath, arc=arc, bend=bend)


def _fixed(saved: Mapping[str, object], walk: Fixed) -> Fixed:
    begin, arc = number(saved, "fixed"), number(saved, "arc")
    if saved["way"] not in (1, -1) or not (0.0 <= arc < FARTHEST and abs(begin) < FARTHEST):
        raise ValueError("begin, arc or way")
    return replace(walk, begin=begin, arc=arc, way=1 if saved["way"] == 1 else -1, closed=bool(saved["closed"]))


def _unit(values: object) -> Unit:
    """As it was kept, to the last bit; ValueError where it is none."""
    unit = np.array(values, np.float64)
    if unit.shape != (3,) or not abs(float(globe.dot(unit, unit)) - 1.0) < 1e-6:
        raise ValueError("a unit")
    return unit
