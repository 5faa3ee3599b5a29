"""The loop, a page that film and show share. What differs is the clock, the sinks and where controls come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

import numpy as np

from installation.clock import Tick
from installation.controls import Controls
from installation.frames import Frames, develop
from latentworld.decoding.contract import Decoder
from latentworld.lipschitz import Rates, along
from latentworld.plane import Plane
from latentworld.prompts import Prompt
from latentworld.vision import Eye
from latentworld.walks import Steering, Walk, step

Pilot = Callable[[Walk, Rates | None, Controls, int], Steering]


class Clock(Iterable[Tick], Protocol):
    """Ticks in order, and the size of the first."""

    @property
    def first(self) -> int: ...


class Inbox(Protocol):
    """Where the newest controls are."""

    def latest(self) -> Controls: ...


class Outlet(Protocol):
    """Where frames go."""

    def send(self, frames: Frames) -> None: ...


def run(
    clock: Clock, inbox: Inbox, walk: Walk, plane: Plane, decoder: Decoder,
    eye: Eye, pilot: Pilot, sinks: Outlet, prompt: Prompt,
) -> Walk:  # fmt: skip
    """Walk until the clock ends; returns the walk where it stands then."""
    steering = depart(pilot(walk, None, inbox.latest(), clock.first - 1))
    trail = None
    for tick in clock:
        controls = inbox.latest()
        marked = steering.marked
        walk, path = step(walk, steering, tick)
        pictures = decoder(plane.latents(path.unit, path.radius), prompt)
        rates, trail = along(eye(pictures), plane.points(path.unit, path.radius), trail)
        # sent before the pilot looks ahead: whatever happens there, what was made is kept
        sinks.send(Frames(path, develop(pictures), rates, marked))
        if tick.next:
            steering = pilot(walk, rates, controls, tick.next)
    return walk


def depart(steering: Steering) -> Steering:
    """The same steering with one more frame before it, at the very start of the walk."""
    return replace(steering, strides=np.append(0.0, steering.strides), marked=np.append(False, steering.marked))
