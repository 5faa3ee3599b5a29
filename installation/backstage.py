"""What the rooms of the show hand to each other. Ports (OSC, MIDI, deck) see a `Backstage` and nothing behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from installation.control.desk import Desk


@dataclass(frozen=True)
class Status:
    """How the show is, taken at one moment; what `/health`, the deck, OSC feedback and the log read.

    seconds are those of the monotonic clock; rates per second; memory in bytes. renderer: `loading`, `running`,
    `hung`, `restarting`, `safe` (the known-good preset) or `loop` (the pre-rendered loop).
    """

    uptime: float
    renderer: str
    restarts: int
    frame: int  # number of the newest frame that was made; -1 before the first
    rate: float  # new pictures per second
    period: float  # seconds between them, smoothed
    alpha: float
    beta: float
    front: bool  # whether alpha, beta are this side of the globe, or the antipode's
    unit: tuple[float, float, float]
    radius: float
    lipschitz: float  # feature per latent; NaN before the second frame
    step: float  # feature distance from the frame before
    presented: float  # presentations per second on the wall
    presentations: int  # since the start
    missed: int  # as many were late, by a period or more each
    latency: tuple[float, float]  # control to picture, seconds, p50 and p99 of the last minutes; NaN before any
    fresh: float  # seconds since a new, finite, non-constant frame was presented; infinite before the first is made
    memory: Mapping[str, int]  # resident bytes of each process
    temperature: float | None  # degrees Celsius, where a sensor tells
    scene: Mapping[str, Any]  # what the renderer last said of world, prompt, decoder, walk
    faults: tuple[str, ...]  # the last few, newest last


class Backstage(Protocol):
    """What a port may do. Every method may be called from any thread and returns at once."""

    @property
    def desk(self) -> Desk:
        """Where controls are set and presses made."""

    def status(self) -> Status:
        """The show as it is now."""

    def ask(self, what: str, **details: Any) -> Future[dict[str, Any]]:
        """A question to the renderer: `words` or `diffusion` (see installation/render/asks.py).

        The future fails with ShowError when the renderer dies or does not answer in time.
        """

    def picture(self) -> tuple[int, bytes] | None:
        """The newest frame's number and its JPEG; None before the first."""

    def watch(self, listener: Callable[[Mapping[str, Any]], None]) -> Callable[[], None]:
        """Be told of every tick the renderer made (a `tick` message); returns what ends it. Called on a thread of the
        show: return at once."""

    def atlas(self) -> Mapping[str, Any] | None:
        """The atlas underneath, as plain values for the deck: places, rates, labels; None without one."""

    def takes(self) -> list[str]:
        """Names of recorded takes, newest first."""
