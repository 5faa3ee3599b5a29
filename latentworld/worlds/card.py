"""The world card: what a world is and what it does by default (card.toml), or what a checkpoint tells of itself."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from latentworld.errors import WorldDamaged

Prediction = Literal["epsilon", "v_prediction", "sample"]
NEUTRAL = "High quality picture, 4k, detailed"
NEUTRAL_NEGATIVE = "blurry, ugly, stock photo"


NEGATIVE = AliasChoices("negative", "negative_prompt")


class Defaults(BaseModel):
    """What a preset that says nothing gets: the paper's neutral set-up unless the card says otherwise."""

    model_config = ConfigDict(frozen=True)
    prompt: str = NEUTRAL
    negative: str = Field(default=NEUTRAL_NEGATIVE, validation_alias=NEGATIVE)
    steps: int = Field(default=50, ge=1)
    guidance: float = Field(default=5.0, ge=0)
    scout_steps: int = Field(default=4, ge=1)


class Family(BaseModel):
    """A kind of picture the world knows, and words that call for it."""

    model_config = ConfigDict(frozen=True)
    name: str
    prompt: str


class Card(BaseModel):
    """A world's card. Entries it does not know are left alone: a card also keeps how the world was made."""

    model_config = ConfigDict(frozen=True)
    name: str
    title: str = ""
    description: str = ""
    size: int = Field(ge=8, multiple_of=8, description="picture height and width in pixels")
    prediction: Prediction = "epsilon"
    clip: str | None = Field(default=None, description="CLIP folder or hub name; the world's own clip/ when absent")
    defaults: Defaults = Field(default_factory=Defaults)
    families: tuple[Family, ...] = ()
    figures: dict[str, Any] = Field(default={}, description="what the judging command measured")


def read(folder: Path, name: str, facts: dict[str, Any]) -> Card:
    """The card in `folder`, its gaps filled with `facts` from the configs; WorldDamaged when it cannot be read."""
    path = folder / "card.toml" if folder.is_dir() else folder.with_suffix(".toml")
    told: dict[str, Any] = {}
    if path.is_file():
        try:
            told = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise WorldDamaged(f"{path} is no TOML ({error}): mend it, or remove it to use plain defaults") from error
    try:
        return Card(**({"name": name} | facts | told))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise WorldDamaged(f"{path}: {where}: {first['msg']}; mend that entry of the card") from error


def facts(folder: Path) -> dict[str, Any]:
    """What the configs of a diffusers folder say: picture size in pixels and prediction type."""
    unet = read_json(folder / "unet" / "config.json")
    vae = read_json(folder / "vae" / "config.json")
    scheduler = read_json(folder / "scheduler" / "scheduler_config.json")
    side = unet.get("sample_size") or 64
    side = side if isinstance(side, int) else side[0]
    factor = 2 ** (len(vae.get("block_out_channels") or [1] * 4) - 1)
    return {"size": side * factor, "prediction": scheduler.get("prediction_type", "epsilon")}


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file of a world; WorldDamaged names it when it is missing or broken."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise WorldDamaged(f"{path} is missing: copy or download the world again") from error
    except (OSError, ValueError) as error:
        raise WorldDamaged(f"{path} cannot be read ({error}): copy or download the world again") from error
    return content
