"""Walks of other packages: what such a one raises, and numbers that name no place, become one line that names it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from latentworld.arrays import Array, Radii, Units, Vector
from latentworld.errors import GeometryError, WalkRefused
from latentworld.plane import Plane
from latentworld.registry import reason, traced
from latentworld.walks.curves import Curve
from latentworld.walks.fixed import Fixed
from latentworld.walks.free import Free, Wind
from latentworld.walks.spec import FreeSpec, Spec

LARGEST = 1e9  # of a unit, a radius or a curvature: beyond it is no place, and our own numbers would overflow


@dataclass(frozen=True)
class Maker:
    """Who made a kind of walk: package, as a registry names it, and the module its class lies in."""

    kind: str
    source: str
    module: str

    def broke(self, error: BaseException) -> WalkRefused:
        """What is told of an error that came out of its code."""
        where = traced(error, {self.module.partition(".")[0]: self.source})
        return self.refused(where or f"{self.source} broke: {reason(error)}")

    def refused(self, why: str) -> WalkRefused:
        """What is told of a walk that cannot be walked."""
        return WalkRefused(f"the walk {self.kind!r}: {why}", self.kind)

    def numbers(self, ask: Callable[[Vector], Array], at: Vector, shape: tuple[int, ...]) -> Array:
        """What is answered for the places `at` [n]. Raises WalkRefused unless it is finite numbers of that shape."""
        try:
            found = np.asarray(ask(at), np.float64)
        except (Exception, SystemExit) as error:  # what other people's code raises is anybody's guess
            raise self.broke(error) from error
        if found.shape != shape or not (np.abs(found) < LARGEST).all():
            raise self.refused(f"{self.source} gave places that are none (not finite, or not {list(shape)} numbers)")
        return found


@dataclass(frozen=True, eq=False)
class ForeignCurve:
    """A curve whose answers are checked."""

    curve: Curve
    knots: Vector
    maker: Maker

    def unit(self, t: Vector) -> Units:
        """Units [n, 3]."""
        return self.maker.numbers(self.curve.unit, t, (len(t), 3))

    def radius(self, t: Vector) -> Radii:
        """Radius factors [n]."""
        return self.maker.numbers(self.curve.radius, t, (len(t),))


@dataclass(frozen=True, eq=False)
class ForeignWind:
    """A wind whose answers are checked."""

    wind: Wind
    maker: Maker

    def __call__(self, phi: Vector) -> Vector:
        """Curvatures at phi [n]."""
        return self.maker.numbers(self.wind, phi, (len(phi),))


def built(spec: Spec, plane: Plane, maker: Maker) -> Fixed | Free:
    """The walk of another package's spec, which raises WalkRefused alone, now and wherever it is asked later."""
    wanted = Free if isinstance(spec, FreeSpec) else Fixed
    try:
        spec.model_dump(mode="json")  # the scene is told in it
        walk = spec.build(plane)
        if type(walk) is not wanted:
            raise maker.refused(f"{maker.source} built {walk!r:.60}, which is no {wanted.__name__}")
        walk = _checked(walk, maker)
        units, radii = walk.ahead(0.0)
    except WalkRefused:
        raise
    except GeometryError as error:
        raise maker.refused(f"{error} ({maker.source})") from None
    except (Exception, SystemExit) as error:
        raise maker.broke(error) from error
    if not (np.isfinite(units).all() and np.isfinite(radii).all()):
        raise maker.refused(f"{maker.source} built one that begins nowhere")
    return walk


def _checked(walk: Fixed | Free, maker: Maker) -> Fixed | Free:
    if isinstance(walk, Fixed):
        return replace(walk, curve=ForeignCurve(walk.curve, walk.curve.knots, maker))
    return walk if walk.wind is None else replace(walk, wind=ForeignWind(walk.wind, maker))
