"""Ways over the preset's atlas to a place that was asked for: found beside the loop, followed by a point ahead.

A geodesic takes a tenth of a second to a few seconds to find, so it is sought on a thread of its own; until it is there
the walk goes straight for the place. What is shown at a place does not depend on it: it only bends the walk.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from latentworld import globe
from latentworld.arrays import Array, Unit, Units
from latentworld.atlas.prior import Prior
from latentworld.errors import LatentWorldError

AHEAD = 0.12  # radians along the way that the point steered for runs ahead: beyond what the steering looks ahead
ASTRAY = 0.25  # radians off its way from which a new one is sought
BARE = "walk.way is geodesic, but no atlas of this world, plane and prompt is loaded: the walk goes straight"


@dataclass(frozen=True, eq=False)
class _Sought:
    """A way that is being found, over which map, and where to."""

    map: Prior
    goal: Unit
    found: Future[Units]


class Wayfinder:
    """fault: takes one line, once, about what goes otherwise than was asked."""

    def __init__(self, fault: Callable[[str], None]) -> None:
        self._fault = fault
        self._worker: ThreadPoolExecutor | None = None
        self._sought: _Sought | None = None
        self._told: str | None = None

    def via(self, land: Prior | None, here: Unit, goal: Unit) -> Array | None:
        """What to steer for now on the way to a goal, a unit [3]; None where that is the goal itself."""
        if land is None:
            self._tell(BARE)
            return None
        sought = self._sought
        if sought is None or sought.map is not land or not np.array_equal(sought.goal, goal):
            sought = self._seek(land, here, goal)
        if not sought.found.done():
            return None
        try:
            way = sought.found.result()
        except LatentWorldError as error:
            self._tell(f"no geodesic to this place ({error}): the walk goes straight")
            return None
        nearest = int(globe.angle(way, here).argmin())
        if float(globe.angle(way[nearest], here)) > ASTRAY:  # blown off, or jumped elsewhere
            self._seek(land, here, goal)
            return None
        gone = np.concatenate([[0.0], np.cumsum(globe.angle(way[nearest:-1], way[nearest + 1 :]))])
        ahead = nearest + int(np.searchsorted(gone, AHEAD))
        return None if ahead >= len(way) - 1 else np.asarray(way[ahead])

    def straight(self) -> None:
        """Nobody asks for ways now: what was told may be told again."""
        self._sought, self._told = None, None

    def close(self) -> None:
        """Begin nothing new."""
        if self._worker is not None:
            self._worker.shutdown(wait=False, cancel_futures=True)

    def _seek(self, land: Prior, here: Unit, goal: Unit) -> _Sought:
        if self._worker is None:
            self._worker = ThreadPoolExecutor(1, thread_name_prefix="ways")
        self._sought = _Sought(land, goal, self._worker.submit(found, land, here, goal))
        return self._sought

    def _tell(self, words: str) -> None:
        if words != self._told:
            self._told = words
            self._fault(words)


def found(land: Prior, begin: Unit, end: Unit) -> Units:
    """The geodesic by meaning between two places of an atlas, finely [n, 3]. Raises AtlasError."""
    from latentworld.atlas import field, leg, paced

    country = leg.Country(land.atlas, land.mesh, field.rates(land.atlas, land.mesh))
    way = leg.between(country, begin, end).unit
    return paced.along(way, np.linspace(0.0, 1.0, 8 * len(way)))
