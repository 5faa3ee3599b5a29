"""Toward a place that was asked for, and round it: how a free walk bends, and how fast it may be, as it comes near."""

from __future__ import annotations

import math

from latentworld import globe
from latentworld.arrays import Array
from latentworld.walks import Free

LINGER = 0.008  # radians: the circle walked round a place that was asked for, a quarter of a latent at d = 1024
ROUND = 12.0  # seconds that one such circle takes
APPROACH = 0.7  # per second: how fast the way that is left to it is covered at the end
SIGHT = 0.1  # radians that the steering toward a place looks ahead at most
NIMBLE = 0.5 / LINGER**2  # of curvature per radian: what a steered walk's ease is raised to, so that it can linger


def pace(walk: Free, goal: Array, shell: float, tick: float) -> float:
    """The most latent arc per second on the way to a place: slower toward the end, and slowly round it.

    shell: latents a radian; tick: seconds until the next chance to bend.
    """
    left = max(float(globe.angle(walk.unit, goal)) - LINGER, 0.0) * shell
    slow = 2.0 * math.pi * LINGER * shell / ROUND
    return min(max(APPROACH * left, slow), max(left / tick, slow))


def toward(walk: Free, goal: Array, most: float) -> float:
    """Curvature that leads along a great circle to a place and then round it, on a circle of LINGER radians.

    The course at distance r is the bearing turned by 2 atan(LINGER / r): straight in from far away, along the circle
    on it, out again within. The walk bends toward the course that it has SIGHT ahead.
    """
    away = float(globe.angle(walk.unit, goal))
    if away < 1e-9 or away > math.pi - 1e-6:
        return 0.0  # on it or opposite: any way is the way
    bearing = globe.tangent(walk.unit, goal)
    side = globe.cross(walk.unit, walk.heading)
    angle = math.atan2(float(globe.dot(bearing, side)), float(globe.dot(bearing, walk.heading)))
    error = angle - 2.0 * math.atan(LINGER / away)  # leftward circles: the goal stays on the left
    error = math.remainder(error, 2.0 * math.pi)
    ahead = min(max(away / 2.0, LINGER), SIGHT)
    wanted = 2.0 * (math.sin(error) if abs(error) < math.pi / 2 else math.copysign(1.0, error)) / ahead
    wanted += 1.0 / LINGER * math.exp(-(((away - LINGER) / LINGER) ** 2))  # what holds it on the circle
    bound = max(most, 4.0 / ahead)
    return min(max(wanted, -bound), bound)
