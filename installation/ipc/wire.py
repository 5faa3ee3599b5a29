"""Messages between the show's processes: one JSON object a line, over pipes. Nothing is pickled; a dead peer is an end.

Sending never blocks: a thread writes what a bounded queue holds. When the peer does not read, the oldest message that
was marked `droppable` goes first; if only others are left, the wire counts as broken.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections import deque
from collections.abc import Iterator
from typing import IO, Any

from installation.ipc.jsonable import plain

Message = dict[str, Any]
LONGEST = 64 * 1024 * 1024  # bytes of a line: a denoising figure holds a few dozen small pictures


class Wire:
    """One direction in, one out. `read` ends when the peer closes; `send` after that is silently nothing."""

    def __init__(self, incoming: IO[bytes], outgoing: IO[bytes], capacity: int = 256) -> None:
        self._incoming, self._outgoing = incoming, outgoing
        self._queue: deque[tuple[bool, bytes]] = deque()
        self._capacity = capacity
        self._ready = threading.Condition()
        self._closed = False
        self.dropped = 0
        self._writer = threading.Thread(target=self._write, name="wire", daemon=True)
        self._writer.start()

    def send(self, kind: str, droppable: bool = False, **content: Any) -> None:
        """Queue a message; NaN and infinity are sent as null. Raises ValueError for what JSON cannot hold."""
        line = json.dumps({"kind": kind, **plain(content)}, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        with self._ready:
            if self._closed:
                return
            if len(self._queue) >= self._capacity and not self._drop():
                self._closed = True
            self._queue.append((droppable, line))
            self._ready.notify()

    def read(self) -> Iterator[Message]:
        """Messages as they come, until the peer closes. What is no JSON object is skipped."""
        while line := self._line():
            with contextlib.suppress(ValueError, RecursionError):
                message = json.loads(line)
                if isinstance(message, dict) and isinstance(message.get("kind"), str):
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
