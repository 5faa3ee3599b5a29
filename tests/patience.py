"""Waiting for what happens elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def until(what: Callable[[], Any], patience: float = 60.0) -> Any:
    """The first true thing that is found; the machine may be slow, so the limit is no measure of anything.

    Raises AssertionError when it never comes.
    """
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.02)
    raise AssertionError("it never happened")
