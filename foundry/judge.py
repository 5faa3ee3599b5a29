"""Judging a world on held-out seeds: a table of figures beside the first cast's, and sheets to look at."""

from __future__ import annotations

import random
import time
import tomllib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from foundry import autoencoder, captions, clip, data, export, gates, ladder, presets, rifts, student
from foundry.data import FAMILIES
from foundry.errors import FoundryError
from foundry.files import save_picture
from foundry.machine import Machine
from foundry.measures import distance, interval, spread
from foundry.presets import Preset
from foundry.scenes.canvas import sheet
from foundry.texts import Texts
from latentworld import decoding, device, worlds
from latentworld.decoding import Decoder
from latentworld.disk import put
from latentworld.plane import Plane
from latentworld.prompts import Prompt

SEEDS = (0, 123, 200)
NEUTRAL = Prompt(captions.NEUTRAL, captions.NEGATIVE)
WRITE_UP = 5.0  # the guidance of the write-up, at which the families are judged too
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


def bench(folder: Path, sheets: Path, effort: Effort) -> Bench:
    """Loads the world and draws the held-out pictures."""
    began = time.perf_counter()
    world = export.load(folder)
    took = time.perf_counter() - began
    if not (folder / "card.toml").exists():
        raise FoundryError(f"{folder / 'card.toml'} is not there: export the world again")
    told = tomllib.loads((folder / "card.toml").read_text())
    preset = presets.find(told["cast"]["preset"])
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


def psnr_by_family(b: Bench, values: Tensor) -> None:
    """Mean decibels of each family, of all, and of the worst."""
    for index, name in enumerate(FAMILIES):
        b.put(f"autoencoder PSNR, {name}", values[b.family == index].mean())
    b.put("autoencoder PSNR, mean", values.mean(), ">= 29.5")
    worst = min(float(values[b.family == index].mean()) for index in range(len(FAMILIES)))
    b.put("autoencoder PSNR, worst family", worst, ">= 25")


@torch.no_grad()
def judge_autoencoder(b: Bench) -> None:
    """Gates G1 and G5; PSNR per family of the full autoencoder, and of the tiny decoder."""
    latents = torch.cat([autoencoder.encode(b.world.vae, part) for part in b.held.split(16)])
    again = torch.cat([autoencoder.decode(b.world.vae, part) for part in latents.split(16)])
    quick = torch.cat([autoencoder.decode(b.world.tiny_vae, part) for part in latents.split(16)])
    real = b.held / 2 + 0.5
    psnr_by_family(b, gates.psnr(real, again))
    b.put("tiny decoder PSNR, mean", gates.psnr(real, quick).mean())
    goals = {**gates.G1, **gates.G5}
    for name, value in gates.autoencoder_figures(b.world.vae, b.held).items():
        b.put(f"autoencoder: {name}", value, str(goals.get(name, "")))
    b.put("tiny decoder: finest", gates.finest(quick).mean() / gates.finest(real).mean())
    rows = torch.cat([(b.family == k).nonzero()[:2, 0] for k in range(len(FAMILIES))])
    triples = torch.stack([real[rows], again[rows], quick[rows]], 1).flatten(0, 1)
    save_picture(b.sheets / "reconstructions.png", sheet(triples, 12))
    b.shown["reconstructions"], b.shown["latents"] = again, latents


@torch.no_grad()
def judge_ladder(b: Bench) -> None:
    """Gate G3: what the teacher keeps of a real picture that was noised, and its held-out losses."""
    words, rows = random.Random(1), torch.arange(0, len(b.held), max(1, len(b.held) // b.effort.climbed))
    told = [data.scene(FAMILIES[int(b.family[row])]).describe(b.attributes[row], words) for row in rows.tolist()]
    real = ladder.Pictures(b.shown["latents"][rows], told)
    figures = ladder.ladder(b.world.unet, b.world.vae, b.texts, real, b.machine)
    figures |= ladder.ladder(b.world.unet, b.world.vae, b.texts, real, b.machine, guidance=1.0)
    figures |= ladder.losses(b.world.unet, b.texts, real, b.machine)
    for name, value in figures.items():
        b.put(f"teacher: {name}", value, str(gates.G3.get(name, "")))


@torch.no_grad()
def judge_clip(b: Bench) -> None:
    """Zero-shot accuracy over families, and retrieval of held-out pictures by their captions."""
    zero_shot = assigned(b, b.held / 2 + 0.5)
    again = assigned(b, b.shown["reconstructions"])
    b.put("CLIP zero-shot accuracy", (zero_shot.argmax(1) == b.family).float().mean(), ">= 0.97")
    b.put("CLIP zero-shot accuracy on decoded pictures", (again.argmax(1) == b.family).float().mean())
    b.put("CLIP share of held-out pictures with >= 0.9", (zero_shot.max(1).values >= 0.9).float().mean())
    words = random.Random(0)
    told = [data.scene(FAMILIES[int(k)]).describe(a, words) for k, a in zip(b.family, b.attributes, strict=True)]
    match = clip.text_features(b.world.clip, b.world.tokenizer, told) @ clip.image_features(b.world.clip, b.held).T
    better = (match > match.diagonal()[:, None]).sum(1)
    b.put(f"CLIP retrieval by caption, top 1 of {len(told)}", (better == 0).float().mean())
    b.put(f"CLIP retrieval by caption, top 10 of {len(told)}", (better < 10).float().mean())


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


@torch.no_grad()
def judge_neutral(b: Bench) -> None:
    """Shares of the families under the neutral prompt, what the negative prompt does, student against teacher."""
    noise = starts(b, b.effort.neutral, 1000)
    prompts = [captions.NEUTRAL] * len(noise)
    made = pictures_of(b, prompts, noise)
    seen = assigned(b, made)
    b.put("neutral prompt: share assigned with >= 0.9", (seen.max(1).values >= 0.9).float().mean(), ">= 0.88")
    shares = torch.bincount(seen.argmax(1), minlength=len(FAMILIES)) / len(noise)
    for name, share in zip(FAMILIES, shares.tolist(), strict=True):
        b.put(f"neutral prompt: share of {name}", share)
    b.put("neutral prompt: families with >= 4%", int((shares >= 0.04).sum()), "8")
    save_picture(b.sheets / "neutral.png", sheet(made[:48], 8))
    few = min(48, len(noise))
    plain = pictures_of(b, prompts[:few], noise[:few], negative="")
    poor = clip.text_features(b.world.clip, b.world.tokenizer, [captions.NEGATIVE])[0]
    towards = [clip.image_features(b.world.clip, x[:few] * 2 - 1) @ poor for x in (plain, made)]
    b.put("negative prompt: CLIP similarity to it, without", towards[0].mean())
    b.put("negative prompt: CLIP similarity to it, with", towards[1].mean(), "lower")
    strength = [gates.edges(x[:few]).mean() for x in (plain, made)]
    b.put("negative prompt: edge strength, with over without", strength[1] / strength[0], "> 1")
    b.shown["neutral"], b.shown["seen"], b.shown["noise"] = made, seen, noise


@torch.no_grad()
def judge_student(b: Bench) -> None:
    """The student against the teacher, from the same noise under the neutral prompt."""
    made, seen, noise = b.shown["neutral"], b.shown["seen"], b.shown["noise"]
    prompts = [captions.NEUTRAL] * len(noise)
    model, steps = b.world.student, b.student_steps
    x = torch.cat([student.sample(model, b.texts, prompts[: len(part)], part, steps) for part in noise.split(32)])
    quick = torch.cat([autoencoder.decode(b.world.vae, part) for part in x.split(16)])
    told = assigned(b, quick)
    hits = int((told.argmax(1) == seen.argmax(1)).sum())
    low, high = interval(hits, len(noise))
    b.put("student: same family as the teacher", hits / len(noise), f">= 0.86 (95%: {low:.3f} to {high:.3f})")
    b.put("student: share assigned with >= 0.9", (told.max(1).values >= 0.9).float().mean())
    features = [clip.image_features(b.world.clip, p * 2 - 1) for p in (made, quick)]
    b.put("student: feature distance to the teacher", (features[0] - features[1]).norm(dim=1).mean())
    b.put("feature distance of two teacher pictures", (features[0] - features[0].roll(1, 0)).norm(dim=1).mean())
    save_picture(b.sheets / "student.png", sheet(torch.stack([made[:24], quick[:24]], 1).flatten(0, 1), 12))


@torch.no_grad()
def judge_families(b: Bench) -> None:
    """Each family's own prompt at the default guidance and at the write-up's, and its Cassini prompt."""
    wanted = torch.arange(len(FAMILIES)).repeat_interleave(b.effort.family)
    noise, prompts = starts(b, len(wanted), 2000), [b.prompts[int(k)] for k in wanted]
    b.put("real against fresh real: distance", distance(*b.real))
    made = pictures_of(b, prompts, noise)
    right = (assigned(b, made).argmax(1) == wanted).float()
    for index, name in enumerate(FAMILIES):
        b.put(f"own prompt gives its family, {name}", right[wanted == index].mean())
    rows = torch.cat([(wanted == k).nonzero()[:8, 0] for k in range(len(FAMILIES))])
    cassini = pictures_of(b, [captions.CASSINI] * 8, starts(b, 8, 3000), captions.CASSINI_NEGATIVE)
    share = (assigned(b, cassini).argmax(1) <= 1).float().mean()
    b.put("the write-up's Cassini prompt gives planets or moons", share)
    save_picture(b.sheets / "families.png", sheet(torch.cat([made[rows], cassini]), 8))
    own_prompts(b, made, wanted)
    if b.guidance != WRITE_UP:
        own_prompts(b, pictures_of(b, prompts, noise, guidance=WRITE_UP), wanted, f", guidance {WRITE_UP:g}")


def own_prompts(b: Bench, made: Tensor, wanted: Tensor, at: str = "") -> None:
    """How far pictures ``made [n, 3, s, s]`` in 0..1 of the families ``wanted [n]`` are from held-out scenes.

    ``at`` stands behind the figures' names.
    """
    right = (assigned(b, made).argmax(1) == wanted).float()
    b.put(f"own prompt gives its family, all{at}", right.mean(), "1")
    features, scenes = clip.image_features(b.world.clip, made * 2 - 1), b.held / 2 + 0.5
    for name, value, goal in (
        ("excess distance to held-out scenes", distance(features, b.real[0]) - distance(*b.real), "<= 60"),
        ("spread within a family over real", spread(features, wanted) / spread(b.real[0], b.family), ">= 0.65"),
        ("finest energy over real", gates.finest(made).mean() / gates.finest(scenes).mean(), "0.7 to 1.1"),
        ("edges over real", gates.edges(made).mean() / gates.edges(scenes).mean(), "0.97 to 1.05"),
    ):
        b.put(f"own prompts: {name}{at}", value, goal)


def fresh(b: Bench) -> Tensor:
    """Other held-out pictures, as many, in -1..1."""
    drawn = [
        data.scene(name).draw(
            torch.Generator().manual_seed(data.seed_of("fresh", name)), b.effort.held, b.preset.data.size
        )
        for name in FAMILIES
    ]
    return torch.cat([part.pictures for part in drawn]) * 2 - 1


@torch.no_grad()
def judge_copies(b: Bench, cast: Path) -> None:
    """Distance to the nearest training picture, of samples and of held-out pictures, both through the autoencoder."""
    split = data.load_split(cast / "data", "train", b.preset.data)
    small = torch.cat([F.interpolate(split.batch(rows), (24, 24), mode="area").flatten(1)
                       for rows in torch.arange(0, len(split), 2).split(256)])  # fmt: skip
    near = []
    for pictures in (b.shown["neutral"], b.shown["reconstructions"]):
        mine = F.interpolate(pictures * 2 - 1, (24, 24), mode="area").flatten(1)
        near.append(torch.cdist(mine, small).min(1).values.median())
    b.put("nearest training picture: samples over held-out", near[0] / near[1], "about 1; far below 1 is copying")


@torch.no_grad()
def judge_rifts(b: Bench) -> None:
    """A survey of the write-up's plane, and a dive into its strongest rift: the teacher's, then the student's."""
    plane, teacher = rifts.plane(b.preset.shape, SEEDS), b.teacher(b.effort.rift_steps)
    dived = survey(b, plane, f"rifts, teacher in {b.effort.rift_steps} steps", teacher, (">= 12", ">= 40"))
    survey(b, plane, "rifts, student", decoding.scout_decoder(b.ours, **b.engine), ("", ""))
    across = [rifts.window(plane, zoom.centre, zoom.width, 9)[4, :8] for zoom in dived if zoom.sound]
    grid = rifts.drawn(rifts.window(plane, (0.5, 0.5), 1.0, 8)).reshape(-1, 3)
    for name, units in (("grid", grid), ("rift", np.concatenate(across or [grid]))):
        save_picture(b.sheets / f"{name}.png", sheet(teacher(plane.latents(units), NEUTRAL), 8))


def survey(b: Bench, plane: Plane, name: str, decoder: Decoder, goals: tuple[str, str]) -> list[rifts.Zoom]:
    """Figures and a sheet of a decoder's field under the neutral prompt; only rates above rounding count."""

    def eye(latents: Tensor) -> Tensor:
        return torch.cat([
            clip.image_features(b.world.clip, decoder(part, NEUTRAL) * 2 - 1)
            for part in tqdm(latents.split(32), desc=name, leave=False, mininterval=15, disable=None)
        ])  # fmt: skip

    rates, contrast, median = rifts.survey(plane, eye, b.effort.survey)
    b.put(f"{name}: 99th percentile over median, {b.effort.survey}²", contrast, goals[0])
    if not median:
        return []  # the pictures do not move at all
    zooms, width = rifts.dive(plane, eye, rates, b.effort.depth, b.effort.zoom)
    for zoom in zooms:
        b.put(f"{name}: largest over median, window {zoom.width:.0e}", zoom.largest, f"floor {zoom.floor:.2g}")
    b.put(f"{name}: largest over median, any scale", max((z.largest for z in zooms if z.sound), default=0.0), goals[1])
    b.put(f"{name}: window at which it stops growing", width)
    scaled = torch.from_numpy(rifts.drawn(rates / median / 10).copy()).clamp(0, 1).float()[None, None]
    picture = F.interpolate(scaled, scale_factor=8)[0].expand(3, -1, -1)
    save_picture(b.sheets / f"field-{name.split()[1].strip(',')}.png", picture)
    return zooms


@torch.no_grad()
def judge_speed(b: Bench) -> None:
    """Milliseconds a picture of the student, full and tiny decoder, on the threads there are."""
    noise = starts(b, 16, 5)
    for name, vae in (("full", b.world.vae), ("tiny", b.world.tiny_vae)):
        best = float("inf")
        for _ in range(3):
            began = time.perf_counter()
            x = student.sample(b.world.student, b.texts, [captions.NEUTRAL] * 16, noise, b.student_steps)
            clip.image_features(b.world.clip, autoencoder.decode(vae, x) * 2 - 1)
            best = min(best, (time.perf_counter() - began) / 16)
        b.put(f"student picture with the {name} decoder, ms", best * 1000, "<= 36" if name == "tiny" else "")


def judge(folder: Path, sheets: Path, cast: Path | None, effort: Effort, write: bool) -> dict[str, float]:
    """All judges in turn. With ``write`` the figures go into the world's card."""
    sheets.mkdir(parents=True, exist_ok=True)
    b = bench(folder, sheets, effort)
    judge_autoencoder(b)
    judge_clip(b)
    judge_ladder(b)
    judge_neutral(b)
    judge_student(b)
    judge_families(b)
    if cast is not None:
        judge_copies(b, cast)
    judge_rifts(b)
    judge_speed(b)
    figures = {name: round(value, 5) for name, (value, _) in b.figures.items()}
    put(sheets / "figures.toml", tomli_w.dumps(figures).encode())
    if write:
        told = tomllib.loads((folder / "card.toml").read_text())
        told["figures"] = figures
        put(folder / "card.toml", tomli_w.dumps(told).encode())
    return figures
