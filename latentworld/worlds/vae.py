"""A VAE by itself, in place of a world's own: a folder of diffusers, a single file, or a name on the hub."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from latentworld.errors import WorldMismatch
from latentworld.worlds import files, layout, parts
from latentworld.worlds.card import read_json
from latentworld.worlds.families import fit
from latentworld.worlds.families.family import Config
from latentworld.worlds.families.original import whole
from latentworld.worlds.families.original_names import VAE, canonical
from latentworld.worlds.families.original_parts import Shapes, has_vae, load_vae, vae_config
from latentworld.worlds.hub import fetch
from latentworld.worlds.layout import Checkpoint
from latentworld.worlds.locate import HubRef, locate

if TYPE_CHECKING:
    import torch
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny


@dataclass(frozen=True)
class LoneVae:
    """A VAE before it is loaded. config: as AutoencoderKL's or AutoencoderTiny's."""

    path: Path
    config: Config

    @property
    def channels(self) -> int:
        """Of its latents."""
        return int(self.config.get("latent_channels", 4))

    @property
    def cell(self) -> int:
        """Pixels per latent element along one side."""
        return 1 << (len(self.config.get("block_out_channels") or [1] * 4) - 1)

    @property
    def scale(self) -> float:
        """What a latent is divided by before it is decoded: where the config is silent, its class's default."""
        usual = 1.0 if self.config.get("_class_name") == "AutoencoderTiny" else 0.18215
        return fit.vae_scale(self.config, usual)

    @property
    def shift(self) -> float:
        """What is added to it then."""
        return fit.vae_shift(self.config)

    @property
    def says_scale(self) -> bool:
        """Whether its scale is known: a file does not say it."""
        return self.path.is_dir()

    @property
    def digest(self) -> str:
        """Of its files."""
        if self.path.is_file():
            return files.digest([self.path], self.path.parent)
        return files.digest([self.path / "config.json", *files.weights(self.path)], self.path)

    def load(self, dtype: torch.dtype) -> AutoencoderKL | AutoencoderTiny:
        """Its module. Raises WorldDamaged."""
        if self.path.is_dir():
            return parts.autoencoder(self.path, dtype)
        held = files.tensors(self.path)
        weights = {ours: held[key] for ours, key in _keys(held).items()}
        with whole(self.path):
            return load_vae(weights, {key: tuple(weight.shape) for key, weight in weights.items()}).to(dtype)


def find_vae(name: str | Path) -> LoneVae:
    """The VAE behind a name. Raises WorldMissing, UnsafeWeights, WorldDamaged, and WorldMismatch for what is none."""
    found = locate(name, noun="VAE")
    path = fetch(found, marker="config.json", parts=("",)) if isinstance(found, HubRef) else found
    if path.is_dir():
        path = path / "vae" if (path / "vae" / "config.json").is_file() else path
        config: Config = read_json(path / "config.json")
        fit.check_vae(path, config)
        files.weights(path)
        return LoneVae(path, config)
    seen = layout.read(path)
    assert isinstance(seen, Checkpoint)
    shapes: Shapes = {ours: seen.shapes[key] for ours, key in _keys(seen.shapes).items()}
    if not has_vae(shapes):
        raise WorldMismatch(
            f"{path} holds no VAE by the names of the original code: give such a file, or a folder of diffusers'"
        )
    with whole(path):
        return LoneVae(path, vae_config(shapes))


def _keys(keys: Iterable[str]) -> dict[str, str]:
    """The keys of a VAE's file as a checkpoint has them, and as it has them: it may leave their beginning out."""
    bare = {key if key.startswith((VAE, "vae.")) else VAE + key: key for key in keys}
    return {ours: bare[key] for ours, key in canonical(bare).items()}
