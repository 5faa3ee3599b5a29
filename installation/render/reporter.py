"""Where the loop's frames go: pictures into the ring at once, everything else to the show while the next are made."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from installation.clock import LiveClock
from installation.frames import Frames, digests
from installation.ipc.messages import Message, Numbers, Place, SceneChange, Tick
from installation.ipc.scene import SceneDescription
from installation.render import saved_state
from installation.render.saved_state import SavedState
from latentworld.plane import Plane


class Send(Protocol):
    """`Wire.send`."""

    def __call__(self, message: Message, droppable: bool = False) -> None: ...


class Shelf(Protocol):
    """Where pictures are put: a `Ring`."""

    def put(self, picture: NDArray[np.uint8], frame: int, made: float, period: float, stamp: float) -> None: ...


class Stand(Protocol):
    """What the reporter asks of the director, after a tick."""

    def plane(self) -> Plane: ...
    def bad(self) -> NDArray[np.bool_]: ...
    def stamp(self) -> float: ...
    def description(self) -> SceneDescription: ...
    def resume(self, frames: Frames) -> SavedState: ...


Later = Callable[[Callable[[], None]], object]
"""Does what it is given, one after another: at once, or on a thread, while the loop makes the next pictures."""


@dataclass(frozen=True, eq=False)
class _Told:
    """What is told of a tick, as it stood at its end. good: which of its frames are pictures; scene: its number."""

    frames: Frames
    good: NDArray[np.bool_]
    plane: Plane
    scene: int
    stamp: float
    period: float
    seconds: float
    state: SavedState

    def message(self) -> Tick:
        """As the show hears it."""
        path, rates, good = self.frames.path, self.frames.rates, self.good
        alpha, beta, front = self.plane.chart(path.unit)
        return Tick(
            index=tuple(path.index[good].tolist()),
            time=tuple(path.time[good].tolist()),
            place=_places(path.unit[good], path.radius[good]),
            alpha=_numbers(alpha[good]),
            beta=_numbers(beta[good]),
            front=tuple(front[good].tolist()),
            rate=_numbers(rates.rate[good]),
            step=_numbers(rates.step[good]),
            digest=digests(self.frames.pictures[good]),
            scene=self.scene,
            stamp=self.stamp,
            period=self.period,
            seconds=self.seconds,
            resume=saved_state.write(self.state),
        )


class Reporter:
    """An outlet of the loop. Pictures that are none (`stand.bad`) are told as a fault and go nowhere. later: does what
    takes long of telling."""

    def __init__(
        self, shelf: Shelf, send: Send, clock: LiveClock, now: Callable[[], float], stand: Stand,
        fault: Callable[[str], None], later: Later = lambda act: act(),
    ) -> None:  # fmt: skip
        self._shelf, self._send, self._clock, self._now, self._stand = shelf, send, clock, now, stand
        self._fault, self._later = fault, later
        self._scene: SceneDescription | None = None
        self._number = 0
        self.made = 0  # pictures so far

    def send(self, frames: Frames) -> None:
        """Put and tell the frames of a tick."""
        scene = self._stand.description()
        if scene != self._scene:
            self._number += 1
            self._scene = scene
            change = SceneChange(self._number, scene)
            self._later(lambda: self._send(change))
        bad, stamp, period = self._stand.bad(), self._stand.stamp(), self._clock.period
        for row in np.flatnonzero(~bad).tolist():
            index = int(frames.path.index[row])
            self._shelf.put(frames.pictures[row], index, self._now(), period, stamp)
        if bad.any():
            numbers = ", ".join(str(number) for number in frames.path.index[bad].tolist())
            self._fault(f"picture {numbers} is not finite and was not shown: lower guidance, or choose dtype float32")
        if not bad.all():
            self.made += int((~bad).sum())
            seconds, state = self._now() - self._clock.began, self._stand.resume(frames)
            told = _Told(frames, ~bad, self._stand.plane(), self._number, stamp, period, seconds, state)
            self._later(lambda: self._send(told.message(), droppable=True))


def _numbers(column: NDArray[np.float64]) -> Numbers:
    return tuple(value if math.isfinite(value) else None for value in column.tolist())


def _places(unit: NDArray[np.float64], radius: NDArray[np.float64]) -> tuple[Place, ...]:
    return tuple((x, y, z, r) for (x, y, z), r in zip(unit.tolist(), radius.tolist(), strict=True))
