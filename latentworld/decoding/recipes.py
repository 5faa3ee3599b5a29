"""Which of a world's networks make which kind of decoder, and the sampling they were made for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentworld.decoding.settings import DecoderSettings
from latentworld.decoding.shaped import Runs, Shelf
from latentworld.decoding.styles import Loras, Styles
from latentworld.decoding.timetable import MadeFor, Timetable, member_of_lora, timetable, whole_of
from latentworld.deferred import Deferred
from latentworld.errors import PresetError, WorldMismatch
from latentworld.prompts import Encoder
from latentworld.worlds import World, parts
from latentworld.worlds.few_step import MEMBERS
from latentworld.worlds.files import digest, weights

if TYPE_CHECKING:
    import torch
    from diffusers.models.modeling_utils import ModelMixin
    from torch import nn

    from latentworld.worlds.families.family import Config, Family

LCM_WEIGHT = 7.5  # what LCM's authors use where the UNet takes a guidance weight (guidance_scale 8.5)


@dataclass(frozen=True, eq=False)
class Recipe:
    """The networks of one kind of decoder, and the sampling they were made for.

    variant: which they are, for the profile; schedule: the config of their scheduler; key: their weights and
    kind, in the cache of engines; texts: where texts are encoded, None: as everywhere in the world; paint_dtype: of the
    autoencoder, where it is not the world's; loras: those for style in them, for the profile; shelf: the
    denoiser's engines; painters, paint_key: the autoencoder's, and its key in their cache.
    """

    variant: str
    unet: Deferred[nn.Module]
    vae: Deferred[nn.Module]
    schedule: Config
    made: MadeFor
    key: str
    painters: Shelf
    paint_key: str
    texts: Encoder | None = None
    paint_dtype: torch.dtype | None = None
    loras: str = ""
    shelf: Shelf = field(default_factory=Shelf)

    def runs(self, settings: DecoderSettings) -> tuple[Runs, Runs]:
        """What runs the denoiser, and what runs the autoencoder, under these settings."""
        return self.shelf.runs(settings), self.painters.runs(settings)

    def timetable(self, family: Family, settings: DecoderSettings) -> Timetable:
        """When these networks are asked under these settings. Raises PresetError."""
        return timetable(family, self.schedule, self.made, settings.sampler, settings.sampling)


def faithful(world: World, settings: DecoderSettings, styles: Styles) -> Recipe:
    """The world's own network and full autoencoder; variant `plain`: through the library's forward. Raises as
    `styles.network`."""
    if settings.variant not in ("", "plain"):
        raise PresetError(f"variant = {settings.variant!r} of the faithful decoder: leave it out, or use 'plain'")
    is_plain, loras = settings.variant == "plain", settings.heard
    key = f"{world.digest}/faithful" + ("/plain" if is_plain else "")
    return Recipe(
        variant=settings.variant,
        unet=_styled(world, lambda: world.denoiser, styles, loras, lean=not is_plain),
        vae=Deferred(lambda: world.family.painter(world.vae, world.latent)),
        schedule=world.schedule,
        made=whole_of(world.family, world.few_step),
        key=styles.key(key, loras),
        painters=styles.painters(key),
        paint_key=f"{key}/vae",
        texts=styles.texts(world.text, loras),
        paint_dtype=world.vae_dtype,
        loras=styles.mark(loras),
    )


def scout(world: World, settings: DecoderSettings, styles: Styles) -> Recipe:
    """The networks of a scout; `variant` insists on `student`, `lora`, `guided` or a few-step member. Raises as
    `styles.network`, and WorldMismatch where the world has no such networks."""
    found, loras = _denoiser(world, settings, styles), settings.heard
    painter = _painter(world, settings.tiny_vae, found.key)
    coder = painter.name
    key = f"{painter.key}/scout/{found.name}/{coder.partition('@')[0]}"
    return Recipe(
        variant=f"{found.name}{found.mark}/{coder}",
        unet=_styled(world, found.network, styles, loras, distilled_guidance=LCM_WEIGHT),
        vae=painter.module,
        schedule=found.schedule,
        made=found.made,
        key=styles.key(key, loras),
        painters=styles.painters(key),
        paint_key=f"{key}/vae",
        texts=styles.texts(world.text if found.texts is None else found.texts.read, loras) or found.texts,
        paint_dtype=painter.dtype,
        loras=styles.mark(loras),
    )


def _styled(
    world: World, network: Callable[[], ModelMixin], styles: Styles, loras: Loras, **options: Any
) -> Deferred[nn.Module]:
    """A network as a module; with LoRA in it at once, so that what they lack is said now. options: of `DenoiserOf`."""
    if not loras:
        return Deferred(lambda: world.family.denoiser(network(), **options))
    styled = styles.network(network(), loras)
    return Deferred(lambda: world.family.denoiser(styled, **options))


@dataclass(frozen=True, eq=False)
class _Found:
    """A scout's network and what it was made for; mark: the digest of what is not the world's own;
    texts: as in a recipe."""

    name: str
    network: Callable[[], ModelMixin]
    schedule: Config
    made: MadeFor
    key: str
    mark: str = ""
    texts: Encoder | None = None


def _denoiser(world: World, settings: DecoderSettings, styles: Styles) -> _Found:
    own = "student" if world.student is not None else world.few_step or "guided"
    name = settings.variant or ("lora" if settings.lora else own)
    if name == "lora":
        if settings.lora is None:
            raise WorldMismatch("a scout with a LoRA needs its file: give decoder.scout_lora")
        lora = Path(settings.lora)
        network, texts = styles.few_step(world, lora)
        mark = f"@{digest([lora], lora.parent)}"
        made = MadeFor.few(member_of_lora(lora, world.family))
        return _Found("lora", lambda: network, world.schedule, made, _mixed(world.digest, lora), mark, texts)
    if name == "student":
        if world.student is None:
            raise WorldMismatch(f"world {world.name!r} has no student: leave decoder.variant out")
        schedule = world.student.schedule
        sampler = "lcm" if schedule.get("_class_name") == "LCMScheduler" else world.family.sampler
        student = world.student
        return _Found("student", lambda: student.denoiser, schedule, MadeFor(sampler), world.digest)
    if name in MEMBERS:
        return _Found(name, lambda: world.denoiser, world.schedule, MadeFor.few(name), world.digest)
    if name == "guided":  # nothing was made for a few steps: the faithful decoder's sampling
        return _Found("guided", lambda: world.denoiser, world.schedule, MadeFor(world.family.sampler), world.digest)
    known = ", ".join(("student", "lora", "guided", *MEMBERS))
    raise PresetError(f"variant = {name!r} of the scout: use one of {known}, or leave it out")


@dataclass(frozen=True, eq=False)
class _Painter:
    """A scout's autoencoder as a module; name: what a profile calls it; key: of the engines, with it."""

    module: Deferred[nn.Module]
    name: str
    key: str
    dtype: torch.dtype


def _painter(world: World, tiny_vae: str | None, key: str) -> _Painter:
    """The autoencoder that settings name, else the world's tiny one, else its own."""
    paint = world.family.painter
    if tiny_vae is not None:
        folder = Path(tiny_vae)
        files = weights(folder)
        vae = parts.tiny_vae(folder, world.dtype).to(world.device).eval().requires_grad_(False)
        made = Deferred(lambda: paint(vae, world.latent_of(vae)))
        return _Painter(made, f"tiny@{digest(files, folder)}", _mixed(key, *files), vae.dtype)
    if not world.has_tiny_vae:
        return _Painter(Deferred(lambda: paint(world.vae, world.latent_of(world.vae))), "full", key, world.vae_dtype)

    def tiny() -> nn.Module:
        assert world.tiny_vae is not None  # it has one
        return paint(world.tiny_vae, world.latent_of(world.tiny_vae))

    return _Painter(Deferred(tiny), "tiny", key, world.dtype)


def _mixed(key: str, *files: Path) -> str:
    inner = "".join(digest([file], file.parent) for file in files)
    return hashlib.sha256(f"{key} {inner}".encode()).hexdigest()[:16]


RECIPES: Mapping[str, Callable[[World, DecoderSettings, Styles], Recipe]] = {"faithful": faithful, "scout": scout}
