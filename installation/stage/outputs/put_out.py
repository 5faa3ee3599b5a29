"""An output's page: at a constant rate, compose what the wall shows and send it on, until the show closes the pipe."""

from __future__ import annotations

import math
from collections.abc import Callable

from installation.ipc.child import ended_by_signals
from installation.ipc.messages import ControlChanges, Message, OutputReport
from installation.ipc.ring import Ring
from installation.ipc.wire import Wire
from installation.stage.card import Facts, draw
from installation.stage.compose import Composer
from installation.stage.look import ROWS
from installation.stage.outputs.output import Output
from installation.stage.outputs.pace import slots
from installation.stage.process import Faults, Inbox
from installation.stage.warp import canvas
from installation.venue import Wall
from latentworld.errors import ControlError

EVERY = 0.5  # seconds between reports
CORRECTIONS = frozenset(name for name, row in ROWS.items() if row.scope == "wall")
"""What is set of the wall's projector, and is no part of the picture."""


def straight(wall: Wall) -> Wall:
    """The whole that the wall shows, or is a part of, without what corrects its projector: corner pin, blend ramps,
    rotation."""
    left, top, right, bottom = wall.part
    height, width = canvas(wall, wall.size)
    size = (round(height / (bottom - top)), round(width / (right - left)))
    return Wall(kind=wall.kind, monitor=wall.monitor, size=size, rate=wall.rate, fit=wall.fit)


def put_out(ring: Ring, wall: Wall, target: str, output: Output, wire: Wire, clock: Callable[[], float]) -> None:
    """Send to the output until the show says stop or is gone, or SIGTERM or SIGINT came; it is closed then.

    Controls are obeyed as the stage obeys them, corrections of the wall left out. The test
    card says nothing of the deck: whoever sees a recording need not be let in. Raises what the output raises. To be
    called on the main thread.
    """
    shown = straight(wall)
    composer = Composer(ring, shown, lambda size: draw(size, Facts(target.partition(":")[0], wall.pace)))
    inbox, faults = Inbox(wire), Faults(wire)
    presented, missed, reported = 0, 0, -math.inf
    with ended_by_signals(inbox.ended), output:
        for slot, due in slots(wall.pace, clock, inbox.ended.wait):
            for message in inbox:
                faults.tell(due, _obey(composer, message))
            output.send(composer.compose(due), slot)
            presented, missed = presented + 1, slot - presented
            if due - reported >= EVERY:
                reported = due
                wire.send(OutputReport(target, presented, missed, wall.pace, shown.size), droppable=True)


def _obey(composer: Composer, message: Message) -> str | None:
    """Do what a message says; the fault where it cannot be done."""
    if not isinstance(message, ControlChanges):
        return None
    try:
        composer.reel.dimmer.set({name: v for name, v in message.values.items() if name not in CORRECTIONS})
    except ControlError as error:
        return str(error)
    return None
