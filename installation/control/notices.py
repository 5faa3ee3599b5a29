"""What the director's parts have to say to the show: what was refused, and what the loop itself changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from installation.control.parameter import Value


@dataclass(frozen=True)
class Notices:
    """fault: takes one line about what was refused; changed: takes values that the loop itself changed, by name."""

    fault: Callable[[str], None]
    changed: Callable[[Mapping[str, Value]], None]
