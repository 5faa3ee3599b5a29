"""The one error of the foundry: what is wrong, which file, and what to do about it."""

from __future__ import annotations


class FoundryError(Exception):
    """Anything the foundry refuses to do. The message names the file and the remedy on one line."""
