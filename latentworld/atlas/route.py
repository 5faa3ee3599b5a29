"""The way between the stops of a tour: cheapest over the graph, pulled straight where that is no dearer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from latentworld import globe
from latentworld.arrays import Array, Integers, Mask
from latentworld.atlas import smooth
from latentworld.atlas.graph import TourGraph
from latentworld.atlas.tour_stops import RIDGE
from latentworld.atlas.types import Line

LEAPS = (48, 32, 24, 16, 12, 8, 6, 4, 3, 2)  # edges of a way that may become one great circle


def tour(graph: TourGraph, places: Integers, closed: bool, units: Array | None = None) -> smooth.Way:
    """The way through places [k] in their order; where `units` [k, 3] are given it passes exactly there."""
    legs = [*pairwise(places), *([(places[-1], places[0])] if closed else [])]
    nodes, stops, passed = [int(places[0])], [0], np.zeros(len(graph.atlas), np.bool_)
    for begin, end in legs:
        nodes += pulled(graph, graph.way(int(begin), int(end), passed))[1:]
        stops.append(len(nodes) - 1)
    if closed:
        nodes, stops = nodes[:-1], stops[:-1]
    unit, pinned = graph.atlas.unit[nodes].copy(), np.zeros(len(nodes), np.bool_)
    if units is not None:
        unit[stops], pinned[stops] = units, True
    return smooth.Way(unit, _gain(graph, nodes), pinned, closed)


def along(graph: TourGraph, lines: Sequence[Line], closed: bool | None) -> smooth.Way:
    """The way along rift lines one after another, each from its nearer end, joined over the ridges."""
    loop = closed if closed is not None else len(lines) == 1 and lines[0].closed
    pieces: list[tuple[Array, Array]] = []
    passed = np.zeros(len(graph.atlas), np.bool_)
    for line in lines:
        unit = _opened(line, pieces[-1][0][-1] if pieces else None)
        if pieces:
            pieces.append(_join(graph, pieces[-1][0][-1], unit[0], passed))
        pieces.append((unit, np.ones(len(unit))))
    if loop and not (len(lines) == 1 and lines[0].closed):
        pieces.append(_join(graph, pieces[-1][0][-1], pieces[0][0][0], passed))
    unit, gain = (np.concatenate([piece[k] for piece in pieces]) for k in (0, 1))
    after = np.roll(unit, -1, axis=0) if loop else np.concatenate([unit[1:], -unit[-1:]])
    keep = globe.angle(unit, after) > 1e-9
    return smooth.Way(unit[keep], gain[keep], np.zeros(int(keep.sum()), np.bool_), loop)


def pulled(graph: TourGraph, nodes: list[int]) -> list[int]:
    """The way with every detour left out that a great circle makes no dearer: mesh edges have few directions.

    Not over ridges, which are narrower than a place: there a straight way may leave what it was to follow.
    """
    if graph.taste < 0:
        return nodes
    unit, taut, last = graph.atlas.unit[nodes], [0], len(nodes) - 1
    gone, pitch = _cost_along(graph, nodes), graph.typical(unit) / 2
    while taut[-1] < last:
        here = taut[-1]
        ends = [last, *(here + reach for reach in LEAPS if here + reach < last)]
        cheaper = (j for j in ends if _direct(graph, unit[here], unit[j], pitch) <= gone[j] - gone[here])
        taut.append(next(cheaper, here + 1))
    return [nodes[i] for i in taut]


def _cost_along(graph: TourGraph, nodes: list[int]) -> Array:
    """What the way has cost at each of its places."""
    unit = graph.atlas.unit[nodes]
    if graph.by_meaning:
        steps = _distances(graph.atlas.features[nodes])
    else:
        density = graph.density[nodes]
        steps = globe.angle(unit[:-1], unit[1:]) * (density[:-1] + density[1:]) / 2
    return np.concatenate([[0.0], np.cumsum(steps)])


def _direct(graph: TourGraph, begin: Array, end: Array, pitch: float) -> float:
    """Cost of a great circle: by the density at the places next to it, or by the features read between them."""
    apart = float(globe.angle(begin, end))
    if not 0.0 < apart < 3.0:
        return np.inf
    count = int(np.ceil(apart / pitch))
    if not graph.by_meaning:
        middles = globe.slerp(begin, end, (np.arange(count) + 0.5) / count)
        return apart * float(graph.density[graph.tree.query(middles)[1]].mean())
    units = globe.slerp(begin, end, np.linspace(0.0, 1.0, count + 1))
    radii = np.full(len(units), graph.atlas.radius)
    return float(_distances(graph.map(units, radii)).sum()) if graph.map.covers(units, radii).all() else np.inf


def _join(graph: TourGraph, begin: Array, end: Array, passed: Mask) -> tuple[Array, Array]:
    places, _ = graph.nearest(np.stack([begin, end]))
    nodes = pulled(graph, graph.way(int(places[0]), int(places[1]), passed))[1:-1]
    return graph.atlas.unit[nodes], _gain(graph, nodes)


def _gain(graph: TourGraph, nodes: list[int]) -> Array:
    return (graph.rank[nodes] >= RIDGE).astype(np.float64)


def _distances(features: ArrayLike) -> Array:
    """Between consecutive features [n, F]: [n - 1]."""
    return np.asarray(np.linalg.norm(np.diff(np.asarray(features, np.float64), axis=0), axis=1))


def _opened(line: Line, after: Array | None) -> Array:
    """A line's units, from the end (of a closed one: the place) that is nearer to where the way stands."""
    unit = globe.normalise(line.unit)
    if line.closed and float(globe.angle(unit[0], unit[-1])) < 1e-9:
        unit = unit[:-1]
    if after is None:
        return unit
    if line.closed:
        return np.roll(unit, -int(globe.angle(unit, after).argmin()), axis=0)
    return unit[::-1] if globe.angle(unit[-1], after) < globe.angle(unit[0], after) else unit
