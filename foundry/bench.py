"""The bench a world is judged on: the world, held-out pictures of all families, its teacher's samples, the table."""

from __future__ import annotations

import time
import tomllib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foundry import captions, clip, data, export, presets
from foundry.data import FAMILIES
from foundry.errors import FoundryError, brief
from foundry.machine import Machine
from foundry.presets import Preset
from foundry.texts import Texts
from latentworld import decoding, device, worlds
from latentworld.decoding import Decoder
from latentworld.prompts import Prompt

FIRST = Path(__file__).with_name("first.toml")


@dataclass(frozen=True)
class Effort:
    """How much is sampled: held-out pictures a family, neutral and family samples, pictures of the ladder, teacher
    steps; side of the survey, depth and side of the dive, and the teacher's steps in both."""

    held: int
    neutral: int
    family: int
    climbed: int
    steps: int
    survey: int
    depth: int
    zoom: int
    rift_steps: int


FULL = Effort(held=64, neutral=400, family=64, climbed=64, steps=50, survey=64, depth=6, zoom=12, rift_steps=20)


QUICK = Effort(held=20, neutral=96, family=8, climbed=16, steps=20, survey=28, depth=4, zoom=10, rift_steps=12)


@dataclass
class Bench:
    """A world under judgement, with what every judge needs. `figures` maps a name to (value, goal as text); `first` are
    the first cast's figures, under the same names."""

    world: export.World
    card: dict[str, Any]
    preset: Preset
    texts: Texts
    held: Tensor
    family: Tensor
    attributes: list[dict[str, object]]
    sheets: Path
    effort: Effort
    folder: Path
    first: dict[str, float]
    figures: dict[str, tuple[float, str]] = field(default_factory=dict)
    shown: dict[str, Tensor] = field(default_factory=dict)
    machine: Machine = field(default_factory=lambda: Machine(seconds=0))

    @cached_property
    def ours(self) -> worlds.World:
        """The world as latentworld loads it."""
        return worlds.load(self.folder)

    @cached_property
    def engine(self) -> dict[str, Any]:
        """The fastest way to decode here; every engine is within 1/255 of the pipeline."""
        chosen = device.choose(size=self.preset.data.size)
        return {"engine": chosen.engine, "batch": chosen.batch}

    @cached_property
    def real(self) -> tuple[Tensor, Tensor]:
        """CLIP's features of the held-out pictures and of as many fresh ones."""
        with torch.no_grad():
            held, others = (clip.image_features(self.world.clip, part) for part in (self.held, fresh(self)))
        return held, others

    @property
    def guidance(self) -> float:
        """The card's default."""
        return float(self.card["defaults"]["guidance"])

    @property
    def student_steps(self) -> int:
        """The card's."""
        return int(self.card["defaults"]["scout_steps"])

    @property
    def prompts(self) -> list[str]:
        """The families' own, by the card."""
        return [row["prompt"] for row in self.card["families"]]

    def teacher(self, steps: int, guidance: float | None = None) -> Decoder:
        """The faithful decoder, at the default guidance unless told otherwise."""
        chosen = self.guidance if guidance is None else guidance
        return decoding.faithful_decoder(self.ours, steps=steps, guidance=chosen, **self.engine)

    def put(self, name: str, value: float | Tensor, goal: str = "") -> None:
        """Keeps a figure and prints its line of the table: name, value, the first cast's, goal."""
        self.figures[name] = (float(value), goal)
        before = f"{self.first[name]:.4g}" if name in self.first else "-"
        print(f"  {name:<62} {float(value):>9.4g} {before:>9}   {goal}", flush=True)


def bench_for(folder: Path, sheets: Path, effort: Effort) -> Bench:
    """Loads the world and draws the held-out pictures."""
    began = time.perf_counter()
    world = export.load(folder)
    took = time.perf_counter() - began
    if not (folder / "card.toml").exists():
        raise FoundryError(f"{folder / 'card.toml'} is not there: export the world again")
    try:
        told = tomllib.loads((folder / "card.toml").read_text())
        preset = presets.find(told["cast"]["preset"])
    except (ValueError, LookupError, TypeError) as error:
        raise FoundryError(
            f"{folder / 'card.toml'} is no card of a cast ({brief(error)}): export the world again"
        ) from error
    texts = Texts(clip.text_encoder(world.clip), world.tokenizer, torch.device("cpu"))
    pictures, attributes = [], []
    for name in FAMILIES:
        rng = torch.Generator().manual_seed(data.seed_of("judge", name))
        drawn = data.scene(name).draw(rng, effort.held, preset.data.size)
        pictures.append((drawn.pictures * 255).round() / 127.5 - 1)
        attributes += drawn.attributes
    family = torch.arange(len(FAMILIES)).repeat_interleave(effort.held)
    first = tomllib.loads(FIRST.read_text())["figures"]
    held = torch.cat(pictures)
    made = Bench(world, told, preset, texts, held, family, attributes, sheets, effort, folder, first)
    print(f"  {'figure':<62} {'value':>9} {'first':>9}   goal")
    made.put("loading the parts, seconds", took, "<= 3")
    return made


def pictures_of(
    b: Bench, prompts: list[str], noise: Tensor, negative: str = captions.NEGATIVE, guidance: float | None = None
) -> Tensor:
    """The teacher's pictures in 0..1, by the house's own faithful decoder."""
    decoder, size = b.teacher(b.effort.steps, guidance), b.preset.data.size
    made = torch.empty(len(noise), 3, size, size)
    for prompt in dict.fromkeys(prompts):
        rows = torch.tensor([row for row, told in enumerate(prompts) if told == prompt])
        made[rows] = decoder(noise[rows], Prompt(prompt, negative))
    return made


def starts(b: Bench, count: int, seed: int) -> Tensor:
    """Start noise ``[count, c, s, s]``."""
    return torch.randn(count, *b.preset.shape, generator=torch.Generator().manual_seed(seed))


def assigned(b: Bench, pictures: Tensor) -> Tensor:
    """Zero-shot probabilities of pictures in 0..1, by the card's prompts."""
    texts = clip.text_features(b.world.clip, b.world.tokenizer, b.prompts)
    features = clip.image_features(b.world.clip, pictures * 2 - 1)
    return (b.world.clip.logit_scale.exp() * features @ texts.T).softmax(-1)


def fresh(b: Bench) -> Tensor:
    """Other held-out pictures, as many, in -1..1."""
    drawn = [
        data.scene(name).draw(
            torch.Generator().manual_seed(data.seed_of("fresh", name)), b.effort.held, b.preset.data.size
        )
        for name in FAMILIES
    ]
    return torch.cat([part.pictures for part in drawn]) * 2 - 1
