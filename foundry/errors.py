"""The one error of the foundry: what is wrong, which file, and what to do about it."""

from __future__ import annotations


def brief(error: Exception) -> str:
    """What another's error says, on one line: where its first line only introduces the next, both."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [error.__class__.__name__]
    return " ".join(lines[: 2 if lines[0].endswith(":") else 1])


class FoundryError(Exception):
    """Anything the foundry refuses to do. The message names the file and the remedy on one line."""
