"""What a renderer says."""

from __future__ import annotations

from typing import Any

import msgspec

from installation.ipc.messages import Tick


def tick(first: int = 0, n: int = 2, **other: Any) -> Tick:
    """A tick of `n` frames from number `first` on, a tenth of a second each, at one place of the shell; what is to be
    `other` is given by its name."""
    index = tuple(range(first, first + n))
    told = Tick(
        index=index, time=tuple(0.1 * number for number in index), place=((1.0, 0.0, 0.0, 1.0),) * n,
        alpha=(0.0,) * n, beta=(0.0,) * n, front=(True,) * n, rate=(None,) * n, step=(0.1,) * n, digest=("ab",) * n,
    )  # fmt: skip
    return msgspec.structs.replace(told, **other)
