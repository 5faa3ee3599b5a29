"""From a name to a model that is known: where it lies, of which family it is, what it says of itself. No weight is
read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from latentworld.errors import WorldDamaged, WorldMismatch
from latentworld.worlds import card as cards
from latentworld.worlds import families, files, layout
from latentworld.worlds.card import Card
from latentworld.worlds.families import Facts, Family
from latentworld.worlds.families.original_names import UNET
from latentworld.worlds.few_step import MEMBERS, named
from latentworld.worlds.hub import fetch_world
from latentworld.worlds.layout import Checkpoint, Folder
from latentworld.worlds.locate import EMBEDDED, locate
from latentworld.worlds.vae import LoneVae, find_vae


@dataclass(frozen=True)
class Found:
    """A model before it is loaded. `facts` are the family's, as the card has them where it says otherwise; `vae` is one
    in place of its own."""

    name: str
    source: str
    path: Path
    layout: Folder | Checkpoint
    family: Family
    facts: Facts
    card: Card
    vae: LoneVae | None = None

    @property
    def has_few_step(self) -> bool:
        """Whether it has a few-step denoiser, or is one."""
        return bool(self.facts.few_step) or (self.path / "student").is_dir()

    def weights(self, part: str) -> Mapping[str, tuple[int, ...]]:
        """The shapes of a part's weights, as its library calls them, by headers alone; empty where it is not there, or
        where that cannot be said of a file."""
        if isinstance(self.layout, Checkpoint):
            return {} if self.family.checkpoint is None else self.family.checkpoint.weights(self.layout, part)
        folder = self.path / part
        held = [files.header(file) for file in files.weights(folder)] if folder.is_dir() else []
        return {name: tuple(entry["shape"]) for header in held for name, entry in header.items()}

    @property
    def clip(self) -> Path | str | None:
        """Its own CLIP: a folder, or what its card names."""
        clip = self.path / "clip"
        return clip if clip.is_dir() else self.card.clip


def find(name: str | Path, vae: str | Path | None = None) -> Found:
    """The model behind a name; one on the hub is fetched, if it is of a family that is known. vae: the name of one in
    place of the model's own.

    Raises WorldMissing, WorldDamaged, UnsafeWeights; UnknownFamily, which says what the model is instead; WorldMismatch
    where its parts do not fit each other.
    """
    path, source = resolve(name)
    return at(path, str(name), source, None if vae is None else find_vae(vae))


def at(path: Path, name: str, source: str, vae: LoneVae | None = None) -> Found:
    """The model in a folder or file. Raises as `find`."""
    seen = layout.read(path)
    family = families.recognise(seen)
    if isinstance(seen, Checkpoint):
        files.check_types(path, (kind for key, kind in seen.types.items() if key.startswith(UNET)))
    facts = _named(_painted(path, families.facts(family, seen), vae), family, names_of(name, path, seen))
    if isinstance(seen, Checkpoint) and vae is None and family.checkpoint and not family.checkpoint.sizes(seen)["vae"]:
        raise WorldDamaged(f"{path} has no VAE: name one as world.vae, a folder, a .safetensors file or a hub name")
    given = {"name": path.name if path.is_dir() else path.stem, "size": facts.size, "prediction": facts.prediction}
    card = _card(path, given, family, facts)
    return Found(name, source, path, seen, family, _agreed(path, family, facts, card), card, vae)


def names_of(name: str, path: Path, seen: Folder | Checkpoint) -> str:
    """What a model is called: by whoever names it, on disk, and by itself."""
    title = seen.metadata.get("modelspec.title", "") if isinstance(seen, Checkpoint) else ""
    return " ".join((name.rpartition("/")[2], path.stem if path.is_file() else path.name, title))


def _named(facts: Facts, family: Family, names: str) -> Facts:
    """The facts with what a model's names say of few steps, where its configs say nothing."""
    return facts if facts.few_step else replace(facts, few_step=named(names, family.few_step))


def _card(path: Path, given: Mapping[str, object], family: Family, facts: Facts) -> Card:
    """A model's card, over what its family does; of a few-step one, over what that was made for."""
    usual = (facts.defaults or family.defaults).model_dump()
    first = cards.read(path, {**given, "defaults": usual})
    member = MEMBERS.get(facts.few_step if first.few_step is None else first.few_step)
    if member is None or not member.whole:
        return first
    few = {"steps": member.usual, "guidance": member.guidance, "scout_steps": member.usual}
    return cards.read(path, {**given, "defaults": usual | few})


def resolve(name: str | Path) -> tuple[Path, str]:
    """Local path of a world, fetched from the hub if need be, and its source for the record (`owner/name@commit`).

    Raises as `find`; of a model of no known family nothing but its configs is fetched.
    """
    found = locate(name)
    if isinstance(found, Path):
        return found, "embedded" if found == EMBEDDED else str(found)
    folder = fetch_world(found, _parts)
    return folder, f"{found.repo}@{folder.name}"


def _parts(folder: Path) -> list[tuple[str, bool]]:
    return [(part.name, part.weights) for part in families.recognise(layout.read(folder)).parts]


SD_SCALE = 0.18215


def _painted(path: Path, facts: Facts, vae: LoneVae | None) -> Facts:
    """The facts with another VAE, whose latents must be as the model's own."""
    if vae is None:
        return facts
    latent = facts.latent
    if (vae.channels, vae.cell) != (latent.channels, latent.cell):
        raise WorldMismatch(
            f"{vae.path} has latents of {vae.channels} channels and cells of {vae.cell} pixels, and {path} of "
            f"{latent.channels} and {latent.cell}: give a VAE made for this world"
        )
    if not vae.says_scale:  # a lone file: it is taken for one of this world's kind
        return facts
    if vae.config.get("_class_name") != "AutoencoderTiny" and vae.scale == SD_SCALE != latent.scale:
        raise WorldMismatch(
            f"{vae.path} is scaled by {SD_SCALE}, as Stable Diffusion 1's is, and {path} by {latent.scale:g}: give a "
            f"VAE made for this world"
        )
    return replace(facts, latent=replace(latent, scale=vae.scale, shift=vae.shift))


def _agreed(path: Path, family: Family, facts: Facts, card: Card) -> Facts:
    """The facts with what the card says, which must be something the family can do."""
    latent, file = facts.latent, cards.beside(path)
    if card.size < latent.multiple or card.size % latent.multiple:
        raise WorldDamaged(
            f"{file}: size: {family.title} makes pictures in multiples of {latent.multiple} pixels here, "
            f"not {card.size}; mend that entry of the card"
        )
    if card.prediction not in family.predictions:
        raise WorldDamaged(
            f"{file}: prediction: {card.prediction!r} is none of {', '.join(family.predictions)}; "
            f"mend that entry of the card, or the model's scheduler_config.json"
        )
    if card.colours is not None:
        if len(card.colours.factors) != latent.channels:
            raise WorldDamaged(f"{file}: colours.factors: give {latent.channels} rows, one a latent channel")
        latent = replace(latent, colours=card.colours.factors, bias=card.colours.bias)
    schedule = {**facts.schedule, "prediction_type": card.prediction} if facts.schedule else {}
    few_step = facts.few_step if card.few_step is None else card.few_step
    return replace(
        facts, size=card.size, prediction=card.prediction, latent=latent, schedule=schedule, few_step=few_step
    )
