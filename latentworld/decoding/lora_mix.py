"""Several LoRA in one network, each times its strength: what a style is played with.

Each change is computed of the world's own weights, so neither their order nor what was there before matters. A DoRA's
goes the straight way from the weight it finds to the weight it makes, as A1111 and ComfyUI have it, so that a strength
of 0 is the world itself.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from latentworld.decoding.lora import AGAIN, Contents, Part, check, look, scale, whole
from latentworld.decoding.lora_names import layers
from latentworld.decoding.lora_products import PRODUCTS, core, directed, is_directed
from latentworld.errors import WorldDamaged
from latentworld.worlds.files import digest, tensors

N = TypeVar("N", bound=nn.Module)


@dataclass(frozen=True, eq=False)
class OpenedLora:
    """A LoRA file, read. digest: of the file."""

    contents: Contents
    held: Mapping[str, Tensor]
    digest: str

    @staticmethod
    def read(path: Path) -> OpenedLora:
        """Raises as `lora.look`."""
        contents = look(path)
        return OpenedLora(contents, tensors(path), digest([path], path.parent))

    def change(self, part: Part, layer: str, weight: Tensor) -> Tensor:
        """What it adds to a layer's weight at strength 1, float32, on the weight's device. Raises WorldDamaged for
        numbers that are not finite."""
        roles = self.contents.parts[part][layer]
        factors = {role: self.held[factor.key].to(weight.device).float() for role, factor in roles.items()}
        change = PRODUCTS[core(roles)](factors).view_as(weight) * scale(self.contents, part, layer, factors)
        if is_directed(roles):
            own = weight.float()
            change = directed(own + change, factors) - own
        if not change.isfinite().all():
            path = self.contents.path
            raise WorldDamaged(f"{path} has numbers for {layer} that are not finite, or too large: {AGAIN}")
        return change


def _rows(lora: OpenedLora, part: Part, layer: str, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """What a LoRA adds to each of the weights that are one layer to it, by their names."""
    change = lora.change(part, layer, whole(list(weights.values())))
    return dict(zip(weights, torch.split(change, [len(weight) for weight in weights.values()]), strict=True))


Mixed = Sequence[tuple[OpenedLora, float]]
"""Files and their strengths."""


def mixed(network: N, loras: Mixed, part: Part) -> N:
    """A copy of a network with what these have for it; weights that none of them changes are shared with it.

    Raises WorldMismatch as `lora.check`, WorldDamaged for numbers that are not finite.
    """
    parameters = dict(network.named_parameters())
    known, shapes = layers(parameters), {name: tuple(weight.shape) for name, weight in parameters.items()}
    changes: dict[str, list[tuple[OpenedLora, float, str]]] = {}
    for lora, strength in loras:
        check(lora.contents, part, shapes)
        for layer in lora.contents.parts[part]:
            for name in known[layer]:
                changes.setdefault(name, []).append((lora, strength, layer))
    shared: dict[int, object] = {id(weight): weight for name, weight in parameters.items() if name not in changes}
    made = copy.deepcopy(network, shared)
    with torch.no_grad():
        for name, weight in made.named_parameters():
            own = parameters[name]
            if name in changes:
                total = sum(
                    strength * _rows(lora, part, layer, {each: parameters[each] for each in known[layer]})[name]
                    for lora, strength, layer in changes[name]
                )
                weight.copy_(own.float() + total)
                if not weight.isfinite().all():
                    files = ", ".join(lora.contents.path.name for lora, _, _ in changes[name])
                    raise WorldDamaged(f"{files} at these strengths leave no numbers in {name}: take lower ones")
    return made
