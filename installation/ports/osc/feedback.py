"""What subscribers are told: each address at most 30 times a second, the newest value, never to the hand that moves it.

UDP's sender can be forged, and what a subscriber is told is a thousand times what it asked with. So a subscriber is
told nothing until it has sent back the key that was sent to it; this machine's own need not.

All of this is pulled by the socket's thread; nothing waits and nothing queues beyond the newest value of an address.
"""

from __future__ import annotations

import math
import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from installation.backstage import Status
from installation.control.desk import Desk
from installation.control.parameter import ROOT
from installation.ipc.messages import Tick
from installation.network import HERE, Gate
from installation.ports.osc.addresses import (
    AT,
    ERROR,
    LATENCY,
    RATE,
    RENDERER,
    UPTIME,
    VALUE,
    Argument,
    Place,
    numbers,
    tell,
)
from installation.ports.osc.codec import pack

PERIOD = 1 / 30  # seconds between messages of an address
STATUS_PERIOD = 1.0
HOLD = 0.5  # seconds after a sender's last move during which it is not told of that address
LONGEST = 60.0  # seconds of a subscription
WAIT = 10.0  # seconds that a subscription waits for its key
AGAIN = 1.0  # seconds between two times that a subscriber is told everything
MOST, MOST_OF_ONE = 32, 8  # subscribers, and of one machine
BURST = 16  # messages to one subscriber at a time: a page of faders at once would drown a tablet
KEY = 10  # letters: no digits, which some programs would take for a number
Target = tuple[str, int]


def source(sender: Target) -> str:
    """What the desk calls a sender."""
    return f"osc:{sender[0]}:{sender[1]}"


@dataclass
class _Subscriber:
    target: Target
    owner: str
    until: float
    seconds: float
    numbers: bool = False
    key: str = ""  # that it has not sent back yet
    everything: float = -math.inf  # when it was last told
    waiting: dict[str, tuple[str, float]] = field(default_factory=dict)  # name: who set it last, and when


def told(status: Status) -> dict[str, tuple[Argument, ...]]:
    """What each of OUTS has to tell at this moment."""
    front = int(status.front)
    return {
        VALUE.address: (float(status.lipschitz), status.frame),
        AT.address: (float(status.alpha), float(status.beta), float(status.radius), front),
        RENDERER.address: (status.renderer,),
        RATE.address: (float(status.rate),),
        LATENCY.address: tuple(map(float, status.latency)),
        UPTIME.address: (float(status.uptime),),
    }


class Outs:
    """What the addresses that only tell have to tell: of the newest tick, and once a second of the status."""

    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status
        self._looked = -math.inf
        self._faults = status().faults
        self._tick: Tick | None = None

    def tick(self, tick: Tick) -> None:
        """The renderer made frames. May come from any thread."""
        self._tick = tick

    def take(self, now: float) -> list[tuple[str, tuple[Argument, ...]]]:
        """Addresses and arguments since the last time; numbers that are not finite are not told."""
        tick, self._tick = self._tick, None
        found = _of_tick(tick) if tick else []
        if now >= self._looked + STATUS_PERIOD:
            self._looked = now
            status = self._status()
            found += [out for out in told(status).items() if out[0] not in (VALUE.address, AT.address)]
            # what went wrong after a message was taken, such as the recall of a snapshot that is not there
            found += [(ERROR, (ROOT, fault[:200])) for fault in status.faults if fault not in self._faults]
            self._faults = status.faults
        return [(address, arguments) for address, arguments in found if _sound(arguments)]


class Feedback:
    """Subscribers and what each is still to be told. Used from one thread, but for `outs.tick`."""

    def __init__(self, desk: Desk, places: Mapping[str, Place], status: Callable[[], Status]) -> None:
        self._desk, self.outs = desk, Outs(status)
        own = {VALUE.address}  # told from the ticks, with the frame's number
        self._mains = {p.row.name: p for p in places.values() if not p.raw and p.address not in own}
        self._readable = frozenset(name for name, place in self._mains.items() if "r" in place.row.access)
        self._subscribers: dict[Target, _Subscriber] = {}
        self._version = 0
        self._pumped = -math.inf
        self._here = Gate((HERE,))

    def __len__(self) -> int:
        return len(self._confirmed())

    def has(self, owner: str) -> bool:
        """Whether a sender has subscribed, and is there."""
        return any(subscriber.owner == owner for subscriber in self._confirmed())

    def has_host(self, host: str) -> bool:
        """Whether a machine is known to be where it says it is: this one, or one of whom a subscriber has confirmed."""
        return self._here.lets(host) or any(subscriber.target[0] == host for subscriber in self._confirmed())

    def wants_numbers(self, owner: str) -> bool:
        """Whether a sender subscribed as one who knows no T, F and N."""
        return any(subscriber.owner == owner and subscriber.numbers for subscriber in self._subscribers.values())

    def subscribe(self, target: Target, owner: str, seconds: float, now: float, numbers: bool = False) -> bool:
        """Tell `target` for so many seconds, everything first; 0 ends it. False where there are too many already."""
        self._expire(now)
        if seconds <= 0:
            self._subscribers.pop(target, None)
            return True
        known = self._subscribers.get(target)
        if known is None:
            if not self._room(target[0]):
                return False
            known = self._subscribers[target] = _Subscriber(target, owner, now + WAIT, seconds, key=_key())
            if self._here.lets(target[0]):
                self._begin(known, now)
        known.owner, known.numbers, known.seconds = owner, numbers, min(seconds, LONGEST)
        if not known.key:
            known.until = now + known.seconds
        return True

    def key(self, target: Target) -> str:
        """What a subscriber has yet to send back; nothing where it need not."""
        known = self._subscribers.get(target)
        return known.key if known else ""

    def confirm(self, host: str, key: str, now: float) -> bool:
        """A machine sent back a key: whether it was that of one of its subscribers, which is told from now on."""
        self._expire(now)
        for subscriber in self._subscribers.values():
            if subscriber.target[0] == host and subscriber.key and secrets.compare_digest(subscriber.key, key):
                if len(self) >= MOST:
                    return False
                self._begin(subscriber, now)
                return True
        return False

    def everything(self, owner: str, now: float) -> None:
        """Tell a subscriber all values again, once a second at most."""
        for subscriber in self._confirmed():
            if subscriber.owner == owner and now >= subscriber.everything + AGAIN:
                subscriber.everything = now
                subscriber.waiting |= dict.fromkeys(sorted(self._readable), ("", -math.inf))

    def _begin(self, subscriber: _Subscriber, now: float) -> None:
        subscriber.key, subscriber.until = "", now + subscriber.seconds
        self.everything(subscriber.owner, now)

    def _confirmed(self) -> list[_Subscriber]:
        return [subscriber for subscriber in self._subscribers.values() if not subscriber.key]

    def _room(self, host: str) -> bool:
        """Whether a machine may have one more; those who have not sent their key back yet, give way."""
        own = [one for one in self._subscribers.values() if one.target[0] == host]
        for many, most in ((own, MOST_OF_ONE), (list(self._subscribers.values()), MOST)):
            pending = [one for one in many if one.key]
            if len(many) - len(pending) >= most:
                return False
            if len(many) >= most:
                self._subscribers.pop(pending[0].target, None)
        return True

    def due(self, now: float) -> float | None:
        """Seconds until the next pump; None while nobody listens."""
        return max(self._pumped + PERIOD - now, 0.0) if self._confirmed() else None

    def pump(self, now: float) -> list[tuple[bytes, Target]]:
        """What is to be sent now."""
        if not self._subscribers or now < self._pumped + PERIOD:
            return []
        self._pumped = now
        self._expire(now)
        self._version, changes = self._desk.changes(self._version)
        subscribers = self._confirmed()
        for subscriber in subscribers:
            for change in changes:
                if change.name in self._readable:
                    subscriber.waiting[change.name] = (change.source, change.stamp)
        outs, packed = [pack(*out) for out in self.outs.take(now)], _Packed(self._mains, self._desk)
        return [
            (packet, subscriber.target)
            for subscriber in subscribers
            for packet in (*self._due_to(subscriber, now, packed), *outs)
        ]

    def _due_to(self, subscriber: _Subscriber, now: float, packed: _Packed) -> list[bytes]:
        held = {n for n, (who, at) in subscriber.waiting.items() if now - at < HOLD and self._moves(subscriber, who)}
        names = [name for name in subscriber.waiting if name not in held][:BURST]
        for name in names:
            del subscriber.waiting[name]
        found = [packed.get(name, subscriber.numbers) for name in names]
        return [packet for packet in found if packet]

    def _moves(self, subscriber: _Subscriber, who: str) -> bool:
        """Whether a change came from this subscriber. Some programs send from another port than they listen at: a
        sender that has not subscribed is then taken for every subscriber on its machine."""
        if who == subscriber.owner:
            return True
        return who.rpartition(":")[0] == f"osc:{subscriber.target[0]}" and not self.has(who)

    def _expire(self, now: float) -> None:
        self._subscribers = {target: one for target, one in self._subscribers.items() if one.until > now}


class _Packed:
    """Values as packets, each made once for all who are told of it in a round."""

    def __init__(self, places: Mapping[str, Place], desk: Desk) -> None:
        self._places, self._desk = places, desk
        self._made: dict[tuple[str, bool], bytes] = {}

    def get(self, name: str, plain: bool) -> bytes:
        """Of a parameter, in numbers where `plain`; nothing where there is nothing to tell."""
        if (name, plain) not in self._made:
            place = self._places[name]
            arguments = tell(place, self._desk.shown(name))
            said = numbers(arguments) if plain else arguments
            self._made[name, plain] = b"" if said is None else pack(place.address, said)
        return self._made[name, plain]


def _key() -> str:
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(KEY))


def _of_tick(tick: Tick) -> list[tuple[str, tuple[Argument, ...]]]:
    found: list[tuple[str, tuple[Argument, ...]]] = []
    rate = tick.rate[-1] if tick.rate else None
    if tick.index and rate is not None:
        found.append((VALUE.address, (rate, tick.index[-1])))
    if tick.place and tick.alpha and tick.beta and tick.front:
        alpha, beta = tick.alpha[-1], tick.beta[-1]
        if alpha is not None and beta is not None:  # not on the horizon
            found.append((AT.address, (alpha, beta, tick.place[-1][3], int(tick.front[-1]))))
    return found


def _sound(arguments: tuple[Argument, ...]) -> bool:
    return all(not isinstance(value, float) or math.isfinite(value) for value in arguments)
