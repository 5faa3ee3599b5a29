"""The command line of the foundry: ``python -m foundry cast --preset cpu --out FOLDER``."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated

import torch
import typer

from foundry import autoencoder, data, presets
from foundry.errors import FoundryError
from foundry.presets import Preset

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)


def draw_all(folder: Path, preset: Preset, workers: int) -> None:
    """Draws both splits, families spread over processes."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for split in ("held", "train"):
        data.draw_split(folder / "data", split, preset.data, families=())
        with ProcessPoolExecutor(workers) as pool:
            jobs = [pool.submit(data.draw_split, folder / "data", split, preset.data, (f,)) for f in data.FAMILIES]
            for job, family in zip(jobs, data.FAMILIES, strict=True):
                job.result()
                print(f"{split}: {family} drawn", flush=True)


@app.command()
def cast(
    preset: Annotated[str, typer.Option(help="tiny, cpu or gpu")] = "cpu",
    out: Annotated[Path, typer.Option(help="folder of the cast, made or resumed")] = Path(".cast/cpu"),
    device: str = "cpu",
    workers: int = 2,
) -> None:
    """Casts a world: draws the pictures, trains every stage, resuming where it stopped."""
    chosen, where = presets.find(preset), torch.device(device)
    draw_all(out, chosen, workers)
    train, held = (data.load_split(out / "data", split, chosen.data) for split in ("train", "held"))
    autoencoder.cast(out / "autoencoder", chosen, train, held, where)


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
