"""The world card: what a world is and what it does by default (card.toml), or what a checkpoint tells of itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from latentworld import texts
from latentworld.errors import WorldDamaged
from latentworld.explain import nearest
from latentworld.prompts import PromptText

NEUTRAL = "High quality picture, 4k, detailed"
NEUTRAL_NEGATIVE = "blurry, ugly, stock photo"
NEGATIVE = AliasChoices("negative", "negative_prompt")


class Defaults(BaseModel):
    """What a preset that says nothing gets: the paper's neutral set-up unless the card says otherwise."""

    model_config = ConfigDict(frozen=True)
    prompt: PromptText = NEUTRAL
    negative: PromptText = Field(default=NEUTRAL_NEGATIVE, validation_alias=NEGATIVE)
    steps: int = Field(default=50, ge=1)
    guidance: float = Field(default=5.0, ge=0)
    scout_steps: int = Field(default=4, ge=1)


DEFAULTS = Defaults()


FewStepName = Literal[
    "", "lcm", "tcd", "turbo", "lightning", "hyper", "dmd2", "schnell", "klein", "z_turbo", "sprint", "flow_turbo"
]
"""Those of `few_step.MEMBERS`, and none."""


class Subject(BaseModel):
    """A kind of picture the world knows, a prompt that calls for it, and the words it has for it."""

    model_config = ConfigDict(frozen=True)
    name: str
    prompt: PromptText
    words: tuple[str, ...] = ()


class Colours(BaseModel):
    """How this world's latents look at a glance, where its VAE is not its family's: see `LatentFormat`."""

    model_config = ConfigDict(frozen=True)
    factors: tuple[tuple[FiniteFloat, FiniteFloat, FiniteFloat], ...]
    bias: tuple[FiniteFloat, FiniteFloat, FiniteFloat] = (0.0, 0.0, 0.0)


class Card(BaseModel):
    """A world's card."""

    model_config = ConfigDict(frozen=True)
    name: str
    title: str = ""
    description: str = ""
    size: int = Field(ge=1, description="picture height and width in pixels")
    prediction: str = "epsilon"
    few_step: FewStepName | None = Field(default=None, description="which few-step model it is itself")
    clip: str | None = Field(default=None, description="CLIP folder or hub name; the world's own clip/ when absent")
    defaults: Defaults = Field(default_factory=Defaults)
    subjects: tuple[Subject, ...] = Field(default=(), validation_alias=AliasChoices("subjects", "families"))
    words: tuple[str, ...] = Field(default=(), description="words it understands of any subject")
    colours: Colours | None = None
    figures: dict[str, object] = Field(default={}, description="what the judging command measured")


def beside(path: Path) -> Path:
    """Where the card of a world lies: in its folder, or beside its file under the same name."""
    return path / "card.toml" if path.is_dir() else path.with_suffix(".toml")


def read(path: Path, given: Mapping[str, object]) -> Card:
    """The card of the world at `path`, over what is `given` by the model itself. Raises WorldDamaged."""
    file = beside(path)
    content: dict[str, object] = {}
    if file.is_file():
        try:
            content = texts.toml(texts.read(file))
        except ValueError as error:
            raise WorldDamaged(f"{file} is no TOML ({error}): mend it, or remove it to use plain defaults") from error
    _check_keys(file, content, made=path.is_dir())
    merged = dict(given) | content
    mine, theirs = content.get("defaults"), given.get("defaults", {})
    if isinstance(mine, dict) and isinstance(theirs, Mapping):
        named = {"negative" if key in ("negative", "negative_prompt") else key: value for key, value in mine.items()}
        merged["defaults"] = dict(theirs) | named
    try:
        return Card.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise WorldDamaged(f"{file}: {where}: {first['msg']}; mend that entry of the card") from error


def _check_keys(file: Path, content: Mapping[str, object], made: bool) -> None:
    """A card holds nothing else; made: that of a folder may also keep how its world was made."""
    tables: list[tuple[str, type[BaseModel], object]] = [("", Card, content)]
    tables += [(f"{name}.", kind, content.get(name)) for name, kind in (("defaults", Defaults), ("colours", Colours))]
    subjects = content.get("subjects", content.get("families"))
    tables += [("subjects.", Subject, table) for table in (subjects if isinstance(subjects, list) else [])]
    for where, kind, table in tables:
        known = {*kind.model_fields, *OTHER_NAMES.get(kind, ())}
        passed = known.union(MADE.get(kind, ()) if made else ())
        unknown = [key for key in table if key not in passed] if isinstance(table, dict) else []
        if unknown:
            raise WorldDamaged(f"{file}: unknown key {where + unknown[0]!r}: {nearest(unknown[0], known)}")


OTHER_NAMES: Mapping[type[BaseModel], tuple[str, ...]] = {Card: ("families",), Defaults: ("negative_prompt",)}
MADE: Mapping[type[BaseModel], tuple[str, ...]] = {
    Card: ("latent", "provisional", "cast", "stages"), Defaults: ("scout_guidance",), Subject: ("scene",),
}  # fmt: skip
"""Keys by which the foundry writes how it made a world; nothing here reads them."""


def number(config: Mapping[str, object], key: str, usual: float) -> float:
    """A number of a model's config, `usual` where it does not say. Raises WorldDamaged for what is no finite number."""
    said = config.get(key)
    if said is None and key not in config:
        return usual
    if isinstance(said, bool) or not isinstance(said, int | float) or not math.isfinite(said):
        raise WorldDamaged(f"a config.json of the model says {key} = {said!r:.40}, no number: copy it again")
    return float(said)


def read_json(path: Path) -> dict[str, object]:
    """A JSON file of a world; WorldDamaged names it when it is missing or broken."""
    try:
        return texts.table(texts.read(path))
    except FileNotFoundError as error:
        raise WorldDamaged(f"{path} is missing: copy or download the world again") from error
    except (OSError, ValueError) as error:
        raise WorldDamaged(f"{path} cannot be read ({error}): copy or download the world again") from error
