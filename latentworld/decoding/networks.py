"""Which of a world's networks a decoder runs: made ready once a world, and shared by all its decoders."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from latentworld.decoding import bend, hold
from latentworld.decoding.foresight import check_size
from latentworld.decoding.recipes import RECIPES, Recipe
from latentworld.decoding.settings import BridgeSettings, DecoderSettings, HoldSettings, LoraSettings
from latentworld.decoding.styles import KEPT, Styles
from latentworld.errors import PresetError, WorldMismatch
from latentworld.prompts import Encoder, Texts
from latentworld.worlds import World

STYLED = 2 * KEPT  # recipes with LoRA for style: of the faithful decoder and of its scout
RecipeKey = tuple[str, str, str | None, str | None, tuple[LoraSettings, ...]]
HOLDS = 16  # that are kept: a film's, a show's and what is being made


def _key(settings: DecoderSettings) -> RecipeKey:
    return settings.kind, settings.variant, settings.lora, settings.tiny_vae, settings.heard


class Networks:
    """A loaded world as decoders see it: its recipes, each made when it is first asked for, and its texts."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.texts = Encoder(world.text)
        self._skipping: OrderedDict[tuple[int, int], tuple[Texts, Texts]] = OrderedDict()
        self._styles = Styles()
        self._made: OrderedDict[RecipeKey, Recipe] = OrderedDict()
        self._held: OrderedDict[HoldSettings, hold.Hold] = OrderedDict()  # the last few
        self._bent: tuple[BridgeSettings, bend.Bend] | None = None  # the last one
        self._lock = Lock()  # builders work beside the loop

    def recipe(self, settings: DecoderSettings) -> Recipe:
        """What decodes under these settings. Raises PresetError, WorldMismatch, and what reading a file raises."""
        if settings.kind not in RECIPES:
            raise PresetError(f"decoder = {settings.kind!r} of a world with networks: use one of {', '.join(RECIPES)}")
        key = _key(settings)
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
                return self._made[key]
        made = RECIPES[settings.kind](self.world, settings, self._styles)  # outside the lock: the loop waits for no copy
        with self._lock:
            made = self._made.setdefault(key, made)
            styled = [other for other in self._made if other[-1]]
            for other in styled[: max(len(styled) - STYLED, 0)]:
                del self._made[other]
        return made

    def has(self, settings: DecoderSettings) -> bool:
        """Whether the recipe of these settings is made."""
        with self._lock:
            return _key(settings) in self._made

    def texts_of(self, recipe: Recipe, clip_skip: int) -> Texts:
        """Where a recipe's texts are encoded without so many of the last layers of CLIP. Raises PresetError."""
        own = recipe.texts or self.texts
        if not clip_skip:
            return own
        with self._lock:
            key = (id(own), clip_skip)
            if key not in self._skipping:
                self._skipping[key] = (own, Encoder(own.read.skipping(clip_skip)))  # the first is kept for its id
                while len(self._skipping) > STYLED:
                    self._skipping.popitem(last=False)
            return self._skipping[key][1]

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
