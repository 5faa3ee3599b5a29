"""Messages between the show's processes: one JSON object a line, over pipes. Nothing is pickled; a dead peer is an end.

Sending never blocks: a thread writes what a bounded queue holds. When the peer does not read, the oldest message that
was marked `droppable` goes first; if only others are left, the wire counts as broken.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Iterator
from typing import IO

from installation.ipc.encoding import decoded, encoded
from installation.ipc.messages import Message

LONGEST = 64 * 1024 * 1024  # bytes of a line: a denoising figure holds a few dozen small pictures
UNREAD = 32  # lines in the log about messages that could not be read; the same fault comes with every tick

_log = logging.getLogger(__name__)


class Wire:
    """One direction in, one out. `read` ends when the peer closes; `send` after that is silently nothing.

    peer: what the other end is called in the log.
    """

    def __init__(self, incoming: IO[bytes], outgoing: IO[bytes], capacity: int = 256, peer: str = "the show") -> None:
        self._incoming, self._outgoing, self._peer = incoming, outgoing, peer
        self._queue: deque[tuple[bool, bytes]] = deque()
        self._capacity = capacity
        self._ready = threading.Condition()
        self._closed = False
        self.dropped = self.unread = 0
        self._writer = threading.Thread(target=self._write, name="wire", daemon=True)
        self._writer.start()

    def send(self, message: Message, droppable: bool = False) -> None:
        """Queue a message."""
        line = encoded(message)
        with self._ready:
            if self._closed:
                return
            if len(self._queue) >= self._capacity and not self._drop():
                self._closed = True
            self._queue.append((droppable, line))
            self._ready.notify()

    def read(self) -> Iterator[Message]:
        """Messages as they come, until the peer closes. One that is unknown or malformed is logged and passed over."""
        while line := self._line():
            if not line.isspace():
                try:
                    message = decoded(line)
                except ValueError as error:
                    self._pass_over(error)
                else:
                    yield message

    def close(self, patience: float = 1.0) -> None:
        """Send what is queued, then no more."""
        with self._ready:
            self._closed = True
            self._ready.notify()
        if threading.current_thread() is not self._writer:
            self._writer.join(patience)

    @property
    def open(self) -> bool:
        """Whether the peer, as far as is known, still listens."""
        return not self._closed

    def _pass_over(self, error: ValueError) -> None:
        self.unread += 1
        if self.unread <= UNREAD:
            last = "; further ones are only counted" if self.unread == UNREAD else ""
            _log.warning("a message of %s could not be read: %s%s", self._peer, error, last)

    def _line(self) -> bytes:
        try:
            return self._incoming.readline(LONGEST)
        except (OSError, ValueError):  # closed under us
            return b""

    def _drop(self) -> bool:
        for place, (droppable, _) in enumerate(self._queue):
            if droppable:
                del self._queue[place]
                self.dropped += 1
                return True
        return False

    def _write(self) -> None:
        while True:
            with self._ready:
                while not self._queue and not self._closed:
                    self._ready.wait()
                if not self._queue:
                    break
                _, line = self._queue.popleft()
            try:
                self._outgoing.write(line)
                self._outgoing.flush()
            except (OSError, ValueError):
                with self._ready:
                    self._closed = True
                    self._queue.clear()
                break
        with contextlib.suppress(OSError, ValueError):
            self._outgoing.close()
