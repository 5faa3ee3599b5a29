"""What the rooms of the atlas hand to each other.

::

    Render(units [n, 3], radii [n]) -> Rendered      a decoder and an eye, with thumbnails
    Atlas                                            what a survey found: places, features, thumbnails
    Mesh                                             which places are neighbours, as triangles
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from latentworld.arrays import (
    Features,
    Flags,
    Float64,
    Indices,
    Pairs,
    Pictures,
    Radii,
    Reals,
    Triangles,
    Units,
    Vector,
)
from latentworld.atlas.places import coordinates
from latentworld.atlas.sampling import Sampling, Window
from latentworld.lipschitz import Floor
from latentworld.plane import Plane


@dataclass(frozen=True, eq=False)
class Rendered:
    """What was seen at n places: features [n, F], an eye's float32, and thumbnails uint8 [n, h, w, 3] (RGB)."""

    features: Features
    thumbs: Pictures

    def __len__(self) -> int:
        return len(self.features)


Render = Callable[[Units, Radii], Rendered]
"""Units [n, 3] and radii [n] to what is seen there; in padded batches, so that it never depends on the batch."""


class Thumbs(Protocol):
    """Thumbnails that may still lie on disk: `thumbs[i]` is uint8 [h, w, 3], `thumbs[a:b]` uint8 [b - a, h, w, 3]."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, key: int | slice | NDArray[np.integer], /) -> NDArray[np.uint8]: ...


@dataclass(frozen=True, eq=False)
class Atlas:
    """What a survey found so far: only places that are done, n of them.

    unit: float64 [n, 3]; features: [n, F], float32 of an eye and of unit length for CLIP; lattice: int64 [n, 2], row
    (alpha) and column (beta) on the finest grid of a window or an adaptive survey, and HEALPix pixel and 0 on the
    globe; level: int64 [n], 0 the coarsest; radius: factor of the shell, one for a whole survey. `settings` is what the
    store was begun with (see `store`); `floor`: measured at the place of the strongest rate, None when it was not.
    """

    plane: Plane
    sampling: Sampling
    unit: Units
    features: Features
    thumbs: Thumbs | Pictures
    lattice: Pairs
    level: Indices
    radius: float = 1.0
    settings: Mapping[str, object] = field(default_factory=dict)
    floor: Floor | None = None
    complete: bool = True

    def __len__(self) -> int:
        return len(self.unit)

    @cached_property
    def chart(self) -> tuple[Vector, Vector, Flags]:
        """alpha [n], beta [n] and whether the place lies on the chart's side (front [n]); see `Plane.chart`."""
        return self.plane.chart(self.unit)

    @cached_property
    def coordinates(self) -> Float64[Reals, "n 2"]:
        """alpha and beta [n, 2]: of a window exactly as sampled, else from the chart."""
        return coordinates(self.sampling, self.plane, self.unit, self.lattice)

    @cached_property
    def points(self) -> Units:
        """The places in R3 [n, 3], in latent units: latent distances are Euclidean here."""
        return self.plane.points(self.unit, self.radius)

    @property
    def grid(self) -> tuple[int, int] | None:
        """(rows, columns) where the atlas is one complete grid in row-major order, else None."""
        whole = isinstance(self.sampling, Window) and len(self) == self.sampling.count
        return (self.sampling.rows, self.sampling.columns) if whole else None  # type: ignore[union-attr]


@dataclass(frozen=True, eq=False)
class Mesh:
    """Neighbourhood: triangles int64 [t, 3] of places, and their edges int64 [e, 2], each once with i < j."""

    triangles: Triangles
    edges: Pairs


@dataclass(frozen=True, eq=False)
class Phases:
    """What kind of picture lies at each place: label int64 [n] into `names`, and how sure, float64 [n] in 0..1."""

    names: Sequence[str]
    label: Indices
    confidence: Vector


@dataclass(frozen=True, eq=False)
class Line:
    """A rift between two phases: `line` [k, 2] in alpha and beta (globe surveys: `unit` alone counts), unit [k, 3].

    between: the two phases' indices, low first; strength: mean rate along it; closed: whether it returns to its start.
    """

    between: tuple[int, int]
    line: Float64[Reals, "n 2"]
    unit: Units
    strength: float
    closed: bool


@dataclass(frozen=True)
class Site:
    """A strong rift: place index `at`, the two places of its steepest edge, and its rate there.

    alpha, beta and front as `Plane.chart` of the edge's middle; contrast: rate over the atlas's median.
    """

    at: int
    sides: tuple[int, int]
    alpha: float
    beta: float
    front: bool
    rate: float
    contrast: float
