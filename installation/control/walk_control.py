"""What controls do to the walk at a tick's beginning: kind, direction, who steers, jump, radius."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from msgspec import Meta

from installation.control.approach import NIMBLE
from installation.control.controls import WALK_KIND, Direction, WalkControls
from installation.control.notices import Notices
from installation.control.steering import steered_by
from installation.ipc.fields import Part, read_part
from latentworld import globe, walks
from latentworld.errors import GeometryError, WalkRefused
from latentworld.plane import Plane
from latentworld.walks import Fixed, Free, Joined, Lifted, Walk, WalkSpec

GLIDE = 0.25  # seconds in which a new radius is reached but for a third: a step of the shell is a cut
FAR = 4.0  # shells: how long a latent of a raw plane may become
LEAST, WIDEST = 0.05, 3.0  # shells: no walk goes through the centre, nor past what the desk has
VERSION = 1  # of the saved state


@dataclass(frozen=True)
class WalkControlState:
    """kind: of the walk; direction: as last obeyed; turned: the arc at which a free ping-pong last turned about;
    radius: the one the walk is lifted to, None for its own. Who steers, controls say."""

    kind: str
    direction: Direction = "forward"
    turned: float = 0.0
    radius: Annotated[float, Meta(ge=LEAST, le=WIDEST)] | None = None

    @staticmethod
    def read(written: object) -> Part[WalkControlState]:
        """From what was saved, whatever that is."""
        part = read_part(WalkControlState, written, VERSION)
        if part.value is None or part.value.kind in walks.kinds():
            return part
        return Part(None, f"is of a kind {part.value.kind!r:.40} that is not known here")


class WalkControl:
    """Obeys controls where they differ from `state`; what cannot be done raises GeometryError and changes nothing.

    preset: the walk that the preset names; other kinds go as a preset without further keys has them. most: curvature
    that walks get along with at their own ease. A kind that cannot be walked raises WalkRefused: `give_way` then.
    """

    def __init__(self, preset: WalkSpec, most: float, notices: Notices, state: WalkControlState | None = None) -> None:
        self.preset, self.most, self._notices = preset, most, notices
        self.state = state or WalkControlState(preset.kind)
        self._own: tuple[str, Plane, Free] | None = None
        self._asked = self.state.kind  # for by the newest controls
        self._refused: str | None = None  # until controls ask for something else
        self._before = walks.DEFAULT if self.state.kind == preset.kind else preset.kind
        self._standby: Walk | None = None  # where another package's walk was last, as one of ours

    @property
    def spec(self) -> WalkSpec:
        """Of the kind that is walked now."""
        return self._spec(self.state.kind)

    def save(self) -> WalkControlState:
        """What another renderer begins with."""
        return self.state

    def begin(self, plane: Plane, saved: Mapping[str, object] | None = None) -> Walk:
        """The walk at its start, or where it was saved. Raises GeometryError."""
        walk = walks.build(self.spec, plane) if saved is None else walks.restore(saved, self.spec, plane)
        return self._lifted(walk)

    def moved(self, walk: Walk, plane: Plane) -> Walk:
        """The walk on another plane, at the same unit."""
        walk = walk.walk if isinstance(walk, Lifted) else walk
        free = walks.departed(walk, walks.roaming(self.spec, plane))
        fixed = not isinstance(walk, Free)
        return self._lifted(self._onto(free, self.state, plane) if fixed else free)

    def __call__(self, walk: Walk, controls: WalkControls, plane: Plane, elapsed: float) -> Walk:
        """The walk that controls want, `elapsed` seconds after the last call."""
        inner = walk.walk if isinstance(walk, Lifted) else walk
        self._stand_by(inner, plane)
        state, inner = self._steered(inner, controls, plane)
        state, inner = self._directed(state, inner, controls.direction, plane)
        own = float(inner.ahead(0.0)[1][0])
        if state.kind != self.state.kind:
            self._before = self.state.kind
        self.state = replace(state, radius=glided(state.radius, _radius(controls), own, elapsed))
        return self._lifted(self._eased(inner, steered_by(controls) != "autopilot", plane))

    # ---- kinds that cannot be walked

    def give_way(self, error: WalkRefused, walk: Walk | None, plane: Plane) -> Walk:
        """What is walked instead of a kind that was refused: the walk goes on as it was, and where it is of that kind
        itself (or there was none), freely from where it was last, to become the kind before it. The desk is told what
        is walked."""
        broken = error.kind == self.state.kind
        if broken:
            before = walks.DEFAULT if self._before == error.kind else self._before
            self.state, self._before = replace(self.state, kind=before), walks.DEFAULT
        self._refused = error.kind
        self._notices.fault(f"{error}; the walk is {self.state.kind}")
        if self._asked == error.kind:
            self._notices.changed({WALK_KIND.name: self.state.kind})
        if walk is not None and (not broken or error.kind in walks.BUILT_IN):  # ours break only where they are built
            return walk
        return self._lifted(self._standby or _ours(plane))

    def _stand_by(self, walk: Walk, plane: Plane) -> None:
        """Keep in mind where a walk of another package is."""
        if self.state.kind in walks.BUILT_IN:
            self._standby = None
            return
        bare = replace(walk, wind=None) if isinstance(walk, Free) else walk
        with suppress(GeometryError):  # broken, or standing still: where it was before is good enough
            self._standby = walks.departed(bare, _ours(plane))

    def _wanted(self, controls: WalkControls) -> str:
        """The kind that controls want; one that was refused is not tried again before they asked for another."""
        self._asked = controls.kind or self.preset.kind
        if self._asked != self._refused:
            self._refused = None
        return self._asked if self._refused is None else self.state.kind

    # ---- who steers

    def _steered(self, walk: Walk, controls: WalkControls, plane: Plane) -> tuple[WalkControlState, Walk]:
        """The kind of walk that goes with who steers; a jump."""
        state = replace(self.state, kind=self._wanted(controls))
        spec = self._spec(state.kind)
        fixed = steered_by(controls) == "autopilot" and not isinstance(spec, walks.FreeSpec)
        changed = state.kind != self.state.kind
        there = controls.position if controls.jump else None
        if fixed and there is None:
            if isinstance(walk, Free) or changed:
                walk = self._onto(walk, state, plane)
            return state, walk
        if not isinstance(walk, Free) or changed:
            walk = walks.departed(walk, walks.roaming(spec, plane))
        if there is not None:
            walk = walks.recentred(walk, plane.unit(*there))
        return state, self._onto(walk, state, plane) if fixed else walk

    def _onto(self, walk: Walk, state: WalkControlState, plane: Plane) -> Walk:
        """A smooth way onto the fixed walk of the state's kind."""
        onto = walks.build(self._spec(state.kind), plane)
        if not isinstance(onto, Fixed):
            return walk
        way: Literal[1, -1] = -1 if state.direction == "reverse" else 1
        return walks.joined(walk, onto.redirected(way, onto.closed and state.direction != "ping-pong"), plane)

    # ---- which way

    def _directed(
        self, state: WalkControlState, walk: Walk, wanted: Direction, plane: Plane
    ) -> tuple[WalkControlState, Walk]:  # fmt: skip
        """The walk in a direction."""
        if isinstance(walk, Free):
            return self._about(state, walk, wanted, plane)
        if wanted == state.direction:
            return state, walk
        state = replace(state, direction=wanted)
        if isinstance(walk, Joined):  # on the way still: on to the walk in its new direction
            return state, self._onto(walk, state, plane)
        if isinstance(walk, Fixed):
            closed = self._is_closed(state.kind, plane) and wanted != "ping-pong"
            way: Literal[1, -1] = walk.onward if wanted == "ping-pong" else -1 if wanted == "reverse" else 1
            walk = walk.redirected(way, closed)
        return state, walk

    def _about(
        self, state: WalkControlState, walk: Free, wanted: Direction, plane: Plane
    ) -> tuple[WalkControlState, Free]:
        """A free walk turns about when it is reversed, and a ping-pong at every quarter of the globe."""
        if wanted == "ping-pong":
            if state.direction != wanted:
                return replace(state, direction=wanted, turned=walk.arc), walk
            if walk.arc - state.turned < math.pi / 2 * plane.target:
                return state, walk
            return replace(state, turned=walk.arc), about(walk)
        flips = "reverse" in (wanted, state.direction) and wanted != state.direction
        return replace(state, direction=wanted), about(walk) if flips else walk

    def _is_closed(self, kind: str, plane: Plane) -> bool:
        walk = walks.build(self._spec(kind), plane)
        return isinstance(walk, Fixed) and walk.closed

    # ---- ease and radius

    def _eased(self, walk: Walk, steered: bool, plane: Plane) -> Walk:
        """A steered walk is nimble, and one let go of stays so until its bend is one it can keep."""
        if not isinstance(walk, Free):
            return walk
        own = self._roaming(plane)
        nimble = steered or abs(walk.bend) > self.most * 1.001
        ease = max(NIMBLE, own.ease) if nimble else own.ease
        # the wind blows no one about who is steered
        return replace(walk, ease=ease, wind=None if steered else own.wind)

    def _roaming(self, plane: Plane) -> Free:
        """`walks.roaming` of the present kind, kept: it is asked at every tick."""
        if self._own is None or self._own[0] != self.state.kind or self._own[1] is not plane:
            self._own = (self.state.kind, plane, walks.roaming(self.spec, plane))
        return self._own[2]

    def _lifted(self, walk: Walk) -> Walk:
        return walk if self.state.radius is None else Lifted(walk, self.state.radius)

    def _spec(self, kind: str) -> WalkSpec:
        """The preset's own, or one without further keys. Raises WalkRefused."""
        return self.preset if kind == self.preset.kind else walks.plain(kind)


def _ours(plane: Plane) -> Free:
    """A walk that never breaks, at its start."""
    return walks.roaming(walks.plain(walks.DEFAULT), plane)


def about(walk: Free) -> Free:
    """The walk turned round on the spot, to go back along the circle it is on."""
    return replace(walk, heading=-walk.heading, bend=-walk.bend)


def glided(radius: float | None, goal: float | None, own: float, elapsed: float) -> float | None:
    """The radius a little later, on its way to the goal (None: the walk's own, where lifting ends)."""
    if radius is None and goal is None:
        return None
    here, there = own if radius is None else radius, own if goal is None else goal
    if abs(there - here) < 1e-4:
        return goal
    return there + (here - there) * math.exp(-max(elapsed, 0.0) / GLIDE)


def stays(plane: Plane, walk: Walk, reach: float) -> bool:
    """Whether a plane has pictures to show within `reach` latents of the walk, whichever way it turns.

    A raw one ends at the horizon, and grows past all measure before it: it is left where it passes FAR shells.
    """
    if plane.norm != "raw":
        return True
    c0, c1, c2 = plane.corners
    normal = globe.normalise(globe.cross(c1 - c0, c2 - c0))
    depth = float(globe.dot(normal, c0))  # the plane's distance from the centre: |z| = depth / (unit . normal)
    height = float(globe.dot(walk.ahead(0.0)[0][0], normal)) * math.copysign(1.0, depth)
    return math.asin(min(max(height, -1.0), 1.0)) - reach / plane.target > math.asin(abs(depth) / (FAR * plane.target))


def _radius(controls: WalkControls) -> float | None:
    return None if controls.radius is None else max(controls.radius, LEAST)
