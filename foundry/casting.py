"""A whole cast: every stage in turn, each from what it has already. What is where in a cast's folder is stated here.

A cast lives outside the checkout, in ``~/.cache/latentworld/cast/PRESET`` unless told otherwise, since checkouts are
laid anew and a cast goes on for days.
"""

from __future__ import annotations

import dataclasses
import json
import math
import multiprocessing
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from transformers import CLIPModel, CLIPTokenizer

from foundry import (
    autoencoder,
    clip,
    data,
    encoded,
    export,
    eye,
    keeping,
    polish,
    presets,
    ranks,
    student,
    texts,
    tiny_vae,
    training,
    unet,
    weights,
)
from foundry.errors import FoundryError, brief
from foundry.machine import Machine
from foundry.presets import STAGES, TRAINED, Preset
from latentworld.disk import put

# What is thrown away when a stage trains on.
AFTER = {
    "autoencoder": ("latents", "bakeoff", "unet", "paths", "distil", "student", "polish", "eye", "tiny_vae"),
    "clip": ("bakeoff", "unet", "paths", "distil", "student", "polish", "eye", "tiny_vae"),
    "unet": ("paths", "distil", "student", "polish", "eye", "tiny_vae"),
    "distil": ("student",),
    "student": (),
    "polish": ("eye", "tiny_vae"),
    "eye": (),
    "tiny_vae": (),
}
FOLDERS = (*STAGES, "latents")
MADE_OF = {"latents": "autoencoder"}  # a folder that is no stage: by whose settings it is made
# A forked child inherits the locks of OpenMP threads that do not live on in it, and waits for ever.
SPAWN = multiprocessing.get_context("spawn")
GATED = 160  # held-out and training pictures that the teacher's gates look at


def home(preset: str) -> Path:
    """Where a cast lives unless told otherwise: under ``LATENTWORLD_CAST`` or ``~/.cache/latentworld/cast``."""
    root = os.environ.get("LATENTWORLD_CAST")
    return (Path(root) if root else Path.home() / ".cache" / "latentworld" / "cast") / preset


def settle(out: Path, preset: Preset) -> None:
    """Notes by which settings a cast's folders are made. FoundryError where one that is there was made by others: what
    is finished has no checkpoint that would say so, and pictures, latents and paths never had one."""
    path, marks = out / "settings.json", {name: preset.fingerprint(MADE_OF.get(name, name)) for name in FOLDERS}
    try:
        noted: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    except ValueError as error:
        raise FoundryError(f"{path} is damaged ({brief(error)}): delete it if no setting has changed") from error
    others = [name for name in FOLDERS if (out / name).exists() and noted.get(name, marks[name]) != marks[name]]
    if others:
        raise FoundryError(
            f"{out / others[0]} was cast with other settings: use another --cast, or delete there: {', '.join(others)}"
        )
    put(path, json.dumps(marks, indent=2).encode())


def draw_all(folder: Path, preset: Preset, machine: Machine, workers: int, count: int | None = None) -> None:
    """Draws what is missing of both splits, of ``count`` pictures of each family or of all, in so many processes."""
    if ranks.rank() == 0:
        (folder / "data").mkdir(parents=True, exist_ok=True)
        for split in ("held", "train"):
            _draw(folder / "data", split, preset, machine, workers, count)
    ranks.wait()


def _draw(folder: Path, split: str, preset: Preset, machine: Machine, workers: int, count: int | None) -> None:
    parts = data.missing(folder, split, preset.data, count)
    if not parts:
        return
    if workers < 2:
        data.draw_split(folder, split, preset.data, count, machine.breathe)
    else:
        with ProcessPoolExecutor(workers, mp_context=SPAWN) as pool:
            jobs = [pool.submit(data.draw_part, folder, split, name, preset.data, first) for name, first in parts]
            for job in jobs:
                job.result()
    machine.log(f"{split}: {len(parts)} parts of {data.PART} pictures or fewer drawn")


def with_minutes(preset: Preset, minutes: float | None) -> Preset:
    """The preset with its stages' budgets in minutes, stretched or shrunk to ``minutes`` in all."""
    if minutes is None:
        return preset
    if not (minutes > 0 and math.isfinite(minutes)):
        raise FoundryError(f"--minutes {minutes:g}: give a number above 0")
    stages = {name: getattr(preset, name) for name in TRAINED}
    factor = minutes / sum(stage.minutes for stage in stages.values())
    scaled = {
        name: dataclasses.replace(stage, minutes=stage.minutes * factor, steps=None) for name, stage in stages.items()
    }
    return dataclasses.replace(preset, **scaled)


def lengthen(out: Path, preset: Preset, stage: str, more: float) -> Preset:
    """Gives a finished stage ``more`` of its own budget (1 doubles it); what was cast from its result is thrown away.

    It goes on from where its rate began to fall, so that the fall comes once, at the end. A stage that was laid from
    `--from` has no such checkpoint: it goes on from its weights, with the budget beyond the steps they had. The new
    budget is written to the stage's folder (see `budgeted`), so that the plain command goes on with it.
    """
    if stage not in AFTER:
        raise FoundryError(f"unknown stage {stage!r}: use one of {', '.join(AFTER)}")
    if not (more > 0 and math.isfinite(more)):
        raise FoundryError(f"--more {more:g}: give a number above 0, by how much of its budget the stage trains on")
    if not any((out / stage / name).exists() for name in ("checkpoint.pt", "model/config.json")):
        raise FoundryError(f"{out / stage} has nothing to train on: cast it first")
    settle(out, preset)
    own: presets.StagePreset = getattr(preset, stage)
    steps = None if own.steps is None else own.steps * (1 + more)
    if (out / stage / "checkpoint.pt").exists():
        spent = _from_level(out / stage, preset, stage)
    else:
        step, spent = _from_weights(out / stage, preset, stage)
        steps = None if own.steps is None else step + own.steps * more
    shutil.rmtree(out / stage / "model", ignore_errors=True)
    for later in AFTER[stage]:
        shutil.rmtree(out / later, ignore_errors=True)
    longer = dataclasses.replace(
        own, minutes=spent / 60 + own.minutes * more, steps=None if steps is None else round(steps)
    )
    put(out / stage / "budget.json", json.dumps({"minutes": longer.minutes, "steps": longer.steps}).encode())
    return dataclasses.replace(preset, **{stage: longer})


def _from_level(folder: Path, preset: Preset, stage: str) -> float:
    """Sets a stage back to where its rate began to fall, if it did; the seconds it had spent there."""
    level, path = folder / "level.pt", folder / "checkpoint.pt"
    begins = level if level.exists() and stage != "polish" else path
    spent = float(training.read(begins, preset.fingerprint(stage))["spent"])
    if begins != path:
        put(path, begins.read_bytes())
    return spent


def _from_weights(folder: Path, preset: Preset, stage: str) -> tuple[int, float]:
    """Makes the weights of a finished stage the start of its training; the steps and seconds they had."""
    found = keeping.come_to(folder, preset, stage)
    assert found is not None  # `lengthen` has seen them
    record, state = found
    weights.write(folder / "start", dataclasses.replace(record, finished=False), state)
    return record.step, record.spent


def budgeted(out: Path, preset: Preset) -> Preset:
    """The preset with the budgets of stages that were made longer."""
    for stage in TRAINED:
        path = out / stage / "budget.json"
        if path.exists():
            own: presets.StagePreset = getattr(preset, stage)
            preset = dataclasses.replace(preset, **{stage: dataclasses.replace(own, **json.loads(path.read_text()))})
    return preset


def cast_world(out: Path, preset: Preset, machine: Machine, until: str, workers: int = 1) -> export.World | None:
    """Every stage in turn; None if asked to stop before the last one."""
    if ranks.rank() == 0:
        out.mkdir(parents=True, exist_ok=True)
        settle(out, preset)
    ranks.wait()
    draw_all(out, preset, machine, workers, preset.data.early)
    early = data.load_split(out / "data", "train", preset.data, preset.data.early)
    vae = None
    if until != "data":
        first = data.load_split(out / "data", "held", preset.data, preset.data.early)
        vae = autoencoder.cast(out / "autoencoder", preset, early, first, machine)
    if until == "autoencoder":
        return None
    draw_all(out, preset, machine, workers)
    if vae is None:
        return None
    train, held = (data.load_split(out / "data", split, preset.data) for split in ("train", "held"))
    seer, tokenizer = clip.cast(out / "clip", preset, train, held, machine)
    if until == "clip":
        return None
    spoken = texts.Texts(clip.text_encoder(seer), tokenizer, machine.device)
    latents = encoded.latents_of(out / "latents" / "train", vae, train, machine)
    shown = encoded.latents_of(out / "latents" / "held", vae, held, machine, mirrors=False)
    ground = unet.Ground(
        train, latents, vae, spoken, unet.some(held, shown, GATED), unet.some(train, latents, GATED), machine
    )
    if until == "bakeoff":
        unet.bake_off(out / "bakeoff", preset, ground)
        return None
    return _from_teacher(out, preset, ground, held, seer, tokenizer, until)


def _from_teacher(
    out: Path, preset: Preset, ground: unet.Ground, held: data.Split, seer: CLIPModel,
    tokenizer: CLIPTokenizer, until: str,
) -> export.World | None:  # fmt: skip
    """The teacher and what is cast from it."""
    teacher = unet.cast(out / "unet", preset, ground)
    if until == "unet":
        return None
    pupil = student.cast(out / "student", preset, ground, teacher, seer, tokenizer)
    if until in ("paths", "distil", "student"):
        return None
    vae = polish.cast(out / "polish", preset, ground, teacher, held)
    if until == "polish":
        return None
    given = polish.answers(out / "polish" / "answers", teacher, ground, polish.ANSWERS)
    eyes = eye.cast(out / "eye", preset, ground, held, seer, tokenizer, vae, given)
    if until == "eye":
        return None
    tiny = tiny_vae.cast(out / "tiny_vae", preset, ground, given, vae)
    return export.World(vae, tiny, eyes, tokenizer, teacher, pupil)


def cast_here(out: Path, preset: Preset, machine: Machine, until: str, workers: int) -> None:
    """A cast in this process, which may be one of several; the first writes the world."""
    world = cast_world(out, preset, machine, until, workers)
    if world is not None and ranks.rank() == 0:
        machine.log(f"world: {export.export(world, preset, out / 'world', {'stages': export.history(out)})}")
