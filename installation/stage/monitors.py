"""Which monitor the wall is, by name or number, though monitors come and go. Pure, but for `read`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True)
class Monitor:
    """A monitor as the system sees it now; place and size in screen coordinates, rate in Hz (0: not told).

    `handle` is glfw's and means nothing after the monitor was unplugged.
    """

    name: str
    place: tuple[int, int]
    size: tuple[int, int]  # height, width
    rate: float = 0.0
    handle: object = None

    @property
    def words(self) -> str:
        """`HDMI-1 1920x1080`."""
        return f"{self.name} {self.size[1]}x{self.size[0]}"

    def same(self, other: Monitor | None) -> bool:
        """Whether a window that is on one need not be moved to be on the other."""
        return other is not None and (self.name, self.place, self.size) == (other.name, other.place, other.size)


def choose(monitors: Sequence[Monitor], wanted: str | int | None) -> tuple[Monitor | None, str | None]:
    """The monitor that is wanted (by number from 0, by name, or a part of a name; None: the primary one, which is the
    first), and a fault where it is another or none."""
    if not monitors:
        return None, "no monitor is connected: plug one in; the stage waits for it and keeps its picture"
    if wanted is None:
        return monitors[0], None
    if isinstance(wanted, int):
        found = monitors[wanted] if 0 <= wanted < len(monitors) else None
    else:
        word = wanted.casefold()
        names = [monitor.name.casefold() for monitor in monitors]
        place = names.index(word) if word in names else next((i for i, n in enumerate(names) if word in n), None)
        found = None if place is None else monitors[place]
    if found is not None:
        return found, None
    there = ", ".join(f"{i} {monitor.words}" for i, monitor in enumerate(monitors))
    return monitors[0], (
        f"no monitor {wanted!r}: there is {there}; plug it in or mend wall.monitor; until then the show is on"
        f" {monitors[0].name}"
    )


def read(glfw: ModuleType) -> list[Monitor]:
    """The monitors there are now, the primary one first."""
    found = []
    for handle in glfw.get_monitors():
        mode, place = glfw.get_video_mode(handle), glfw.get_monitor_pos(handle)
        if not mode or not place:
            continue  # it was unplugged this moment
        name = glfw.get_monitor_name(handle) or b"monitor"
        found.append(
            Monitor(
                name.decode(errors="replace") if isinstance(name, bytes) else str(name),
                (int(place[0]), int(place[1])),
                (int(mode.size.height), int(mode.size.width)),
                float(mode.refresh_rate or 0),
                handle,
            )
        )
    return found
