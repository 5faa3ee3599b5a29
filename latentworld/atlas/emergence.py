"""What appears between two phases: across every rift of an atlas, which third phase lies in it, where, how wide, at
what rate.

A rift is a set of mesh edges whose ends belong to two phases A and B, connected through triangles. Each edge is a short
way from A to B. `across` looks at a few places on it, and between two that are of different phases walks on: it bisects
for where the phase it stands in ends, looks which one follows, and goes on from there. So an edge is found to be A | B
or A | C | B, and where C begins and ends to 2^-looks of a stretch. A band inside one phase that is narrower than the
places lie apart is not seen; none is invented, since every band has a picture that was looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from latentworld import globe
from latentworld.arrays import (
    Array,
    Features,
    Flags,
    Float64,
    Integers,
    Pairs,
    Picture,
    Pictures,
    Reals,
    Unit,
    Units,
    Vector,
)
from latentworld.atlas.types import Atlas, Mesh, Phases, Render
from latentworld.errors import AtlasError
from latentworld.extras import need

LOOKS = 5  # of a bisection: a border is then known to a thirty-second of a stretch between two of those
PROBES = 5  # places on an edge that are looked at first
EACH = 12  # edges of a rift that are walked, evenly along it
MOST = 4  # phases that are followed on one stretch

Classify = Callable[[Features], Float64[Reals, "n k"]]
"""Features [n, F] to the share of each phase in them [n, k]; the largest is what a picture is called."""


Seen = Float64[Reals, "s f"]


@dataclass(frozen=True, eq=False)
class Rift:
    """Where two phases meet. between: them, low first; edges [m, 2]: of the mesh, in their order along it, the end in
    `between[0]` first; strength: mean rate of their ends."""

    between: tuple[int, int]
    edges: Pairs
    strength: float


@dataclass(frozen=True, eq=False)
class Band:
    """A third phase on the way from one side to the other. rift, edge: which; third: the phase; begin, end: 0..1 of the
    edge; unit [3]: its middle; width: latents; rate: feature distance per latent at either border, the larger; share:
    of the third phase in its middle; thumb: the picture there."""

    rift: int
    edge: int
    third: int
    begin: float
    end: float
    unit: Unit
    width: float
    rate: float
    share: float
    thumb: Picture


@dataclass(frozen=True, eq=False)
class Report:
    """Of an atlas: its rifts, strongest and longest first; how many edges of each were walked [n]; what appears."""

    rifts: Sequence[Rift]
    walked: Integers
    bands: Sequence[Band]
    looks: int


def rifts(mesh: Mesh, phases: Phases, rates: Float64[Reals, " places"]) -> list[Rift]:
    """The rifts of an atlas. Raises AtlasError where it has none."""
    label, edges = phases.label, mesh.edges
    mixed = np.flatnonzero(label[edges[:, 0]] != label[edges[:, 1]])
    if not len(mixed):
        raise AtlasError("the atlas has no rift between phases: survey more finely, or name phases by --words")
    ends = edges[mixed]
    between = np.sort(label[ends], axis=1)
    ends = np.where((label[ends[:, 0]] == between[:, 0])[:, None], ends, ends[:, ::-1])
    which = _connected(mesh, mixed, between)
    steep = np.nan_to_num(rates)
    found = []
    for k in range(int(which.max()) + 1):
        mine = np.flatnonzero(which == k)
        a, b = between[mine[0]].tolist()
        found.append(Rift((a, b), ends[mine], float(steep[ends[mine]].mean())))
    return sorted(found, key=lambda rift: -rift.strength * len(rift.edges))


def _connected(mesh: Mesh, mixed: Integers, between: Pairs) -> Integers:
    """The component [m] of each mixed edge: two edges of one triangle between the same phases are of one rift."""
    count = int(mesh.edges.max(initial=0)) + 1
    sides = np.sort(np.stack([mesh.triangles, np.roll(mesh.triangles, -1, axis=1)], axis=2), axis=2)
    place = np.full(len(mesh.edges), -1)
    place[mixed] = np.arange(len(mixed))
    beside = place[np.searchsorted(mesh.edges @ [count, 1], sides @ [count, 1])]  # [t, 3]
    pairs = np.concatenate([beside[:, [0, 1]], beside[:, [1, 2]], beside[:, [2, 0]]])
    pairs = pairs[(pairs >= 0).all(axis=1)]
    pairs = pairs[(between[pairs[:, 0]] == between[pairs[:, 1]]).all(axis=1)]
    sparse, graph = need("scipy.sparse"), need("scipy.sparse.csgraph")
    links = sparse.coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(mixed), len(mixed)))
    return np.asarray(graph.connected_components(links, directed=False)[1], np.int64)


def spread(atlas: Atlas, rift: Rift, count: int) -> Pairs:
    """At most `count` edges of a rift, evenly along its longest direction."""
    middle = atlas.unit[rift.edges].mean(axis=1)
    centred = middle - middle.mean(axis=0)
    along = centred @ np.linalg.svd(centred, full_matrices=False)[2][0] if len(middle) > 1 else np.zeros(1)
    order = np.argsort(along, kind="stable")
    chosen = np.unique(np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(np.int64))
    return rift.edges[order[chosen]]


class _Walk:
    """Edges [m, 2] walked from their first ends to their second all at once; lives for one `across`."""

    def __init__(self, atlas: Atlas, edges: Pairs, render: Render, classify: Classify) -> None:
        self.atlas, self.render, self.classify = atlas, render, classify
        self.ends = atlas.unit[edges]
        self.angle = globe.angle(self.ends[:, 0], self.ends[:, 1])
        self.heading = globe.tangent(self.ends[:, 0], self.ends[:, 1])
        self.looks = 0

    def at(self, which: Integers, share: Vector) -> Units:
        """Places at shares of edges."""
        return globe.step(self.ends[which, 0], self.heading[which], share * self.angle[which])[0]

    def look(self, which: Integers, share: Vector) -> tuple[Array, Array, Pictures]:
        """Shares of phases [n, k], features [n, F] and thumbnails of places on edges."""
        units = self.at(which, share)
        seen = self.render(units, np.full(len(units), self.atlas.radius))
        self.looks += len(units)
        return np.asarray(self.classify(seen.features)), np.asarray(seen.features, np.float64), seen.thumbs

    def latents(self, which: Integers, share: Vector) -> Vector:
        """Latent length of shares of edges."""
        return share * self.angle[which] * self.atlas.plane.target * self.atlas.radius


@dataclass(frozen=True, eq=False)
class _Spans:
    """Stretches [s] of edges whose ends are of two phases. which: edge; low, high: 0..1 of it; one, other: phases at
    its ends; before, after [s, F]: features there."""

    which: Integers
    low: Vector
    high: Vector
    one: Integers
    other: Integers
    before: Seen
    after: Seen

    def __len__(self) -> int:
        return len(self.which)

    def part(self, which: Flags) -> _Spans:
        """Some of them."""
        return _Spans(*(column[which] for column in vars(self).values()))


@dataclass(frozen=True)
class _Border:
    """Where a phase ends on an edge and another begins; rate: feature distance per latent across it."""

    edge: int
    share: float
    after: int
    rate: float


def _leave(walk: _Walk, spans: _Spans, looks: int) -> tuple[list[_Border], _Spans]:
    """Bisect for where the phase at the beginning of spans ends; and what is left of each beyond that."""
    low, high, other = spans.low.copy(), spans.high.copy(), spans.other.copy()
    before, after = spans.before, spans.after
    for _ in range(looks):
        middle = (low + high) / 2
        share, feature, _ = walk.look(spans.which, middle)
        named = share.argmax(axis=1)
        same = named == spans.one
        low, high = np.where(same, middle, low), np.where(same, high, middle)
        other = np.where(same, other, named)
        before, after = np.where(same[:, None], feature, before), np.where(same[:, None], after, feature)
    step = np.linalg.norm(after - before, axis=1)
    rate = step / np.maximum(walk.latents(spans.which, high - low), np.finfo(np.float64).tiny)
    rows = zip(spans.which.tolist(), ((low + high) / 2).tolist(), other.tolist(), rate.tolist())
    left = _Spans(spans.which, high, spans.high, other, spans.other, after, spans.after)
    return [_Border(*row) for row in rows], left.part(other != spans.other)


def _changes(walk: _Walk, edges: Pairs, probes: int) -> _Spans:
    """The stretches between neighbours of so many probes, evenly along edges, that are of two phases."""
    count, share = len(edges), np.linspace(0.0, 1.0, probes + 2)
    own = np.asarray(walk.atlas.features[edges], np.float64)  # [m, 2, F]
    between: Integers = np.repeat(np.arange(count), probes)
    found = walk.look(between, np.tile(share[1:-1], count))[1] if probes else np.zeros((0, own.shape[2]))
    features = np.concatenate([own[:, :1], found.reshape(count, probes, -1), own[:, 1:]], axis=1)
    label = np.asarray(walk.classify(features.reshape(-1, own.shape[2]))).argmax(axis=1).reshape(count, -1)
    which, k = np.nonzero(label[:, :-1] != label[:, 1:])
    return _Spans(
        which.astype(np.int64), share[k], share[k + 1], label[which, k], label[which, k + 1],
        features[which, k], features[which, k + 1],
    )  # fmt: skip


def across(
    atlas: Atlas, edges: Pairs, render: Render, classify: Classify, looks: int = LOOKS, probes: int = PROBES
) -> tuple[list[tuple[int, int, float, float, float]], int]:
    """What lies between the ends of edges [m, 2]: (edge, phase, begin, end, rate) of every third phase, and how many
    pictures were made."""
    walk = _Walk(atlas, edges, render, classify)
    ends = [np.asarray(classify(atlas.features[edges[:, k]])).argmax(axis=1) for k in (0, 1)]
    spans, borders = _changes(walk, edges, probes), list[_Border]()
    for _ in range(MOST):
        if not len(spans):
            break
        made, spans = _leave(walk, spans, looks)
        borders += made
    borders.sort(key=lambda border: (border.edge, border.share))
    found = [
        (one.edge, one.after, one.share, other.share, max(one.rate, other.rate))
        for one, other in pairwise(borders)
        if one.edge == other.edge and one.after not in (ends[0][one.edge], ends[1][one.edge])
    ]
    return found, walk.looks


def report(
    atlas: Atlas, found: Sequence[Rift], render: Render, classify: Classify, each: int = EACH, looks: int = LOOKS,
    probes: int = PROBES,
) -> Report:  # fmt: skip
    """What appears in rifts. each: edges of a rift that are walked, looks: of a bisection, both at least 1; probes:
    of an edge before it is bisected."""
    chosen = [spread(atlas, rift, each) for rift in found]
    walked = np.array([len(edges) for edges in chosen], np.int64)
    edges = np.concatenate(chosen)
    whose = np.repeat(np.arange(len(found)), walked)
    raw, count = across(atlas, edges, render, classify, looks, probes)
    raw = [row for row in raw if row[1] not in found[int(whose[row[0]])].between]
    if not raw:
        return Report(found, walked, [], count)
    walk = _Walk(atlas, edges, render, classify)
    at = np.array([row[0] for row in raw], np.int64)
    begin, end = np.array([row[2:4] for row in raw]).T
    middle = (begin + end) / 2
    share, _, thumbs = walk.look(at, middle)
    units, width = walk.at(at, middle), walk.latents(at, end - begin)
    starts = np.cumsum(walked) - walked
    bands = [
        Band(int(whose[edge]), int(edge - starts[whose[edge]]), third, first, last, units[k], float(width[k]), rate,
             float(share[k, third]), thumbs[k])
        for k, (edge, third, first, last, rate) in enumerate(raw)
    ]  # fmt: skip
    return Report(found, walked, bands, count + walk.looks)


def nearest(atlas: Atlas, phases: Phases) -> Classify:
    """Clusters as a classifier: the phase whose mean picture is nearest, Gaussians as wide as the phases."""
    features = np.asarray(atlas.features, np.float64)
    count = len(phases.names)
    there = np.array([(phases.label == k).any() for k in range(count)])
    centres = np.stack(
        [features[phases.label == k].mean(axis=0) if there[k] else np.zeros(features.shape[1]) for k in range(count)]
    )
    width = max(float(np.median(np.linalg.norm(features - centres[phases.label], axis=1))), 1e-9)

    def classify(seen: Features) -> Float64[Reals, "n k"]:
        away = np.linalg.norm(np.asarray(seen, np.float64)[:, None] - centres[None], axis=2) / width
        away[:, ~there] = np.inf
        likely = np.exp(-0.5 * (away**2 - away.min(axis=1, keepdims=True) ** 2))
        return np.asarray(likely / likely.sum(axis=1, keepdims=True))

    return classify


def strips(atlas: Atlas, rift: Rift, band: Band, each: int, count: int, render: Render, classify: Classify
           ) -> tuple[Pictures, Float64[Reals, "n k"], Vector]:  # fmt: skip
    """Pictures, shares of phases and latents along the edge that a band lies on, evenly, `count` of them. each: as the
    report was made with."""
    edge = spread(atlas, rift, each)[band.edge][None]
    walk = _Walk(atlas, edge, render, classify)
    share = np.linspace(0.0, 1.0, count)
    which: Integers = np.zeros(count, np.int64)
    shares, _, thumbs = walk.look(which, share)
    return thumbs, shares, walk.latents(which, share)
