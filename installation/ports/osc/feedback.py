"""What subscribers are told: each address at most 30 times a second, the newest value, never to the hand that moves it.

All of this is pulled by the socket's thread; nothing waits and nothing queues beyond the newest value of an address.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from installation.backstage import Status
from installation.control.desk import Desk
from installation.ipc.messages import Tick
from installation.ports.osc.addresses import AT, LATENCY, RATE, RENDERER, UPTIME, VALUE, Argument, Place, tell
from installation.ports.osc.codec import pack

PERIOD = 1 / 30  # seconds between messages of an address
STATUS_PERIOD = 1.0
HOLD = 0.5  # seconds after a sender's last move during which it is not told of that address
LONGEST = 60.0  # seconds of a subscription
MOST = 32  # subscribers
BURST = 64  # messages to one subscriber at a time: a page of faders at once would drown a tablet
Target = tuple[str, int]


def source(sender: Target) -> str:
    """What the desk calls a sender."""
    return f"osc:{sender[0]}:{sender[1]}"


@dataclass
class _Subscriber:
    target: Target
    owner: str
    until: float
    waiting: dict[str, tuple[str, float]] = field(default_factory=dict)  # name: who set it last, and when


class Outs:
    """What the addresses that only tell have to tell: of the newest tick, and once a second of the status."""

    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status
        self._looked = -math.inf
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
            found += [
                (RENDERER.address, (status.renderer,)),
                (RATE.address, (float(status.rate),)),
                (LATENCY.address, tuple(map(float, status.latency))),
                (UPTIME.address, (float(status.uptime),)),
            ]
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

    def __len__(self) -> int:
        return len(self._subscribers)

    def has(self, owner: str) -> bool:
        """Whether a sender has subscribed."""
        return any(subscriber.owner == owner for subscriber in self._subscribers.values())

    def subscribe(self, target: Target, owner: str, seconds: float, now: float) -> bool:
        """Tell `target` for so many seconds, everything first; 0 ends it. False where there are too many already."""
        self._expire(now)
        if seconds <= 0:
            self._subscribers.pop(target, None)
            return True
        known = self._subscribers.get(target)
        if known is None and len(self._subscribers) >= MOST:
            return False
        if known is None:
            known = self._subscribers[target] = _Subscriber(target, owner, 0.0)
            self.everything(owner)
        known.owner, known.until = owner, now + min(seconds, LONGEST)
        return True

    def everything(self, owner: str) -> None:
        """Tell a subscriber all values again."""
        for subscriber in self._subscribers.values():
            if subscriber.owner == owner:
                subscriber.waiting |= dict.fromkeys(sorted(self._readable), ("", -math.inf))

    def due(self, now: float) -> float | None:
        """Seconds until the next pump; None while nobody listens."""
        return max(self._pumped + PERIOD - now, 0.0) if self._subscribers else None

    def pump(self, now: float) -> list[tuple[bytes, Target]]:
        """What is to be sent now."""
        if not self._subscribers or now < self._pumped + PERIOD:
            return []
        self._pumped = now
        self._expire(now)
        self._version, changes = self._desk.changes(self._version)
        for subscriber in self._subscribers.values():
            for change in changes:
                if change.name in self._readable:
                    subscriber.waiting[change.name] = (change.source, change.stamp)
        outs, packed = [pack(*out) for out in self.outs.take(now)], dict[str, bytes]()
        return [
            (packet, subscriber.target)
            for subscriber in self._subscribers.values()
            for packet in (*self._due_to(subscriber, now, packed), *outs)
        ]

    def _due_to(self, subscriber: _Subscriber, now: float, packed: dict[str, bytes]) -> list[bytes]:
        held = {n for n, (who, at) in subscriber.waiting.items() if now - at < HOLD and self._moves(subscriber, who)}
        names = [name for name in subscriber.waiting if name not in held][:BURST]
        for name in names:
            del subscriber.waiting[name]
            if name not in packed:
                place = self._mains[name]
                packed[name] = pack(place.address, tell(place, self._desk.shown(name)))
        return [packed[name] for name in names]

    def _moves(self, subscriber: _Subscriber, who: str) -> bool:
        """Whether a change came from this subscriber. Some programs send from another port than they listen at: a
        sender that has not subscribed is then taken for every subscriber on its machine."""
        if who == subscriber.owner:
            return True
        return who.rpartition(":")[0] == f"osc:{subscriber.target[0]}" and not self.has(who)

    def _expire(self, now: float) -> None:
        self._subscribers = {target: one for target, one in self._subscribers.items() if one.until > now}


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
