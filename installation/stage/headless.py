"""A wall without a display: the same pictures, composed in memory at `wall.pace` a second."""

from __future__ import annotations

import time

from installation.ipc.ring import Ring
from installation.stage.card import Facts, draw
from installation.stage.compose import Easel
from installation.stage.pacer import Pacer
from installation.stage.reel import Cue, Reel
from installation.stage.tally import Display
from installation.venue import Wall
from latentworld.arrays import Picture


class Headless:
    """A `Surface` (see `perform`)."""

    def __init__(self, ring: Ring, wall: Wall) -> None:
        self.facts = Facts("headless", rate=wall.pace, rotation=wall.rotation)
        self._easel = Easel(wall, wall.size, lambda size: draw(size, self.facts))
        self.reel = Reel(ring)
        self.pacer = Pacer(wall.pace, time.monotonic, time.sleep)

    @property
    def fault(self) -> str | None:
        """What is wrong with it now."""
        return None

    @property
    def display(self) -> Display:
        """What it is presented on."""
        return Display("headless", self._easel.size)

    @property
    def closed(self) -> bool:
        """Whether somebody closed it by hand."""
        return False

    def show(self, cue: Cue) -> None:
        """Present a cue."""
        self._easel.draw(cue)

    def look(self, cue: Cue) -> Picture:
        """What is presented, uint8[h, w, 3]."""
        return self._easel.draw(cue)

    def black(self, cue: Cue) -> float:
        """The share of its pixels that are black."""
        return float((self._easel.draw(cue)[::8, ::8].max(axis=2) <= 2).mean())

    def tell(self, facts: Facts) -> None:
        """What the test card is to say."""
        self.facts = facts
        self._easel.redraw()

    def close(self) -> None:
        """Nothing is left."""
