"""Where a tour stops: places of an atlas chosen by name, strength or calm, and the order in which to pass them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from latentworld import globe
from latentworld.arrays import Array, Integers
from latentworld.atlas.graph import TourGraph, joined
from latentworld.atlas.types import Phases
from latentworld.errors import AtlasError
from latentworld.extras import need

RIDGE = 0.9  # rank from which a place lies on a ridge
CALM = 0.6  # rank below which a place is calm


def named(graph: TourGraph, phases: Phases | None, labels: Sequence[str]) -> tuple[Integers, Array]:
    """The surest place of each label; the calmest of equals. Raises AtlasError for a label that is nowhere."""
    if phases is None:
        raise AtlasError("labels need phases: label the atlas first")
    found = []
    for label in labels:
        here = np.flatnonzero([i >= 0 and phases.names[i] == label for i in phases.label])
        if not len(here):
            present = sorted({phases.names[i] for i in np.unique(phases.label) if i >= 0})
            raise AtlasError(f"no place is labelled {label!r}: there are {', '.join(present)}")
        found.append(int(min(here, key=lambda i: (-phases.confidence[i], graph.rates[i]))))
    places = np.array(found, np.int64)
    return places, graph.atlas.unit[places]


def strongest(graph: TourGraph, count: int) -> Integers:
    """Places on ridges, the strongest first, none nearer to another than a fair share of its area."""
    ridge = np.flatnonzero(graph.rank >= RIDGE)
    ridge = ridge[np.argsort(-graph.rates[ridge], kind="stable")]
    apart = 2.0 * _extent(graph) / np.sqrt(max(count, 2))
    while True:
        chosen = ridge[:1]
        for place in ridge[1:]:
            if len(chosen) < count and globe.angle(graph.atlas.unit[chosen], graph.atlas.unit[place]).min() >= apart:
                chosen = np.append(chosen, place)
        if len(chosen) >= min(max(count, 2), len(ridge)):
            return np.asarray(chosen, np.int64)
        apart /= 1.5


def calmest(graph: TourGraph, count: int) -> Integers:
    """Places of the largest calm region, as far from each other as there are, from its calmest on."""
    csgraph = need("scipy.sparse.csgraph")
    calm = graph.rank < CALM
    first, second = graph.mesh.edges[calm[graph.mesh.edges].all(axis=1)].T
    inner = need("scipy.sparse").csr_array((np.ones(len(first)), (first, second)), shape=2 * (len(calm),))
    _, part = csgraph.connected_components(inner)
    largest = np.bincount(part, weights=calm).argmax()
    here = np.flatnonzero(calm & (part == largest))
    if len(here) < 2:
        raise AtlasError("no calm region is wider than one place: survey more finely, or give points")
    chosen = [int(here[graph.rates[here].argmin()])]
    apart = np.full(len(here), np.inf)
    while len(chosen) < min(max(count, 2), len(here)):
        apart = np.minimum(apart, globe.angle(graph.atlas.unit[here], graph.atlas.unit[chosen[-1]]))
        chosen.append(int(here[apart.argmax()]))
    return np.array(chosen, np.int64)


def order(graph: TourGraph, places: Integers, closed: bool) -> Integers:
    """The cheapest order of places [k] to pass them all, as found by simulated annealing; deterministic."""
    networkx = need("networkx")
    between = np.stack([graph.reached(int(place), graph.cost)[0][places] for place in places])
    joined(between)
    if len(places) == 2 or (len(places) == 3 and closed):
        return np.arange(len(places))
    if not closed:  # a stop that is next to every other, where the way may be cut open
        between = np.pad(between, ((0, 1), (0, 1)))
    between = np.minimum(between, between.T)
    graph = networkx.from_numpy_array(between + 1e-9 * max(between.max(), 1e-9) * (1 - np.eye(len(between))))
    solve = networkx.approximation.simulated_annealing_tsp
    cycle = solve(graph, "greedy", source=len(between) - 1, seed=0, N_inner=50 * len(between))
    return np.array(cycle[1:-1] if not closed else cycle[:-1], np.int64)


def _extent(graph: TourGraph) -> float:
    """Half the side of a square of the atlas's area, radians."""
    corners = graph.atlas.unit[graph.mesh.triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return float(np.sqrt(np.linalg.norm(normal, axis=1).sum() / 2) / 2)
