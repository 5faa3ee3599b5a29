"""The ports for people: each is started if it can be, and its absence is a line and no more."""

from __future__ import annotations

import threading
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from logging import Logger
from pathlib import Path
from typing import Any

from installation.backstage import Backstage
from installation.disk_worker import DiskWorker
from installation.ipc.messages import Card
from installation.network import Gate
from installation.venue import Doors, Venue
from latentworld.errors import LatentWorldError

PATIENCE = 12.0  # seconds that a port may take to close: the deck gives its own 10


@dataclass(frozen=True)
class Opened:
    """A port that is open: what it is called, the object, and its address where it has one."""

    name: str
    port: Any
    address: str = ""


class Herald:
    """Tells the network where OSC and deck are, while the show lasts."""

    def __init__(self, doors: Doors, osc_port: int | None, deck_port: int | None) -> None:
        self._where = doors, osc_port, deck_port
        self._end: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Tell them. Raises ShowError, PortError."""
        from installation.ports.osc.advertise import advertise

        self._end = advertise(*self._where)

    def stop(self) -> None:
        """Take it back."""
        self._end()


class Ports:
    """Everything a venue's doors let in. announce: takes one line about each, and about each that stays shut; worker:
    does what takes a disk."""

    def __init__(
        self,
        backstage: Backstage,
        venue: Venue,
        announce: Callable[[str], None],
        log: Logger,
        worker: DiskWorker | None = None,
    ) -> None:
        self._backstage, self._venue, self._announce, self._log = backstage, venue, announce, log
        self._worker = worker
        self._open: list[Opened] = []

    def start(self, strict: bool = False) -> None:
        """Open them, those that show the others last. strict: raise what keeps OSC or the deck shut, and
        PortError for what is no network."""
        doors, venue = self._venue.doors, self._venue
        if strict:  # also those that nobody is held against while the doors are shut
            for key, networks in (("doors.allow", doors.allow), ("doors.proxies", doors.proxies)):
                Gate(networks, key)
        wanted: list[tuple[str, bool, Callable[[], Any]]] = [
            ("midi", venue.midi, self._midi),
            ("audio", venue.audio, self._audio),
            ("osc", doors.osc is not None, self._osc),
            ("deck", doors.deck is not None, self._deck),
            ("zeroconf", doors.advertise, self._herald),  # last: it tells where the others are
        ]
        for line in [
            self._start(name, make, strict and name in ("osc", "deck")) for name, enabled, make in wanted if enabled
        ]:
            self._announce(line)
        if (deck := self.get("deck")) is not None:
            page = urllib.parse.urlsplit(deck.address)._replace(path="/technician", query="")
            self._announce(f"technician: {page.geturl()}")

    def get(self, name: str) -> Opened | None:
        """One of `midi`, `audio`, `osc`, `deck`, if it is open."""
        return next((opened for opened in self._open if opened.name == name), None)

    @property
    def card(self) -> Card | None:
        """What a test card shows of the deck; None while that is shut."""
        deck = self.get("deck")
        return None if deck is None else Card(deck.address, deck.port.token)

    def stop(self) -> None:
        """Close them, the last first, whichever of them fails or takes for ever."""
        while self._open:
            opened = self._open.pop()
            closing = threading.Thread(target=self._close, args=(opened,), name=f"{opened.name}-ends", daemon=True)
            closing.start()
            closing.join(PATIENCE)
            if closing.is_alive():
                self._log.warning("a port does not close", extra={"port": opened.name})

    def _close(self, opened: Opened) -> None:
        try:
            opened.port.stop()
        except Exception:  # the others must be closed too
            self._log.exception("a port did not close", extra={"port": opened.name})

    def _start(self, name: str, make: Callable[[], Any], strict: bool) -> str:
        """Gives the line about it."""
        try:
            port = make()
            port.start()
        except (LatentWorldError, ImportError, OSError) as error:
            if strict and isinstance(error, LatentWorldError):
                raise
            return f"no {name}: {' '.join(str(error).split())}"
        except Exception:  # a fault of ours in one door must not keep the show from beginning
            self._log.exception("a port failed", extra={"port": name})
            return f"no {name}: it failed in a way that nobody foresaw, see the log"
        opened = Opened(name, port, self._address(name, port))
        self._open.append(opened)
        return f"{name}: {opened.address}" if opened.address else f"{name}: open"

    def _address(self, name: str, port: Any) -> str:
        if name == "deck":
            return str(port.link)
        if name == "osc":
            host = "every address of this machine" if self._venue.doors.open else "127.0.0.1"
            return f"udp port {port.port} on {host}"
        return ""

    def _midi(self) -> Any:
        from installation.ports import midi

        return midi.Port(self._backstage, Path(self._venue.folder) / "midi.json", worker=self._worker)

    def _audio(self) -> Any:
        from installation.control.desk import audio

        return audio.Input(self._backstage.desk)

    def _osc(self) -> Any:
        from installation.ports import osc

        return osc.Server(self._backstage, self._venue.doors)

    def _deck(self) -> Any:
        from installation.ports import deck

        return deck.Server(self._backstage, self._venue.doors, self._osc_port)

    def _herald(self) -> Any:
        deck = self.get("deck")
        port = None if deck is None else urllib.parse.urlsplit(deck.address).port
        return Herald(self._venue.doors, self._osc_port(), port)

    def _osc_port(self) -> int | None:
        osc = self.get("osc")
        return None if osc is None else int(osc.port.port)
