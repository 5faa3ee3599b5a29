"""Memory that is free, and whether a second renderer fits into it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

CONTROL_GROUP = Path("/sys/fs/cgroup")  # of version 2; what a container or a unit may use
ROOM = 1.25  # times the first renderer's memory that must be free for a second one


def free(group: Path = CONTROL_GROUP) -> int:
    """Bytes that processes here may still use: the machine's, or less where a control group says so."""
    import psutil  # type: ignore[import-untyped]

    machine = int(psutil.virtual_memory().available)
    try:
        most, used = ((group / f"memory.{name}").read_text().strip() for name in ("max", "current"))
        lines = (group / "memory.stat").read_text().splitlines()
        cached = next((int(line.split()[1]) for line in lines if line.startswith("inactive_file ")), 0)
        return machine if most == "max" else min(machine, int(most) - int(used) + cached)
    except (OSError, ValueError):
        return machine


def lacking(renderer: int, free: Callable[[], int] = free) -> str | None:
    """Why a second renderer has no room beside one of so many bytes, in words; None where it has."""
    wanted, there = ROOM * renderer, free()
    if there >= wanted:
        return None
    return (
        f"it would need {wanted / 1e6:.0f} MB, and {there / 1e6:.0f} MB are free; free some, or set show.spare = false"
    )
