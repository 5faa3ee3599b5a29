"""Which of a world's networks a decoder runs: made ready once a world, and shared by all its decoders."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from latentworld.decoding import bend, hold
from latentworld.decoding.batches import free_memory, is_out_of_memory
from latentworld.decoding.foresight import check_size
from latentworld.decoding.recipes import RECIPES, Recipe
from latentworld.decoding.settings import BridgeSettings, DecoderSettings, HoldSettings, LoraSettings
from latentworld.decoding.styles import KEPT, Styles
from latentworld.errors import OutOfMemory, PresetError, WorldMismatch
from latentworld.prompts import Encoder, Texts
from latentworld.worlds import World

SKIPPING = 8  # encoders that leave layers out
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
        self.failed: set[str] = set()  # engines that could not be built here, for none of these networks again
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
        made = self._make(settings)
        with self._lock:
            made = self._made.setdefault(key, made)
            self._made.move_to_end(key)
        self._forget(KEPT)
        return made

    def _forget(self, kept: int) -> None:
        """Keep only so many of the last sets of strengths."""
        with self._lock:
            sets = list(dict.fromkeys(key[-1] for key in reversed(self._made) if key[-1]))[:kept]
            for key in [key for key in self._made if key[-1] and key[-1] not in sets]:
                del self._made[key]
        self._styles.keep(sets)

    def _make(self, settings: DecoderSettings) -> Recipe:
        """Outside the lock: the loop waits for no copy. Where memory runs out what was kept gives way."""
        try:
            return RECIPES[settings.kind](self.world, settings, self._styles)
        except (RuntimeError, MemoryError) as error:
            if not (settings.heard and is_out_of_memory(error)):
                raise
        self._forget(0)
        free_memory()
        try:
            return RECIPES[settings.kind](self.world, settings, self._styles)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemory("networks with this LoRA do not fit into memory: leave it out, or use float16") from error

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
                while len(self._skipping) > SKIPPING:
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
