"""A score in a film: what the loop asks of it tick by tick, and how a film that was stopped goes on in the same state.

The controls of a moment follow from its time and from when events came, which the film's manifest keeps; the walk is
led by them as in a show. So a chunk can be made again, and a plan tells every frame's scene, from the same few numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from installation.clock import Tick
from installation.control.controls import WALK_JUMP, WALK_NORM, LoopControls, WalkControls
from installation.control.notices import Notices
from installation.control.parameter import rows
from installation.control.walk_control import WalkControl, WalkControlState
from installation.frames import Frames
from installation.ipc.scene import SceneDescription
from installation.loop import Scene
from installation.rig import Rig
from installation.score import scenes
from installation.score.events import Crossings
from installation.score.pilots import Course, Goals, ScoredPilot
from installation.score.reading import GOAL
from installation.score.tracks import Cue, Score, Timeline
from installation.studio import Studio, lookout
from installation.takes import Parts
from installation.takes.scenes import TakeScenes
from latentworld.decoding import Cached, Decoder
from latentworld.lipschitz import Lookout, Rates
from latentworld.plane import Plane
from latentworld.preset import Preset
from latentworld.walks import Steering, Walk

_WALK = rows(WalkControls)
RADIUS, NORM = _WALK["radius"].name, WALK_NORM.name
LEADS = frozenset(row.name for row in _WALK.values()) - {_WALK["speed"].name, NORM}
"""What leads the walk: where a score has none of these, it goes as without a score."""


class Stand(msgspec.Struct, frozen=True):
    """What a manifest keeps of a score. fired: events that came, cue and seconds; crossings: what leads to the next."""

    fired: tuple[tuple[int, float], ...] = ()
    crossings: Crossings = Crossings()


@dataclass(frozen=True)
class State:
    """What one tick leaves to the next. time, scene: its own; None before the first."""

    stand: Stand
    walk: WalkControlState
    time: float | None = None
    scene: SceneDescription | None = None


@dataclass(frozen=True, eq=False)
class ScoredParts(Parts):
    """A film's parts with a score."""

    played: Performance | None = None


class Performance:
    """A film's inbox, director, pilot and an outlet of its loop, in one; `ticks` deals what the clock has so that every
    cue begins with a tick. `state` is frozen, and may be put in place of the present one."""

    def __init__(self, rig: Rig, score: Score, open_studio: Callable[[Preset], Studio]) -> None:
        self._rig, self._score, self._open_studio = rig, score, open_studio
        self._first = scenes.first(rig)
        self._studios = {self._first.world.name: rig.studio}
        self._scenes = TakeScenes(rig, self._opened)
        self._leads = not LEADS.isdisjoint(score.tracks)
        self._control = self._controller(WalkControlState(rig.preset.walk.kind))
        self._pilot = ScoredPilot(rig.pilot, rig.preset.pilot, rig.preset.pacing, rig.preset.film.fps)
        self._goals = Goals()
        if GOAL in score.tracks:  # now: an eye that knows no words is no news for the middle of a film
            said = (str(cue.goals[GOAL]) for cue in score.cues if GOAL in cue.goals)
            self._goals.know(rig.studio.seer, rig.studio.eye, said)
        self._own = (rig.pilot.scout, rig.pilot.ahead)
        self._controls, self._stride, self._course = LoopControls(), 0.0, Course(0)
        self._plane = rig.plane
        self._timeline = Timeline(score)
        self._state = State(Stand(), self._control.save())

    def parts(self) -> ScoredParts:
        """For a film."""
        return ScoredParts(self._rig.clock, self._rig.walk, self.direct, self.pilot, played=self)

    # ---- state

    @property
    def state(self) -> State:
        """As the newest tick left it."""
        return self._state

    @state.setter
    def state(self, state: State) -> None:
        self._state = state
        self._timeline = Timeline(self._score, dict(state.stand.fired))
        self._control = self._controller(state.walk)
        self._plane = self._rig.plane if state.scene is None else self._scenes(state.scene).plane

    def again(
        self, walk: Walk, state: State, ticks: Iterable[Tick], moves: Sequence[tuple[float, float]], stand: Stand
    ) -> tuple[Walk, State]:
        """The walk and the state after ticks that were made before. walk, state: before them; moves: how far each went,
        at what curvature; stand: what was kept after them."""
        present, self.state = self._state, state
        self._timeline = Timeline(self._score, dict(stand.fired))
        for tick, (stride, curvature) in zip(self._dealt(ticks, fires=False), moves, strict=True):
            scene = self._described(tick)
            plane = self._plane if self._lies_there(scene) else self._scenes(scene).plane
            walk = self._led(walk, scene, plane, tick).advance(stride, curvature)
            self._left(tick, scene)
        after = replace(self._state, stand=stand)
        self.state = present
        return walk, after

    # ---- for the loop

    def ticks(self, ticks: Iterable[Tick]) -> Iterator[Tick]:
        """The same frames; a tick begins where a cue does, and is one frame long where a scene or a radius moves."""
        return self._dealt(ticks, fires=True)

    def latest(self) -> LoopControls:
        """The controls of the tick that was dealt last."""
        return self._controls

    def direct(self, walk: Walk, controls: LoopControls, tick: Tick) -> tuple[Walk, Scene]:
        """The walk as it is led, and the scene."""
        described = self._described(tick)
        scene = self._scenes(described)
        walk = self._led(walk, described, scene.plane, tick)
        self._look(described, scene, anew=bool(self._begun(float(tick.time[0]))))
        self._aim(described, scene, float(tick.time[0]))
        self._left(tick, described)
        return walk, scene

    def pilot(self, walk: Walk, rates: Rates | None, controls: LoopControls, n: int) -> Steering:
        """As the score steers it."""
        steering = self._pilot(walk, rates, controls, n, self._plane, self._course)
        self._course = replace(self._course, curvature=steering.curvature)
        self._stride = float(steering.strides[-1]) if n else 0.0
        return steering

    def send(self, frames: Frames) -> None:
        """Count what the walk came to."""
        rates = frames.rates
        steps = zip(rates.rate.tolist(), rates.distance.tolist(), frames.marked.tolist())
        stand = self._state.stand
        counted = Stand(stand.fired, stand.crossings.after(self._stride, steps))
        self._state = replace(self._state, stand=counted)

    # ---- within

    def _dealt(self, ticks: Iterable[Tick], fires: bool) -> Iterator[Tick]:
        for tick in ticks:
            begin = 0
            while begin < len(tick):
                t = float(tick.time[begin])
                if fires:
                    self._fire(t)
                end = begin + self._alike(tick, begin, t)
                self._course = self._kept(begin, len(tick) - end, t)
                self._controls = self._heard(t)
                yield Tick(tick.index[begin:end], tick.time[begin:end])
                begin = end

    def _fire(self, t: float) -> None:
        """Let events come that are due: the walk has come to them before this moment."""
        stand, fired = self._state.stand, dict(self._state.stand.fired)
        length = self._rig.walk.length
        for cue in self._score.events:
            came = stand.crossings.rifts >= cue.moment.number
            if cue.moment.unit == "lap":
                came = length is not None and stand.crossings.travelled >= cue.moment.number * length
            if came and cue.number not in fired:
                fired[cue.number] = t
        if len(fired) > len(stand.fired):
            self._state = replace(self._state, stand=Stand(tuple(sorted(fired.items())), stand.crossings))
            self._timeline = Timeline(self._score, fired)

    def _alike(self, tick: Tick, begin: int, t: float) -> int:
        """How many frames from `begin` on are made alike."""
        if self._timeline.moving((*scenes.SCENIC, RADIUS), t):
            return 1
        until = self._timeline.next_start(t)
        left = tick.time[begin:]
        return len(left) if until is None else max(int((left < until).sum()), 1)

    def _kept(self, begin: int, after: int, t: float) -> Course:
        """What the piece of a tick from `begin` on, `after` frames before its end, keeps to. A tick that a fade cuts
        small is steered as a whole (a fan for each frame cost 2.8 s a place of a plan, where a place of a whole tick
        took .25 s), and anew from a cue on."""
        curvature = None if begin == 0 or self._begun(t) else self._course.curvature
        return Course(after, curvature)

    def _begun(self, t: float) -> list[Cue]:
        """Cues that begin with this piece of a tick."""
        return self._timeline.begun(-1.0 if self._state.time is None else self._state.time, t)

    def _heard(self, t: float) -> LoopControls:
        pressed = [WALK_JUMP.name for cue in self._begun(t) if WALK_JUMP.name in cue.goals]
        values = {name: value for name, value in self._timeline.values(t).items() if name != WALK_JUMP.name}
        return LoopControls.of(values, pressed[:1])

    def _described(self, tick: Tick) -> SceneDescription:
        return scenes.at(self._first, self._timeline, float(tick.time[0]))

    def _lies_there(self, scene: SceneDescription) -> bool:
        """Whether a scene's plane is the one of the tick before."""
        known = self._state.scene or self._first
        return (known.plane, known.world) == (scene.plane, scene.world)

    def _led(self, walk: Walk, scene: SceneDescription, plane: Plane, tick: Tick) -> Walk:
        """The walk on the tick's plane, as controls lead it. Raises GeometryError."""
        if not self._lies_there(scene):
            walk = self._control.moved(walk, plane)
        self._plane = plane
        if not self._leads:
            return walk
        # a film is where its score says, however fast; hands are glided after, for they know no fade
        return self._control(walk, self._controls.walk, plane, math.inf)

    def _left(self, tick: Tick, scene: SceneDescription) -> None:
        self._state = replace(self._state, walk=self._control.save(), time=float(tick.time[0]), scene=scene)

    def lookout(self, described: SceneDescription) -> Lookout:
        """What the pacing looks through in a scene."""
        return self._lookouts(described, self._scenes(described))[1]

    def _look(self, described: SceneDescription, scene: Scene, anew: bool) -> None:
        """Let the pilot look where and at what the frames are; its atlas is of the film's first scene alone. anew: from
        here on, however far it has gone on its last look."""
        pilot = self._rig.pilot
        pilot.plane = scene.plane
        if described != (self._state.scene or self._first):  # what was felt before is of another picture
            pilot.state = replace(pilot.state, unit=None, feature=None)
        if anew:
            pilot.state = replace(pilot.state, looked=-math.inf)
        pilot.scout, pilot.ahead = self._lookouts(described, scene)

    def _lookouts(self, described: SceneDescription, scene: Scene) -> tuple[Lookout, Lookout]:
        """What the pilot looks through, and the pacing."""
        if described == self._first:
            return self._own
        studio = self._studios[described.world.name]
        alone = studio.scout is studio.decoder or self._rig.preset.decoder.kind in ("scout", "analytic")
        scout = lookout(scene.plane, scene.decoder if alone else self._scout(studio, scene), scene.eye, scene.prompt)
        faithful = self._rig.preset.pacing.look == "faithful"
        return scout, lookout(scene.plane, scene.decoder, scene.eye, scene.prompt) if faithful else scout

    def _scout(self, studio: Studio, scene: Scene) -> Decoder:
        """What looks ahead, with the LoRA of what makes the pictures."""
        loras, scout = scene.decoder.settings.loras, studio.scout
        scout = scout if scout.settings.loras == loras else scout.variant(replace(scout.settings, loras=loras))
        return scout.on(scene.plane)

    def _aim(self, described: SceneDescription, scene: Scene, t: float) -> None:
        """Let the pilot go toward the words of this moment."""
        own = self._rig.preset.pilot
        if (self._controls.rift.mode or own.mode) == "toward":
            mixture = self._timeline.mixture(GOAL, t, own.words)
            seer = self._studios[described.world.name].seer
            self._rig.pilot.aim = self._goals.aim(seer, scene.eye, mixture)

    def _opened(self, preset: Preset) -> Studio:
        studio = self._open_studio(preset)
        remembering = Cached(studio.decoder, capacity=max(64, 12 * studio.settings.batch))
        self._studios[preset.world.name] = studio
        return replace(studio, decoder=remembering)

    def _controller(self, state: WalkControlState) -> WalkControl:
        preset = self._rig.preset
        return WalkControl(preset.walk, preset.pilot.max_curvature, Notices(_nothing, _nothing), state)


def _nothing(told: object) -> None:
    """A film has nobody to tell: what cannot be done is an error."""


def radii_of(score: Score, stand: Stand, ticks: Iterable[Tick]) -> NDArray[np.float64] | None:
    """The radius of every frame, NaN where no cue has said one yet; None where none does."""
    if RADIUS not in score.tracks:
        return None
    timeline = Timeline(score, dict(stand.fired))
    found = (timeline.value(RADIUS, t) for tick in ticks for t in tick.time.tolist())
    return np.array([math.nan if value is None else value for value in found], np.float64)


def scenes_of(rig: Rig, score: Score, stand: Stand, ticks: Iterable[Tick]) -> Iterator[SceneDescription]:
    """The scene of every frame. stand: as the film's end left it."""
    timeline, first = Timeline(score, dict(stand.fired)), scenes.first(rig)
    known, before, moved = first, -1.0, True
    for tick in ticks:
        for t in tick.time.tolist():
            moves = timeline.moving(scenes.SCENIC, t)
            if moves or moved or timeline.begun(before, t):
                described = scenes.at(first, timeline, t)
                known = known if described == known else described
            before, moved = t, moves
            yield known
