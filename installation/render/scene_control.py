"""What makes pictures now: the model, the plane and the prompt that controls or a take want, as far as they are had."""

from __future__ import annotations

from dataclasses import dataclass

from installation.ipc.jsonable import table
from installation.ipc.scene import DecoderScene, SceneDescription, WalkScene, WorldScene
from installation.loop import Scene
from installation.render.guard import Guarded
from installation.render.model_control import ModelControl
from installation.render.plane_control import PlaneControl
from installation.render.prompt_control import PromptControl


@dataclass(frozen=True, eq=False)
class SceneControl:
    """The parts that a scene is made of. planes: moves onto the plane that is walked on; model: moves with it."""

    model: ModelControl
    planes: PlaneControl
    prompt: PromptControl

    @property
    def scene(self) -> Scene:
        """What pictures are made with now."""
        guard, eye = self.model.guard, self.model.eye
        return Guarded(self.planes.plane, guard, eye, self.prompt.prompt, guard, eye)

    def recorded(self, scene: SceneDescription) -> Scene:
        """A take's scene, as far as it is ready: what must be built or encoded comes when it is."""
        self.planes.use(scene.plane.seeds or (None, None, None), scene.plane.norm)
        self.model.deliver(self.prompt.prompt)
        self.model.demand(self.model.studio.recorded(table(scene.decoder)), self.prompt.prompt)
        self.prompt.cut(scene.prompt.toward, scene.prompt.away, self.model.studio)
        return self.scene

    def description(self, walk: WalkScene) -> SceneDescription:
        """The scene in words and numbers, as the show is told of it and takes keep it. walk: how it is walked."""
        studio, world = self.model.studio, self.model.studio.preset.world
        settings, profile = studio.settings, studio.decoder.profile
        decoder = DecoderScene(
            settings.kind, settings.steps, settings.guidance, settings.batch, settings.engine, settings.dtype,
            settings.device, profile.hash, settings.size, settings.sampler or None, settings.variant or None,
            str(settings.sampling) or None, tuple(lora.strength for lora in settings.loras) or None,
        )  # fmt: skip
        where = WorldScene(world.name, world.revision, studio.world, studio.seer)
        return SceneDescription(self.planes.description(), self.prompt.prompt, decoder, where, walk)
