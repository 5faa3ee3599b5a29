"""The stage's page: pace, cue, present, count, report; until the show closes the pipe."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from installation.ipc.child import ended_by_signals
from installation.ipc.messages import Card, ControlChanges, Fault, Message, SaveScreenshot, Stop, WindowClosed
from installation.ipc.wire import Wire
from installation.stage.card import Facts
from installation.stage.pacer import Pacer
from installation.stage.reel import Cue, Reel
from installation.stage.screenshots import Screenshots
from installation.stage.tally import Display, Tally
from latentworld.arrays import Picture
from latentworld.errors import LatentWorldError

AGAIN = 30.0  # seconds after which a fault that lasts is told again
FAREWELL = 5.0  # seconds in which the show ends after a window was closed


class Surface(Protocol):
    """What pictures are presented on: a window, or none."""

    reel: Reel
    pacer: Pacer
    facts: Facts

    @property
    def fault(self) -> str | None: ...
    @property
    def display(self) -> Display: ...
    @property
    def closed(self) -> bool: ...
    def show(self, cue: Cue) -> None: ...
    def look(self, cue: Cue) -> Picture: ...
    def black(self, cue: Cue) -> float: ...
    def tell(self, facts: Facts) -> None: ...
    def close(self) -> None: ...


class Inbox:
    """What the show says, read by a thread of its own; `ended` is set when it says no more."""

    def __init__(self, wire: Wire) -> None:
        self.ended = threading.Event()
        self._queue: deque[Message] = deque(maxlen=4096)
        threading.Thread(target=self._read, args=(wire,), name="inbox", daemon=True).start()

    def __iter__(self) -> Iterator[Message]:
        """Those since the last time."""
        while self._queue:
            yield self._queue.popleft()

    def _read(self, wire: Wire) -> None:
        for message in wire.read():
            if isinstance(message, Stop):
                break
            self._queue.append(message)
        self.ended.set()


class Faults:
    """Tells each fault once, and again when it lasts."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._said: dict[str, float] = {}

    def tell(self, now: float, text: str | None) -> None:
        """A fault there is now, if any."""
        if text is not None and now - self._said.get(text, -AGAIN) >= AGAIN:
            self._said = {known: when for known, when in self._said.items() if now - when < AGAIN} | {text: now}
            self._wire.send(Fault(text))


def perform(surface: Surface, wire: Wire) -> None:
    """Present until the show ends, SIGTERM comes or somebody closes the window, which ends the show too: it is told
    `closed`. What a surface raises goes on to the caller. Called on the main thread."""
    inbox, faults, tally = Inbox(wire), Faults(wire), Tally(surface.pacer)
    with ended_by_signals(inbox.ended), Screenshots() as screenshots:
        while not inbox.ended.is_set() and not surface.closed and wire.open:
            due = surface.pacer.wait()
            for message in inbox:
                faults.tell(due, _obey(surface, screenshots, message))
            cue = surface.reel.at(due)
            surface.show(cue)
            done = surface.pacer.done()
            tally.shown(done, cue)
            for text in (surface.fault, *screenshots.faults()):
                faults.tell(due, text)
            if tally.due(done):
                wire.send(tally.report(done, surface.black(cue), surface.display), droppable=True)
        if surface.closed:
            wire.send(WindowClosed())
            inbox.ended.wait(FAREWELL)  # one that only ended would be started again


def _obey(surface: Surface, screenshots: Screenshots, message: Message) -> str | None:
    """Do what a message says; the fault where it cannot be done."""
    try:
        match message:
            case ControlChanges(values=values):
                surface.reel.dimmer.set(values)
            case Card():
                surface.tell(replace(surface.facts, deck=_address(message)))
            case SaveScreenshot(file=file):
                screenshots.save(surface.look(surface.reel.last), Path(file))
    except LatentWorldError as error:
        return str(error)
    return None


def _address(card: Card) -> str:
    """The deck's address as a telephone is to open it, which lets it in."""
    plain = not card.deck or card.token is None or "token=" in card.deck
    return card.deck if plain else f"{card.deck.rstrip('/')}/?token={card.token}"
