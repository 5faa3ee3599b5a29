"""The command line of the foundry: ``python -m foundry cast --preset cpu``."""

from __future__ import annotations

import functools
import time
from pathlib import Path
from typing import Annotated

import torch
import typer

from foundry import (
    autoencoder,
    bench,
    casting,
    contact,
    data,
    estimate,
    export,
    gates,
    judge,
    keeping,
    machine,
    presets,
    ranks,
)
from foundry.errors import FoundryError
from foundry.machine import Machine, say
from foundry.presets import STAGES
from latentworld.errors import LatentWorldError

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
CastFolder = Annotated[
    Path | None, typer.Option("--cast", help="the cast's folder; default ~/.cache/latentworld/cast/PRESET")
]
PresetName = Annotated[str, typer.Option(help=", ".join(presets.PRESETS))]


def _machine(device: str, precision: str, threads: int | None, background: bool, pauses: list[Path]) -> Machine:
    """The machine of a command; in the background budgets count the processor's seconds."""
    used = time.process_time if background else time.monotonic
    count = 1 if background else threads
    try:
        where = torch.device(device)
    except RuntimeError as error:
        raise FoundryError(f"unknown device {device!r}: use cpu, cuda or mps") from error
    return Machine(where, precision, count, tuple(pauses), used=used, log=say)


@app.command()
def cast(
    preset: PresetName = "cpu",
    folder: CastFolder = None,
    start: Annotated[Path | None, typer.Option("--from", help="a folder written by `keep`, to begin with")] = None,
    minutes: Annotated[float | None, typer.Option(help="training time in all; default: the preset's budgets")] = None,
    longer: Annotated[str | None, typer.Option(help="a finished stage to train on")] = None,
    more: Annotated[float, typer.Option(help="with --longer: by how much of its budget")] = 1.0,
    until: Annotated[str, typer.Option(help=f"stop after this stage: {', '.join(STAGES)}")] = STAGES[-1],
    device: str = "cpu",
    precision: Annotated[str, typer.Option(help="auto (measured), float32 or bfloat16")] = "auto",
    threads: Annotated[int | None, typer.Option(help="OpenMP threads; default: measured")] = None,
    processes: Annotated[int, typer.Option(help="processes of one thread each, with averaged gradients")] = 1,
    background: Annotated[bool, typer.Option(help="one thread, lowest priority")] = False,
    pause: Annotated[list[Path] | None, typer.Option(help="wait while this file is there")] = None,
    bring: Annotated[Path | None, typer.Option(help="keep every minute's averages in this folder")] = None,
    workers: Annotated[int, typer.Option(help="processes that draw pictures")] = 1,
) -> None:
    """Casts a world: draws the pictures, trains every stage, resuming where it stopped; writes it to CAST/world."""
    chosen, out = presets.find(preset), folder or casting.home(preset)
    if until not in STAGES:
        raise FoundryError(f"unknown stage {until!r}: use one of {', '.join(STAGES)}")
    if bring is not None and start is not None and bring.resolve() == start.resolve():
        raise FoundryError(f"--bring {bring} is --from too, and the world would take its place: name another folder")
    if background:
        machine.background()
    where = _machine(device, precision, threads, background, [out / machine.PAUSE, *(pause or [])])
    estimate.refuse_days(chosen, where)
    chosen = casting.budgeted(out, casting.with_minutes(chosen, minutes))
    if longer is not None:
        chosen = casting.lengthen(out, chosen, longer, more)
    if start is not None:
        laid = keeping.restore(start, out, chosen)
        if not laid:
            say(f"{out} is begun: it goes on with what it has, not with {start}")
        for record in laid:
            say(f"{record.stage}: {'whole' if record.finished else f'goes on from step {record.step}'}, of {start}")
        for stage in keeping.kept_in(start) if laid else ():
            if stage not in {record.stage for record in laid}:
                say(f"{stage}: left out, preset {preset!r} has another")
    work = functools.partial(casting.cast_here, out, chosen, where, until, workers)
    with keeping.brought(out, chosen, bring, 60.0):
        work() if processes < 2 else ranks.spawn(processes, out, work)


@app.command()
def adopt(
    world: Annotated[Path, typer.Argument(help="folder of a world cast earlier, such as the embedded one")],
    preset: PresetName = "cpu",
    folder: CastFolder = None,
) -> None:
    """Begins a cast from a world's weights: all but the UNet and its student are kept, and `cast` trains the UNet on.

    For going on where checkpoints are gone; only the optimiser's memory is lost.
    """
    out = folder or casting.home(preset)
    kept = [name for name in STAGES[1:] if (out / name).exists()]
    if kept:
        raise FoundryError(f"{out / kept[0]} is there already: use another --cast, or delete the folder")
    parts = export.load(world)
    for stage in ("autoencoder", "polish"):
        parts.vae.save_pretrained(out / stage / "model")
    for stage in ("clip", "eye"):
        parts.clip.save_pretrained(out / stage / "model")
    parts.tokenizer.save_pretrained(out / "tokenizer")
    export.older_tokenizer(parts.tokenizer, out / "tokenizer")
    parts.tiny_vae.save_pretrained(out / "tiny_vae" / "model")
    parts.unet.save_pretrained(out / "unet" / "start")
    say(f"adopted: now python -m foundry cast --preset {preset} --cast {out}")


@app.command()
def gate(
    preset: PresetName = "cpu",
    folder: CastFolder = None,
    count: Annotated[int, typer.Option(help="held-out pictures of each family")] = 20,
) -> None:
    """Prints the figures of gate G1 for what a cast's autoencoder has come to, and what is wanted of them."""
    chosen, out = presets.find(preset), folder or casting.home(preset)
    held = data.load_split(out / "data", "held", chosen.data, count)
    found = keeping.come_to(out / "autoencoder", chosen, "autoencoder")
    if found is None:
        raise FoundryError(f"{out / 'autoencoder'} has no checkpoint yet: cast for a while first")
    vae = autoencoder.build(chosen)
    vae.load_state_dict({name: tensor.float() for name, tensor in found[1].items()})
    figures = gates.autoencoder_figures(vae.eval(), held.batch(autoencoder.look_for(held, count)))
    say(f"autoencoder, step {found[0].step}, {found[0].spent / 60:.0f} minutes")
    say("\n".join(gates.verdict(figures, gates.G1)))


@app.command()
def keep(
    into: Annotated[Path, typer.Argument(help="folder to write")] = Path("foundry/checkpoints"),
    preset: PresetName = "cpu",
    folder: CastFolder = None,
    stages: Annotated[list[str] | None, typer.Option("--stage", help="default: all there are")] = None,
) -> None:
    """Writes what a cast's stages have come to, in half precision, a few megabytes: `cast --from` goes on from them."""
    chosen, out = presets.find(preset), folder or casting.home(preset)
    for name in stages or ():
        if name not in keeping.KEPT:
            raise FoundryError(f"unknown stage {name!r}: use one of {', '.join(keeping.KEPT)}")
    records = keeping.keep(out, chosen, into, tuple(stages) if stages else keeping.KEPT)
    if not records:
        raise FoundryError(f"{out} has nothing to keep yet: cast for a while first")
    for record in records:
        say(f"{record.stage}: step {record.step}, {'finished' if record.finished else 'unfinished'}, kept in {into}")


@app.command("export")
def export_command(
    world: Annotated[Path, typer.Argument(help="folder to write")],
    preset: PresetName = "cpu",
    folder: CastFolder = None,
) -> None:
    """Writes the world of a cast, finished or not (then marked provisional)."""
    chosen, out = presets.find(preset), folder or casting.home(preset)
    export.replaceable(world)
    split = data.load_split(out / "data", "train", chosen.data)
    finished = all((out / stage / "model" / "config.json").exists() for stage in presets.TRAINED)
    facts = {"provisional": not finished, "stages": export.history(out)}
    say(f"world: {export.export(export.so_far(out, chosen, split), chosen, world, facts)}")


@app.command("judge")
def judge_command(
    world: Annotated[Path, typer.Argument(help="folder of the world")],
    sheets: Annotated[Path, typer.Option(help="where to write the sheets")] = Path(".cast/judged"),
    folder: Annotated[Path | None, typer.Option("--cast", help="the cast, to look for copies")] = None,
    quick: Annotated[bool, typer.Option(help="small samples")] = False,
    write: Annotated[bool, typer.Option(help="keep the figures in the world's card")] = False,
) -> None:
    """Measures a world on held-out seeds, prints the table beside the first cast's figures and writes sheets."""
    judge.judge(world, sheets, folder, bench.QUICK if quick else bench.FULL, write)


@app.command()
def sheets(
    into: Annotated[Path, typer.Argument(help="folder to write")],
    preset: PresetName = "cpu",
    seed: int = 77,
) -> None:
    """Draws a contact sheet of 8 by 8 scenes for every family, and one mixed, for looking at before training."""
    contact.write(into, presets.find(preset).data.size, seed)
    say(f"sheets: {into}")


@app.callback()
def foundry() -> None:
    """Casts and judges worlds."""


def main() -> None:
    """Runs the command line; a refusal is one line."""
    try:
        app(standalone_mode=True)
    except (FoundryError, LatentWorldError, OSError) as error:
        raise SystemExit(f"error: {error}") from None
    except SystemExit as ended:
        if ended.code == 130:  # Ctrl-C, which typer makes an exit
            say("stopped: the same command goes on")
        raise


if __name__ == "__main__":
    main()
