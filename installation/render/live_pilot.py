"""The live pilot: curvature and strides from what was last measured, without looking ahead for the frames' sake.

A film's pacing decodes probes until meaning goes evenly; live there is no time for it. Here the pace follows the rates
of the frames that were shown, and the pilot reads a map (an atlas: no decode at all), or looks for itself: one ring of
probes through the scout, as often as their share of the time allows; where that is too seldom, it holds the course.

Deterministic, given rates, controls, the clock's period and what is seen: no time is measured here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from msgspec import Meta

from installation.control import approach
from installation.control.controls import LoopControls
from installation.ipc.fields import Part, read_part
from latentworld import globe
from latentworld.aims import Aim
from latentworld.archive import Archive
from latentworld.arrays import Array
from latentworld.atlas.prior import Prior
from latentworld.errors import AtlasError, NotFinite
from latentworld.frozen import changed
from latentworld.lipschitz import Lookout, Rates, ratio
from latentworld.pacing import PacingSpec
from latentworld.pilot import SETTLED, Fan, Pilot, PilotSpec, PilotState, chosen, gains
from latentworld.plane import Plane
from latentworld.walks import Free, Lifted, Steering, Walk
from latentworld.walks.keep import FARTHEST

SHARE = 0.2  # of the time that looks may take
STALE = 0.75  # of the ring's distance: a look that is to hold for longer would be of a place left behind
RAYS = 5  # probes of a look: .89 of the arc on rifts, nine .91, seventeen .91 (docs/decisions/0010)
RELEASE = 0.85  # a rate is believed at once when it rises, and forgotten by this a frame when it falls
VERSION = 1  # of the saved state
LARGEST, ARCHIVED = 16384, "^(YXJj[A-Za-z0-9+/]*=*)?$"  # characters of an archive; how `Archive.text` begins
FASTER = 1.25  # most growth of the pace from one tick to the next: a cliff may lie behind a calm


@dataclass(frozen=True, eq=False)
class Course:
    """Where the director wants to go, for one tick.

    goal: a unit [3] to steer for, None without one; via: what to steer for on the way there, None: the goal itself;
    hand: -1..1, steering by hand, left above 0, None when nobody does and the autopilot steers; lift: the radius over
    the walk's own; probe: positions to features through the scout, None where there is no time for that; cost: what a
    look takes, in frames; here: the feature of the newest frame; map: an atlas of this very world, plane and prompt;
    aim: what `toward` wants of pictures, None while nobody knows; turned: whether that has just begun to be another.
    """

    plane: Plane
    goal: Array | None = None
    hand: float | None = None
    lift: float = 1.0
    probe: Lookout | None = None
    cost: float = 1.0
    here: Array | None = None
    map: Prior | None = None
    via: Array | None = None
    aim: Aim | None = None
    turned: bool = False


MOST = (
    1e6  # of a rate, a pace or a curvature that was saved: beyond it a number was damaged, and would hold for minutes
)
Positive = Annotated[float, Meta(ge=0.0, le=MOST)]


@dataclass(frozen=True)
class LivePilotState:
    """What one tick leaves to the next. rate: feature per latent hereabouts, 0 unknown; speed: latent arc per second;
    frames: since the last look; attraction: it was made with; wish: the curvature it asked for; looked, holds: the arc
    at which the map was read last, and how far that holds; archive: what `novel` has seen, as text."""

    rate: Positive = 0.0
    speed: Positive = 0.0
    frames: Annotated[int, Meta(ge=0, le=1 << 31)] = 1 << 30
    attraction: Annotated[float, Meta(ge=-1.0, le=1.0)] = 0.0
    wish: Annotated[float, Meta(ge=-MOST, le=MOST)] = 0.0
    looked: Annotated[float, Meta(ge=0.0, le=FARTHEST)] | None = None
    holds: Positive = 0.0
    archive: Annotated[str, Meta(max_length=LARGEST, pattern=ARCHIVED)] = ""

    @staticmethod
    def read(written: object) -> Part[LivePilotState]:
        """From what was saved, whatever that is."""
        return read_part(LivePilotState, written, VERSION)


class LivePilot:
    """`pilot(walk, rates, controls, n) -> Steering` for the loop.

    course, period: asked at every tick; step: feature distance per second that the pace aims at, 0 for `pace.speed`.
    `save` and `state` let another go on identically.
    """

    def __init__(
        self,
        spec: PilotSpec,
        pace: PacingSpec,
        step: float,
        course: Callable[[], Course],
        period: Callable[[], float],
        state: LivePilotState = LivePilotState(),
    ) -> None:
        self.spec, self.pace, self.step = spec, pace, step
        self._course, self._period = course, period
        self.state = state
        self.probes = 0  # asked of the scout so far
        self._archive = Archive.read(state.archive)
        self._played = spec

    def __call__(self, walk: Walk, rates: Rates | None, controls: LoopControls, n: int) -> Steering:
        """Steering for the next n frames: evenly spaced, none marked."""
        course, period = self._course(), self._period()
        self._played = played(self.spec, controls)
        self.state = felt(self.state, rates)
        inner = walk.walk if isinstance(walk, Lifted) else walk
        speed = self._speed(inner, controls, course, period * max(n, 1))
        self.state = replace(self.state, speed=speed)
        stride = max(speed * period / course.lift, 1e-9)
        curvature = self._curvature(inner, controls, course, n, period) if isinstance(inner, Free) else 0.0
        return Steering(curvature, stride * np.arange(1, n + 1, dtype=np.float64), np.zeros(n, np.bool_))

    def save(self, rates: Rates | None) -> LivePilotState:
        """The state after these rates."""
        return felt(self.state, rates)

    # ---- pace

    def _speed(self, walk: Walk, controls: LoopControls, course: Course, tick: float) -> float:
        """Latent arc per second; never 0, since a frame must not be repeated: a fader at 0 creeps."""
        steady = self.pace.speed if controls.speed is None else controls.speed
        aim = self.step if controls.rift.step is None else controls.rift.step
        speed = max(steady, self.pace.floor)
        if aim > 0 and self.state.rate > 0:
            # the fader sets how fast a calm land is crossed, the aim how slowly a steep one
            speed = min(max(aim / self.state.rate, self.pace.floor), max(self.pace.ceiling, speed))
            speed = min(speed, FASTER * self.state.speed) if self.state.speed > 0 else speed
        if course.goal is not None and isinstance(walk, Free):
            speed = min(speed, approach.pace(walk, course.goal, course.plane.target * course.lift, tick))
        return speed

    # ---- heading

    def _curvature(self, walk: Free, controls: LoopControls, course: Course, n: int, period: float) -> float:
        if course.goal is not None:
            return approach.toward(walk, course.goal if course.via is None else course.via, self.spec.max_curvature)
        if course.hand is not None:
            return course.hand * self.spec.max_curvature
        own = 0.0 if self._played.mode == "off" else self.spec.attraction
        attraction = own if controls.attraction is None else controls.attraction
        if attraction == 0.0:
            return 0.0
        found = self._mapped(walk, course, attraction, n, period) if course.map is not None else None
        return self._ring(walk, course, attraction, self.state.speed * period) if found is None else found

    def _mapped(self, walk: Free, course: Course, attraction: float, n: int, period: float) -> float | None:
        """What a film's pilot does with the map; None where the map ends."""
        assert course.map is not None
        state, speed = self.state, self.state.speed
        looked = -math.inf if state.looked is None or course.turned else state.looked
        seen = PilotState(
            looked=looked, attraction=state.attraction, curvature=state.wish, holds=state.holds,
            spacing=speed * period / course.lift, archive=self._archive,
        )  # fmt: skip
        pace = changed(self.pace, kind="latent")
        pilot = Pilot(awake(self._played), pace, course.plane, course.map, course.map, 1.0 / period, state=seen,
                      aim=course.aim)  # fmt: skip
        try:
            curvature = pilot(walk, None, _PilotControls(attraction, speed), n).curvature
        except AtlasError:
            return None
        after = pilot.state
        self.state = replace(
            state, looked=None if math.isinf(after.looked) else after.looked, attraction=after.attraction,
            wish=after.curvature, holds=after.holds,
        )  # fmt: skip
        self._keep(after.archive)
        return curvature

    def _keep(self, archive: Archive) -> None:
        """Remember an archive, for another renderer too."""
        if archive is not self._archive:
            self._archive = archive
            self.state = replace(self.state, archive=archive.text)

    def _wants(self, course: Course) -> Aim | None:
        """What the mode wants of pictures besides rifts."""
        assert course.here is not None
        if self._played.mode == "novel":
            self._keep(self._archive.seen(np.asarray(course.here, np.float64)))
            return self._archive
        return course.aim if self._played.mode == "toward" else None

    def _ring(self, walk: Free, course: Course, attraction: float, stride: float) -> float:
        """Toward what the newest look showed (or, with attraction below 0, away from it)."""
        state = replace(self.state, frames=self.state.frames + 1)
        arc = self._reach(walk, course, stride)
        pause = max(math.ceil(course.cost / SHARE), 1)  # frames between two looks
        stale = pause * stride > STALE * arc * course.plane.target * course.lift
        if course.probe is None or course.here is None or stale:
            state = replace(state, wish=0.0)  # what was seen lies behind by the time it is known: hold the course
        elif state.frames >= pause or attraction * state.attraction <= 0 or course.turned:
            wish = abs(attraction) * self._seen(walk, course, attraction, arc)
            state = replace(self.state, frames=0, attraction=attraction, wish=wish)
        near = min(max(state.wish, walk.bend - self.spec.max_change), walk.bend + self.spec.max_change)
        self.state = state
        return min(max(near, -self.spec.max_curvature), self.spec.max_curvature)

    def _reach(self, walk: Free, course: Course, stride: float) -> float:
        """Arc (rad) of the ring: the spec's, and far enough for the walk to follow what it sees there (see Pilot)."""
        shell = course.plane.target * course.lift
        settled = math.sqrt(SETTLED / walk.ease) if walk.ease > 0 else 0.0
        return min(max(self.spec.reach / shell, settled + stride / shell), 0.5)

    def _seen(self, walk: Free, course: Course, attraction: float, arc: float) -> float:
        """Curvature of the circle through what stands out on a ring of probes before the walk, 0 where nothing does."""
        assert course.probe is not None
        assert course.here is not None
        angles = np.radians(np.linspace(-self.spec.spread, self.spec.spread, min(self.spec.fan, RAYS)))
        units, _ = globe.step(walk.unit, globe.turn(walk.unit, walk.heading, angles), np.full(len(angles), arc))
        radii = np.full(len(units) + 1, float(walk.ahead(0.0)[1][0]) * course.lift)
        self.probes += len(units)
        try:
            features = np.asarray(course.probe(units, radii[1:]), np.float64)
        except NotFinite:  # a scout that sees nothing there: hold the course
            return 0.0
        points = course.plane.points(np.concatenate([walk.unit[None], units]), radii)
        steps = np.linalg.norm(np.diff(features, axis=0), axis=1)
        lateral = ratio(steps, np.linalg.norm(np.diff(points[1:], axis=0), axis=1))
        radial = ratio(np.linalg.norm(features - course.here, axis=1), np.linalg.norm(points[1:] - points[0], axis=1))
        if not (np.isfinite(lateral).all() and np.isfinite(radial).all()):
            return 0.0
        aim = self._wants(course)
        wanted = None if aim is None else gains(aim, np.concatenate([course.here[None], features]))[None]
        fan = Fan(angles, np.array([arc]), lateral[None], steps[None], radial[None], wanted)
        _, ray = chosen(awake(self._played), fan, attraction)
        if math.isnan(ray):
            return 0.0
        angle = float(np.interp(ray, np.arange(len(angles)), angles))
        side = math.sin(angle) if abs(angle) < math.pi / 2 else math.copysign(1.0, angle)
        return side / math.tan(arc / 2.0)


def played(spec: PilotSpec, controls: LoopControls) -> PilotSpec:
    """The preset's, with the mode and the share of rifts that controls have."""
    mode = controls.rift.mode or spec.mode
    rifts = spec.rifts if controls.rift.share is None else controls.rift.share
    return spec if (mode, rifts) == (spec.mode, spec.rifts) else changed(spec, mode=mode, rifts=rifts)


def awake(spec: PilotSpec) -> PilotSpec:
    """Attraction that is asked for while the pilot is off lets it seek."""
    return changed(spec, mode="seek") if spec.mode == "off" else spec


def felt(state: LivePilotState, rates: Rates | None) -> LivePilotState:
    """The state after the rates of a tick: quick to believe a steep land, slow to believe a calm one."""
    rate = state.rate
    for value in [] if rates is None else rates.rate.tolist():
        if math.isfinite(value) and value > 0:
            rate = max(value, RELEASE * rate)
    return replace(state, rate=rate)


@dataclass(frozen=True)
class _PilotControls:
    attraction: float
    speed: float
