"""A show's child processes: the renderer, the stage, further outputs; started, played and dismissed on one thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from installation.backstage import RendererState, SpareState
from installation.control.desk import Desk
from installation.ipc.messages import Card
from installation.show.children import Child, Receive
from installation.show.control_feed import ControlFeed
from installation.show.fallback import Patience
from installation.show.launcher import Launcher
from installation.show.supervised import Observer, Role, SupervisedChild
from installation.venue import Wall

FAREWELL = 5.0  # seconds a child has to end in good order


@dataclass(frozen=True)
class Observers:
    """Who hears of the renderer, of the stage, and of each output."""

    renderer: Observer
    stage: Observer
    output: Observer


class Processes:
    """awake: seconds by which children are supervised, see `AwakeClock`; rungs: of the renderer, `preset` first;
    strict: whether a renderer that refuses to begin is left at that."""

    def __init__(
        self,
        launcher: Launcher,
        observers: Observers,
        desk: Desk,
        patience: Patience,
        clock: Callable[[], float],
        awake: Callable[[], float],
        rungs: tuple[str, ...],
        strict: bool,
    ) -> None:
        self._launcher, self._clock, self._awake = launcher, clock, awake
        venue = launcher.venue
        starts = {target: partial(self._start_output, target) for target in venue.outputs}
        starts |= {
            f"stage {number}": partial(self._start_stage, wall, f"stage {number}")
            for number, wall in enumerate(venue.walls, 2)
        }
        stage = partial(self._start_stage, venue.wall, "stage")
        self.renderer = SupervisedChild(
            Role("renderer", self._start_renderer, rungs, strict), observers.renderer, patience, awake
        )
        self.stage = SupervisedChild(Role("stage", stage, ("stage",)), observers.stage, patience, awake)
        self.outputs = [
            SupervisedChild(Role(name, start, (name,), strict=False), observers.output, patience, awake)
            for name, start in starts.items()
        ]
        self._loop = ControlFeed(desk, "loop")
        self._walls = [ControlFeed(desk, "stage") for _ in range(2 + len(starts))]
        self._carded: dict[str, Child] = {}

    def tend(self) -> None:
        """Start whoever is missing; the wall first."""
        now = self._awake()
        for supervised in (self.stage, self.renderer, *self.outputs):
            supervised.tend(now)
        if self._launcher.spare is not None:
            child = self.renderer.child
            self._launcher.spare.tend(now, child.pid if child and self.renderer.settled else None)

    def play(self, now: float, video: Child | None, card: Card | None) -> None:
        """Pass on what is played, to the output that records too; and what the test card shows."""
        renderer, stage = self.renderer.child, self.stage.child
        self._loop.pass_on(renderer.wire if renderer else None, now)
        shown = [stage, video, *(output.child for output in self.outputs)]
        for feed, child in zip(self._walls, shown, strict=True):
            feed.pass_on(child.wire if child else None, now)
        for output in (self.stage, *self.outputs):
            child = output.child
            if card is not None and child is not None and child is not self._carded.get(output.name):
                self._carded[output.name] = child
                child.wire.send(card)

    @property
    def refusal(self) -> str | None:
        """Why the very first stage or renderer would not begin, in its own words."""
        return self.stage.refusal or self.renderer.refusal

    @property
    def renderer_state(self) -> RendererState:
        """How the renderer is."""
        state = self.renderer.state
        if state != "fallback":
            return state
        return "loop" if self.renderer.fallbacks.rung == "loop" else "safe"

    @property
    def restarts(self) -> int:
        """How often a renderer was started again."""
        return max(self.renderer.starts - 1, 0)

    def pids(self) -> dict[str, int]:
        """Of all there are, by name."""
        children = (self.renderer, self.stage, *self.outputs)
        found = {supervised.name: supervised.child.pid for supervised in children if supervised.child}
        spare = self._launcher.spare
        return found if spare is None or spare.pid is None else {**found, "spare": spare.pid}

    @property
    def spare(self) -> SpareState | None:
        """How the spare renderer is; None where none is kept."""
        return None if self._launcher.spare is None else self._launcher.spare.state

    def dismiss(self) -> None:
        """End all of them; the wall goes last."""
        if self._launcher.spare is not None:
            self._launcher.spare.dismiss()
        first = [self.renderer, *self.outputs]
        for supervised in first:
            supervised.stop()
        for supervised in first:
            supervised.wait(FAREWELL)
        self.stage.stop()
        self.stage.wait(FAREWELL)

    def _start_renderer(self, rung: str, receive: Receive) -> Child:
        child = self._launcher.renderer(rung, receive)
        if rung != "preset":  # what stands on the desk may be what broke the preset
            self._loop.withhold(child.wire, self._clock())
        return child

    def _start_stage(self, wall: Wall, role: str, rung: str, receive: Receive) -> Child:
        return self._launcher.stage(wall, role, receive)

    def _start_output(self, target: str, rung: str, receive: Receive) -> Child:
        return self._launcher.output(target, target, receive)
