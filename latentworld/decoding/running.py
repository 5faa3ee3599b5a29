"""What runs a recipe's networks: an engine for each shape of what they are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from latentworld.decoding.shaped import Runs, Shaped

if TYPE_CHECKING:
    from torch import Tensor, nn

    from latentworld.decoding import engines
    from latentworld.decoding.openvino_models import Module
    from latentworld.decoding.recipes import Recipe
    from latentworld.decoding.settings import DecoderSettings
    from latentworld.deferred import Deferred

Build: TypeAlias = "Callable[[str, Module, tuple[Tensor, ...], str], engines.Run]"


@dataclass(frozen=True, eq=False)
class Running:
    """A recipe's networks through engines of one kind, shared with all decoders alike. build: makes an engine."""

    recipe: Recipe
    engine: str
    build: Build
    runs: Runs
    painters: Runs

    @classmethod
    def of(cls, recipe: Recipe, settings: DecoderSettings, engine: str, build: Build) -> Running:
        """Those for these settings, but for the engine."""
        precision = settings.precision if engine == settings.engine else ""
        chosen = replace(settings, engine=engine, precision=precision)
        return cls(recipe, chosen.runner, build, *recipe.runs(chosen))

    def denoise(self, rows: int) -> Shaped:
        """Sample `[b, C, H, W]`, time `[1]` and conditioning of so many rows to predictions `[rows x b, C, H, W]`."""
        found = self.runs.denoise.get(rows)
        if found is None:
            made, unet, key = self._built, self.recipe.unet, self.recipe.key
            shaped = Shaped(lambda inputs: made(unet, inputs, key), follows=self.engine == "eager")
            found = self.runs.denoise.setdefault(rows, shaped)
        return found

    def paint(self, sample: Tensor) -> Tensor:
        """Clean latents `[b, C, H, W]` to pictures `[b, 3, height, width]` in 0..1. Raises EngineFailed."""
        run = self.painters.paint
        if run is None:
            run = self.painters.paint = self._built(self.recipe.vae, (sample,), self.recipe.paint_key)
        return run(sample)

    def warm(self, rows: int) -> bool:
        """Whether its engines are built: the next call only computes."""
        return self.denoise(rows).warm and self.painters.paint is not None

    def _built(self, module: Deferred[nn.Module], inputs: tuple[Tensor, ...], key: str) -> engines.Run:
        """The engine of a module; one that has what it converted before needs none."""
        is_openvino = self.engine.startswith("openvino")
        return self.build(self.engine, module if is_openvino else module(), inputs, key)
