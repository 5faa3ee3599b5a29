"""Journeys by the map: cheapest ways over an atlas's mesh, made a smooth walk through waypoints.

::

    seek      the strongest ridge places, joined by ways that are cheap where the rate is high
    follow    rift lines, one after another
    avoid     places of one calm region, or given ones, joined by ways that are dear where the rate is high
    visit     given phases or points
    shortest  given points, by the least change of meaning: an edge costs the distance of its features
    geodesic  the same off the mesh, relaxed to the way of least energy: by meaning, by log Z's metric, by density

What ways cost: graph.py; where they stop: tour_stops.py; how they are laid: route.py, smooth.py; geodesics: leg.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from latentworld import globe, walks
from latentworld.arrays import Array
from latentworld.atlas import leg, route, smooth, tour_stops
from latentworld.atlas.graph import TourGraph
from latentworld.atlas.leg import Leg
from latentworld.atlas.types import Atlas, Line, Mesh, Phases
from latentworld.errors import AtlasError
from latentworld.plane import Plane

if TYPE_CHECKING:
    from latentworld.preset import Preset

Mode = Literal["seek", "follow", "avoid", "visit", "shortest", "geodesic"]

TASTE = {"seek": -8.0, "follow": -8.0, "avoid": 8.0, "visit": 0.0, "shortest": 0.0, "geodesic": 0.0}
TITLES = {
    "seek": "along the rifts", "follow": "following a rift", "avoid": "around the rifts",
    "visit": "from place to place", "shortest": "the shortest way",
    "geodesic": "a geodesic",
}  # fmt: skip
WEAVE = 0.4  # cells, amplitude of the slalom over a rift
KEEP = 0.25  # cells the curve may stray from the smoothed way
CLOSE, KINKS = 0.15, 0.5  # the same of a geodesic; cells of the Gaussian that rounds its pieces
SMOOTH, ROUND = 0.8, 1.5  # cells of the Gaussian that takes the staircase out: on rifts, and elsewhere


@dataclass(frozen=True, eq=False)
class Tour:
    """A planned walk: waypoints unit [k, 3] at one radius on a plane, closed or open.

    planned [m, 3]: the places of the map it was planned over; cell: radians between neighbours there; strays: the
    largest distance, in cells, between the walk and the planned way (of the slalom, its amplitude included); places:
    how many the atlas had. Of a geodesic its legs, and the feature distance along it where it is paced by that.
    """

    mode: Mode
    plane: Plane
    unit: Array
    planned: Array
    closed: bool
    radius: float
    cell: float
    strays: float
    places: int
    legs: Sequence[Leg] = ()
    meaning: float | None = None

    @cached_property
    def walk(self) -> walks.Waypoints:
        """As a preset has it; beyond the horizon with a negative radius."""
        places = [self.plane.written(unit) for unit in self.unit]
        points = [place if place[2] < 0 else place[:2] for place in places]
        return walks.Waypoints(points=tuple(points), closed=self.closed, radius=self.radius)

    @cached_property
    def length(self) -> float:
        """Latent arc length: of a lap when closed, else of one way."""
        return float(walks.build(self.walk, self.plane).length or 0.0)

    def preset(self, base: Preset) -> Preset:
        """`base` with this walk at its even latent speed, as long as one lap or one way takes, to its last point.

        base: names the atlas's plane, world and prompt; it is not checked here.
        """
        pace, seconds = "latent", self.length / base.pacing.speed
        if self.meaning is not None:  # even steps of meaning, as far as the ceiling lets them be
            pacing = base.pacing
            pace = "clip"
            seconds = max(self.meaning / (pacing.clip_step * base.film.fps), self.length / pacing.ceiling)
        seconds = max(seconds, 1.0 / base.film.fps)
        description = (
            f"A tour by the map ({self.mode}): {len(self.unit)} waypoints, planned on an atlas of {self.places} places."
        )
        parts: dict[str, object] = {
            "title": f"{base.title}, {TITLES[self.mode]}" if base.title else TITLES[self.mode].capitalize(),
            "description": description,
            "walk": self.walk,
            "pacing": {"kind": pace},
            "film": {"seconds": seconds + (0.0 if self.closed else 1.0 / base.film.fps)},  # n steps are n + 1 frames
        }
        return base.changed(**parts)


def mode_of(name: str) -> Mode:
    """The mode of that name. Raises AtlasError for another."""
    modes: tuple[Mode, ...] = get_args(Mode)
    if name not in modes:
        raise AtlasError(f"no tour {name!r}: choose one of {', '.join(modes)}")
    return next(mode for mode in modes if mode == name)


def plan(
    atlas: Atlas,
    mesh: Mesh,
    rates: ArrayLike,
    mode: Mode,
    *,
    points: ArrayLike = (),
    labels: Sequence[str] = (),
    phases: Phases | None = None,
    lines: Sequence[Line] = (),
    follow: Sequence[int] = (1,),
    stops: int = 8,
    ordered: bool = False,
    closed: bool | None = None,
    weave: float | None = None,
) -> Tour:
    """A tour of the atlas by its rates [n].

    points: units [k, 3] to pass, in any mode but `follow`; labels: names of `phases` to visit, each at its surest
    place; lines and follow: rift lines, the strongest first, and which of them, counted from 1; stops: how many places
    `seek` and `avoid` choose where none are given; ordered: keep the order of points and labels; closed: None closes
    `seek`, `avoid`, what follows a closed line, and visits of three or more; weave: amplitude in cells with which
    `seek` and `follow` cross a rift to and fro (0 keeps on its ridge; None: WEAVE).
    Raises AtlasError for what the atlas does not have: labels, places, lines, two points, a way between them.
    """
    mode = mode_of(mode)
    graph = TourGraph(atlas, mesh, np.asarray(rates, np.float64), TASTE[mode], by_meaning=mode in ("visit", "shortest"))
    amplitude = (WEAVE if weave is None else weave) if mode in ("seek", "follow") else 0.0
    if not 0.0 <= amplitude <= 10.0:
        raise AtlasError(f"a weave of {amplitude} cells: give 0 to 10")
    if stops < 2:
        raise AtlasError(f"a tour of {stops} stops goes nowhere: give 2 or more")
    given = np.asarray(points, np.float64).reshape(-1, 3)
    if mode == "geodesic":
        return geodesic(leg.Country(atlas, mesh, graph.rates), given)
    if mode == "follow":
        way = route.along(graph, _chosen(lines, follow), closed)
    else:
        places, at = tour_stops.named(graph, phases, labels) if labels else graph.nearest(given)
        if not len(places) and mode in ("seek", "avoid"):
            places = tour_stops.strongest(graph, stops) if mode == "seek" else tour_stops.calmest(graph, stops)
        if len(places) < 2:
            raise AtlasError(f"a tour ({mode}) needs two places or more, here {len(places)}: give points or labels")
        loop = closed if closed is not None else mode in ("seek", "avoid") or (mode == "visit" and len(places) > 2)
        order = np.arange(len(places)) if ordered or mode == "shortest" else tour_stops.order(graph, places, loop)
        way = route.tour(graph, places[order], loop, at[order] if len(at) == len(places) else None)
    return _laid(graph, way, mode, amplitude)


def geodesic(country: leg.Country, points: ArrayLike, legs: Sequence[leg.Leg] | None = None) -> Tour:
    """The tour along geodesics from each of the units [k, 3] to the next; `legs`: found before.

    By meaning and by log Z's metric it is paced by meaning, by density by latent arc. Raises AtlasError as
    `leg.between`.
    """
    units = globe.normalise(np.asarray(points, np.float64).reshape(-1, 3))
    if len(units) < 2:
        raise AtlasError(f"a geodesic needs two places or more, here {len(units)}: give --point twice")
    found = [leg.between(country, *ends) for ends in pairwise(units)] if legs is None else list(legs)
    unit = leg.joined(found)
    cell, atlas = country.graph.typical(unit), country.atlas
    ways = [_rounded(one.unit, cell) for one in found]
    parts = [smooth.waypoints(way, cell, CLOSE) for way in ways]  # each alone: a corner would make all of them dense
    through = np.concatenate([parts[0][:1], *(part[1:] for part in parts)])
    even = np.concatenate([way.unit for way in ways])
    strays = smooth.strays(smooth.curve(through, False, cell), even) / cell
    meaning = None if country.by == "density" else sum(leg.meaning(country, way.unit) for way in ways)
    return Tour("geodesic", atlas.plane, through, unit, False, atlas.radius, cell, strays, len(atlas), found, meaning)


def _rounded(unit: Array, cell: float) -> smooth.Way:
    """A leg, evenly sampled, without the kinks between its pieces; its ends stay."""
    bare = smooth.Way(unit, np.ones(len(unit)), np.zeros(len(unit), np.bool_), False)
    return smooth.eased(smooth.sampled(bare, cell), KINKS)


def _laid(graph: TourGraph, way: smooth.Way, mode: Mode, amplitude: float) -> Tour:
    """A way as waypoints."""
    cell = graph.typical(way.unit)
    even = smooth.eased(smooth.sampled(way, cell), SMOOTH if mode in ("seek", "follow") else ROUND)
    if mode == "seek":
        even = smooth.centred(even, graph.atlas.unit, graph.rates, cell)
    stops = smooth.slalom(even, cell, amplitude) if amplitude else smooth.waypoints(even, cell, KEEP)
    strays = smooth.strays(smooth.curve(stops, way.closed, cell), smooth.sampled(way, cell).unit) / cell
    atlas = graph.atlas
    return Tour(mode, atlas.plane, stops, way.unit, way.closed, atlas.radius, cell, strays, len(atlas))


def _chosen(lines: Sequence[Line], follow: Sequence[int]) -> list[Line]:
    """Lines by their numbers."""
    if not follow:
        raise AtlasError("no rift line to follow: name one, 1 is the strongest")
    for number in follow:
        if not 1 <= number <= len(lines):
            choice = f"there are {len(lines)}, 1 the strongest" if lines else "there is none; label the phases first"
            raise AtlasError(f"no rift line {number}: {choice}")
    return [lines[number - 1] for number in follow]
