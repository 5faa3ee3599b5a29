"""The UDP port: one thread, one socket, in and out.

A round: wait until something comes or feedback is due, take all that the socket holds, set the newest of it, answer,
then rest. A lone message is set at once. Of a flood most is overtaken by newer values before it is even read: with
rests of 50 ms every parameter is set 20 times a second at most, about as often as frames are made, and the
thread is busy half of the time at worst.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence

from installation.backstage import Backstage
from installation.network import HERE, Gate
from installation.ports.osc import codec
from installation.ports.osc.addresses import book
from installation.ports.osc.feedback import Feedback, Target
from installation.ports.osc.handler import Handler
from installation.venue import Doors
from latentworld.errors import PortError

REST, LONG = 0.005, 0.05  # seconds between rounds, in which few came and in which many did
MOST = 512  # packets of a round
FEW = 12  # as many are heard one by one; of more, those that are overtaken are not even read
NICE = 5  # of the port's thread
BUFFER = 1 << 20  # bytes the kernel keeps, if it will
_log = logging.getLogger(__name__)
Packet = tuple[bytes, Target]


class Server:
    """OSC over UDP. Loopback only unless the doors are open; then senders in `doors.allow` and this machine are heard.

    start: raises PortError when the port cannot be had; so does the making when `allow` names no network. `port` is the
    real one (doors.osc 0: any free one), None before the start and where the doors have no OSC.
    """

    def __init__(self, backstage: Backstage, doors: Doors, clock: Callable[[], float] = time.monotonic) -> None:
        self._backstage, self._doors, self._clock = backstage, doors, clock
        self._socket: socket.socket | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._gate = Gate((HERE, *(doors.allow if doors.open else ())))
        self._feedback: Feedback | None = None
        self._handler: Handler | None = None
        self.port: int | None = None

    def start(self) -> None:
        """Open the port and listen."""
        if self._doors.osc is None:
            return
        self._socket = _bound("0.0.0.0" if self._doors.open else "127.0.0.1", self._doors.osc)
        self.port = self._socket.getsockname()[1]
        desk = self._backstage.desk
        self._feedback = Feedback(desk, book(desk.table), self._backstage.status)
        handler = self._handler = Handler(self._backstage, self._clock, self._feedback, self._own)
        self._wake, self._waker = socket.socketpair()
        self._unwatch = self._backstage.watch(self._feedback.outs.tick)
        served = (self._socket, handler, self._feedback)
        self._thread = threading.Thread(target=self._serve, args=served, name="osc", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the port."""
        if self._thread is None or self._socket is None:
            return
        self._unwatch()
        self._stop.set()
        self._waker.send(b"x")
        self._thread.join(5.0)
        for each in (self._socket, self._wake, self._waker):
            each.close()
        self._thread = None

    def counts(self) -> dict[str, int]:
        """Packets and messages since the start, by what became of them (see handler.Counts), and `subscribers`."""
        if self._handler is None or self._feedback is None:
            return {}
        return {**self._handler.counts.plain(), "subscribers": len(self._feedback)}

    def _serve(self, port: socket.socket, handler: Handler, feedback: Feedback) -> None:
        _give_way()
        while not self._stop.is_set():
            ready, _, _ = select.select([port, self._wake], [], [], feedback.due(self._clock()))
            begun, heard = self._clock(), 0
            try:
                heard = self._round(port, handler, feedback)
            except Exception:  # a show keeps running: nothing may end its port
                _log.warning("a round of OSC failed", exc_info=True)
            if ready:
                self._stop.wait(max(LONG if heard > FEW else REST, self._clock() - begun))

    def _round(self, port: socket.socket, handler: Handler, feedback: Feedback) -> int:
        """Returns how many packets came."""
        packets = self._drain(port, handler)
        latest = newest(packets, handler.settable) if len(packets) > FEW else packets
        handler.counts.overtaken += len(packets) - len(latest)
        for packet, sender in latest:
            handler.handle(packet, sender)
        handler.flush()
        outbox, handler.outbox = handler.outbox, []
        for packet, target in (*outbox, *feedback.pump(self._clock())):
            with contextlib.suppress(OSError):  # a listener that is gone
                port.sendto(packet, target)
                handler.counts.sent += 1
        return len(packets)

    def _drain(self, port: socket.socket, handler: Handler) -> list[Packet]:
        packets: list[Packet] = []
        take, lets = port.recvfrom, self._gate.lets  # a flood is heard here: 2 µs a packet, most of it the kernel's
        for _ in range(MOST):
            try:
                found = take(codec.LARGEST + 1)
            except BlockingIOError:
                break
            except OSError:  # what an earlier answer met on its way: nothing to read
                continue
            if lets(found[1][0]):
                packets.append(found)
            else:
                handler.counts.dropped += 1
        return packets

    def _own(self, target: Target) -> bool:
        return target[1] == self.port and target[0] in _own_addresses()


def newest(packets: Sequence[Packet], settable: frozenset[bytes]) -> list[Packet]:
    """Without those that set what the same sender sets again later; what is not `settable`, bundles among it, stays."""
    found: list[Packet] = []
    seen: set[tuple[bytes, Target]] = set()
    for packet, sender in reversed(packets):
        address = codec.head(packet)
        if address in settable:
            if (address, sender) in seen:
                continue
            seen.add((address, sender))
        found.append((packet, sender))
    found.reverse()
    return found


def _give_way() -> None:
    """Let the renderer's threads go first: where it keeps all cores busy, a flood is heard in the gaps between them."""
    if sys.platform == "linux":  # elsewhere a thread has no niceness of its own
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


def _bound(host: str, port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        opened.bind((host, port))
        opened.setblocking(False)
    except OSError as error:
        opened.close()
        raise PortError(
            f"OSC cannot listen at {host}:{port} ({error.strerror}): end the program that has it, or set doors.osc to "
            "another port (0: any), or go without by --no-osc"
        ) from error
    return opened


def _own_addresses() -> set[str]:
    import psutil  # type: ignore[import-untyped]

    return {each.address for cards in psutil.net_if_addrs().values() for each in cards} | {"127.0.0.1", "0.0.0.0"}
