"""A take that is replayed live: the walk, the scenes and the pace are the take's; the clock and the ring are ours."""

from __future__ import annotations

from collections.abc import Callable

from installation.clock import LiveClock, Tick
from installation.control.controls import LoopControls
from installation.ipc.scene import SceneDescription
from installation.loop import Scene
from installation.takes import Follow, Take
from latentworld.lipschitz import Rates
from latentworld.walks import Steering, Walk

SLACK = 1.25  # how much slower than the take this machine may be and still show every one of its frames


class Replay:
    """A `Follow` on a live clock: recorded places one by one, each as it was, at the take's own rate; on a machine too
    slow for that, places at the clock's times on the way through them. `done` when the take is over.

    stage: makes the scene of what the take says.
    """

    def __init__(self, take: Take, clock: LiveClock, stage: Callable[[SceneDescription], Scene]) -> None:
        exact = clock.period <= SLACK * take.track.period
        self.done = False
        self._clock, self._rate = clock, clock.rate
        self._next = 0
        self._follow = Follow(take, stage, clock.time + clock.period, exact)
        if exact:
            clock.rate = 1.0 / take.track.period

    def direct(self, walk: Walk, controls: LoopControls, tick: Tick) -> tuple[Walk, Scene]:
        """The take's walk and scene; check `done` before."""
        return self._follow.direct(walk, controls, self._mapped(tick))

    def pilot(self, walk: Walk, rates: Rates | None, controls: LoopControls, n: int) -> Steering:
        """Strides to the tick's places."""
        return self._follow.pilot(walk, rates, controls, n)

    def over(self, tick: Tick) -> bool:
        """Whether the take has no places left for a tick; the clock then has its own rate again."""
        take = self._follow.take
        if self._follow.exact:
            self.done = self._next + len(tick) > len(take.shots)
        else:
            self.done = bool(len(tick)) and self._follow.ended(float(tick.time[-1]))
        if self.done:
            self.end()
        return self.done

    def end(self) -> None:
        """Give the clock its own rate back."""
        self._clock.rate = self._rate

    def _mapped(self, tick: Tick) -> Tick:
        """The tick with the numbers of the recorded frames that are due."""
        if not self._follow.exact:
            return tick
        due = slice(self._next, self._next + len(tick))
        self._next += len(tick)
        return Tick(self._follow.take.shots.index[due], tick.time)
