"""What a walk has seen, lately and ever, in a bounded memory: what is like none of it is novel.

An archive keeps centres of pictures' features, no two nearer than its radius: a picture within the radius of a centre
is a visit to it, one that is not becomes a centre. Where there are too many, the radius grows and centres are merged
(the doubling algorithm for incremental clustering, Charikar, Chekuri, Feder & Motwani, STOC 1997). So the memory of an
evening and of a year is as large, and covers all that was seen as finely as it can.

Novelty follows Lehman & Stanley (Evolutionary Computation 19, 2011): how far a picture is from those of the archive.
Here it is the negative logarithm of a kernel density, so that what was seen often, or a moment ago, repels more.
"""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from latentworld.arrays import Array, Float64, Reals, Vector

MOST = 256  # centres: with 32 numbers of a byte each, 10 KB
DIMENSIONS = 32  # of features as they are kept: random directions keep distances to about a tenth
LEVELS = 80.0  # steps to 1, of a number that is kept in a byte: features are of about unit length
RADIUS = 0.05  # of a centre to begin with: pictures nearer than that are one picture to CLIP
GROWTH = 1.2  # of the radius where there are too many
WIDE = 1.5  # radii: the kernel's width
LATELY, FORGOTTEN = 3.0, 60.0  # how many visits the last one counts for more; looks after which a third of that is left
_HEAD = struct.Struct("<4sIIId")
_MAGIC = b"arc1"


def _no_centres() -> NDArray[np.int8]:
    return np.zeros((0, DIMENSIONS), np.int8)


def _nothing() -> NDArray[np.float32]:
    return np.zeros(0, np.float32)


def _never() -> NDArray[np.uint32]:
    return np.zeros(0, np.uint32)


@dataclass(frozen=True, eq=False)
class Archive:
    """An `Aim`: features to how novel they are. centres: int8 [n, DIMENSIONS]; visits: float32 [n]; last: uint32 [n],
    when each was seen last, counted in looks; looks: so far; radius: feature distance; dimension: of the eye whose
    features they are, 0 before any."""

    centres: NDArray[np.int8] = field(default_factory=_no_centres)
    visits: NDArray[np.float32] = field(default_factory=_nothing)
    last: NDArray[np.uint32] = field(default_factory=_never)
    looks: int = 0
    radius: float = RADIUS
    dimension: int = 0

    def __len__(self) -> int:
        return len(self.centres)

    def __call__(self, features: Float64[Reals, "n f"]) -> Float64[Reals, " n"]:
        """Novelty [n] of features [n, F]; all alike where nothing was seen, or another eye saw it."""
        if not len(self) or features.shape[1] != self.dimension:
            return np.zeros(len(features))
        away = _distances(kept(features), self.centres)
        exponent = -0.5 * (away / (WIDE * self.radius)) ** 2 + self._weight
        top = exponent.max(axis=1)
        return np.asarray(-(top + np.log(np.exp(exponent - top[:, None]).sum(axis=1))))

    def nearest(self, features: Float64[Reals, "n f"]) -> Vector:
        """Distance [n] to the nearest picture of the archive; infinite where there is none."""
        if not len(self) or features.shape[1] != self.dimension:
            return np.full(len(features), np.inf)
        return np.asarray(_distances(kept(features), self.centres).min(axis=1))

    def seen(self, feature: Float64[Reals, " f"]) -> Archive:
        """The archive after one more picture [F]. One of another eye begins anew; one that is not finite is no
        picture."""
        if not np.isfinite(feature).all():
            return self
        if self.dimension not in (0, len(feature)):
            return Archive().seen(feature)
        one = kept(feature[None])
        looks = self.looks + 1
        if len(self):
            away = _distances(one, self.centres)[0]
            at = int(away.argmin())
            if away[at] < self.radius:
                visits, last = self.visits.copy(), self.last.copy()
                visits[at] += 1.0
                last[at] = looks
                return replace(self, visits=visits, last=last, looks=looks)
        more = replace(
            self, centres=np.concatenate([self.centres, one]), visits=np.append(self.visits, np.float32(1.0)),
            last=np.append(self.last, np.uint32(looks)), looks=looks, dimension=len(feature),
        )  # fmt: skip
        while len(more) > MOST:
            more = more._coarser()
        return more

    @cached_property
    def _weight(self) -> Array:
        age = self.looks - self.last.astype(np.float64)
        return np.asarray(np.log(self.visits.astype(np.float64) + LATELY * np.exp(-age / FORGOTTEN)))

    def _coarser(self) -> Archive:
        """With a larger radius: each centre, the oldest first, takes in those within it."""
        radius = self.radius * GROWTH
        left = np.ones(len(self), np.bool_)
        visits, last = self.visits.copy(), self.last.copy()
        chosen = list[int]()
        for k in range(len(self)):
            if not left[k]:
                continue
            near = np.flatnonzero(left & (_distances(self.centres[k][None], self.centres)[0] < radius))
            visits[k], last[k] = self.visits[near].sum(), self.last[near].max()
            left[near] = False
            chosen.append(k)
        return replace(self, centres=self.centres[chosen], visits=visits[chosen], last=last[chosen], radius=radius)

    @cached_property
    def text(self) -> str:
        """As a state keeps it: base64, 14 KB at most."""
        head = _HEAD.pack(_MAGIC, len(self), self.looks, self.dimension, self.radius)
        return base64.b64encode(
            head + self.centres.tobytes() + self.visits.astype("<f4").tobytes() + self.last.astype("<u4").tobytes()
        ).decode()

    @staticmethod
    def read(text: str) -> Archive:
        """From `text`; an empty one for anything else."""
        try:
            data = base64.b64decode(text, validate=True)
            magic, count, looks, dimension, radius = _HEAD.unpack_from(data)
        except (binascii.Error, ValueError, struct.error):
            return Archive()
        body = data[_HEAD.size :]
        sound = magic == _MAGIC and count <= MOST and len(body) == count * (DIMENSIONS + 8)
        if not (sound and np.isfinite(radius) and RADIUS <= radius <= 1e6 and dimension > 0):
            return Archive()
        centres = np.frombuffer(body, np.int8, count * DIMENSIONS).reshape(count, DIMENSIONS)
        rest = body[count * DIMENSIONS :]
        visits, last = np.frombuffer(rest, "<f4", count), np.frombuffer(rest, "<u4", count, 4 * count)
        if not (np.isfinite(visits).all() and (visits >= 1.0).all() and (last <= looks).all()):
            return Archive()
        return Archive(centres, visits.astype(np.float32), last.astype(np.uint32), looks, radius, dimension)


def kept(features: Float64[Reals, "n f"]) -> NDArray[np.int8]:
    """Features [n, F] as an archive keeps them, [n, DIMENSIONS]."""
    flat = np.asarray(features, np.float64) @ _directions(features.shape[1])
    return np.clip(np.rint(LEVELS * flat), -127, 127).astype(np.int8)


@lru_cache(maxsize=8)
def _directions(dimension: int) -> Array:
    """[F, DIMENSIONS]: the features themselves where they are few, else random directions, which keep distances
    (Johnson & Lindenstrauss 1984)."""
    if dimension <= DIMENSIONS:
        return np.eye(dimension, DIMENSIONS)
    return np.asarray(np.random.default_rng(0).normal(size=(dimension, DIMENSIONS)) / np.sqrt(DIMENSIONS))


def _distances(one: NDArray[np.int8], other: NDArray[np.int8]) -> Array:
    """[n, m], in the features' own scale."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2.0 * a @ b.T
    return np.asarray(np.sqrt(np.maximum(squared, 0.0)) / LEVELS)
