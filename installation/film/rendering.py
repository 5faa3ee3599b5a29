"""The chunks of a film, rendered one by one: the loop, with what each begins with and what it leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from installation.clock import Tick
from installation.control.controls import LoopControls
from installation.control.mailbox import Mailbox
from installation.film.reel import Begin, Reel
from installation.film.sinks import Sink, Sinks, Tee
from installation.loop import Inbox, Outlet, run
from installation.rig import Rig
from installation.score.performance import ScoredParts
from installation.stopwatch import Stopwatch
from installation.takes import Parts
from latentworld.lipschitz import Rates
from latentworld.walks import Steering, Walk


def render(rig: Rig, reel: Reel, parts: Parts, first: Sink, sinks: Sequence[Sink], wanted: range | None = None) -> None:
    """Make every chunk that is not there, of `wanted` frames if given, part of the film.

    first: gets a batch before it is kept, sinks: afterwards. Raises what the loop raises, Cancelled too; what is whole
    by then is part of the film.
    """
    with Sinks([first, *sinks]):
        try:
            for number, ticks, begin in reel.missing(parts, wanted):
                _chunk(rig, reel, parts, number, ticks, begin, lambda chunk: Tee([first, chunk, *sinks]))
        finally:
            reel.settle()


def _chunk(
    rig: Rig, reel: Reel, parts: Parts, first: int, ticks: Sequence[Tick], begin: Begin,
    outlet: Callable[[Outlet], Outlet],
) -> None:  # fmt: skip
    """Render one chunk from what it begins with, and make it part of the film. outlet: all that gets its frames, the
    chunk's own among them."""
    clock, moves = Stopwatch(), list[tuple[float, float]]()
    score = parts.played if isinstance(parts, ScoredParts) else None
    if score is not None and begin.score is not None:
        score.state = begin.score
    if begin.pilot is not None:
        rig.pilot.state = begin.pilot

    def pilot(walk: Walk, rates: Rates | None, controls: LoopControls, n: int) -> Steering:
        steering = parts.pilot(walk, rates, controls, n)
        moves.append((float(steering.strides[-1]) if n else 0.0, float(steering.curvature)))
        return steering

    with reel.writing(first) as written:
        dealt, inbox, sink = wired(parts, ticks, outlet(written))
        _, trail = run(dealt, inbox, begin.walk, parts.direct, pilot, sink, begin.trail)
    assert trail is not None  # a chunk has a frame
    state = rig.pilot.state if score is not None or parts.pilot is rig.pilot else None
    reel.keep(written, moves, state, trail, clock.seconds, None if score is None else score.state.stand)


def wired(parts: Parts, ticks: Iterable[Tick], outlet: Outlet) -> tuple[Iterable[Tick], Inbox, Outlet]:
    """What the loop runs on: a score deals the ticks, sets the controls and sees what comes of them."""
    if not isinstance(parts, ScoredParts) or parts.played is None:
        return ticks, Mailbox(), outlet
    return parts.played.ticks(ticks), parts.played, Tee([outlet, parts.played])
