"""Judging a world on held-out seeds: a table of figures beside the first cast's, and sheets to look at."""

from __future__ import annotations

import random
import time
import tomllib
from pathlib import Path

import numpy as np
import tomli_w
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from foundry import autoencoder, captions, clip, data, gates, ladder, rifts, student
from foundry.bench import Bench, Effort, assigned, bench_for, pictures_of, starts
from foundry.data import FAMILIES
from foundry.errors import FoundryError
from foundry.files import save_picture
from foundry.measures import distance, interval, spread
from foundry.scenes.canvas import sheet
from latentworld import decoding
from latentworld.decoding import Decoder
from latentworld.disk import put
from latentworld.plane import Plane
from latentworld.prompts import Prompt

SEEDS = (0, 123, 200)
NEUTRAL = Prompt(captions.NEUTRAL, captions.NEGATIVE)
WRITE_UP = 5.0  # the guidance of the write-up, at which the families are judged too


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
    if cast is not None and not (cast / "data").is_dir():
        raise FoundryError(
            f"{cast} has no pictures of a cast to compare with: give a cast's folder, or leave --cast out"
        )
    b = bench_for(folder, sheets, effort)
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
