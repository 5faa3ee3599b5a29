"""Easings: how a fade gets from 0 to 1, by the names that web pages and animation programs use, or a cubic Bézier.

ease("ease-in-out", 0.25)             # 0.129...
ease((0.42, 0.0, 0.58, 1.0), 0.25)    # the same: CSS's cubic-bezier(x1, y1, x2, y2)
"""

from __future__ import annotations

import math
from collections.abc import Callable

Bezier = tuple[float, float, float, float]
"""The two inner points of the curve from (0, 0) to (1, 1): x1, y1, x2, y2, each x within 0..1."""
Easing = str | Bezier
HALVINGS = 60  # of the interval in which the curve's parameter is looked for: to the last bit


def _expo(x: float) -> float:
    return 2.0 ** (10.0 * (x - 1.0)) if x > 0 else 0.0


_IN: dict[str, Callable[[float], float]] = {
    "sine": lambda x: 1.0 - math.cos(x * math.pi / 2),
    "quad": lambda x: x**2,
    "cubic": lambda x: x**3,
    "quart": lambda x: x**4,
    "quint": lambda x: x**5,
    "expo": _expo,
    "circ": lambda x: 1.0 - math.sqrt(max(1.0 - x * x, 0.0)),
}
_BEZIER: dict[str, Bezier] = {
    "ease": (0.25, 0.1, 0.25, 1.0),
    "ease-in": (0.42, 0.0, 1.0, 1.0),
    "ease-out": (0.0, 0.0, 0.58, 1.0),
    "ease-in-out": (0.42, 0.0, 0.58, 1.0),
}
_PLAIN: dict[str, Callable[[float], float]] = {
    "linear": lambda x: x,
    "smooth": lambda x: x * x * (3.0 - 2.0 * x),
    "hold": lambda x: 0.0,
}
NAMES = (*_PLAIN, *_BEZIER, *(f"{kind}-{way}" for kind in _IN for way in ("in", "out", "in-out")))
"""`hold` stays where it is until the fade's end. The rest are CSS's, and Penner's (sine, quad, … with -in, -out,
-in-out)."""


def ease(easing: Easing, x: float) -> float:
    """How far a fade is at the share x of its time, 0 at 0 and 1 from 1 on; a Bézier may leave 0..1 between."""
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    if not isinstance(easing, str):
        return bezier(easing, x)
    if easing in _PLAIN:
        return _PLAIN[easing](x)
    if easing in _BEZIER:
        return bezier(_BEZIER[easing], x)
    kind, _, way = easing.partition("-")
    curve = _IN[kind]
    if way == "in":
        return curve(x)
    if way == "out":
        return 1.0 - curve(1.0 - x)
    return curve(2.0 * x) / 2.0 if x < 0.5 else 1.0 - curve(2.0 - 2.0 * x) / 2.0


def bezier(points: Bezier, x: float) -> float:
    """The height of a cubic Bézier at x, 0..1: its x rises with the parameter, which is found by halving."""
    x1, y1, x2, y2 = points
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if _along(x1, x2, middle) < x else (low, middle)
    return _along(y1, y2, (low + high) / 2.0)


def _along(a: float, b: float, s: float) -> float:
    """A coordinate of the curve whose inner points have a and b, at the parameter s."""
    r = 1.0 - s
    return 3.0 * r * r * s * a + 3.0 * r * s * s * b + s * s * s
