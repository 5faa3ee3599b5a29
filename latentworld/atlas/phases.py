"""Phases: what kind of picture lies at each place; and the rift lines between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from latentworld.arrays import Array, Integers, Mask
from latentworld.atlas.types import Atlas, Line, Mesh, Phases
from latentworld.errors import AtlasError
from latentworld.extras import need
from latentworld.globe import angle, normalise
from latentworld.vision import Classifier

if TYPE_CHECKING:
    from sklearn.cluster import KMeans

MOST = 12  # phases looked for when nobody says how many: as many as a legend can hold apart
SAMPLE = 2000  # places on which numbers of clusters are compared: a silhouette costs the square of them
STARTS = 8  # of k-means


def checked(words: Sequence[str]) -> list[str]:
    """Words to name phases by, stripped. Raises AtlasError when there is none, or one is blank or given twice."""
    names = [word.strip() for word in words]
    if not names:
        raise AtlasError("phases need words: give a few, such as 'castle' 'forest' 'sea'")
    if "" in names:
        raise AtlasError("a word for a phase is blank: leave it out")
    twice = [name for index, name in enumerate(names) if name in names[:index]]
    if twice:
        raise AtlasError(f"the phase {twice[0]!r} is named twice: give each word once")
    return names


def by_words(atlas: Atlas, classify: Classifier, words: Sequence[str]) -> Phases:
    """Zero-shot phases: at each place the likeliest word.

    Confidence is the margin of its probability over the second likeliest word's (1 with one word): 0 on the rift.
    Raises AtlasError as `checked`, or when `classify` was made for other words.
    """
    import torch

    names = checked(words)
    found = classify(torch.from_numpy(np.ascontiguousarray(atlas.features, dtype=np.float32)))
    probabilities = np.asarray(found, dtype=np.float64)
    if probabilities.shape != (len(atlas), len(names)):
        raise AtlasError(
            f"{len(names)} words, probabilities {probabilities.shape}: make the classifier from these words"
        )
    ranked = np.sort(np.pad(probabilities, [(0, 0), (1, 0)]), axis=1)
    return Phases(tuple(names), probabilities.argmax(axis=1).astype(np.int64), ranked[:, -1] - ranked[:, -2])


def by_clusters(atlas: Atlas, count: int | None = None, seed: int = 0) -> Phases:
    """Phases that nobody named: k-means of the features, "phase 1" the largest.

    With no count, the number in 2..12 of the best silhouette (Rousseeuw 1987) on up to 2000 places drawn by `seed`.
    Why not HDBSCAN: on surveys of the embedded world it leaves 20 to 50 % of the places in no cluster, while a rift
    line needs two phases to part; k-means finds the same phases from other seeds (adjusted Rand index above 0.95).
    Confidence is (d2 - d1) / (d2 + d1) of the distances to the nearest two centres: 0 on the rift, 1 at a centre.
    Raises AtlasError without places, or for a count below 1 or above the number of different features.
    """
    features = np.asarray(atlas.features, dtype=np.float64)
    different = len(np.unique(atlas.features, axis=0)) if len(atlas) else 0
    if not different:
        raise AtlasError("an atlas without places has no phases: survey some first")
    if count is None:
        count = _best(features, different, seed)
    if not 1 <= count <= different:
        raise AtlasError(f"{count} phases of {different} different pictures: ask for 1 to {different}")
    centres = _fitted(features, count, seed).cluster_centers_
    distance = np.stack([np.linalg.norm(features - centre, axis=1) for centre in centres], axis=1)
    nearest = distance.argmin(axis=1)
    order = np.argsort(-np.bincount(nearest, minlength=count), kind="stable")
    ranked = np.sort(distance, axis=1)
    second = ranked[:, 1] if count > 1 else np.ones(len(atlas))
    total = second + ranked[:, 0]
    confidence = np.divide(second - ranked[:, 0], total, out=np.zeros(len(atlas)), where=total > 0)
    names = tuple(f"phase {index + 1}" for index in range(count))
    return Phases(names, np.argsort(order)[nearest].astype(np.int64), confidence if count > 1 else np.ones(len(atlas)))


def _best(features: Array, different: int, seed: int) -> int:
    """The number of clusters of the best silhouette, 1 where nothing could be told apart."""
    metrics = need("sklearn.metrics")
    chosen = np.random.default_rng(seed).permutation(len(features))[:SAMPLE]
    sample = features[np.sort(chosen)]
    scores = {}
    for count in range(2, min(MOST, different, len(sample) - 1) + 1):
        labels = _fitted(sample, count, seed).labels_
        if len(np.unique(labels)) == count:
            scores[count] = metrics.silhouette_score(sample, labels)
    return max(scores, key=lambda count: scores[count]) if scores else 1


def _fitted(features: Array, count: int, seed: int) -> KMeans:
    return need("sklearn.cluster").KMeans(count, n_init=STARTS, random_state=seed).fit(features)


def lines(atlas: Atlas, mesh: Mesh, phases: Phases, rates: Array) -> list[Line]:
    """The rifts between phases as polylines, by marching triangles; the strongest and longest first.

    A rift crosses an edge whose ends have two labels where their confidences, read as distances from it, meet. A
    triangle of two labels is crossed from edge to edge; in one of three, three rifts end at the middle of their
    crossings. A closed line repeats its first place. Strength: mean rate of the places on either side.
    Sorted by strength times length (rad).
    """
    mixed = phases.label[mesh.edges[:, 0]] != phases.label[mesh.edges[:, 1]]
    sides = mesh.edges[mixed]
    crossed, junctions = _triangles(mesh, mixed)
    positions = _crossings(atlas, phases.confidence, sides)
    ends = len(sides) + np.arange(junctions.size)  # a junction is the end of three lines, so it counts three times
    links = np.concatenate([crossed, np.stack([junctions.ravel(), ends], axis=1)])
    positions = np.concatenate([positions, np.repeat(positions[junctions].mean(axis=1), 3, axis=0)])
    strength, between = np.nan_to_num(rates)[sides].mean(axis=1), np.sort(phases.label[sides], axis=1)
    found = []
    for chain, closed in _chains(links, len(positions)):
        on_edges = chain[chain < len(sides)]
        line, unit = _places(atlas, positions[chain])
        low, high = between[on_edges[0]].tolist()
        found.append(Line((low, high), line, unit, float(strength[on_edges].mean()), closed))
    return sorted(found, key=lambda line: -line.strength * _length(line.unit))


def _triangles(mesh: Mesh, mixed: Mask) -> tuple[Integers, Integers]:
    """The mixed edges, counted among themselves, of triangles with two labels [., 2] and with three [., 3]."""
    count = int(mesh.edges.max(initial=0)) + 1
    ends = np.sort(np.stack([mesh.triangles, np.roll(mesh.triangles, -1, axis=1)], axis=2), axis=2)
    edge = np.searchsorted(mesh.edges @ [count, 1], ends @ [count, 1])
    node = np.where(mixed[edge], (np.cumsum(mixed) - 1)[edge], -1)
    how_many = mixed[edge].sum(axis=1)
    return np.sort(node[how_many == 2], axis=1)[:, 1:], node[how_many == 3]


def _crossings(atlas: Atlas, confidence: Array, sides: Integers) -> Array:
    """Where the rift crosses edges [m, 2]: alpha and beta [m, 2], on the globe units [m, 3] (not yet normalised)."""
    own, other = confidence[sides].T
    share = np.divide(own, own + other, out=np.full(len(sides), 0.5), where=own + other > 0)
    share = np.clip(share, 0.05, 0.95)[:, None]  # off the places themselves, where several edges would cross at once
    ground = atlas.unit if atlas.sampling.kind == "globe" else atlas.coordinates
    return np.asarray((1 - share) * ground[sides[:, 0]] + share * ground[sides[:, 1]])


def _places(atlas: Atlas, positions: Array) -> tuple[Array, Array]:
    """alpha and beta [k, 2] and unit [k, 3] of positions as `_crossings` gives them."""
    if atlas.sampling.kind != "globe":
        return positions, atlas.plane.unit(*positions.T)
    unit = normalise(positions)
    return np.stack(atlas.plane.chart(unit)[:2], axis=1), unit


def _chains(links: Integers, count: int) -> Iterator[tuple[Integers, bool]]:
    """The paths and rings that links [m, 2] make of `count` nodes, each in at most two links."""
    both = np.concatenate([links, links[:, ::-1]])
    both = both[np.lexsort(both.T[::-1])]
    second = np.append(False, both[1:, 0] == both[:-1, 0]).astype(np.int64)[: len(both)]
    beside = np.full((count, 2), -1, dtype=np.int64)
    beside[both[:, 0], second] = both[:, 1]
    free = beside[:, 0] >= 0
    path_ends = np.flatnonzero(free & (beside[:, 1] < 0))
    neighbours = beside.tolist()
    for start in [*path_ends.tolist(), *range(count)]:
        if not free[start]:
            continue
        chain, at = [], start
        while at >= 0:
            chain.append(at)
            free[at] = False
            at = next((node for node in neighbours[at] if node >= 0 and free[node]), -1)
        closed = neighbours[start][1] >= 0
        yield np.array([*chain, start] if closed else chain, dtype=np.int64), closed


def _length(unit: Array) -> float:
    return float(angle(unit[1:], unit[:-1]).sum())
