"""Which of a world's networks a decoder runs: made ready once a world, and shared by all its decoders."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from latentworld.decoding import bend, hold
from latentworld.decoding.foresight import check_size
from latentworld.decoding.recipes import RECIPES, Recipe
from latentworld.decoding.settings import BridgeSettings, DecoderSettings, HoldSettings
from latentworld.errors import PresetError, WorldMismatch
from latentworld.prompts import Encoder, Texts
from latentworld.worlds import World

HOLDS = 16  # that are kept: a film's, a show's and what is being made


class Networks:
    """A loaded world as decoders see it: its recipes, each made when it is first asked for, and its texts."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.texts = Encoder(world.text)
        self._skipping: dict[tuple[int, int], Texts] = {}
        self._made: dict[tuple[str | None, ...], Recipe] = {}
        self._held: OrderedDict[HoldSettings, hold.Hold] = OrderedDict()  # the last few
        self._bent: tuple[BridgeSettings, bend.Bend] | None = None  # the last one
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

    def keep(self, held: hold.Hold) -> None:
        """Have a hold that lies in no file: decoders are given it by its settings until another one is read."""
        with self._lock:
            self._held[held.settings] = held
            while len(self._held) > HOLDS:
                self._held.popitem(last=False)

    def hold(self, settings: DecoderSettings) -> hold.Hold | None:
        """What holds vertices from pictures under these settings. Raises WorldMismatch for vertices of another shape,
        and what `hold.read` raises."""
        wanted = settings.hold
        if wanted is None:
            return None
        found = self._held.get(wanted)
        if found is None:
            found = hold.read(wanted)
            self.keep(found)
        own, here = found.anchors.shape[1:], self.shape(settings)
        if own != here:
            raise WorldMismatch(f"the vertices in {wanted.file} are {list(own)}, this decoder wants {list(here)}")
        hold.check_steps(found, settings.steps)
        return found

    def bend(self, settings: DecoderSettings) -> bend.Bend | None:
        """What bends the first edge under these settings. Raises WorldMismatch for a bridge of another shape, and what
        `bend.read` raises."""
        wanted = settings.bridge
        if wanted is None:
            return None
        if self._bent is None or self._bent[0] != wanted:
            self._bent = (wanted, bend.read(wanted))
        found, here = self._bent[1], self.shape(settings)
        if found.shape != here:
            raise WorldMismatch(f"the bridge in {wanted.file} is {list(found.shape)}, this decoder wants {list(here)}")
        return found

    def size(self, settings: DecoderSettings) -> tuple[int, int]:
        """Height, width of the pictures. Raises PresetError for sides that this world's networks cannot make."""
        check_size(self.world.latent, settings.size)
        return settings.size

    def shape(self, settings: DecoderSettings) -> tuple[int, int, int]:
        """Latent C, H, W. Errors as `size`."""
        return self.world.latent.shape(*self.size(settings))
