"""When pictures are due at a constant rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator


def slots(rate: float, clock: Callable[[], float], wait: Callable[[float], bool]) -> Iterator[tuple[int, float]]:
    """Numbers of slots and the moments at which they are due, `rate` a second, until `wait(seconds)` says True.

    The first is due now. Whoever is late gets the newest slot that is due, and those before it are left out: time is
    counted from the beginning, so nothing drifts.
    """
    begin, slot = clock(), 0
    while not wait(max(begin + slot / rate - clock(), 0.0)):
        yield slot, begin + slot / rate
        slot = max(slot + 1, math.floor((clock() - begin) * rate))
