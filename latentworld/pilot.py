"""The pilot: the control law that turns Lipschitz values into heading and pace.

The helm decodes a fan of probes around the walk's place (rays x rings), reads the rate along every edge of that mesh,
picks a target by its mode and bends toward it: pure pursuit, the one small circle that leaves along the heading and
passes through the target. The pacing then says how far along that circle the next frames lie. Rates along the path say
nothing about left and right, so the helm looks for itself; an atlas may stand in for the scout, since both are a
`Lookout`. Deterministic; the walk's own bend is the only memory of the helm.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from latentworld import globe, pacing
from latentworld.aims import Aim
from latentworld.archive import Archive
from latentworld.arrays import Float64, Reals, Unit, Units, Vector
from latentworld.frozen import keyed
from latentworld.lipschitz import Lookout, Rates, ratio
from latentworld.pacing import PacingSpec, Placement
from latentworld.plane import Plane
from latentworld.prompts import LONGEST
from latentworld.walks import Free, Lifted, Steering, Walk

if TYPE_CHECKING:
    from torch import Tensor


Mode = Literal["off", "seek", "ride", "cross", "avoid", "toward", "novel"]

RINGS = (0.5, 1.0, 2.0)  # of the reach: the first to hold a rift, the last to find one
SIGHTED = 1.5  # times the mesh's median rate: below it nothing stands out and the helm holds its course
ON_RIFT = 3.0  # times the median step of the near ring: above it a rift runs through that ring
SETTLED = 1.8  # the near ring lies no nearer than sqrt(SETTLED / ease) rad: see Pilot._reach
HOLD = 0.25  # of the near ring: how far the walk goes on one look, at least one tick
CONE = np.radians(30.0)  # `cross` looks no further to the sides: what it has crossed must not call it back
REFINED = 4  # probes that cut the chosen edge: a rift is then known to a fifth of a gap between rays


class PilotSpec(BaseModel):
    """How the helm steers a free walk; fixed walks are only paced.

    Measured by benchmarks/pilot.py on the analytic world (10 irregular modes, sigma .1, 100 random starts, 100 latents
    each): `ride` spends .869 +- .008 of its arc in the top decile of the rate, straight on .098: 8.9 times.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    mode: Mode = keyed(
        "ride",
        "seek: toward the steepest edge in sight; ride: stay on a rift and follow it; cross: straight over rifts; "
        "avoid: away from rifts, over calm land; toward: to pictures like `words`; novel: away from what it has "
        "seen in this mode, lately and ever; off: the walk alone",
    )
    attraction: Annotated[FiniteFloat, Field(ge=-1.0, le=1.0)] = keyed(
        1.0,
        "how hard it turns; 0 not at all, below zero every mode avoids, and `toward` leads away from the words",
    )
    fan: Annotated[int, Field(ge=3, le=65)] = keyed(
        9,
        "how many rays it looks along; more see narrower rifts and cost decodes",
    )
    spread: Annotated[FiniteFloat, Field(ge=10.0, le=170.0)] = keyed(
        100.0,
        "how far the fan opens to either side, in degrees",
    )
    reach: Annotated[FiniteFloat, Field(gt=0.0)] = keyed(
        6.0,
        "latent arc to the middle ring of the fan (rings at half, whole and twice): how far it sees; more where ticks "
        "are long or the walk's curvature is slow to change",
    )
    max_curvature: Annotated[FiniteFloat, Field(gt=0.0, le=200.0)] = keyed(
        8.0,
        "how tight it may turn, radians of turn per radian of globe travel: 8 is a circle of about 1/8 rad, 4 latent "
        "units at d = 1024",
    )
    max_change: Annotated[FiniteFloat, Field(gt=0.0)] = keyed(
        8.0,
        "how much the curvature may change from one tick to the next: smaller is calmer and later",
    )
    words: Annotated[str, Field(max_length=LONGEST)] = keyed(
        "",
        "of `toward`: what pictures should become like, read by the eye, such as `a cat`",
    )
    rifts: Annotated[FiniteFloat, Field(ge=0.0, le=1.0)] = keyed(
        0.0,
        "of `toward`: the share of rifts in the choice of the way; 0: the words alone",
    )
    atlas: str | None = keyed(
        None,
        "the folder or store of a survey of this very world, whose features stand in for the scout's where "
        "it covers: farther sight, no decodes",
    )
    prior: Annotated[FiniteFloat, Field(ge=0.0, le=1.0)] = keyed(1.0, "the atlas's share there; 1 asks no scout")


@dataclass(frozen=True, eq=False)
class Fan:
    """What the helm sees: angles [k] (rad, left positive) and arcs [d] (rad) of its probes, and rates per latent.

    lateral [d, k - 1]: between neighbouring rays on a ring; steps [d, k - 1]: the same, as feature distances;
    radial [d, k]: along each ray, from the ring within (the first from the centre). gain [d, k]: by how much each
    probe is wanted more than the centre; None where nothing is wanted but rifts.
    """

    angles: Float64[Reals, " k"]
    arcs: Float64[Reals, " d"]
    lateral: Float64[Reals, "d k-1"]
    steps: Float64[Reals, "d k-1"]
    radial: Float64[Reals, "d k"]
    gain: Float64[Reals, "d k"] | None = None


@dataclass(frozen=True, eq=False)
class PilotState:
    """What one tick leaves to the next: where its last frame lies (unit [3]), its feature [F], spacing and trend; and
    the helm's last look: at which arc, with what attraction, the curvature it asked for, and how far that holds;
    archive: what `novel` has seen."""

    unit: Unit | None = None
    feature: Float64[Reals, " f"] | None = None
    spacing: float | None = None
    trend: float = 1.0
    looked: float = -np.inf
    attraction: float = 0.0
    curvature: float = 0.0
    holds: float = 0.0
    archive: Archive = field(default_factory=Archive)


class Pilot:
    """LivePilot and pacing as one step: `pilot(walk, rates, controls, n) -> Steering`.

    scout: the lookout of the helm (few-step decoder, or an atlas); ahead: the lookout of the pacing, the faithful
    decoder in a `Cached` where frames must keep even steps; fps: frames per second; batch: probes the decoders take at
    once; aim: what `toward` wants of pictures. controls: None, or anything with `attraction` (-1..1), `speed` (latent
    arc per second) and `curvature` (in place of the helm's) that override the specs; None keeps them. `state` is frozen
    and may be handed to a new pilot, which then goes on identically.
    """

    def __init__(
        self,
        spec: PilotSpec,
        pace: PacingSpec,
        plane: Plane,
        scout: Lookout,
        ahead: Lookout,
        fps: float = 24.0,
        batch: int = 8,
        state: PilotState | None = None,
        aim: Aim | None = None,
    ) -> None:
        self.spec, self.pace, self.plane, self.scout, self.ahead = spec, pace, plane, scout, ahead
        self.fps, self.batch, self.aim = fps, batch, aim
        self.state = state or PilotState()
        self.probes = 0  # asked of either lookout so far

    def __call__(self, walk: Walk, rates: Rates | None, controls: object, n: int, held: int | None = None) -> Steering:
        """Steering for the next n frames. held: for how many frames the caller keeps to the curvature, n if None."""
        # A fader at 0 must not repeat frames.
        speed = max(_override(controls, "speed", self.pace.speed), self.pace.floor)
        attraction = float(np.clip(_override(controls, "attraction", self.spec.attraction), -1.0, 1.0))
        curvature = _override(controls, "curvature", np.nan)
        if np.isnan(curvature):
            free, curvature = (walk.walk if isinstance(walk, Lifted) else walk), 0.0
            if isinstance(free, Free) and self.spec.mode != "off":
                radius = float(walk.ahead(np.zeros(1))[1][0])
                tick = (n if held is None else held) * (self.state.spacing or speed / self.fps)
                curvature = self._helm(free, radius, attraction, tick)
        placed = self._placed(walk, curvature, n, speed)
        if n and placed.feature is not None:
            unit = walk.ahead(placed.strides[-1:], curvature)[0][0]
            self.state = replace(self.state, unit=unit, feature=placed.feature)
        if n:
            self.state = replace(self.state, spacing=placed.spacing, trend=placed.trend)
        self.probes += placed.probes
        return Steering(curvature, placed.strides, placed.marked)

    def _placed(self, walk: Walk, curvature: float, n: int, speed: float) -> Placement:
        if self.pace.kind == "latent" or n == 0:
            return pacing.steady(n, speed / self.fps)

        def features(strides: Vector) -> Tensor:
            return self.ahead(*walk.ahead(strides, curvature))

        # Only a feature of this very place is taken over: a walk that jumped is probed anew.
        unit, _ = walk.ahead(np.zeros(1), curvature)
        known = self.state.unit is not None and float(globe.angle(unit[0], self.state.unit)) < 1e-9
        haste = speed / self.pace.speed
        return pacing.even(
            features,
            n,
            target=self.pace.clip_step * haste,
            spacing=self.state.spacing or speed / self.fps,
            floor=self.pace.floor / self.fps,
            ceiling=self.pace.ceiling * max(haste, 1.0) / self.fps,
            batch=self.batch,
            start=self.state.feature if known else None,
            trend=self.state.trend,
        )

    def _helm(self, walk: Free, radius: float, attraction: float, tick: float) -> float:
        """Curvature for a tick of the given latent arc, within the bounds of the spec. radius: that is walked at.

        Looks anew only after a quarter of the near ring: where the pacing creeps over a rift, a fan a tick would cost
        more than the frames (measured at 8 frames a tick, pacing included: 6.4 -> 4.0 probes a frame).
        """
        if attraction == 0:
            return self._bounded(walk, 0.0)
        seen = self.state
        if walk.arc < seen.looked + seen.holds and walk.arc >= seen.looked and seen.attraction == attraction:
            return seen.curvature
        own = float(walk.ahead(np.zeros(1))[1][0])  # arcs are counted on it
        fan = self._fan(walk, radius, self._reach(walk, own, tick))
        wanted = abs(attraction) * self._pursue(walk, radius, fan, *chosen(self.spec, fan, attraction))
        curvature = self._bounded(walk, wanted)
        holds = float(HOLD * fan.arcs[0] * self.plane.target * own)
        self.state = replace(self.state, looked=walk.arc, attraction=attraction, curvature=curvature, holds=holds)
        return curvature

    def _bounded(self, walk: Free, wanted: float) -> float:
        """The curvature wanted, within the most and the most change from the walk's present bend."""
        near = np.clip(wanted, walk.bend - self.spec.max_change, walk.bend + self.spec.max_change)
        return float(np.clip(near, -self.spec.max_curvature, self.spec.max_curvature))

    def _reach(self, walk: Free, radius: float, tick: float) -> float:
        """Arc (rad) of the middle ring: the spec's, but far enough that the walk can follow what it sees there.

        The near ring lies at least one tick and sqrt(SETTLED / ease) rad away: nearer, a curvature that is held for a
        tick and changes by `ease` per radian swings about the rift. Share of arc in the top decile (second half of the
        walks, analytic world) over reach in latents, ease 115 (0.5 degrees): ticks of 1.3 latents .28 at 4, .68 at 6,
        .999 at 8; ticks of 2.7 .48 at 8, 1.0 at 12. Ease 573, ticks of 1.3: .38 at 2, .88 at 3, 1.0 at 4.
        """
        settled = np.sqrt(SETTLED / walk.ease) if walk.ease > 0 else 0.0
        shell = self.plane.target * radius
        wide = max(self.spec.reach / shell, (settled + tick / shell) / RINGS[0])
        return float(min(wide, 0.5))  # past half a radian a globe is not a plane

    def _look(self, units: Units, radius: float) -> tuple[Float64[Reals, "n f"], Units]:
        """Features [n, F] and points [n, 3] at units [n, 3], float64."""
        radii = np.full(len(units), radius)
        self.probes += len(units)
        return np.asarray(self.scout(units, radii), dtype=np.float64), self.plane.points(units, radii)

    def _fan(self, walk: Free, radius: float, reach: float) -> Fan:
        angles = np.radians(np.linspace(-self.spec.spread, self.spec.spread, self.spec.fan))
        arcs = reach * np.array(RINGS)
        headings = globe.turn(walk.unit, walk.heading, angles)
        units, _ = globe.step(walk.unit, headings[None], arcs[:, None])
        features, points = self._look(np.concatenate([walk.unit[None], units.reshape(-1, 3)]), radius)
        shape = (len(arcs), len(angles), -1)
        f, p = features[1:].reshape(shape), points[1:].reshape(shape)
        inner = [np.concatenate([np.broadcast_to(a[:1], (1, shape[1], a.shape[1])), b[:-1]])
                 for a, b in ((features, f), (points, p))]  # fmt: skip
        steps = np.linalg.norm(np.diff(f, axis=1), axis=2)
        lateral = ratio(steps, np.linalg.norm(np.diff(p, axis=1), axis=2))
        radial = ratio(np.linalg.norm(f - inner[0], axis=2), np.linalg.norm(p - inner[1], axis=2))
        aim = self._wants(features[0])
        gain = None if aim is None else gains(aim, features).reshape(shape[:2])
        return Fan(angles, arcs, lateral, steps, radial, gain)

    def _wants(self, here: Float64[Reals, " f"]) -> Aim | None:
        """What the mode wants of pictures besides rifts, seeing this one."""
        if self.spec.mode == "novel":
            self.state = replace(self.state, archive=self.state.archive.seen(here))
            return self.state.archive
        return self.aim if self.spec.mode == "toward" else None

    def _pursue(self, walk: Free, radius: float, fan: Fan, ring: int, ray: float) -> float:
        """Curvature of the circle through the target: sin(angle) / tan(arc / 2), exact on the globe.

        `ray` counts rays; a half-integer is the edge between two, which is cut finer here. NaN holds the course.
        """
        if np.isnan(ray):
            return 0.0
        low = int(np.floor(ray))
        angle, arc = float(np.interp(ray, np.arange(len(fan.angles)), fan.angles)), float(fan.arcs[ring])
        if ray != low:
            between = np.linspace(fan.angles[low], fan.angles[low + 1], REFINED + 2)
            units, _ = globe.step(walk.unit, globe.turn(walk.unit, walk.heading, between), np.full(len(between), arc))
            features, _ = self._look(units, radius)
            best = int(np.linalg.norm(np.diff(features, axis=0), axis=1).argmax())
            angle = float(between[best] + between[best + 1]) / 2
        side = np.sin(angle) if abs(angle) < np.pi / 2 else np.sign(angle)
        return float(side / np.tan(arc / 2))


def gains(aim: Aim, features: Float64[Reals, "n f"]) -> Float64[Reals, " m"]:
    """By how much all pictures but the first are wanted more than the first, [n - 1]."""
    value = aim(features)
    return np.asarray(value[1:] - value[0], np.float64)


def chosen(spec: PilotSpec, fan: Fan, attraction: float) -> tuple[int, float]:
    """Which ring and ray a spec steers for, see `target`; attraction: what it is turned about by below 0."""
    if spec.mode in ("toward", "novel"):
        return _wanted(fan, spec.rifts, np.sign(attraction)) if fan.gain is not None else (0, np.nan)
    return target(spec.mode if attraction > 0 else "avoid", fan)


def _wanted(fan: Fan, rifts: float, sign: float) -> tuple[int, float]:
    """The probe that is wanted most (of the sign -1: least), the rates before it having a share in that. Where all is
    wanted less than the centre it is the least loss, which leads round and round what was found."""
    assert fan.gain is not None
    gain, rate = sign * fan.gain, fan.radial / max(float(fan.radial.max()), np.finfo(np.float64).tiny)
    span = float(gain.max() - gain.min())
    if span <= 0.0 and rifts == 0.0:  # all alike
        return 0, np.nan
    span = max(span, np.finfo(np.float64).tiny)
    score = (1.0 - rifts) * (gain - gain.min()) / span + rifts * rate
    ring, ray = np.unravel_index((score * _forward(fan.angles)).argmax(), gain.shape)
    return int(ring), float(ray)


def target(mode: Mode, fan: Fan) -> tuple[int, float]:
    """Which ring and ray to steer for; a half-integer ray is an edge between two; ray NaN: hold the course."""
    middle = (fan.angles[:-1] + fan.angles[1:]) / 2
    sight = np.concatenate([fan.lateral.ravel(), fan.radial.ravel()])
    plain = float(np.median(sight))
    if mode == "avoid":
        return _calmest(fan)
    if sight.max() <= SIGHTED * plain:
        return 0, np.nan
    if mode == "cross":
        score = (fan.radial[:2] * _forward(fan.angles) ** 2 * (np.abs(fan.angles) <= CONE)).max(axis=0)
        return (0, float(score.argmax())) if score.max() > SIGHTED * plain else (0, np.nan)
    if mode == "ride" and (fan.steps[0] * _forward(middle)).max() > ON_RIFT * np.median(fan.steps[0]):
        # Of the rifts through the near ring the one most nearly ahead: turning back would ride to and fro.
        return 0, float((fan.steps[0] * _forward(middle) ** 2).argmax()) + 0.5
    lateral, radial = fan.lateral * _forward(middle), fan.radial * _forward(fan.angles)
    if radial.max() > lateral.max():
        ring, ray = np.unravel_index(radial.argmax(), radial.shape)
        return int(ring), float(ray)
    ring, edge = np.unravel_index(lateral.argmax(), lateral.shape)
    return int(ring), float(edge) + 0.5


def _calmest(fan: Fan) -> tuple[int, float]:
    """The ray with the least change along and beside it, near rings first; the straightest of equals."""
    beside = np.pad(fan.lateral, ((0, 0), (1, 1)), mode="edge")
    cost = (fan.radial + np.maximum(beside[:, 1:], beside[:, :-1])) / fan.arcs[:, None]
    total = cost.sum(axis=0) / max(float(cost.sum(axis=0).mean()), np.finfo(np.float64).tiny)
    return 1, float((total + 0.2 * (1 - np.cos(fan.angles))).argmin())


def _forward(angles: Vector) -> Vector:
    """Preference for what lies ahead: cos^2 of half the angle."""
    return np.asarray(np.cos(angles / 2) ** 2)


def _override(controls: object, name: str, default: float) -> float:
    """A control's value, or the spec's where there is none."""
    value = getattr(controls, name, None)
    return default if value is None else float(value)
