"""The loop, a page that film and show share. What differs is the clock, the sinks, who directs, and the controls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from installation.clock import Tick
from installation.control.controls import LoopControls
from installation.frames import Frames, Seen, see
from latentworld.decoding.decoder import Decoder
from latentworld.lipschitz import Rates, Trail, along
from latentworld.plane import Path, Plane
from latentworld.prompts import Prompt
from latentworld.vision import Eye
from latentworld.walks import Steering, Walk, step

if TYPE_CHECKING:
    from torch import Tensor

Pilot = Callable[[Walk, Rates | None, LoopControls, int], Steering]


@dataclass(frozen=True, eq=False)
class Scene:
    """What turns places into pictures and pictures into meaning."""

    plane: Plane
    decoder: Decoder
    eye: Eye
    prompt: Prompt

    def pictures(self, path: Path) -> Tensor:
        """Pictures [n, 3, height, width] in 0..1 of places, where they were made."""
        return self.decoder(self.plane.latents(path.unit, path.radius), self.prompt, stay=True)

    def seen(self, path: Path) -> Seen:
        """Pictures and features of places, on the processor. Raises NotFinite."""
        pictures = self.pictures(path)
        return see(pictures, self.eye(pictures)).checked()

    def made(self, path: Path) -> Mapping[int, str]:
        """How frames were made that are no picture of their own place alone, by their numbers."""
        return {}


Director = Callable[[Walk, LoopControls, Tick], tuple[Walk, Scene]]
"""Says at the beginning of each tick where the walk stands and in which scene: the only one who may change either."""


class Inbox(Protocol):
    """Where the newest controls are."""

    def latest(self) -> LoopControls: ...


class Outlet(Protocol):
    """Where frames go."""

    def send(self, frames: Frames) -> None: ...


def run(
    clock: Iterable[Tick], inbox: Inbox, walk: Walk, direct: Director, pilot: Pilot, sinks: Outlet,
    trail: Trail | None = None,
) -> tuple[Walk, Trail | None]:  # fmt: skip
    """Walk until the clock ends; returns the walk where it stands then, and its trail. trail: of the frames before, for
    a walk that goes on."""
    rates = None
    for tick in clock:
        controls = inbox.latest()
        walk, scene = direct(walk, controls, tick)
        departs = trail is None and walk.arc == 0  # the first frame is the very start of the walk
        steering = pilot(walk, rates, controls, len(tick) - departs)
        steering = with_start(steering) if departs else steering
        walk, path = step(walk, steering, tick)
        seen = scene.seen(path)
        rates, trail = along(seen.features, scene.plane.points(path.unit, path.radius), trail)
        sinks.send(Frames(path, seen.pictures, rates, steering.marked, scene.made(path), walk))
    return walk, trail


def with_start(steering: Steering) -> Steering:
    """The same steering with one more frame before it, where the walk stands."""
    return replace(steering, strides=np.append(0.0, steering.strides), marked=np.append(False, steering.marked))


def fixed(scene: Scene) -> Director:
    """A film's director: one scene, and the walk goes its way."""
    return lambda walk, controls, tick: (walk, scene)
