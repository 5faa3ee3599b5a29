"""Values out of tables of unknown content, such as JSON and TOML files: each is narrowed to a type or refused."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real


def section(table: Mapping[str, object], key: str) -> Mapping[str, object]:
    """The table under a key. Raises KeyError where there is none, TypeError for something else."""
    value = table[key]
    if not isinstance(value, Mapping):
        raise TypeError(f"{key} is {value!r:.40}, a table is wanted")
    return value


def number(table: Mapping[str, object], key: str) -> float:
    """The number under a key. Raises KeyError where there is none, TypeError for something else."""
    value = table[key]
    if not isinstance(value, Real):
        raise TypeError(f"{key} is {value!r:.40}, a number is wanted")
    return float(value)


def whole(table: Mapping[str, object], key: str) -> int:
    """The number under a key without its fraction. Raises KeyError where there is none, TypeError for something
    else."""
    value = table[key]
    return int(value) if isinstance(value, Integral) else int(number(table, key))
