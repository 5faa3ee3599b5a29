"""Flow models: transformers that are told where a picture lies between noise and data, and say which way it goes.

One family in kind, whose members are data: a `FlowKind` says which folders are its, what reads the prompt and how the
transformer is called; `family` makes a `Family` of it. Every walk starts from the same noise `[C, H, W]` as elsewhere,
of the channels and cells that the VAE has; what packs it into tokens lies in the member's denoiser.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from latentworld.errors import WorldDamaged, WorldMismatch
from latentworld.worlds.card import Defaults
from latentworld.worlds.families import fit
from latentworld.worlds.families.family import Config, DenoiserOf, Facts, Family, LatentFormat, Part, Scheduler
from latentworld.worlds.families.fit import TWO
from latentworld.worlds.families.plain_unet import painter as plain_painter
from latentworld.worlds.layout import Folder
from latentworld.worlds.parts import autoencoder, outline, pretrained, scheduler_config

if TYPE_CHECKING:
    from torch import nn

    from latentworld.prompts import TextEncoder

SCHEDULE = "FlowMatchEulerDiscreteScheduler"


@dataclass(frozen=True)
class FlowKind:
    """What differs between kinds of flow model.

    pipeline: the class that an index names. network: module and class of the transformer; takes: whether its config is
    of this kind. text_parts: what reads prompts; read: the loaded parts to a reader of prompts; widths: (folder) -> ""
    or what does not fit between text encoders and transformer. channels: of a latent. denoiser, begin, guidance: as in
    `Family`. few_step: (index, the transformer's config) -> the member of `few_step.MEMBERS` that it is by its configs.
    side: latent cells along a picture's side, where the transformer's config does not say it. patch: cells along a side
    of a token; pack: cells of the VAE along a side of one of ours. eager, sampler: as in
    `Family`; schedule: the class of its scheduler, prediction: what that calls a velocity; vaes: classes
    of VAE that fit.
    """

    name: str
    title: str
    pipeline: str
    network: tuple[str, str]
    takes: Callable[[Config], bool]
    text_parts: tuple[Part, ...]
    read: Callable[[Mapping[str, object]], TextEncoder]
    widths: Callable[[Folder], str]
    channels: int
    denoiser: DenoiserOf
    begin: Callable[[Scheduler, int, tuple[int, int, int]], None]
    defaults: Defaults
    guidance: Literal["classifier-free", "distilled"] = "classifier-free"
    few_step: Callable[[Config, Config], str] = lambda index, network: ""
    named: tuple[str, ...] = ()
    side: int = 128
    patch: int = 2
    pack: int = 1
    painter: Callable[..., nn.Module] = plain_painter
    vaes: tuple[str, ...] = fit.PLAIN_VAES
    eager: bool = False
    sampler: str = "flow_euler"
    schedule: str = SCHEDULE
    prediction: str = "flow"


def family(kind: FlowKind) -> Family:
    """A family of this kind."""
    return Family(
        name=kind.name,
        title=kind.title,
        parts=(
            Part("transformer", pretrained(*kind.network), outline=partial(outline, *kind.network)),
            Part("vae", autoencoder),
            *kind.text_parts,
            Part("scheduler", scheduler_config, weights=False),
        ),
        claims=partial(_claims, kind),
        facts=partial(_facts, kind),
        latent=partial(_latent, kind),
        text=kind.read,
        denoiser=kind.denoiser,
        painter=kind.painter,
        schedule=dict,
        begin=kind.begin,
        network="transformer",
        sampler=kind.sampler,
        guidance=kind.guidance,
        predictions=(kind.prediction,),
        defaults=kind.defaults,
        few_step=kind.named,
        eager=kind.eager,
        half="bfloat16",  # their activations do not fit into float16, nor do T5's
    )


def shifted(scheduler: Scheduler, tokens: int, most: float = 1.15) -> float:
    """How far times are shifted towards noise for a picture of so many tokens: more noise hides a larger picture (Esser
    et al. 2024, section 5.3.2), linear in the tokens as the pipelines have it (`calculate_shift`)."""
    said = scheduler.config
    few, many = float(said.get("base_image_seq_len", 256)), float(said.get("max_image_seq_len", 4096))
    low, high = float(said.get("base_shift", 0.5)), float(said.get("max_shift", most))
    slope = (high - low) / (many - few)
    return tokens * slope + (low - slope * few)


def even(scheduler: Scheduler, steps: int, shape: tuple[int, int, int]) -> None:
    """Noise levels from 1 to 1/steps, evenly, before they are shifted: FLUX.1's and what is of its kind."""
    tokens = (shape[1] // 2) * (shape[2] // 2)
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps), mu=shifted(scheduler, tokens))


def own(scheduler: Scheduler, steps: int, shape: tuple[int, int, int]) -> None:
    """Noise levels as the schedule spaces them by itself: Stable Diffusion 3's."""
    tokens = (shape[1] // 2) * (shape[2] // 2)
    is_dynamic = bool(scheduler.config.get("use_dynamic_shifting"))
    more: dict[str, object] = {"mu": shifted(scheduler, tokens, 1.16)} if is_dynamic else {}
    scheduler.set_timesteps(steps, **more)


def _claims(kind: FlowKind, folder: Folder) -> bool:
    """Whether a folder is of this kind, whole or not."""
    network = folder.config("transformer")
    if not network:
        return folder.pipeline == kind.pipeline
    is_named = folder.pipeline in ("", "DiffusionPipeline", kind.pipeline)
    return is_named and network.get("_class_name") == kind.network[1] and kind.takes(network)


def _latent(kind: FlowKind, network: Config, vae: Config) -> LatentFormat:
    levels = vae.get("block_out_channels") or (vae.get("encoder_block_out_channels") if kind.sampler == "scm" else None)
    cell = kind.pack * 2 ** (len(levels or [1] * 4) - 1)
    scale, shift = fit.vae_scale(vae, 1.0), fit.vae_shift(vae)
    return LatentFormat(kind.channels, cell, cell * kind.patch, scale, shift)


def _facts(kind: FlowKind, folder: Folder) -> Facts:
    for part in ("transformer", "vae", "scheduler", *(part.name for part in kind.text_parts if part.weights)):
        if not (folder.path / part).is_dir():
            why = f"{kind.title} reads its prompt through it; " if part.startswith("text") else ""
            raise WorldDamaged(f"{folder.path / part} is missing: {why}copy or download the model again")
    network, schedule = folder.config("transformer"), folder.config("scheduler")
    latent = _latent(kind, network, folder.config("vae"))
    fit.check_latents(folder, replace(latent, channels=kind.channels // kind.pack**2), kind.vaes)
    if (name := schedule.get("_class_name", kind.schedule)) != kind.schedule:
        raise WorldMismatch(f"{folder.path}: its schedule is a {name!r:.60}, where a {kind.schedule} is wanted: {TWO}")
    if wrong := kind.widths(folder):
        raise WorldMismatch(f"{folder.path}: {wrong}: {TWO}")
    side = network.get("sample_size")
    side = side if isinstance(side, int) else kind.side
    few_step = kind.few_step(folder.index, network)
    return Facts(side * latent.cell, kind.prediction, latent, schedule, few_step)
