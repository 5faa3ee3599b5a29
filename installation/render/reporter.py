"""Where the loop's frames go: pictures into the ring, everything else to the show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from installation.clock import LiveClock
from installation.frames import Frames, digest
from latentworld.lipschitz import Rates
from latentworld.plane import Plane

Send = Callable[..., None]
"""`Wire.send`."""


class Shelf(Protocol):
    """Where pictures are put: a `Ring`."""

    def put(self, picture: NDArray[np.uint8], frame: int, made: float, period: float, stamp: float) -> None: ...


class Stand(Protocol):
    """What the reporter asks of the director, after a tick."""

    def plane(self) -> Plane: ...
    def bad(self) -> NDArray[np.bool_]: ...
    def stamp(self) -> float: ...
    def told(self) -> dict[str, Any]: ...
    def resume(self, rates: Rates) -> dict[str, Any]: ...


class Reporter:
    """An outlet of the loop. Pictures that are none (`stand.bad`) are told as a fault and go nowhere."""

    def __init__(
        self, shelf: Shelf, send: Send, clock: LiveClock, now: Callable[[], float], stand: Stand,
        fault: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._shelf, self._send, self._clock, self._now, self._stand = shelf, send, clock, now, stand
        self._fault = fault
        self._scene: Mapping[str, Any] = {}
        self._number = 0
        self.made = 0  # pictures so far

    def send(self, frames: Frames) -> None:
        """Put and tell the frames of a tick."""
        scene = self._stand.told()
        if scene != self._scene:
            self._number += 1
            self._scene = scene
            self._send("scene", scene=self._number, **scene)
        bad, stamp, period = self._stand.bad(), self._stand.stamp(), self._clock.period
        for row in np.flatnonzero(~bad).tolist():
            index = int(frames.path.index[row])
            self._shelf.put(frames.pictures[row], index, self._now(), period, stamp)
        if bad.any():
            numbers = ", ".join(str(number) for number in frames.path.index[bad].tolist())
            self._fault(f"picture {numbers} is not finite and was not shown: lower guidance, or choose dtype float32")
        if not bad.all():
            self.made += int((~bad).sum())
            self._send("tick", droppable=True, **self._tick(frames, ~bad, stamp, period))

    def _tick(self, frames: Frames, good: NDArray[np.bool_], stamp: float, period: float) -> dict[str, Any]:
        path, rates = frames.path, frames.rates
        alpha, beta, front = self._stand.plane().chart(path.unit)
        place = np.column_stack([path.unit, path.radius])
        columns = {"index": path.index, "time": path.time, "place": place, "alpha": alpha, "beta": beta,
                   "front": front, "rate": rates.rate, "step": rates.step}  # fmt: skip
        return {
            **{name: column[good].tolist() for name, column in columns.items()},
            "sum": [digest(picture) for picture in frames.pictures[good]],
            "scene": self._number,
            "stamp": stamp,
            "period": period,
            "seconds": self._now() - self._clock.began,
            "resume": self._stand.resume(rates),
        }
