"""The plane that controls want: seeds of its vertices and its norm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from installation.ipc.scene import PlaneScene
from latentworld import vertices
from latentworld.errors import GeometryError
from latentworld.plane import Plane
from latentworld.sections import PlaneSpec
from latentworld.vertices import is_bridge


@dataclass(frozen=True)
class PlaneWish:
    """A seed for each vertex, None for what the preset's file has there; norm: how lengths are set."""

    seeds: tuple[int | None, int | None, int | None]
    norm: str


class Planes:
    """Planes by what is wanted; the last few are kept, and what was refused is not tried again until it changes."""

    KEPT = 8

    def __init__(self, plane: Plane, spec: PlaneSpec) -> None:
        self._first, self._spec = plane, spec
        seeds: tuple[Any, ...] = (None, None, None) if spec.vertices is not None else spec.seeds
        self._base = PlaneWish((seeds[0], seeds[1], seeds[2]), spec.norm)
        self._made: dict[PlaneWish, Plane] = {self._base: plane}
        self._digest: tuple[Plane, str] = (plane, vertices.digest(plane.vertices))
        self._good = self._base
        self._bad: PlaneWish | None = None
        self._raw: str | None = None  # the control's value that was refused

    @property
    def good(self) -> Plane:
        """The last one that could be had."""
        return self._made[self._good]

    def wanted(self, seeds: Sequence[int | None], norm: str | None) -> PlaneWish:
        """These seeds and this norm; what is None is the preset's."""
        a, b, c = (own if seed is None else seed for seed, own in zip(seeds, self._base.seeds, strict=True))
        if norm != self._raw:
            self._raw = None
        norm = self._base.norm if norm is None else norm
        return PlaneWish((a, b, c), "sphere" if self._raw is not None and norm == "raw" else norm)

    def refuse_raw(self, norm: str | None) -> None:
        """No raw plane until the control, which is at `norm`, is set to something else."""
        self._raw = "raw" if norm is None else norm
        if self._base.norm == "raw":
            self._base = replace(self._base, norm="sphere")

    def plane(self, wish: PlaneWish) -> Plane:
        """The plane wished for. Raises GeometryError, once, for vertices that span none; then it is the last good."""
        if wish == self._bad:
            return self.good
        try:
            plane = self._made.get(wish) or self._draw(wish)
        except GeometryError as error:
            self._bad = wish
            raise GeometryError(f"{error} The plane stays as it was.") from None
        self._good, self._bad = wish, None
        self._made.pop(wish, None)
        self._made[wish] = plane
        while len(self._made) > self.KEPT:
            self._made.pop(next(iter(self._made)))
        return plane

    def sphere(self) -> Plane:
        """The last good one's vertices on the sphere, which has no end."""
        return self.plane(replace(self._good, norm="sphere"))

    def description(self, plane: Plane) -> PlaneScene:
        """A plane as a scene has it."""
        wish = next((wish for wish, made in self._made.items() if made is plane), self._good)
        if self._digest[0] is not plane:
            self._digest = (plane, vertices.digest(plane.vertices))
        spec = self._spec
        a, b, c = ((float(x), float(y), float(z)) for x, y, z in plane.corners)
        return PlaneScene(wish.seeds, wish.norm, spec.layout, spec.device, spec.dtype, spec.vertices, plane.shape,
                          self._digest[1], (a, b, c), spec.hold, spec.reach)  # fmt: skip

    def _draw(self, wish: PlaneWish) -> Plane:
        spec, shape = self._spec, self._first.shape
        if spec.vertices is not None and wish.seeds != self._base.seeds and is_bridge(spec.vertices):
            raise GeometryError("A seed draws pure noise, and a bridge's latents are half-way: its vertices stay.")
        own = self._first.vertices
        seeds = tuple(0 if seed is None else seed for seed in wish.seeds)
        three = (seeds[0], seeds[1], seeds[2])
        drawn = np.array(vertices.from_seeds(three, shape, spec.layout, spec.device, spec.dtype))
        for row, (seed, base) in enumerate(zip(wish.seeds, self._base.seeds, strict=True)):
            if seed == base:  # as the first plane has it: a file's vertex, or the very numbers that were drawn
                drawn[row] = own[row]
        return Plane(drawn, wish.norm)  # type: ignore[arg-type]
