"""Everybody a show employs: the renderer, the stage, further outputs; started, played and dismissed on one thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from logging import Logger
from pathlib import Path

from installation.backstage import RendererState
from installation.control.desk import Desk
from installation.ipc.messages import Card, Message
from installation.show.children import Child, Heard, Programs
from installation.show.control_feed import ControlFeed
from installation.show.fallback import Fallbacks, Patience
from installation.show.resume import Resume
from installation.show.supervised import Life, SupervisedChild
from installation.venue import Venue, Wall

FAREWELL = 5.0  # seconds a child has to end in good order
Hear = Callable[[Message], None]


@dataclass(frozen=True)
class Ears:
    """Where messages go, on threads of the children; fault: one line about every end; lost: the renderer is gone."""

    renderer: Hear
    stage: Hear
    output: Hear
    fault: Callable[[str], None]
    lost: Callable[[], None]


class Processes:
    """ring: its name; folder: where `preset.toml` and `safe.toml` lie; safe: whether the safe preset is another one;
    strict: whether a renderer that refuses to begin is left at that; resume: what one of the preset goes on from."""

    def __init__(
        self,
        ring: str,
        folder: Path,
        venue: Venue,
        safe: bool,
        strict: bool,
        desk: Desk,
        ears: Ears,
        resume: Resume,
        patience: Patience,
        programs: Programs,
        clock: Callable[[], float],
        log: Logger,
    ) -> None:
        self._ring, self._folder, self._venue, self._ears = ring, folder, venue, ears
        self._resume, self._patience, self._programs = resume, patience, programs
        self._clock, self._log = clock, log
        rungs = ("preset", "safe", "loop") if safe else ("preset", "loop")
        self.renderer = SupervisedChild("renderer", self._start_renderer, Fallbacks(rungs, patience), patience, clock,
                               ears.renderer, ears.fault, ears.lost, strict, forgiven=self._forgiven)  # fmt: skip
        self.stage = self._kept("stage", self._start_stage, ears.stage)
        starts = {target: self._starter(target) for target in venue.outputs}
        starts |= {f"stage {number}": self._raiser(wall, number) for number, wall in enumerate(venue.walls, 2)}
        self.outputs = [self._kept(of, start, ears.output, strict=False) for of, start in starts.items()]
        self._loop = ControlFeed(desk, "loop")
        self._walls = [ControlFeed(desk, "stage") for _ in range(2 + len(starts))]
        self._carded: dict[str, Child] = {}

    def tend(self, now: float) -> None:
        """Start whoever is missing; the wall first."""
        for keeper in (self.stage, self.renderer, *self.outputs):
            keeper.tend(now)

    def play(self, now: float, video: Child | None, card: Card | None) -> None:
        """Pass on what is played, to the output that records too; and what the test card shows."""
        renderer, stage = self.renderer.child, self.stage.child
        self._loop.pass_on(renderer.wire if renderer else None, now)
        shown = [stage, video, *(output.child for output in self.outputs)]
        for feed, child in zip(self._walls, shown, strict=True):
            feed.pass_on(child.wire if child else None, now)
        for keeper in (self.stage, *self.outputs):
            child = keeper.child
            if card is not None and child is not None and child is not self._carded.get(keeper.of):
                self._carded[keeper.of] = child
                child.wire.send(card)

    def record(self, path: Path) -> Child:
        """Start an output to a video file."""
        return self._put_out(f"video:{path}", "video", lambda child, message: self._ears.output(message))

    @property
    def renderer_state(self) -> RendererState:
        """How the renderer is."""
        state = self.renderer.state
        if state != "fallback":
            return state
        return "loop" if self.renderer.ladder.rung == "loop" else "safe"

    def pids(self) -> dict[str, int]:
        """Of everybody there is, by name."""
        keepers = (self.renderer, self.stage, *self.outputs)
        return {keeper.of: keeper.child.pid for keeper in keepers if keeper.child}

    def dismiss(self) -> None:
        """End everybody; the wall goes last."""
        crew = [self.renderer, *self.outputs]
        for keeper in crew:
            keeper.stop()
        for keeper in crew:
            keeper.wait(FAREWELL)
        self.stage.stop()
        self.stage.wait(FAREWELL)

    def _kept(self, of: str, start: Callable[[str, Heard], Child], hear: Hear, strict: bool = True) -> SupervisedChild:
        ladder, told = Fallbacks((of,), self._patience), self._ears.fault
        return SupervisedChild(of, start, ladder, self._patience, self._clock, hear, told, strict=strict)

    def _start_renderer(self, rung: str, heard: Heard) -> Child:
        if rung == "loop":
            arguments = self._programs.play(self._ring, self._venue.loop)
        else:
            resume = self._resume.offer() if rung == "preset" else None
            arguments = self._programs.render(self._ring, self._folder / f"{rung}.toml", resume, rung == "safe")
        child = Child("renderer", arguments, heard, self._log)
        if rung != "preset":  # what stands on the desk may be what broke the preset
            self._loop.withhold(child.wire, self._clock())
        return child

    def _forgiven(self, life: Life) -> bool:
        """Whether a renderer may have died of the state that it began with."""
        return life.rung == "preset" and self._resume.refuse()

    def _start_stage(self, rung: str, heard: Heard) -> Child:
        return self._raised(self._venue.wall, "stage", heard)

    def _raiser(self, wall: Wall, number: int) -> Callable[[str, Heard], Child]:
        return lambda rung, heard: self._raised(wall, f"stage {number}", heard)

    def _raised(self, wall: Wall, role: str, heard: Heard) -> Child:
        return Child(role, self._programs.present(self._ring, wall), heard, self._log)

    def _starter(self, target: str) -> Callable[[str, Heard], Child]:
        return lambda rung, heard: self._put_out(target, target, heard)

    def _put_out(self, target: str, role: str, heard: Heard) -> Child:
        return Child(role, self._programs.put_out(self._ring, target, self._venue), heard, self._log)
