"""Writes a world: StableDiffusionPipeline's own layout, CLIP, student and tiny decoder beside it, fp16 safetensors.

Older and newer libraries load it alike: `vocab.json` and `merges.txt` stand beside every tokenizer, and
`preprocessor_config.json` beside CLIP, which transformers before 5 want; and the text encoder's tensors are named
``text_model.*`` as they were before 5 (which reads both), since diffusers would else silently paint garbage.
"""

from __future__ import annotations

import copy
import datetime
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import tomli_w
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, AutoencoderTiny, StableDiffusionPipeline, UNet2DConditionModel
from safetensors import SafetensorError
from transformers import CLIPModel, CLIPTokenizer

from foundry import autoencoder, captions, clip, data, diffusion, tiny_vae, training, unet, weights, words
from foundry.data import FAMILIES, Split, scene
from foundry.errors import FoundryError, brief
from foundry.presets import Preset


@dataclass(frozen=True)
class World:
    """The parts of a world."""

    vae: AutoencoderKL
    tiny_vae: AutoencoderTiny
    clip: CLIPModel
    tokenizer: CLIPTokenizer
    unet: UNet2DConditionModel
    student: UNet2DConditionModel


STACKS = "diffusers 0.30 and 0.42, transformers 4.46 and 5.23"
MODEL_CARD = """---
license: mit
library_name: diffusers
pipeline_tag: text-to-image
---
# The embedded world of latentworld

A small latent diffusion model and a small CLIP, cast by this project's `foundry` from procedural pictures it draws
itself: no outside data, no outside weights. {size}² pictures, latents {latent}, {parameters:.1f} million parameters in
the UNet. Families: {families}.

    from diffusers import StableDiffusionPipeline
    pipe = StableDiffusionPipeline.from_pretrained("path/of/this/folder")
    pipe("a ginger cat sitting", negative_prompt="blurry, ugly, stock photo", guidance_scale={guidance}).images[0]

    from transformers import CLIPModel, CLIPProcessor
    eye = CLIPModel.from_pretrained("path/of/this/folder", subfolder="clip")
    processor = CLIPProcessor.from_pretrained("path/of/this/folder", subfolder="clip")

v-prediction with zero terminal SNR and trailing timesteps, so that dark skies are dark. `student/` holds a UNet and
scheduler for a few steps without guidance; `tiny_vae/` is a fast `AutoencoderTiny` of the same latents.
Judged figures are in `card.toml`. Written for {stacks}.

It knows its families and nothing else; words that it was not taught carry no meaning, though they
may change the picture. The card lists its words.
"""


def card(preset: Preset, facts: dict[str, Any]) -> dict[str, Any]:
    """The world card."""
    return {
        "name": "embedded",
        "title": "The embedded world",
        "description": "Planets, moons, mountains, seas, cats, ornaments, textures and flowers, cast by this project.",
        "size": preset.data.size,
        "latent": list(preset.shape),
        "prediction": "v_prediction",
        "provisional": False,
        "defaults": {
            "prompt": captions.NEUTRAL,
            "negative_prompt": captions.NEGATIVE,
            "steps": 50,
            "guidance": preset.guidance,
            "scout_steps": preset.student_steps,
            "scout_guidance": 1.0,
        },
        "families": [{"name": scene(f).FAMILY, "prompt": scene(f).PROMPT, "scene": f} for f in FAMILIES],
        "cast": {"preset": preset.name, "date": datetime.date.today().isoformat(), "pictures": preset.data.train * 8},
        "figures": {},
        **facts,
    }


@torch.no_grad()
def colours_of(vae: AutoencoderKL, preset: Preset, each: int = 8) -> dict[str, Any]:
    """How latents look at a glance: the linear map from scaled latents to pictures in -1..1, one pixel a cell, by least
    squares over ``each`` scenes of every family."""
    drawn = [
        scene(f).draw(torch.Generator().manual_seed(data.seed_of("glance", f)), each, preset.data.size)
        for f in FAMILIES
    ]
    pictures = torch.cat([part.pictures for part in drawn]) * 2 - 1
    latents = torch.cat([autoencoder.encode(vae, part) for part in pictures.split(8)]).transpose(0, 1).flatten(1)
    wanted = F.avg_pool2d(pictures, preset.shapes.factor).transpose(0, 1).flatten(1)
    known = torch.cat([latents, torch.ones(1, latents.shape[1])]).double()
    gram = known @ known.T + 1e-6 * known.shape[1] * torch.eye(len(known), dtype=torch.float64)  # a channel may be idle
    fitted = torch.linalg.solve(gram, known @ wanted.T.double())
    rows = [[round(float(value), 4) for value in row] for row in fitted]
    return {"factors": rows[:-1], "bias": rows[-1]}


def export(world: World, preset: Preset, folder: Path, facts: dict[str, Any] | None = None) -> Path:
    """Writes the world beside ``folder`` and then moves it into place."""
    replaceable(folder)
    side = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(side, ignore_errors=True)
    told = card(preset, {"colours": colours_of(world.vae, preset), **(facts or {})})
    known = words.understood(world.tokenizer.get_vocab())
    told["words"] = known["any"]
    told["families"] = [{**row, "words": known[row["name"]]} for row in told["families"]]
    write_models(world, preset, side)
    for config in side.rglob("config.json"):
        without_place(config)
    for part in ("text_encoder", "clip"):
        widen(side / part / "config.json")
    named_as_before(side / "text_encoder" / "model.safetensors")
    for part in ("tokenizer", "clip"):
        older_tokenizer(world.tokenizer, side / part)
    older_processor(preset, side / "clip")
    (side / "card.toml").write_bytes(tomli_w.dumps(told).encode())
    latent, names = "x".join(map(str, told["latent"])), ", ".join(row["name"] for row in told["families"])
    millions = sum(p.numel() for p in world.unet.parameters()) / 1e6
    text = MODEL_CARD.format(size=preset.data.size, latent=latent, parameters=millions, families=names,
                             guidance=told["defaults"]["guidance"], stacks=STACKS)  # fmt: skip
    (side / "README.md").write_text(text)
    swap(side, folder)
    return folder


def write_models(world: World, preset: Preset, side: Path) -> None:
    """All parts in half precision, in their libraries' own layouts; the parts themselves are left as they were."""
    pipe = StableDiffusionPipeline(
        vae=world.vae, text_encoder=clip.text_encoder(world.clip).half(), tokenizer=world.tokenizer, unet=world.unet,
        scheduler=diffusion.scheduler(), safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    half = [world.vae, world.tiny_vae, world.clip, world.unet, world.student]
    kept = [{key: value.clone() for key, value in part.state_dict().items()} for part in half]
    for part in half:
        part.half()
    pipe.save_pretrained(side, safe_serialization=True)
    world.clip.save_pretrained(side / "clip")
    clip.processor(preset, world.tokenizer).save_pretrained(side / "clip")
    world.student.save_pretrained(side / "student" / "unet")
    diffusion.scheduler().save_pretrained(side / "student" / "scheduler")
    world.tiny_vae.save_pretrained(side / "tiny_vae")
    for part, state in zip(half, kept, strict=True):
        part.float().load_state_dict(state)


def without_place(path: Path) -> None:
    """Takes out of a configuration where the part lay when it was cast: it says nothing elsewhere, and a world's digest
    would hang on it."""
    told = json.loads(path.read_text())
    told.pop("_name_or_path", None)
    path.write_text(json.dumps(told, indent=2, sort_keys=True) + "\n")


def named_as_before(path: Path) -> None:
    """Gives a text encoder's tensors the prefix ``text_model.`` where they lack it."""
    state = safetensors.torch.load_file(path)
    prefix = "text_model."
    named = {name if name.startswith(prefix) else prefix + name: tensor for name, tensor in state.items()}
    safetensors.torch.save_file(named, path, metadata={"format": "pt"})


def older_tokenizer(tokenizer: CLIPTokenizer, folder: Path) -> None:
    """`vocab.json` and `merges.txt` of a tokenizer, from which transformers before 5 build theirs."""
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    pairs = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"], ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(pairs) + "\n")


def older_processor(preset: Preset, folder: Path) -> None:
    """`preprocessor_config.json` instead of version 5's `processor_config.json`, at which older ones stumble; both read
    the former."""
    (folder / "processor_config.json").unlink(missing_ok=True)
    size = preset.data.size
    told = {
        "crop_size": {"height": size, "width": size}, "do_center_crop": True, "do_convert_rgb": True,
        "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": list(clip.MEAN),
        "image_processor_type": "CLIPImageProcessor", "image_std": list(clip.STD), "resample": 3,
        "rescale_factor": 1 / 255, "size": {"shortest_edge": size},
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(told, indent=2) + "\n")


def widen(path: Path) -> None:
    """Halves on disk, but float32 when loaded: transformers follows the config, diffusers does so by itself."""
    told = json.loads(path.read_text())
    for part in (told, told.get("text_config", {}), told.get("vision_config", {})):
        part.pop("torch_dtype", None)
        part["dtype"] = "float32"
    path.write_text(json.dumps(told, indent=2, sort_keys=True) + "\n")


def load(folder: Path) -> World:
    """The parts of a world on disk, float32, through the libraries' own loaders."""
    if not folder.is_dir():
        raise FoundryError(f"{folder} is no folder: give that of a world")
    wanted = [f"{part}/config.json" for part in ("vae", "tiny_vae", "clip", "unet", "student/unet")]
    if lacking := [name for name in wanted if not (folder / name).exists()]:
        raise FoundryError(f"{folder} is no whole world (it lacks {', '.join(lacking)}): cast or export it again")
    try:
        return World(
            AutoencoderKL.from_pretrained(folder / "vae", local_files_only=True).eval(),
            AutoencoderTiny.from_pretrained(folder / "tiny_vae", local_files_only=True).eval(),
            CLIPModel.from_pretrained(folder / "clip", local_files_only=True).eval(),
            CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True),
            UNet2DConditionModel.from_pretrained(folder / "unet", local_files_only=True).eval(),
            UNet2DConditionModel.from_pretrained(folder / "student" / "unet", local_files_only=True).eval(),
        )
    except (OSError, ValueError, RuntimeError, LookupError, TypeError, SafetensorError) as error:
        raise FoundryError(f"{folder} is no whole world ({brief(error)}): cast or export it again") from error


def so_far(out: Path, preset: Preset, split: Split) -> World:
    """The world of an unfinished cast: averaged weights of what is training, fresh or borrowed parts for the rest."""
    tokenizer = clip.tokenizer_for(out / "tokenizer", preset, split)
    shape = unet.chosen(out, preset) or preset.shapes.unets[0]
    vae = current(out / "autoencoder", autoencoder.build(preset), AutoencoderKL)
    vae = current(out / "polish", vae, AutoencoderKL) if (out / "polish" / "model").exists() else vae
    teacher = current(out / "unet", unet.build(preset, shape), UNet2DConditionModel)
    pupil = copy.deepcopy(teacher)
    if any((out / "student" / part).exists() for part in ("model", "checkpoint.pt")):
        pupil = current(out / "student", pupil, UNet2DConditionModel)
    tiny = current(out / "tiny_vae", tiny_vae.build(preset), AutoencoderTiny)
    seer = current(out / "clip", clip.build(preset, tokenizer), CLIPModel)
    return World(vae, tiny, current(out / "eye", seer, CLIPModel), tokenizer, teacher, pupil)


def history(out: Path) -> dict[str, dict[str, float]]:
    """Steps and minutes of every stage of a cast, for the card."""
    told = {}
    for path in sorted(out.glob(f"*/{weights.RESTORED}")):  # trained elsewhere
        kept = weights.record(path)
        told[path.parent.name] = {"steps": kept.step, "minutes": round(kept.spent / 60, 1)}
    for path in sorted(out.glob("*/log.tsv")):
        step, seconds, *_ = path.read_text().splitlines()[-1].split("\t")
        told[path.parent.name] = {"steps": int(step), "minutes": round(int(seconds) / 60, 1)}
    return told


def current(folder: Path, fresh: Any, kind: Any) -> Any:
    """What a stage has come to: its result, else the average in its checkpoint, else ``fresh``."""
    if (folder / "model" / "config.json").exists():
        return kind.from_pretrained(folder / "model").eval()
    if (folder / "checkpoint.pt").exists():
        averages = training.opened(folder / "checkpoint.pt")["averages"]
        fresh.load_state_dict(averages[min(averages)])
    return fresh.eval()


def replaceable(folder: Path) -> None:
    """Raises FoundryError for a folder that holds something and is no world: exporting replaces what is there."""
    told = any((folder / name).exists() for name in ("card.toml", "model_index.json"))
    if folder.exists() and not told and (not folder.is_dir() or any(folder.iterdir())):
        raise FoundryError(f"{folder} is there and is no world: it would be replaced, so name another folder")


def swap(side: Path, folder: Path) -> None:
    """Puts ``side`` in the place of ``folder``, keeping files of ours that are not part of a world."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        for kept in folder.glob("*.py"):
            shutil.copy2(kept, side / kept.name)
        folder.rename(old)
    side.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
