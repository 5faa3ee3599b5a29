"""The globe: unit vectors in R3 and headings on them, in float64.

A place is a unit vector u, a heading is a unit vector h with u.h = 0, left of a traveller is n = u x h. Angles are
radians. Every function broadcasts over leading axes and works element by element (no BLAS), so a result never depends
on its batch-mates. Headings bend by *geodesic curvature*: radians of turn, left positive, per radian of travel.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from latentworld.arrays import Array, Directions
from latentworld.errors import GeometryError

_TINY = 1e-12  # directions shorter than this, relative to unit vectors, are rounding and point nowhere


def dot(a: npt.ArrayLike, b: npt.ArrayLike) -> Array:
    """Scalar product over the last axis: [..., 3], [..., 3] -> [...]."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    product: Array = a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2]
    return product


def cross(a: npt.ArrayLike, b: npt.ArrayLike) -> Directions:
    """Vector product over the last axis: [..., 3], [..., 3] -> [..., 3]."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return np.stack(
        [
            a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1],
            a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2],
            a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0],
        ],
        axis=-1,
    )


def normalise(v: npt.ArrayLike) -> Directions:
    """The unit vectors along v [..., 3], of any length down to 1e-300 and up to 1e300.

    Raises GeometryError when a vector is zero or not finite.
    """
    v = np.asarray(v, np.float64)
    if not np.isfinite(v).all():
        raise GeometryError("A direction is not finite: give finite coordinates.")
    largest = np.abs(v).max(axis=-1, keepdims=True)
    if (largest == 0).any():
        raise GeometryError("A direction has zero length: give a point away from the origin.")
    # Scaling by a power of two is exact and keeps the squares in range.
    scaled: Array = np.ldexp(v, -np.frexp(largest)[1])
    unit: Directions = scaled / np.sqrt(dot(scaled, scaled))[..., None]
    return unit


def angle(u: npt.ArrayLike, v: npt.ArrayLike) -> Array:
    """Great-circle angle between unit vectors, [...] in 0..pi.

    2 atan2(|u - v|, |u + v|) (Kahan): exact for tiny angles and near pi, where the arc cosine has no digits left.
    """
    u, v = np.asarray(u, np.float64), np.asarray(v, np.float64)
    apart, together = u - v, u + v
    result: Array = 2.0 * np.arctan2(np.sqrt(dot(apart, apart)), np.sqrt(dot(together, together)))
    return result


def project(u: npt.ArrayLike, direction: npt.ArrayLike) -> Directions:
    """The unit heading at u nearest to a direction of R3 [..., 3].

    Raises GeometryError when the direction points straight up or down at u.
    """
    u, direction = np.asarray(u, np.float64), np.asarray(direction, np.float64)
    length = np.sqrt(dot(direction, direction))
    flat = direction - dot(u, direction)[..., None] * u
    if not np.isfinite(flat).all() or (np.sqrt(dot(flat, flat)) <= _TINY * length).any():
        raise GeometryError("No heading: the direction is zero or points straight up or down; choose another.")
    heading = normalise(flat)
    return normalise(
        heading - dot(u, heading)[..., None] * u
    )  # twice: the first pass loses digits when nearly vertical


def tangent(u: npt.ArrayLike, v: npt.ArrayLike) -> Directions:
    """Unit heading at u along the great circle to v.

    Raises GeometryError when v is u or its antipode: no great circle is the shortest one.
    """
    u, v = np.asarray(u, np.float64), np.asarray(v, np.float64)
    # u x v through the difference or the sum, whichever is short, keeps the digits of close points.
    near = dot(u, v)[..., None] > 0
    between = np.where(near, v - u, v + u)
    flat = between - dot(u, between)[..., None] * u
    if not np.isfinite(flat).all() or (np.sqrt(dot(flat, flat)) < 1e-15).any():
        raise GeometryError("No heading between two places that are equal or antipodal: put a third between them.")
    return project(u, flat)


def settle(u: Directions, heading: Directions) -> tuple[Directions, Directions]:
    """Take rounding out of a place and its heading: u unit, heading unit and tangent."""
    u = normalise(u)
    return u, normalise(heading - dot(u, heading)[..., None] * u)


def step(u: npt.ArrayLike, heading: npt.ArrayLike, angle: npt.ArrayLike) -> tuple[Directions, Directions]:
    """Go `angle` radians along the great circle: the new place and the heading carried along (parallel transport)."""
    return arc(u, heading, angle, 0.0)


def turn(u: npt.ArrayLike, heading: npt.ArrayLike, angle: npt.ArrayLike) -> Directions:
    """The heading turned about u by `angle` radians, left positive."""
    u, heading, a = np.asarray(u, np.float64), np.asarray(heading, np.float64), np.asarray(angle, np.float64)[..., None]
    return settle(
        np.broadcast_to(u, np.broadcast_shapes(u.shape, a.shape)), np.cos(a) * heading + np.sin(a) * cross(u, heading)
    )[1]


def arc(
    u: npt.ArrayLike, heading: npt.ArrayLike, length: npt.ArrayLike, curvature: npt.ArrayLike
) -> tuple[Directions, Directions]:
    """Go `length` radians along the small circle of geodesic curvature k (0: a great circle), in closed form.

    The Darboux frame obeys u' = h, h' = -u + k n, n' = -k h: a rotation about (k u + n)/w at rate w = sqrt(1 + k^2).
    Returns the new place and heading.
    """
    u, h = np.asarray(u, np.float64), np.asarray(heading, np.float64)
    length, k = np.asarray(length, np.float64)[..., None], np.asarray(curvature, np.float64)[..., None]
    if not (np.isfinite(length).all() and np.isfinite(k).all()):
        raise GeometryError("A length or curvature is not finite: give finite numbers.")
    n = cross(u, h)
    w = np.sqrt(1.0 + k * k)
    theta = w * length
    lift = 2.0 * np.sin(theta / 2) ** 2  # 1 - cos, with its digits at tiny angles
    toward = (k * n - u) / w
    place = u + np.sin(theta) / w * h + lift / w * toward
    return settle(place, h + np.sin(theta) * toward - lift * h)


def slerp(u: npt.ArrayLike, v: npt.ArrayLike, t: npt.ArrayLike) -> Directions:
    """The place a share t [...] of the way along the great circle from u to v, at even speed.

    Raises GeometryError between antipodes.
    """
    u, v, t = np.asarray(u, np.float64), np.asarray(v, np.float64), np.asarray(t, np.float64)[..., None]
    whole = angle(u, v)[..., None]
    if (whole > np.pi - 1e-9).any():
        raise GeometryError("No shortest way between antipodes: put a place between them.")
    small = whole < 1e-8  # below this the chord is the arc to 1e-17
    scale = np.where(small, 1.0, np.sin(whole))
    first = np.where(small, 1.0 - t, np.sin((1.0 - t) * whole)) / scale
    second = np.where(small, t, np.sin(t * whole)) / scale
    return normalise(first * u + second * v)
