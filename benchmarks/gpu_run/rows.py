"""Rows of a run: kept as each is made, so that a run that is cut short loses nothing, and printed as tables."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

COLUMNS = ("what", "how", "value", "unit", "against", "of the limit", "memory GB", "took s", "note")


@dataclass(frozen=True)
class Row:
    """One measurement. section: its table; value: None where it was not had, which `note` explains; against: the same
    by whom it is compared with, as a ratio; limit: share of what the card can; memory: the most that was held, GB;
    took: seconds for all of it."""

    section: str
    what: str
    how: str
    value: float | None = None
    unit: str = ""
    against: float | None = None
    limit: float | None = None
    memory: float | None = None
    took: float = 0.0
    note: str = ""

    def cells(self) -> tuple[str, ...]:
        """As a table has it."""
        value = "-" if self.value is None else f"{self.value:.4g}"
        against = "" if self.against is None else f"{self.against:.2f}x"
        limit = "" if self.limit is None else f"{self.limit:.0%}"
        memory = "" if self.memory is None else f"{self.memory:.1f}"
        return self.what, self.how, value, self.unit, against, limit, memory, f"{self.took:.1f}", self.note


class Record:
    """Appends rows to a file, each on disk before the next is begun. until: of the clock `now`, when to begin no more;
    file: where; told: called with each row."""

    def __init__(
        self, file: Path, until: float, told: Callable[[Row], None], now: Callable[[], float] = time.monotonic
    ) -> None:
        self.rows: list[Row] = []
        self._file, self._until, self._told, self._now = file, until, told, now
        file.parent.mkdir(parents=True, exist_ok=True)

    @property
    def left(self) -> float:
        """Seconds until no row is begun any more."""
        return self._until - self._now()

    def add(self, row: Row) -> Row:
        """Keep a row."""
        self.rows.append(row)
        with self._file.open("a") as file:
            file.write(json.dumps(asdict(row)) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._told(row)
        return row

    def try_row(self, section: str, what: str, how: str, make: Callable[[], Row], needs: float = 0.0) -> Row:
        """Make a row and keep it: one that fails says why, and one that there is no time for (`needs` seconds) too."""
        began = self._now()
        if self.left < needs:
            return self.add(
                Row(section, what, how, note=f"not run: {max(self.left, 0.0):.0f} s left, {needs:.0f} needed")
            )
        try:
            made = make()
        except Exception as error:  # whatever it is, the rows after it are worth having
            why = " ".join(str(error).split())[:160] or type(error).__name__
            return self.add(Row(section, what, how, took=self._now() - began, note=f"failed: {why}"))
        return self.add(Row(**{**asdict(made), "took": self._now() - began}))


def read(file: Path) -> list[Row]:
    """Rows of a file, but for a last line that was cut."""
    found = []
    for line in file.read_text().splitlines():
        try:
            found.append(Row(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found


def markdown(rows: Iterable[Row], heading: str) -> str:
    """Tables of rows, one a section, in the order in which they were made."""
    sections: dict[str, list[Row]] = {}
    for row in rows:
        sections.setdefault(row.section, []).append(row)
    lines = [heading, ""]
    for name, own in sections.items():
        lines += [f"**{name}**", "", "| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
        lines += ["| " + " | ".join(cell.replace("|", "/") for cell in row.cells()) + " |" for row in own]
        lines += [""]
    return "\n".join(lines)
