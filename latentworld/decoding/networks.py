"""Which of a world's networks a decoder runs: made ready once a world, and shared by all its decoders."""

from __future__ import annotations

from threading import Lock

from latentworld.decoding.foresight import check_size
from latentworld.decoding.recipes import RECIPES, Recipe
from latentworld.decoding.settings import DecoderSettings
from latentworld.errors import PresetError
from latentworld.prompts import Encoder, Texts
from latentworld.worlds import World


class Networks:
    """A loaded world as decoders see it: its recipes, each made when it is first asked for, and its texts."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.texts = Encoder(world.text)
        self._skipping: dict[tuple[int, int], Texts] = {}
        self._made: dict[tuple[str | None, ...], Recipe] = {}
        self._lock = Lock()  # builders work beside the loop

    def recipe(self, settings: DecoderSettings) -> Recipe:
        """What decodes under these settings. Raises PresetError, WorldMismatch, and what reading a file raises."""
        if settings.kind not in RECIPES:
            raise PresetError(f"decoder = {settings.kind!r} of a world with networks: use one of {', '.join(RECIPES)}")
        key = (settings.kind, settings.variant, settings.lora, settings.tiny_vae)
        with self._lock:
            if key not in self._made:
                self._made[key] = RECIPES[settings.kind](self.world, settings)
            return self._made[key]

    def texts_of(self, recipe: Recipe, clip_skip: int) -> Texts:
        """Where a recipe's texts are encoded without so many of the last layers of CLIP. Raises PresetError."""
        own = recipe.texts or self.texts
        if not clip_skip:
            return own
        with self._lock:
            key = (id(own), clip_skip)
            if key not in self._skipping:
                self._skipping[key] = Encoder(own.read.skipping(clip_skip))
            return self._skipping[key]

    def size(self, settings: DecoderSettings) -> tuple[int, int]:
        """Height, width of the pictures. Raises PresetError for sides that this world's networks cannot make."""
        check_size(self.world.latent, settings.size)
        return settings.size

    def shape(self, settings: DecoderSettings) -> tuple[int, int, int]:
        """Latent C, H, W. Errors as `size`."""
        return self.world.latent.shape(*self.size(settings))
