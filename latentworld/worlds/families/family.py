"""What a family of models is: everything that differs between kinds of model, said once, as data and a few functions.

A family is a frozen value. The rest of the program asks it and knows nothing of channels, parts or classes: `worlds`
finds, names and loads its members, `decoding` calls its denoiser and its VAE. See docs/worlds.md for how to add one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from latentworld.worlds.card import DEFAULTS, Defaults
from latentworld.worlds.layout import Checkpoint, Folder

if TYPE_CHECKING:
    import torch
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
    from diffusers.models.modeling_utils import ModelMixin
    from torch import Tensor, nn

    from latentworld.prompts import TextEncoder

Config: TypeAlias = Mapping[str, Any]
"""A part's config.json, or the `.config` of the module made from it."""
Colour: TypeAlias = tuple[float, float, float]


@dataclass(frozen=True)
class LatentFormat:
    """What a model's latents are, in the space in which a walk moves and the denoiser works (typically of norm
    sqrt(d) at the start).

    cell: pixels per latent element along one side. multiple: pixels, what a picture's sides are multiples of. A VAE is
    given `latent / scale + shift`. colours: one row (red, green, blue) a channel, and bias: a picture in -1..1 for a
    quick look is `colours^T latent + bias`; without rows the first three channels are the colours.
    """

    channels: int
    cell: int
    multiple: int
    scale: float = 1.0
    shift: float = 0.0
    colours: tuple[Colour, ...] = ()
    bias: Colour = (0.0, 0.0, 0.0)

    def shape(self, height: int, width: int) -> tuple[int, int, int]:
        """Latent channels, height, width of a picture of height x width pixels."""
        return self.channels, height // self.cell, width // self.cell

    def glance(self, latent: NDArray[np.float32]) -> NDArray[np.float32]:
        """A latent [C, h, w] as colours [h, w, 3] in 0..1, one pixel a cell: a linear guess at its picture."""
        factors = np.asarray(self.colours) if self.colours else 0.4 * np.eye(len(latent), 3)
        mixed = np.einsum("chw,ck->hwk", latent, factors) + np.asarray(self.bias)
        return np.asarray((mixed / 2 + 0.5).clip(0, 1), dtype=np.float32)


class Scheduler(Protocol):
    """What is used of a scheduler of diffusers; it keeps state between `set_timesteps` and the last step.

    timesteps: times of the steps, falling.
    """

    timesteps: Tensor

    @property
    def config(self) -> Config:
        """What it was made from."""
        ...

    @property
    def alphas_cumprod(self) -> Tensor:
        """Share of the clean latent's variance at each time."""
        ...

    @property
    def init_noise_sigma(self) -> float:
        """Factor of the latent at the first step."""
        ...

    @property
    def step_index(self) -> int:
        """Of the step to come."""
        ...

    def set_timesteps(self, num_inference_steps: int | None = None, **options: object) -> None:
        """Begin so many steps; or at the times, or noise levels, that options name."""
        ...

    def set_begin_index(self, begin_index: int = 0) -> None:
        """Which of its times the first step is; not all schedulers have it."""
        ...

    def scale_model_input(self, sample: Tensor, timestep: Tensor) -> Tensor:
        """A sample as the network takes it."""
        ...

    def step(self, model_output: Tensor, timestep: Tensor, sample: Tensor, **options: object) -> Any:
        """The next sample, first of a tuple or of an output class, as `return_dict` says."""
        ...


@dataclass(frozen=True)
class Part:
    """A folder of a model in the diffusers layout. weights: whether it holds safetensors (a tokenizer does not).

    load: (folder, dtype) -> the part, of its library's class; raises WorldDamaged. A scheduler's part loads as its
    config. outline: (folder) -> the weights that its config asks for, by name and shape; raises WorldDamaged. quick: as
    load, to the same numbers without its library, None where that cannot be; raises WorldDamaged.
    """

    name: str
    load: Callable[[Path, torch.dtype], object]
    weights: bool = True
    outline: Callable[[Path], Mapping[str, tuple[int, ...]]] | None = None
    quick: Callable[[Path, torch.dtype], object | None] | None = None


@dataclass(frozen=True)
class Facts:
    """What is known of one model before any weight is read: picture side in pixels, prediction type, latents.

    schedule: the config of its scheduler, empty where that is not known yet. few_step: how it is sampled in a few steps
    if it was made for that, a name in `few_step.MEMBERS`, "" where it was not. defaults: this model's, where they are
    not its family's.
    """

    size: int
    prediction: str
    latent: LatentFormat
    schedule: Config = field(default_factory=dict)
    few_step: str = ""
    defaults: Defaults | None = None


@dataclass(frozen=True)
class CheckpointFormat:
    """How a family's models look as one .safetensors file.

    claims: whether a header is of this family. facts: what it says; raises WorldMismatch for what does not fit. load:
    the same parts as a folder has, by name, out of a file; (checkpoint, facts, dtype). sizes: parameters by part.
    weights: the shapes of a part's weights, as its library calls them, by the header alone; empty where that cannot be
    said.
    """

    claims: Callable[[Checkpoint], bool]
    facts: Callable[[Checkpoint], Facts]
    load: Callable[[Checkpoint, Facts, torch.dtype], Mapping[str, object]]
    sizes: Callable[[Checkpoint], dict[str, int]]
    weights: Callable[[Checkpoint, str], Mapping[str, tuple[int, ...]]] = lambda checkpoint, part: {}


class DenoiserOf(Protocol):
    """Makes the module that an engine runs out of a world's network."""

    def __call__(self, network: ModelMixin, *, lean: bool = True, distilled_guidance: float | None = None) -> nn.Module:
        """A module: sample `[b, C, H, W]`, time `[1]`, conditioning of r rows -> predictions `[r x b, C, H, W]`.

        Whatever the network wants otherwise (tokens in place of a picture, ids of places, sizes) is made in there, of
        the sample's shape. lean: leave out what would be computed twice; False calls the library's own forward.
        distilled_guidance: the weight that goes into a network that was distilled to take it (LCM), where it is one.
        """
        ...


@dataclass(frozen=True)
class Family:
    """A kind of model. Its functions import torch and model libraries only when they are called.

    name: short, for profiles and records (`sd1`). title: for people.
    claims: whether a folder is of this family, by its index and configs; a damaged or incomplete member is claimed too.
    facts: what a folder's configs say; raises WorldMismatch, one line, where its parts do not fit each other.
    latent: (the denoiser's config, a VAE's config) -> the latents.
    text: the loaded parts by name -> how prompts are read.
    denoiser, painter: the modules that engines run; the painter is (vae, latents of that VAE) -> a module from latents
    `[b, C, H, W]` to pictures `[b, 3, height, width]` in 0..1. encoder: the same the other way round, None where a
    family's pictures cannot be encoded.
    schedule: a scheduler's config -> the same with the repairs its pipeline makes; `sampler` names the deterministic
    sampler of the faithful decoder, in `decoding.samplers`.
    begin: (scheduler, steps, latent shape): sets the times.
    parts: in the order in which they are hashed. network: the name of the part that denoises.
    guidance: `classifier-free` (two rows, negative and positive, above a weight of 1), or `distilled`: the weight
    goes into the network as the last tensor of the conditioning, `[1]`.
    predictions: those that its scheduler takes. defaults: what a world without a card does. few_step: the kinds of
    few-step model, in `few_step.MEMBERS`, that its models' names are searched for. vae_dtype: (a VAE's config, the
    networks' dtype) -> the VAE's own. half: the type of half the size that its networks bear.
    eager: whether only the eager engine can run its denoiser, whose shapes are then a text's own.
    """

    name: str
    title: str
    parts: tuple[Part, ...]
    claims: Callable[[Folder], bool]
    facts: Callable[[Folder], Facts]
    latent: Callable[[Config, Config], LatentFormat]
    text: Callable[[Mapping[str, object]], TextEncoder]
    denoiser: DenoiserOf
    painter: Callable[[AutoencoderKL | AutoencoderTiny, LatentFormat], nn.Module]
    schedule: Callable[[Config], Config]
    begin: Callable[[Scheduler, int, tuple[int, int, int]], None]
    network: str = "unet"
    sampler: str = "ddim"
    guidance: Literal["classifier-free", "distilled"] = "classifier-free"
    predictions: tuple[str, ...] = ("epsilon", "v_prediction", "sample")
    defaults: Defaults = DEFAULTS
    checkpoint: CheckpointFormat | None = None
    few_step: tuple[str, ...] = ()
    vae_dtype: Callable[[Config, torch.dtype], torch.dtype] = lambda config, dtype: dtype
    half: Literal["float16", "bfloat16"] = "float16"
    eager: bool = False
    encoder: Callable[[AutoencoderKL | AutoencoderTiny, LatentFormat], nn.Module] | None = None

    def guides(self, weight: float) -> bool:
        """Whether a guidance weight asks for a negative row beside the positive one."""
        return self.guidance == "classifier-free" and weight > 1
