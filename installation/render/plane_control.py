"""The plane that controls want: seeds, norm, and where a raw plane ends. The walk keeps its unit on another plane."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from installation.clock import LiveClock
from installation.control.controls import WALK_NORM, LoopControls
from installation.control.notices import Notices
from installation.control.walk_control import WalkControl, stays
from installation.ipc.fields import Part, read_part
from installation.ipc.scene import PlaneScene
from installation.render.model_control import ModelControl
from installation.render.planes import Planes, PlaneWish
from installation.rig import held, plane_of
from installation.studio import Studio
from latentworld.errors import GeometryError
from latentworld.plane import Plane
from latentworld.preset import Preset
from latentworld.walks import Walk

VERSION = 1  # of the saved state


@dataclass(frozen=True)
class PlaneControlState:
    """file: of vertices that were given live, in place of the preset's, `instead`; None where there is none."""

    file: str | None = None
    instead: str | None = None

    @staticmethod
    def read(written: object) -> Part[PlaneControlState]:
        """From what was saved, whatever that is; before pictures could be given live nothing was."""
        return Part(PlaneControlState()) if written is None else read_part(PlaneControlState, written, VERSION)

    def of(self, preset: Preset) -> Preset:
        """The preset on these vertices, where they were given in place of its own."""
        if self.file is None or self.instead != preset.plane.vertices:
            return preset
        return preset.changed(plane={"vertices": self.file, "hold": "auto"})


class PlaneControl:
    """`plane` is the one that is walked on; where it changes, the walk and the studio move onto it.

    preset: of the pace, by which a raw plane's end is seen in time. cache: the planes that were drawn lately.
    """

    def __init__(
        self, preset: Preset, model: ModelControl, walk: WalkControl, clock: LiveClock, notices: Notices
    ) -> None:
        self._preset, self._model, self._walk, self._clock, self._notices = preset, model, walk, clock, notices
        self._opened = model.opened
        own = model.opened.preset.plane.vertices
        self._adopted = PlaneControlState(own if own != preset.plane.vertices else None, preset.plane.vertices)
        self.cache = Planes(model.opened.plane, model.opened.preset.plane)
        self.plane = model.opened.plane

    def __call__(self, walk: Walk, controls: LoopControls) -> Walk:
        """The walk on the plane that controls want."""
        self._enter(self._model.opened)
        try:
            plane = self.cache.plane(self._wanted(controls))
        except GeometryError as error:
            self._notices.fault(str(error))
            plane = self.cache.good
        if plane is self.plane:
            return walk
        if not stays(plane, walk, self._reach(controls)):
            self._refuse_raw(controls, "that plane is raw and has no picture here")
            return walk
        return self._moved(walk, plane)

    def bound(self, walk: Walk, controls: LoopControls) -> Walk:
        """The walk where it is to be next: a raw plane ends at the horizon, and before it does the sphere takes over,
        of the vertices that are there where those that controls want span no plane.

        Raises GeometryError."""
        if stays(self.plane, walk, self._reach(controls)):
            return walk
        self._refuse_raw(controls, "the raw plane ends here")
        plane = self.plane
        with suppress(GeometryError):
            plane = self.cache.plane(self._wanted(controls))
        return self._moved(walk, self.cache.sphere() if plane.norm == "raw" else plane)

    def use(self, seeds: Sequence[int | None], norm: str | None) -> None:
        """Be on the plane of these seeds and this norm (None: the preset's), where no walk has to be moved along.

        Raises GeometryError.
        """
        self._enter(self._model.opened)
        plane = self.cache.plane(self.cache.wanted(seeds, norm))
        if plane is not self.plane:
            self.plane = plane
            self._model.move(plane)

    def adopt(self, file: str) -> None:
        """Have the vertices of a file in place of the preset's; the next tick is on their plane, where controls leave
        the seeds alone. Raises what reading it raises, GeometryError, WorldMismatch."""
        opened = self._model.opened
        preset = opened.preset.changed(plane={"vertices": file, "hold": "auto"})
        plane, hold = plane_of(preset, opened.plane.shape), held(preset.plane, opened.world)
        self._adopted = PlaneControlState(file, self._preset.plane.vertices)
        self._model.refit(preset, plane, hold)

    def save(self) -> PlaneControlState:
        """What another renderer begins with."""
        return self._adopted

    def description(self) -> PlaneScene:
        """The plane as a scene has it."""
        return self.cache.description(self.plane)

    def _enter(self, opened: Studio) -> None:
        """Another world's planes have other shapes, and vertices without a file."""
        if opened is not self._opened:
            self._opened = opened
            self.cache = Planes(opened.plane, opened.preset.plane)

    def _moved(self, walk: Walk, plane: Plane) -> Walk:
        walk = self._walk.moved(walk, plane)
        self.plane = plane
        self._model.move(plane)
        return walk

    def _wanted(self, controls: LoopControls) -> PlaneWish:
        return self.cache.wanted([vertex.seed for vertex in controls.vertices], controls.walk.norm)

    def _reach(self, controls: LoopControls) -> float:
        """Latents that the next tick may cover at most."""
        pace = self._preset.pacing
        fastest = max(pace.speed if controls.speed is None else controls.speed, pace.floor)
        if (self._preset.show.step if controls.rift.step is None else controls.rift.step) > 0:
            fastest = max(fastest, pace.ceiling)
        return 1.1 * fastest * self._clock.period * self._clock.batch

    def _refuse_raw(self, controls: LoopControls, why: str) -> None:
        self.cache.refuse_raw(controls.walk.norm)
        self._notices.fault(f"{why}: norm is sphere again")
        self._notices.changed({WALK_NORM.name: "sphere"})
