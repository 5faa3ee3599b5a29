"""A world's networks with LoRA for style in them: a copy for each set of strengths, of which the last few are kept."""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from latentworld.decoding.lora import FOLDERS, fused, look
from latentworld.decoding.lora_mix import Mixed, OpenedLora, mixed
from latentworld.decoding.openvino_models import PASSING
from latentworld.decoding.shaped import Shelf
from latentworld.decoding.timetable import member_of_lora
from latentworld.prompts import Encoder
from latentworld.worlds.few_step import MEMBERS

if TYPE_CHECKING:
    from diffusers.models.modeling_utils import ModelMixin

    from latentworld.decoding.settings import LoraSettings
    from latentworld.prompts import TextEncoder
    from latentworld.worlds import World

KEPT = 3  # sets of strengths: where a fade goes to, where it came from, and one on the way
Loras = tuple["LoraSettings", ...]


class Styles:
    """Fuses what is asked for, outside any lock: a loop that asks for something else waits for nobody's copying."""

    def __init__(self) -> None:
        self._opened: dict[str, OpenedLora] = {}
        self._networks: dict[tuple[int, Loras], tuple[ModelMixin, ModelMixin]] = {}
        self._texts: dict[tuple[int, Loras], tuple[TextEncoder, Encoder]] = {}
        self._few: dict[Path, tuple[ModelMixin, Encoder | None]] = {}
        self._painters: dict[str, Shelf] = {}
        self._lock = threading.Lock()

    def network(self, network: ModelMixin, loras: Loras) -> ModelMixin:
        """A copy of it with these in it; itself without any. Raises as `lora_mix.mixed`."""
        if not loras:
            return network
        key = (id(network), loras)
        found = self._networks.get(key)
        if found is None:
            made = (network, mixed(network, self._read(loras), "denoiser"))  # the first one is kept for its id
            found = self._networks.setdefault(key, made)
        return found[1]

    def texts(self, text: TextEncoder, loras: Loras) -> Encoder | None:
        """Where texts are encoded with these; None where none of them has anything for a text encoder."""
        opened = [(lora, strength) for lora, strength in self._read(loras)]
        parts = [part for part in FOLDERS if any(lora.contents.parts[part] for lora, _ in opened)]
        if not parts:
            return None
        key = (id(text), loras)
        found = self._texts.get(key)
        if found is None:
            changed = text
            for part in parts:
                changed = changed.changed(lambda own, part=part: mixed(own, opened, part), FOLDERS[part])  # type: ignore[misc]
            found = self._texts.setdefault(key, (text, Encoder(changed)))
        return found[1]

    def keep(self, sets: Sequence[Loras]) -> None:
        """Forget all others."""
        for kept in (self._networks, self._texts):
            for key in list(kept):
                if key[1] not in sets:
                    kept.pop(key, None)

    def few_step(self, world: World, file: Path) -> tuple[ModelMixin, Encoder | None]:
        """The world's network with a few-step LoRA as its makers fuse it, made once, and where texts are encoded if it
        has a part for that. Raises as `lora.fused`."""
        with self._lock:
            if file not in self._few:
                strength = MEMBERS[member_of_lora(file, world.family)].strength
                network, text = fused(copy.deepcopy(world.denoiser), file, strength=strength), world.text
                parts = [part for part in FOLDERS if look(file).parts[part]]
                for part in parts:
                    text = text.changed(lambda own, part=part: fused(own, file, part, strength), FOLDERS[part])  # type: ignore[misc]
                self._few[file] = network, Encoder(text) if parts else None
            return self._few[file]

    def painters(self, key: str) -> Shelf:
        """The engines of an autoencoder by its key: no LoRA changes it."""
        return self._painters.setdefault(key, Shelf())

    def mark(self, loras: Loras) -> str:
        """Files and strengths, for a profile: `1f0e…:0.8 93ab…:0.5`; "" without any."""
        return " ".join(f"{lora.digest}:{strength:g}" for lora, strength in self._read(loras))

    def key(self, key: str, loras: Loras) -> str:
        """An engine's key with these, which are of no use for long."""
        return PASSING + key if loras else key

    def _read(self, loras: Loras) -> Mixed:
        for lora in loras:
            if lora.file not in self._opened:
                self._opened[lora.file] = OpenedLora.read(Path(lora.file))
        return [(self._opened[lora.file], lora.strength) for lora in loras]
