"""The director: at a tick's beginning it makes of the controls what can be made of them, and orders the rest.

What is at hand (walk, faders, guidance, steps, seeds) is changed at once; texts come from the prompt_encoder and are
cross-faded; worlds, decoders and batches come from the builder, warm. What cannot be had is refused: a fault is told,
and the show goes on with what it has. Nothing that controls say gets past here as an exception.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from installation.clock import LiveClock, Tick
from installation.control.controls import Controls
from installation.control.parameters import Value
from installation.loop import Scene
from installation.render import prompt_mix
from installation.render.builder import LAG, LARGEST, Builder, Built, Order, PromptEncoder, encoder_of
from installation.render.guard import Attentive, Guard
from installation.render.live_pilot import RAYS, Course
from installation.render.planes import Planes
from installation.render.prompt_mix import Fade
from installation.render.replay import Replay, cast_told, seeds_told, slots_told
from installation.render.walk_control import WalkControl, WalkControlState, hand, stays
from installation.rig import Cast, Studio, cast_of, lookout, moved, recast
from installation.takes import RecordedScene, Take
from latentworld import walks
from latentworld.atlas.prior import Prior
from latentworld.errors import GeometryError, LatentWorldError
from latentworld.plane import Plane
from latentworld.preset import Preset
from latentworld.walks import Lifted, Walk

SCOUTING = 8  # steps from which more are no scout's business; a preset's many are the faithful decoder's

_log = logging.getLogger(__name__)


class Director:
    """`director(walk, controls, tick) -> (walk, scene)` for the loop.

    preset: the journey; studio: its world (or the one that was chosen instead), warm. fault: told a line for everything
    that is refused. say: told values that the loop itself changed. alive: called after every denoising step; False
    cancels. safe: controls of the model and the seeds are not heard.
    """

    def __init__(
        self,
        preset: Preset,
        studio: Studio,
        clock: LiveClock,
        builder: Builder,
        prompt_encoder: PromptEncoder,
        fault: Callable[[str], None],
        say: Callable[[Mapping[str, Value]], None],
        alive: Callable[[], bool] = lambda: True,
        atlas: Prior | None = None,
        safe: bool = False,
        kept: Mapping[str, Any] | None = None,
    ) -> None:
        self.clock, self.safe = clock, safe
        self.follow: Replay | None = None
        self._builder, self._prompt_encoder, self._fault, self._say, self._alive = (
            builder,
            prompt_encoder,
            fault,
            say,
            alive,
        )
        self._preset = preset
        self._atlas = (atlas, studio.world, studio.plane, studio.prompt)
        state = None if kept is None else WalkControlState.read(kept["wheel"])
        self.wheel = WalkControl(preset.walk, preset.pilot.max_curvature, state)
        base = studio.preset.prompt
        self.toward = Fade(((base.positive or "", 1.0),))
        self.away = Fade(((base.negative or "", 1.0),))
        if kept is not None:
            self.toward, self.away = Fade.read(kept["toward"]), Fade.read(kept["away"])
        self.planes = Planes(studio.plane, studio.preset.plane)
        self._adopt(studio)
        self._order: Order | None = None
        self._refused: Order | None = None
        self._plane = studio.plane
        self._time = clock.time
        self._controls = Controls()
        self._walk: Walk | None = None

    @property
    def prompt(self) -> Any:
        """The prompt now."""
        return prompt_mix.prompt(self.toward, self.away)

    @property
    def scene(self) -> Scene:
        """What pictures are made with now."""
        return Scene(self._plane, self.guard, self.eye, self.prompt)

    def __call__(self, walk: Walk, controls: Controls, tick: Tick) -> tuple[Walk, Scene]:
        """The walk as steered and the scene of this tick."""
        end = float(tick.time[-1]) if len(tick) else self._time
        elapsed, self._time = max(end - self._time, 0.0), max(end, self._time)
        self._controls = controls
        if self.follow is not None:
            followed = self._tried(lambda: self._followed(walk, controls, tick))
            if followed is not None:
                self._walk = followed[0]
                return self._walk, self.scene
            walk = self._released(walk)
        for obey in (self._model, self._words):
            self._tried(lambda obey=obey: obey(controls, elapsed))  # type: ignore[misc]
        for put in (self._placed, self.wheel_at(elapsed), self._bounded):
            walk = self._tried(lambda put=put, walk=walk: put(walk, controls), walk)  # type: ignore[misc]
        self._walk = walk
        return walk, self.scene

    def wheel_at(self, elapsed: float) -> Callable[[Walk, Controls], Walk]:
        """The wheel, `elapsed` seconds after the last tick."""
        return lambda walk, controls: self.wheel(walk, controls, self._plane, elapsed)

    def course(self) -> Course:
        """Where to go, for the helm."""
        walk, state = self._walk, self.wheel.state
        inner = walk.walk if isinstance(walk, Lifted) else walk
        lift = 1.0 if state.radius is None or inner is None else state.radius / float(inner.ahead(0.0)[1][0])
        atlas, world, plane, prompt = self._atlas
        there = atlas if (world, plane, prompt) == (self.studio.world, self._plane, self.prompt) else None
        steered = hand(self._controls) if state.mode == "hand" else None
        probe, cost = self._lookout()
        return Course(self._plane, self.wheel.goal(self._plane), steered, lift, probe, cost, self.eye.last, there)

    def keep(self) -> dict[str, Any]:
        """What another director needs to go on, as JSON takes it."""
        return {"wheel": self.wheel.keep(), "toward": self.toward.keep(), "away": self.away.keep(),
                "world": self.studio.preset.world.name, "batch": self._batch}  # fmt: skip

    def told(self) -> dict[str, Any]:
        """The scene as the `scene` message has it, without its number."""
        studio, world = self.studio, self.studio.preset.world
        profile = studio.decoder.profile
        d = studio.preset.decoder
        decoder = {"kind": d.kind, "steps": profile.steps, "guidance": profile.guidance, "batch": profile.batch,
                   "engine": profile.engine, "dtype": profile.dtype, "device": d.device, "profile": profile.hash,
                   "size": list(studio.decoder.size)}  # fmt: skip
        where = {"name": world.name, "revision": world.revision, "digest": studio.world, "seer": studio.seer}
        walk = self.wheel.spec.model_dump(mode="json") | {
            "mode": "take" if self.follow is not None else self.wheel.state.mode
        }
        return {"plane": self.planes.told(self._plane), "prompt": prompt_mix.told(self.prompt), "decoder": decoder,
                "world": where, "walk": walk}  # fmt: skip

    # ---- a take

    def begin(self, take: Take) -> None:
        """Replay a take from the next tick on."""
        if self.follow is not None:
            self.follow.end()
        self.follow = Replay(take, self.clock, self._staged)

    def end(self) -> None:
        """Replay no more: the walk goes on from where it is."""
        if self.follow is not None:
            self.follow.end()
            self.follow.done = True

    def _followed(self, walk: Walk, controls: Controls, tick: Tick) -> tuple[Walk, Scene] | None:
        assert self.follow is not None
        if self.follow.done or self.follow.over(tick):
            return None
        self._shrunk()
        return self.follow.direct(walk, controls, tick)

    def _released(self, walk: Walk) -> Walk:
        """The walk after a take: from its last place, on its heading where it had one."""
        if self.follow is not None:
            self.follow.end()
        self.follow = None
        roaming = walks.roaming(self.wheel.spec, self._plane)
        try:
            return walks.departed(walk, roaming)
        except GeometryError:  # at the take's end it stands still
            units, _ = walk.ahead(0.0)
            return replace(roaming, unit=units[0], heading=walks.heading(self._plane, units[0], 0.0), arc=1.0)

    def _staged(self, told: RecordedScene) -> Scene:
        """The take's scene, as far as it is ready: what must be built or encoded comes when it is."""
        plane = self.planes.plane(self.planes.wanted(seeds_told(told)))
        if plane is not self._plane:
            self._plane = plane
            self._use(moved(self.studio, plane))
        built = self._builder.finished()
        if built is not None:
            self._delivered(built)
        here = cast_of(self.studio)
        wanted = Order(self.studio.preset.world.name, replace(here, **cast_told(told)))
        if wanted.cast != here and wanted not in (self._order, self._refused):
            self._at_once_or_ordered(wanted)
        encoder, slots = encoder_of(self.studio), slots_told(told)
        missing = prompt_mix.unknown(slots, lambda text: self._prompt_encoder.knows(encoder, text))
        self._prompt_encoder.type(encoder, missing)
        if not missing:
            self.toward, self.away = Fade(slots[0]), Fade(slots[1])
        return self.scene

    # ---- the model

    def _model(self, controls: Controls, elapsed: float) -> None:
        self._shrunk()
        built = self._builder.finished()
        if built is not None:
            self._delivered(built)
        wanted = self._wanted(controls)
        if wanted.cast == cast_of(self.studio) and wanted.world == self.studio.preset.world.name:
            self._order = None
        elif wanted not in (self._order, self._refused):
            self._at_once_or_ordered(wanted)

    def _wanted(self, controls: Controls) -> Order:
        """World and cast that controls want; what they leave open is the world's and the preset's."""
        values = {} if self.safe else controls.values
        base = cast_of(self._base)
        kind = values.get("model.decoder", base.kind)
        kind = base.kind if base.kind == "analytic" else str(kind)
        d = self._base.preset.decoder
        own = (d.scout_steps if kind == "scout" else d.steps) or base.steps
        steps = values.get("model.steps", own)
        steps = own if not isinstance(steps, int) or (kind == "scout" and steps > SCOUTING) else steps
        guidance = _number(values.get("model.guidance"), base.guidance if kind == base.kind else d.guidance or 1.0)
        guidance = guidance if kind == "faithful" else 1.0
        batch = values.get("model.batch")
        batch = batch if isinstance(batch, int) and not isinstance(batch, bool) else self._batch
        batch = min(batch, self._most)
        world = values.get("model.world", self._preset.world.name)
        world = self.studio.preset.world.name if base.kind == "analytic" else str(world)
        return Order(world, Cast(kind, steps, guidance, batch))

    def _at_once_or_ordered(self, wanted: Order) -> None:
        """Settings that need no other engine change now; everything else is built first."""
        same = wanted.world == self.studio.preset.world.name and wanted.cast.kind == cast_of(self.studio).kind
        if same:
            tuned = recast(self.studio, wanted.cast)
            if getattr(tuned.decoder, "warm", True) and tuned.eye is self.studio.eye:
                self._order = None
                self._use(tuned)
                return
        self._order = wanted
        self._builder.order(wanted, self.studio, self.prompt)

    def _delivered(self, built: Built) -> None:
        if built.order != self._order:
            return  # something else was asked for meanwhile
        self._order = None
        if built.studio is None:
            self._refused = built.order
            self._fault(f"{built.fault}; the show goes on as it was")
            return
        self._refused = None
        if built.studio.preset.world.name != self.studio.preset.world.name:
            self._adopt(built.studio)
        else:
            self._use(built.studio)

    def _adopt(self, studio: Studio) -> None:
        """Another world: its card decides what controls leave open; the vertices are drawn in its shape."""
        self._base = studio
        self._batch, self._most = studio.decoder.profile.batch, LARGEST
        self.planes = self.planes.of(studio)
        self._use(studio)

    def _use(self, studio: Studio) -> None:
        self.studio = studio
        last = getattr(self, "eye", None)
        self.guard, self.eye = Guard(studio.decoder, self._alive), Attentive(studio.eye)
        self.eye.last = last.last if last is not None and last.dimension == self.eye.dimension else None
        self.clock.batch = studio.decoder.profile.batch

    def _shrunk(self) -> None:
        """Memory ran out and the decoder halved its batch: the clock deals as many, and no more are tried."""
        batch = self.studio.decoder.profile.batch
        if batch < self.clock.batch:
            self._fault(f"memory ran out: {batch} pictures at a time from now on")
            self._batch = self._most = batch
            self._use(recast(self.studio, cast_of(self.studio)))
            self._say({"model.batch": batch})

    def lighter(self) -> bool:
        """Not one picture fits: the scout instead of the faithful decoder. False where there is nothing lighter."""
        if self.studio.scout is self.studio.decoder:
            return False
        cast = cast_of(replace(self.studio, decoder=self.studio.scout))
        self._use(recast(self.studio, replace(cast, kind="scout")))
        self._base = self.studio
        self._refused = self._wanted(self._controls)
        self._fault("memory ran out: the scout makes the pictures from now on")
        self._say({"model.decoder": "scout"})
        return True

    # ---- words

    def _words(self, controls: Controls, elapsed: float) -> None:
        encoder, base = encoder_of(self.studio), self._base.preset.prompt
        seconds = prompt_mix.fade_seconds(controls)
        slots = [prompt_mix.positive(controls, base.positive or ""), prompt_mix.negative(controls, base.negative or "")]

        def knows(text: str) -> bool:
            return self._prompt_encoder.knows(encoder, text)

        self._prompt_encoder.type(encoder, prompt_mix.unknown(slots, knows))
        toward, away = (
            prompt_mix.known(fade.slots, part, knows)
            for fade, part in zip((self.toward, self.away), slots, strict=True)
        )
        self.toward = self.toward.after(toward, seconds, elapsed)
        self.away = self.away.after(away, seconds, elapsed)

    # ---- place

    def planes_of(self, values: Mapping[str, Value]) -> None:
        """Begin on the plane that these controls want. Raises GeometryError."""
        self._plane = self.planes.plane(self.planes.wanted({} if self.safe else values))
        self._use(moved(self.studio, self._plane))

    def _placed(self, walk: Walk, controls: Controls) -> Walk:
        """The plane that controls want; the walk keeps its unit."""
        wanted = self.planes.wanted({} if self.safe else controls.values)
        plane = self.planes.plane(wanted)
        if plane is self._plane:
            return walk
        if not stays(plane, walk, self._reach(controls)):
            self._back_to_sphere("that plane is raw and has no picture here")
            return walk
        return self._moved(walk, plane)

    def _moved(self, walk: Walk, plane: Plane) -> Walk:
        walk = self.wheel.moved(walk, plane)
        self._plane = plane
        self._use(moved(self.studio, plane))
        return walk

    def _bounded(self, walk: Walk, controls: Controls) -> Walk:
        """A raw plane ends at the horizon: before it does, the sphere takes over."""
        if stays(self._plane, walk, self._reach(controls)):
            return walk
        self._back_to_sphere("the raw plane ends here")
        return self._moved(walk, self.planes.plane(self.planes.wanted({} if self.safe else controls.values)))

    def _reach(self, controls: Controls) -> float:
        """Latents that the next tick may cover at most."""
        pace = self._preset.pacing
        fastest = max(pace.speed if controls.speed is None else controls.speed, pace.floor)
        if _number(controls.values.get("rift.step"), self._preset.show.step) > 0:
            fastest = max(fastest, pace.ceiling)
        return 1.1 * fastest * self.clock.period * self.clock.batch

    def _back_to_sphere(self, why: str) -> None:
        self.planes.refuse_raw(self._controls.values.get("walk.norm"))
        self._fault(f"{why}: norm is sphere again")
        self._say({"walk.norm": "sphere"})

    def _lookout(self) -> tuple[Any, float]:
        """What the helm may look through, and what a look costs in frames; nothing where latency leaves no room."""
        batch, period = self.clock.batch, self.clock.period
        scout, decoder = self.studio.scout.profile, self.studio.decoder.profile
        rows = [steps * (2 if guidance > 1 else 1) for steps, guidance in
                ((scout.steps, scout.guidance), (decoder.steps, decoder.guidance))]  # fmt: skip
        # a decoder is padded: one probe takes as long as a batch
        cost = math.ceil(RAYS / scout.batch) * scout.batch * min(rows[0] / rows[1], 1.0)
        if (LAG * batch + cost) * period > self._preset.show.latency:
            return None, cost
        return lookout(self._plane, self.studio.scout, self.studio.eye, self.prompt), cost

    # ---- nothing gets past

    def _tried(self, what: Callable[[], Any], otherwise: Any = None) -> Any:
        try:
            return what()
        except LatentWorldError as error:
            self._fault(str(error))
        except Exception as error:
            _log.exception("the director was at a loss")
            self._fault(f"{type(error).__name__}: {error}".splitlines()[0][:300])
        return otherwise


def _number(value: object, otherwise: float) -> float:
    return float(value) if isinstance(value, (int, float)) else otherwise
