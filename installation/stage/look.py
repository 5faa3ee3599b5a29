"""How the wall is to look at a moment: what of the desk concerns the stage, and the fades to black and back. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from installation.control.parameters import Value, table
from latentworld.errors import ControlError

ROWS = {name: row for name, row in table().items() if row.where == "stage"}


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
        self._values: dict[str, Value | None] = {name: row.default for name, row in ROWS.items()}
        self._lit = 1.0  # how far out of blackout
        self._now = math.nan
        self._heard = False

    def set(self, values: Mapping[str, Value | None]) -> None:
        """New values by name, in real units; None gives one back to its default. Names that are no stage's are passed
        over; ControlError names what was refused, after all else was taken."""
        refused: ControlError | None = None
        for name in values.keys() & ROWS.keys():
            try:
                value = values[name]
                self._values[name] = ROWS[name].default if value is None else ROWS[name].check(value)
            except ControlError as error:
                refused = error
        if not self._heard:  # a stage that is started again while the wall is black must not flash
            self._lit = 0.0 if self._values["out.blackout"] else 1.0
            self._heard = True
        if refused:
            raise refused

    def at(self, now: float) -> Look:
        """The look at a moment; moments never decrease."""
        passed = max(now - self._now, 0.0) if math.isfinite(self._now) else 0.0
        self._now = now
        black, fade = bool(self._values["out.blackout"]), self._number("out.fade")
        change = passed / fade if fade > 0 else 1.0
        self._lit = max(self._lit - change, 0.0) if black else min(self._lit + change, 1.0)
        card = bool(self._values["out.testcard"])
        return Look(
            zoom=self._number("view.zoom"),
            light=self._lit * (1.0 if card else self._number("out.master")),  # a card that is dimmed shows nothing
            gamma=self._number("out.gamma"),
            black=self._number("out.black"),
            freeze=bool(self._values["out.freeze"]),
            card=card,
            dark=black or (not card and self._number("out.master") < 0.05),
        )

    def _number(self, name: str) -> float:
        value = self._values[name]
        assert isinstance(value, (int, float))  # what `check` of a float gives
        return float(value)
