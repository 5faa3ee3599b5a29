"""How the wall is to look at a moment: what of the desk concerns the stage, and the fades to black and back. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from installation.control.controls import StageControls
from installation.control.parameter import Value, checked, read, rows
from latentworld.errors import ControlError

ROWS = {row.name: row for row in rows(StageControls).values()}


@dataclass(frozen=True)
class Look:
    """zoom: 1 and more; light: 0..1, by which what is shown is multiplied at the end; gamma, black: see `light.graded`;
    freeze: no further pictures; card: the test card instead; dark: it is black because somebody wants it black."""

    zoom: float = 1.0
    light: float = 1.0
    gamma: float = 1.0
    black: float = 0.0
    freeze: bool = False
    card: bool = False
    dark: bool = False


class Dimmer:
    """Keeps the stage's values and dims the light over `out.fade` seconds. Belongs to one thread."""

    def __init__(self) -> None:
        self._values: dict[str, Value | None] = {}
        self._controls = StageControls()
        self._lit = 1.0  # how far out of blackout
        self._now = math.nan
        self._heard = False

    def set(self, values: Mapping[str, Value | None]) -> None:
        """New values by name, in real units; None gives one back to its default. Names that are no stage's are passed
        over; ControlError names what was refused, after all else was taken."""
        refused: list[str] = []
        self._values |= checked(ROWS, values, refused.append)
        self._controls = read(StageControls, self._values)
        if not self._heard:  # a stage that is started again while the wall is black must not flash
            self._lit = 0.0 if self._controls.blackout else 1.0
            self._heard = True
        if refused:
            raise ControlError(refused[-1])

    def at(self, now: float) -> Look:
        """The look at a moment; moments never decrease."""
        passed = max(now - self._now, 0.0) if math.isfinite(self._now) else 0.0
        self._now = now
        controls = self._controls
        change = passed / controls.fade if controls.fade > 0 else 1.0
        self._lit = max(self._lit - change, 0.0) if controls.blackout else min(self._lit + change, 1.0)
        card = controls.testcard
        return Look(
            zoom=controls.zoom,
            light=self._lit * (1.0 if card else controls.master),  # a card that is dimmed shows nothing
            gamma=controls.gamma,
            black=controls.black,
            freeze=controls.freeze,
            card=card,
            dark=controls.blackout or (not card and controls.master < 0.05),
        )
