"""What a film's pilot makes of controls that a score sets: its mode and pace, the words it goes toward, steering by
hand and toward a place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from installation.control import approach
from installation.control.controls import LoopControls
from installation.control.steering import steered_by
from latentworld.aims import Likeness
from latentworld.arrays import Array
from latentworld.frozen import changed
from latentworld.lipschitz import Rates
from latentworld.pacing import PacingSpec
from latentworld.pilot import Pilot, PilotSpec
from latentworld.plane import Plane
from latentworld.prompts import Mixture
from latentworld.vision import Eye
from latentworld.walks import Free, Lifted, Steering, Walk


class Goals:
    """The words that a score goes toward, each read once by each eye."""

    def __init__(self) -> None:
        self._read: dict[tuple[str, str], Array] = {}

    def know(self, seer: str, eye: Eye, texts: Iterable[str]) -> None:
        """Read these. seer: which eye it is. Raises WorldMismatch where it knows no words."""
        new = [text for text in dict.fromkeys(texts) if text.strip() and (seer, text) not in self._read]
        if new:
            self._read |= {(seer, text): row for text, row in zip(new, np.asarray(eye.texts(new), np.float64))}

    def aim(self, seer: str, eye: Eye, mixture: Mixture) -> Likeness | None:
        """Where the mixture of texts leads; None where none of them says anything."""
        parts = [(text, weight) for text, weight in mixture if text.strip() and weight > 0]
        self.know(seer, eye, (text for text, _ in parts))
        if not parts:
            return None
        whole = np.sum([weight * self._read[seer, text] for text, weight in parts], axis=0)
        return Likeness(whole / max(float(np.linalg.norm(whole)), np.finfo(np.float64).tiny))


@dataclass(frozen=True)
class Course:
    """What a piece of a clock's tick keeps to: frames of the tick after this piece, and the curvature that the pilot
    gave to the piece before; None: it is to look."""

    after: int
    curvature: float | None = None


@dataclass(frozen=True)
class _Controls:
    """As the core's pilot reads them. curvature: asked for, None: the pilot's own."""

    attraction: float | None
    speed: float | None
    curvature: float | None


@dataclass(frozen=True)
class ScoredPilot:
    """`pilot` under a score's controls. spec, pace: the preset's; fps: frames a second."""

    pilot: Pilot
    spec: PilotSpec
    pace: PacingSpec
    fps: float

    def __call__(
        self, walk: Walk, rates: Rates | None, controls: LoopControls, n: int, plane: Plane, course: Course
    ) -> Steering:
        """Steering for the next n frames."""
        inner = walk.walk if isinstance(walk, Lifted) else walk
        own, shown = (float(each.ahead(0.0)[1][0]) for each in (inner, walk))
        pace, speed = self._paced(controls), controls.speed
        curvature = None
        if isinstance(inner, Free):
            curvature = self._steered(inner, controls, plane, course)
            if steered_by(controls.walk) == "place" and controls.walk.position is not None:
                goal = plane.unit(*controls.walk.position)
                most = max(approach.pace(inner, goal, plane.target * shown, max(n, 1) / self.fps), 1e-6)
                pace, speed = _capped(pace, most), None if speed is None else min(speed, most)
        if shown != own:  # arcs are counted on the walk's own radius
            lift = shown / own
            pace = changed(pace, floor=pace.floor / lift, speed=pace.speed / lift, ceiling=pace.ceiling / lift)
            speed = None if speed is None else speed / lift
        self.pilot.spec, self.pilot.pace = self._minded(controls), pace
        return self.pilot(walk, rates, _Controls(controls.attraction, speed, curvature), n, n + course.after)

    def _minded(self, controls: LoopControls) -> PilotSpec:
        """The mode and the share of rifts; attraction that is asked for while the pilot is off lets it seek, as in a
        show."""
        mode = controls.rift.mode or self.spec.mode
        if mode == "off" and controls.attraction is not None:
            mode = "seek"
        rifts = self.spec.rifts if controls.rift.share is None else controls.rift.share
        same = (mode, rifts) == (self.spec.mode, self.spec.rifts)
        return self.spec if same else changed(self.spec, mode=mode, rifts=rifts)

    def _paced(self, controls: LoopControls) -> PacingSpec:
        """The pace of meaning, a frame's share of it; 0 is a steady pace."""
        step = controls.rift.step
        if step is None:
            return self.pace
        if step == 0:
            return changed(self.pace, kind="latent")
        return changed(self.pace, kind="clip", clip_step=step / self.fps)

    def _steered(self, walk: Free, controls: LoopControls, plane: Plane, course: Course) -> float | None:
        """The curvature that is asked for by hand or for a place, or kept to; None where the autopilot is to look."""
        steering, position = steered_by(controls.walk), controls.walk.position
        if steering == "autopilot":
            return course.curvature
        if steering == "place" and position is not None:
            return approach.toward(walk, plane.unit(*position), self.spec.max_curvature)
        return controls.walk.heading * self.spec.max_curvature


def _capped(pace: PacingSpec, most: float) -> PacingSpec:
    """No faster than that."""
    floor, speed, ceiling = (min(value, most) for value in (pace.floor, pace.speed, pace.ceiling))
    return changed(pace, floor=floor, speed=speed, ceiling=ceiling)
