"""What is to be shown at a moment: pictures out of the ring, the play head between them, and the look."""

from __future__ import annotations

import math
from dataclasses import dataclass

from installation.ipc.ring import Ring, Shot
from installation.stage.look import Dimmer, Look
from installation.stage.playout import Playout

BUFFER = 96 * 2**20  # bytes of pictures waiting for their turn: batches may be larger than the ring has slots


@dataclass(frozen=True, eq=False)
class Cue:
    """The two pictures of a presentation (None: dark), the weight 0..1 of the newer one, and the look."""

    older: Shot | None
    newer: Shot | None
    weight: float
    look: Look

    @property
    def key(self) -> tuple[int, int, float, Look]:
        """Equal for what looks the same."""
        return (
            self.older.sequence if self.older else 0,
            self.newer.sequence if self.newer else 0,
            self.weight,
            self.look,
        )


class Reel:
    """Reads a ring at each presentation. Belongs to one thread."""

    def __init__(self, ring: Ring) -> None:
        self.dimmer = Dimmer()
        self._ring = ring
        self._playout = Playout()
        self._shots: dict[int, Shot] = {}
        self._read = 0  # the newest that was asked for
        self._period = math.nan
        self._cue = Cue(None, None, 1.0, Look())

    def at(self, now: float) -> Cue:
        """What is to be shown at a moment (seconds, never decreasing)."""
        self._fetch()
        look = self.dimmer.at(now)
        if look.freeze:  # afterwards the head finds itself behind, and fades to the present
            self._playout.hold(now)
            self._cue = Cue(self._cue.older, self._cue.newer, self._cue.weight, look)
            return self._cue
        older, newer, weight = self._playout.at(now, self._read, self._period)
        self._cue = Cue(self._find(older), self._find(newer), weight, look)
        for sequence in [known for known in self._shots if known < older]:
            del self._shots[sequence]
        return self._cue

    @property
    def last(self) -> Cue:
        """What `at` gave last."""
        return self._cue

    def _fetch(self) -> None:
        newest = self._ring.newest
        for sequence in range(max(self._read + 1, newest - self._ring.slots + 1), newest + 1):
            shot = self._ring.get(sequence)
            if shot is not None:
                self._shots[sequence], self._period = shot, shot.period
        self._read = max(self._read, newest)
        while sum(shot.picture.nbytes for shot in self._shots.values()) > BUFFER and len(self._shots) > 2:
            del self._shots[min(self._shots)]

    def _find(self, sequence: int) -> Shot | None:
        """That picture, or the nearest where it was lost; what is on the wall rather than nothing."""
        if sequence == 0:
            return None
        shots = [shot for shot in (self._cue.older, self._cue.newer, *self._shots.values()) if shot is not None]
        return min(shots, key=lambda shot: abs(shot.sequence - sequence), default=None)
