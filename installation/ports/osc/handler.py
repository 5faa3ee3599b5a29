"""A packet's way to the desk: what it sets, presses, asks and subscribes to. No socket here, no exception out of it.

Values wait until `flush`, so that of a flood only the newest of each parameter is set, unless an older one takes the
walk over; a press flushes what was set before it and goes through at once. A time tag never withholds a message.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

from installation.backstage import Backstage
from installation.control.parameter import ROOT, Value
from installation.control.steering import STEERS, overtakes
from installation.ports.osc import addresses, codec
from installation.ports.osc.accounts import Account, Accounts
from installation.ports.osc.addresses import Argument, Place
from installation.ports.osc.feedback import LONGEST, Feedback, Target, source
from installation.ports.osc.match import SIGNS, Directory
from latentworld import __version__
from latentworld.errors import ControlError

_log = logging.getLogger(__name__)
_TOKEN = 64  # characters of a ping
_LOWEST_PORT = 1024


@dataclass
class Counts:
    """Since the start. received: packets; applied: values set; pressed: triggers; refused: messages that meant nothing;
    damaged: packets that are no OSC; dropped: packets of strangers; overtaken: of a flood, by newer ones; sent."""

    received: int = 0
    applied: int = 0
    pressed: int = 0
    refused: int = 0
    damaged: int = 0
    dropped: int = 0
    overtaken: int = 0
    errors: int = 0
    sent: int = 0

    def plain(self) -> dict[str, int]:
        """By name."""
        return asdict(self)


@dataclass(frozen=True)
class _Mail:
    """A message and its sender."""

    address: str
    arguments: tuple[Argument, ...]
    sender: Target
    account: Account


class Handler:
    """Packets in, the desk moved, `outbox` filled with answers (packet, where to).

    own: whether an address is this very socket, which must not subscribe to itself. Without `feedback` nobody can
    subscribe. Used from one thread.
    """

    def __init__(
        self,
        backstage: Backstage,
        clock: Callable[[], float],
        feedback: Feedback | None = None,
        own: Callable[[Target], bool] = lambda target: False,
    ) -> None:
        self._backstage, self._desk, self._clock = backstage, backstage.desk, clock
        self._feedback, self._own = feedback, own
        self.places = addresses.book(self._desk.table)
        # what a pattern may set: triggers must be meant, /lw/*/* must not press panic
        self._directory = Directory(
            a for a, place in self.places.items() if "w" in place.row.access and _settable(place)
        )
        self.settable = frozenset(
            a.encode() for a, place in self.places.items() if _settable(place) and place.row.name not in STEERS
        )
        """Addresses of which the newest message alone counts: what steers is none, since an older one may take over."""
        self._commands = {
            addresses.PING: self._ping,
            addresses.GET: self._get,
            addresses.SUBSCRIBE: self._subscribe,
            addresses.CONFIRM: self._confirm,
        }
        self._accounts = Accounts()
        self._pending: dict[str, tuple[Value, _Mail]] = {}
        self.outbox: list[tuple[bytes, Target]] = []
        self.counts = Counts()

    def handle(self, packet: bytes, sender: Target) -> None:
        """Take a packet. Never raises."""
        self.counts.received += 1
        known = self._feedback is None or self._feedback.has_host(sender[0])  # without feedback it came over TCP
        account = self._accounts.heard(sender[0], len(packet), self._clock(), known)
        try:
            for part in codec.parts(packet):
                self._take(part, sender, account)
        except ControlError:  # no answer: what is no OSC comes from no friend
            self.counts.damaged += 1
        except Exception:
            self._fault()

    def flush(self) -> None:
        """Set what was sent since the last time."""
        pending, self._pending = self._pending, {}
        for name, (value, mail) in pending.items():
            try:
                self._desk.set(name, value, source(mail.sender))
                self.counts.applied += 1
            except ControlError as error:
                self._refuse(mail, str(error))
            except Exception:
                self._fault()

    def _fault(self) -> None:
        self.counts.errors += 1
        _log.warning("an OSC message could not be taken", exc_info=True)

    def _take(self, part: bytes, sender: Target, account: Account) -> None:
        try:
            address, arguments = codec.message(part)
        except ControlError as error:
            if not codec.head(part):
                raise
            address = codec.head(part).decode("ascii", "replace")
            self._refuse(_Mail(address, (), sender, account), str(error))
            return
        mail = _Mail(address, arguments, sender, account)
        try:
            self._act(mail)
        except ControlError as error:
            self._refuse(mail, str(error))

    def _act(self, mail: _Mail) -> None:
        address = mail.address
        if place := self.places.get(address):
            self._play(place, mail)
        elif command := self._commands.get(address):
            command(mail)
        elif address in addresses.QUIET:
            return
        elif not SIGNS.isdisjoint(address):
            for place in self._matched(address, mail.account):
                self._play(place, mail)
        else:
            raise ControlError(f"there is no {address:.60}: see the address table, or ask by OSCQuery")

    def _matched(self, pattern: str, account: Account) -> list[Place]:
        if not account.expand():
            raise ControlError("too many patterns: send addresses")
        matched = self._directory.match(pattern)
        if not matched:
            raise ControlError(f"{pattern:.60} fits no address that can be set")
        return [self.places[address] for address in matched]

    def _play(self, place: Place, mail: _Mail) -> None:
        row = place.row
        if row.kind == "trigger":
            self._press(place, mail)
        elif addresses.asks(mail.arguments):
            self._reply(mail, place.address, addresses.tell(place, self._desk.shown(row.name)))
        elif "w" not in row.access:
            raise ControlError(f"{place.address} can only be read")
        else:
            value = addresses.read(place, mail.arguments)
            if row.name in self._pending and not overtakes(row.name, value, self._pending[row.name][0]):
                self.flush()
            self._pending.pop(row.name, None)  # so that what is set last is set last
            self._pending[row.name] = (value, mail)

    def _press(self, place: Place, mail: _Mail) -> None:
        if not addresses.pressed(place.row, mail.arguments, self._desk.table):
            return
        argument = addresses.argument(place.row, mail.arguments)
        self.flush()
        self._desk.press(place.row.name, argument, source(mail.sender))
        self.counts.pressed += 1

    def _ping(self, mail: _Mail) -> None:
        token = mail.arguments[0] if mail.arguments else ""
        status = self._backstage.status()
        rate = status.rate if math.isfinite(status.rate) else 0.0
        answer = (str(token)[:_TOKEN], __version__, float(status.uptime), int(status.frame), float(rate))
        self._reply(mail, addresses.PONG, answer)

    def _get(self, mail: _Mail) -> None:
        """Values by name or address (or a pattern); without one all, to those who have subscribed."""
        if not mail.arguments:
            owner = source(mail.sender)
            if self._feedback is None or not self._feedback.has(owner):
                raise ControlError(f"{addresses.GET} takes a name; subscribe to be told everything")
            self._feedback.everything(owner, self._clock())
            return
        for name in mail.arguments:
            self._tell(name, mail)

    def _tell(self, name: Argument, mail: _Mail) -> None:
        if not isinstance(name, str):
            raise ControlError(f"{addresses.GET} takes names such as walk.speed")
        address = name if name.startswith("/") else f"{ROOT}/{name.replace('.', '/')}"
        if SIGNS.isdisjoint(address):
            places = [self.places[address]] if address in self.places else []
        else:
            places = self._matched(address, mail.account)
        places = [place for place in places if "r" in place.row.access]
        if not places:
            raise ControlError(f"there is nothing to read at {name:.60}")
        for place in places:
            self._reply(mail, place.address, addresses.tell(place, self._desk.shown(place.row.name)))

    def _subscribe(self, mail: _Mail) -> None:
        """A port (0 or none: the one it came from), seconds (at most 60; 0 ends it) and whether in numbers."""
        if self._feedback is None:
            raise ControlError(f"{addresses.SUBSCRIBE} is for UDP: send LISTEN")
        words = [part for part in mail.arguments if isinstance(part, str)]
        port, seconds = _numbers([part for part in mail.arguments if not isinstance(part, str)])
        target = (mail.sender[0], int(port) or mail.sender[1])
        if not _LOWEST_PORT <= target[1] <= 65535 or self._own(target):
            raise ControlError(f"{addresses.SUBSCRIBE} takes a port from {_LOWEST_PORT} that is not the show's")
        plain = addresses.NUMBERS in words
        if not self._feedback.subscribe(target, source(mail.sender), seconds, self._clock(), plain):
            raise ControlError("there are too many subscribers, of this machine or in all: end some by 0 seconds")
        key = self._feedback.key(target)
        # to where values will go, so that whoever sends the key back listens there
        told = replace(mail, sender=target)
        self._reply(told, addresses.SUBSCRIBED, (target[1], min(seconds, LONGEST), *([key] if key else ())))

    def _confirm(self, mail: _Mail) -> None:
        """The key that /lw/subscribed brought: the listener is there."""
        key = mail.arguments[0] if mail.arguments else None
        if self._feedback is None or not isinstance(key, str) or not key.isascii():
            raise ControlError(f"{addresses.CONFIRM} takes the key that {addresses.SUBSCRIBED} brought")
        if not self._feedback.confirm(mail.sender[0], key, self._clock()):
            raise ControlError("nobody waits for this key: subscribe again")

    def _reply(self, mail: _Mail, address: str, arguments: Sequence[Argument]) -> None:
        if self._feedback is not None and self._feedback.wants_numbers(source(mail.sender)):
            plain = addresses.numbers(arguments)
            if plain is None:  # nobody knows, and there is no nil for it
                return
            arguments = plain
        packet = codec.pack(address, arguments)
        if mail.account.pay(len(packet)):
            self.outbox.append((packet, mail.sender))

    def _refuse(self, mail: _Mail, text: str) -> None:
        self.counts.refused += 1
        if mail.account.err():
            self._reply(mail, addresses.ERROR, (mail.address[:64], " ".join(text.split())[:200]))


def _settable(place: Place) -> bool:
    return place.row.kind != "trigger"


def _numbers(arguments: Sequence[Argument]) -> tuple[int, float]:
    """Port and seconds of a subscription."""
    port, seconds = (*arguments, *(0, LONGEST)[len(arguments) :])[:2]
    if not isinstance(port, (int, float)) or not isinstance(seconds, (int, float)):
        raise ControlError(f"{addresses.SUBSCRIBE} takes a port and seconds")
    if not math.isfinite(port) or not math.isfinite(seconds):
        raise ControlError(f"{addresses.SUBSCRIBE} takes finite numbers")
    return int(port), float(seconds)
