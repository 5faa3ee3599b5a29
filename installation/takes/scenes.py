"""From what a take says of its scenes to decoders, planes and prompts, opened as the film comes to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from installation.ipc.jsonable import Json, table
from installation.ipc.scene import DecoderScene, PlaneScene, SceneDescription, WorldScene
from installation.loop import Scene
from installation.rig import Rig, held
from installation.studio import Studio
from latentworld import vertices
from latentworld.decoding import Decoder, DecoderSettings
from latentworld.decoding.settings import HoldSettings
from latentworld.errors import TakeError
from latentworld.plane import Plane
from latentworld.preset import Preset, parse
from latentworld.sections import AnalyticSpec, PlaneSpec, WorldSpec

OPEN = frozenset({"world", "plane", "prompt", "decoder"})  # sections of a preset that scenes decide
Seeds = tuple[int | None, ...]
_DECODER = ("steps", "guidance", "batch")
_OF_ANY_WORLD = ("kind", "batch", "device", "dtype", "engine", "height", "width")


class TakeScenes:
    """A `SceneMaker`: scenes of one rig, and of what else the take asks for.

    held: sections of the preset that stay as they are whatever the take says; exact: decoders as they were recorded,
    else the preset's, insisting on prompts as the take says. One world is open at a time; of planes and decoders the
    last is kept. Raises what opening a world raises, and TakeError where a plane is not the recorded one.
    """

    def __init__(
        self, rig: Rig, open_studio: Callable[[Preset], Studio], held: frozenset[str] = frozenset(), exact: bool = False
    ) -> None:
        self.held, self.exact = held, exact
        self._own, self._open_studio = rig.studio, open_studio
        self._preset = rig.preset.changed(score=())  # which a scene has no use for, and which may be long
        self._opened = (_world(rig.preset), rig.studio)
        self._plane = ((*self._wish(rig.preset, None), rig.decoder.shape), rig.plane)
        self._decoder = rig.decoder
        self._holds: dict[tuple[str | float | None, ...], HoldSettings | None] = {}

    def __call__(self, scene: SceneDescription) -> Scene:
        """What the loop decodes a scene with."""
        preset = preset_of(scene, self._preset, self.held, self.exact)
        world = _world(preset)
        if world != self._opened[0]:
            self._opened = (world, self._open_studio(preset))
            self._decoder = self._opened[1].decoder
        studio = self._opened[1]
        plane = self._placed(preset, scene, studio)
        prompt = self._own.prompt if "prompt" in self.held else scene.prompt
        return Scene(plane, self._made(scene, studio, plane, preset.plane), studio.eye, prompt)

    def _wish(self, preset: Preset, scene: SceneDescription | None) -> tuple[PlaneSpec, Seeds]:
        """A plane's spec, and its seeds, None where the spec's file has the vertex."""
        spec = preset.plane
        if scene is not None and "plane" not in self.held and scene.plane.seeds is not None:
            return spec, scene.plane.seeds
        return spec, spec.seeds if spec.vertices is None else (None, None, None)

    def _placed(self, preset: Preset, scene: SceneDescription, studio: Studio) -> Plane:
        wish = (*self._wish(preset, scene), studio.decoder.shape)
        if wish != self._plane[0]:
            self._plane = (wish, drawn(*wish))
        plane, digest = self._plane[1], scene.plane.digest
        if digest and "plane" not in self.held and self.exact and digest != vertices.digest(plane.vertices):
            source = preset.plane.vertices or preset.plane.device
            raise TakeError(
                f"the vertices {list(wish[1])} of {source} are others than in the take: film it where it was recorded, "
                f"or without --as-recorded"
            )
        return plane

    def _made(self, scene: SceneDescription, studio: Studio, plane: Plane, spec: PlaneSpec) -> Decoder:
        """The studio's decoder under the take's settings, where the film follows them, holding the plane's pictures."""
        wanted = self._settings(scene, studio)
        if wanted.kind == "faithful":
            wanted = replace(wanted, hold=self._hold(spec, studio))
        if self._decoder.settings != wanted:
            self._decoder = studio.decoder if studio.settings == wanted else studio.decoder.variant(wanted)
        self._decoder = self._decoder.on(plane)
        return self._decoder

    def _hold(self, spec: PlaneSpec, studio: Studio) -> HoldSettings | None:
        """Asked once of each file: a take may have many scenes."""
        key = (spec.vertices, spec.hold, spec.reach, studio.world)
        if key not in self._holds:
            self._holds[key] = held(spec, studio.world)
        return self._holds[key]

    def _settings(self, scene: SceneDescription, studio: Studio) -> DecoderSettings:
        """All that the take says of a decoder for the very frames; else how much the prompt is insisted on, and how
        far each LoRA goes."""
        if "decoder" in self.held:
            return studio.settings
        if self.exact:
            return studio.recorded(table(scene.decoder))
        guided = studio.settings.kind == scene.decoder.kind == "faithful"
        said = {"guidance": scene.decoder.guidance} if guided else {}
        return studio.settings.recorded({**said, "loras": scene.decoder.loras})


def _world(preset: Preset) -> tuple[WorldSpec, AnalyticSpec | None]:
    """What a studio is opened for."""
    if preset.decoder.kind == "analytic":
        return WorldSpec(), preset.analytic
    return preset.world, None


def preset_of(
    scene: SceneDescription, preset: Preset, held: frozenset[str] = frozenset(), exact: bool = True
) -> Preset:
    """The preset with a scene's world, plane and, where it is `exact`, decoder; sections in `held` stay."""
    table = preset.model_dump(mode="json", exclude_none=True)
    weightless = preset.decoder.kind == "analytic"  # whatever name its world goes by
    if "world" not in held and not weightless and scene.world.name not in (None, preset.world.name):
        # another world: its card decides what the first one's did, except how large pictures are
        table["decoder"] = {key: value for key, value in table["decoder"].items() if key in _OF_ANY_WORLD}
        table["plane"].pop("vertices", None)
        table |= {"eye": {}, "world": {}}
    for section, model, said in (("world", WorldSpec, scene.world), ("plane", PlaneSpec, scene.plane)):
        if section not in held:
            table[section] |= {key: value for key, value in _written(said).items() if key in model.model_fields}
    if "plane" not in held and scene.plane.seeds is not None:
        if None in table["plane"]["seeds"]:  # some vertices are a file's: `drawn` is given which
            table["plane"]["seeds"] = preset.plane.seeds
        if not scene.plane.vertices:
            table["plane"].pop("vertices", None)
    if exact and "decoder" not in held and scene.decoder.kind:
        followed = ("kind", *_DECODER) if scene.decoder.kind == "analytic" else ("kind",)
        table["decoder"] |= _settings(scene, followed)
    return parse(table)


def _settings(scene: SceneDescription, names: Sequence[str]) -> dict[str, Json]:
    """Those of the decoder's settings that the scene says."""
    return {name: value for name, value in _written(scene.decoder).items() if name in names}


def _written(part: PlaneScene | DecoderScene | WorldScene) -> dict[str, Json]:
    """A part of a scene as a preset's table has it: what it leaves open is absent."""
    return {key: value for key, value in table(part).items() if value is not None}


def drawn(spec: PlaneSpec, seeds: Seeds, shape: tuple[int, int, int]) -> Plane:
    """The plane of a spec and a seed for each vertex, None where the spec's file has it.

    Raises TakeError where the file's vertices are not of `shape`, and for a seed that is missing without a file.
    """
    a, b, c = (0 if seed is None else seed for seed in seeds)
    values = np.array(vertices.from_seeds((a, b, c), shape, spec.layout, spec.device, spec.dtype))
    filed = [i for i, seed in enumerate(seeds) if seed is None]
    if filed:
        if spec.vertices is None:
            raise TakeError(f"the seeds {list(seeds)} of a scene lack a number: give three")
        if len(filed) < 3 and vertices.is_bridge(spec.vertices):
            raise TakeError("a seed draws pure noise, and a bridge's latents are half-way: its vertices stay")
        own, _ = vertices.load(spec.vertices)
        if own.shape[1:] != shape:
            raise TakeError(
                f"the vertices in {spec.vertices} are {list(own.shape[1:])}, not {list(shape)}: draw others"
            )
        values[filed] = own[filed]
    return Plane(values, spec.norm)
