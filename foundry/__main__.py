"""The command line of the foundry: ``python -m foundry cast --preset cpu --out FOLDER``."""

from __future__ import annotations

import dataclasses
import multiprocessing
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated

import torch
import typer

from foundry import autoencoder, clip, data, export, eye, judge, presets, student, tiny_vae, training, unet
from foundry.errors import FoundryError
from foundry.presets import Preset

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
AFTER = {
    "autoencoder": ("unet", "student", "eye", "tiny_vae"),
    "clip": ("unet", "student", "eye"),
    "unet": ("student",),
    "student": (),
    "eye": (),
    "tiny_vae": (),
}
# A forked child inherits the locks of OpenMP threads that do not live on in it, and waits for ever.
SPAWN = multiprocessing.get_context("spawn")
STAGES = ("data", "autoencoder", "clip", "unet", "student", "eye", "tiny_vae")


def draw_all(folder: Path, preset: Preset, workers: int) -> None:
    """Draws both splits, families spread over processes."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    kept, mark = folder / "data" / "fingerprint", preset.fingerprint("data")
    if kept.exists() and kept.read_text() != mark:
        raise FoundryError(f"{kept}: pictures were drawn with other settings: use another --out, or delete the folder")
    kept.write_text(mark)
    for split in ("held", "train"):
        data.draw_split(folder / "data", split, preset.data, families=())
        with ProcessPoolExecutor(workers, mp_context=SPAWN) as pool:
            jobs = [pool.submit(data.draw_split, folder / "data", split, preset.data, (f,)) for f in data.FAMILIES]
            for job, family in zip(jobs, data.FAMILIES, strict=True):
                job.result()
                print(f"{split}: {family} drawn", flush=True)


def with_minutes(preset: Preset, minutes: float | None) -> Preset:
    """The preset with its stages' budgets stretched or shrunk to ``minutes`` in all."""
    if minutes is None:
        return preset
    stages = {name: getattr(preset, name) for name in STAGES[1:]}
    factor = minutes / sum(stage.minutes for stage in stages.values())
    scaled = {name: dataclasses.replace(stage, minutes=stage.minutes * factor) for name, stage in stages.items()}
    return dataclasses.replace(preset, **scaled)


def lengthen(out: Path, preset: Preset, stage: str, minutes: float) -> Preset:
    """Lets a finished stage train on for so many minutes; what was cast from its result is thrown away."""
    if stage not in AFTER:
        raise FoundryError(f"unknown stage {stage!r}: use one of {', '.join(AFTER)}")
    path = out / stage / "checkpoint.pt"
    if not path.exists():
        raise FoundryError(f"{path} is not there, so there is nothing to train on: cast it first")
    spent = training.read(path, preset.fingerprint(stage))["spent"] / 60
    shutil.rmtree(out / stage / "model", ignore_errors=True)
    for later in AFTER[stage]:
        shutil.rmtree(out / later, ignore_errors=True)
    return dataclasses.replace(preset, **{stage: dataclasses.replace(getattr(preset, stage), minutes=spent + minutes)})


def cast_world(out: Path, preset: Preset, where: torch.device, until: str) -> export.World | None:
    """Every stage in turn, each from what it has already; None if asked to stop before the last one."""
    train, held = (data.load_split(out / "data", split, preset.data) for split in ("train", "held"))
    vae = autoencoder.cast(out / "autoencoder", preset, train, held, where)
    if until == "autoencoder":
        return None
    seer, tokenizer = clip.cast(out / "clip", preset, train, held, where)
    if until == "clip":
        return None
    texts = unet.Texts(clip.text_encoder(seer), tokenizer, where)
    teacher = unet.cast(out / "unet", preset, train, vae, texts, where)
    if until == "unet":
        return None
    pupil = student.cast(out / "student", preset, train, teacher, texts, where)
    if until == "student":
        return None
    latents = unet.latents_of(out / "unet" / "latents.npy", vae, train, preset.bfloat16)
    eyes = eye.cast(out / "eye", preset, train, held, seer, tokenizer, vae, latents, where)
    tiny = tiny_vae.cast(out / "tiny_vae", preset, train, latents, where)
    return export.World(vae, tiny, eyes, tokenizer, teacher, pupil)


@app.command()
def cast(
    preset: Annotated[str, typer.Option(help="tiny, cpu or gpu")] = "cpu",
    out: Annotated[Path, typer.Option(help="folder of the cast, made or resumed")] = Path(".cast/cpu"),
    minutes: Annotated[float | None, typer.Option(help="training time in all; default: the preset's")] = None,
    longer: Annotated[str | None, typer.Option(help="a finished stage to train on for --minutes")] = None,
    until: Annotated[str, typer.Option(help=f"stop after this stage: {', '.join(STAGES)}")] = STAGES[-1],
    device: str = "cpu",
    workers: int = 2,
) -> None:
    """Casts a world: draws the pictures, trains every stage, resuming where it stopped; writes it to OUT/world."""
    chosen = presets.find(preset)
    if longer is not None:
        chosen = lengthen(out, chosen, longer, chosen.unet.minutes if minutes is None else minutes)
    else:
        chosen = with_minutes(chosen, minutes)
    if until not in STAGES:
        raise FoundryError(f"unknown stage {until!r}: use one of {', '.join(STAGES)}")
    draw_all(out, chosen, workers)
    if until == "data":
        return
    world = cast_world(out, chosen, torch.device(device), until)
    if world is not None:
        print(f"world: {export.export(world, chosen, out / 'world', {'stages': export.history(out)})}")


@app.command()
def adopt(
    world: Annotated[Path, typer.Argument(help="folder of a world cast earlier, such as the embedded one")],
    out: Annotated[Path, typer.Option(help="folder of a new cast")] = Path(".cast/cpu"),
) -> None:
    """Begins a cast from a world's weights: all but the UNet and its student are kept, and `cast` trains the UNet on.

    For going on where checkpoints are gone; only the optimiser's memory is lost.
    """
    kept = [name for name in STAGES[1:] if (out / name).exists()]
    if kept:
        raise FoundryError(f"{out / kept[0]} is there already: use another --out, or delete the folder")
    parts = export.load(world)
    parts.vae.save_pretrained(out / "autoencoder" / "model")
    for stage in ("clip", "eye"):
        parts.clip.save_pretrained(out / stage / "model")
    parts.tokenizer.save_pretrained(out / "tokenizer")
    parts.tiny_vae.save_pretrained(out / "tiny_vae" / "model")
    parts.unet.save_pretrained(out / "unet" / "start")
    print(f"adopted: now python -m foundry cast --out {out}")


@app.command("export")
def export_command(
    world: Annotated[Path, typer.Argument(help="folder to write")],
    preset: str = "cpu",
    out: Annotated[Path, typer.Option(help="folder of the cast")] = Path(".cast/cpu"),
) -> None:
    """Writes the world of a cast, finished or not (then marked provisional)."""
    chosen = presets.find(preset)
    split = data.load_split(out / "data", "train", chosen.data)
    finished = all((out / stage / "model" / "config.json").exists() for stage in STAGES[1:])
    facts = {"provisional": not finished, "stages": export.history(out)}
    print(f"world: {export.export(export.so_far(out, chosen, split), chosen, world, facts)}")


@app.command("judge")
def judge_command(
    world: Annotated[Path, typer.Argument(help="folder of the world")],
    sheets: Annotated[Path, typer.Option(help="where to write the sheets")] = Path(".cast/judged"),
    cast_folder: Annotated[Path | None, typer.Option("--cast", help="the cast, to look for copies")] = None,
    quick: Annotated[bool, typer.Option(help="small samples")] = False,
    write: Annotated[bool, typer.Option(help="keep the figures in the world's card")] = False,
) -> None:
    """Measures a world on held-out seeds, prints the table and writes sheets."""
    judge.judge(world, sheets, cast_folder, judge.QUICK if quick else judge.FULL, write)


@app.callback()
def foundry() -> None:
    """Casts and judges worlds."""


def main() -> None:
    """Runs the command line; a refusal is one line."""
    try:
        app(standalone_mode=True)
    except FoundryError as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
