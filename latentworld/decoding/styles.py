"""A world's networks with LoRA for style in them: a copy for each set of strengths, of which the last few are kept."""

from __future__ import annotations

import copy
import hashlib
import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from latentworld.decoding.engines import PASSING
from latentworld.decoding.lora import FOLDERS, fused, look
from latentworld.decoding.lora_mix import Mixed, OpenedLora, mixed
from latentworld.prompts import Encoder

if TYPE_CHECKING:
    from diffusers.models.modeling_utils import ModelMixin

    from latentworld.decoding.settings import LoraSettings
    from latentworld.prompts import TextEncoder
    from latentworld.worlds import World

KEPT = 4  # sets of strengths: where a fade goes to, where it came from, and on the way
Loras = tuple["LoraSettings", ...]
Made = TypeVar("Made")


class Styles:
    """Fuses what is asked for, outside any lock: a loop that asks for something else waits for nobody's copying."""

    def __init__(self) -> None:
        self._opened: dict[str, OpenedLora] = {}
        self._networks: OrderedDict[tuple[int, Loras], tuple[ModelMixin, ModelMixin]] = OrderedDict()
        self._texts: OrderedDict[tuple[int, Loras], tuple[TextEncoder, Encoder]] = OrderedDict()
        self._few: dict[Path, tuple[ModelMixin, Encoder | None]] = {}
        self._lock = threading.Lock()

    def network(self, network: ModelMixin, loras: Loras) -> ModelMixin:
        """A copy of it with these in it; itself without any. Raises as `lora_mix.mixed`."""
        if not loras:
            return network
        found = self._known(self._networks, (id(network), loras))
        if found is None:
            found = (network, mixed(network, self._read(loras), "unet"))  # the first one is kept for its id
            self._keep(self._networks, (id(network), loras), found)
        return found[1]

    def texts(self, text: TextEncoder, loras: Loras) -> Encoder | None:
        """Where texts are encoded with these; None where none of them has anything for a text encoder."""
        opened = [(lora, strength) for lora, strength in self._read(loras)]
        parts = [part for part in FOLDERS if any(lora.contents.parts[part] for lora, _ in opened)]
        if not parts:
            return None
        found = self._known(self._texts, (id(text), loras))
        if found is None:
            changed = text
            for part in parts:
                changed = changed.changed(lambda own, part=part: mixed(own, opened, part), FOLDERS[part])  # type: ignore[misc]
            found = (text, Encoder(changed))
            self._keep(self._texts, (id(text), loras), found)
        return found[1]

    def few_step(self, world: World, file: Path) -> tuple[ModelMixin, Encoder | None]:
        """The world's network with a few-step LoRA whole in it, made once, and where texts are encoded if it has a part
        for that. Raises as `lora.fused`."""
        with self._lock:
            if file not in self._few:
                network, text = fused(copy.deepcopy(world.denoiser), file), world.text
                parts = [part for part in FOLDERS if look(file).parts[part]]
                for part in parts:
                    text = text.changed(lambda own, part=part: fused(own, file, part), FOLDERS[part])  # type: ignore[misc]
                self._few[file] = network, Encoder(text) if parts else None
            return self._few[file]

    def mark(self, loras: Loras) -> str:
        """Files and strengths, for a profile: `1f0e…:0.8 93ab…:0.5`; "" without any."""
        return " ".join(f"{lora.digest}:{strength:g}" for lora, strength in self._read(loras))

    def key(self, key: str, loras: Loras) -> str:
        """An engine's key with these, which is of no use for long."""
        if not loras:
            return key
        return PASSING + hashlib.sha256(f"{key} {self.mark(loras)}".encode()).hexdigest()[:16]

    def _read(self, loras: Loras) -> Mixed:
        for lora in loras:
            if lora.file not in self._opened:
                self._opened[lora.file] = OpenedLora.read(Path(lora.file))
        return [(self._opened[lora.file], lora.strength) for lora in loras]

    def _known(self, kept: OrderedDict[tuple[int, Loras], Made], key: tuple[int, Loras]) -> Made | None:
        with self._lock:
            if key in kept:
                kept.move_to_end(key)
            return kept.get(key)

    def _keep(self, kept: OrderedDict[tuple[int, Loras], Made], key: tuple[int, Loras], made: Made) -> None:
        with self._lock:
            kept[key] = made
            while len(kept) > 2 * KEPT:  # a student beside the world's own network
                kept.popitem(last=False)
