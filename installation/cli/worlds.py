"""`latentworld worlds`: which worlds are there, and what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from installation.terminal import give
from latentworld.decoding.settings import GUIDED_STEPS
from latentworld.worlds import needs

if TYPE_CHECKING:
    from latentworld.worlds import Summary

app = typer.Typer(help="List worlds and look into them.", invoke_without_command=True)
Name = Annotated[str, typer.Argument(help="`embedded`, a folder, a .safetensors file or a hub name.")]


@app.callback()
def worlds(context: typer.Context) -> None:
    """List the worlds on this machine, and what of the hub's cache is none here and why."""
    if context.invoked_subcommand is not None:
        return
    from latentworld.worlds import survey
    from latentworld.worlds.families import REGISTRY

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("world", "family", "pixels", "parameters", "MB", "student", "CLIP", "title"):
        table.add_column(column, justify="right" if column in ("pixels", "parameters", "MB") else "left")
    found, refused = survey()
    for world in found:
        millions = f"{sum(world.parameters.values()) / 1e6:.1f} M"
        marks = ("yes" if world.student else "-", "yes" if world.clip else "-")
        row = (world.name, needs.title(world), str(world.size), millions, f"{world.disk_mb:.0f}", *marks)
        table.add_row(*row, world.card.title)
    console = Console()
    nothing = "no world on this machine yet: name a folder, a .safetensors file or a hub repository"
    console.print(table if found else nothing)
    lines = [f"{other.name}: {other.why}" for other in refused] + [str(part) for part in REGISTRY.examine()]
    for line in lines:
        console.print(line, style="dim", markup=False, highlight=False, soft_wrap=True)


@app.command()
def show(
    world: Name, words: Annotated[bool, typer.Option("--words", help="The words that a small world knows.")] = False
) -> None:
    """What a world is, from its files' headers."""
    from latentworld.worlds import inspect, lexicon

    if words:
        folder = inspect(world).path
        clip = folder / "clip"
        known = lexicon.listed(clip if clip.is_dir() else folder / "tokenizer")
        give(" ".join(known) + "\n" if known else f"{world} reads any words\n")
        return
    seen, console = inspect(world), Console(highlight=False)
    console.print(f"[bold]{seen.card.title or seen.name}[/]  {seen.card.description}", soft_wrap=True)
    table = Table(box=None, show_header=False, pad_edge=False)
    defaults = seen.card.defaults
    rows = {
        "name": seen.name, "family": needs.title(seen), "source": seen.source, "folder": str(seen.path),
        "pictures": f"{seen.size} x {seen.size}, other sizes in multiples of {seen.latent.multiple}",
        "latents": "{} x {} x {}".format(*seen.latent.shape(seen.size, seen.size)),
        "prediction": seen.prediction, "sampling": needs.sampling(seen),
        "memory": f"{_gb(seen, seen.family.half)} of weights in {seen.family.half}, {_gb(seen, 'float32')} in float32",
        "on disk": f"{seen.disk_mb:.1f} MB",
        "parameters": ", ".join(f"{part} {count / 1e6:.1f} M" for part, count in seen.parameters.items()),
        "scout": _scout(seen), "tiny VAE": "yes" if seen.tiny_vae else "no",
        "CLIP": "its own" if seen.clip else "none: the embedded one serves",
        "prompt": defaults.prompt, "negative": defaults.negative,
    }  # fmt: skip
    for name, value in rows.items():
        table.add_row(f"[dim]{name}[/]", value)
    console.print(table)


def _gb(seen: Summary, dtype: str) -> str:
    return f"{needs.weights_gb(seen, dtype):.3g} GB"


def _scout(seen: Summary) -> str:
    """What its scout is, in words."""
    steps = seen.card.defaults.scout_steps
    if seen.student:
        return f"its student, {steps} steps"
    few = min(GUIDED_STEPS, seen.card.defaults.steps)
    return f"itself, {steps} steps" if seen.few_step else f"none: its faithful decoder in {few} guided steps"


@app.command()
def path(world: Name) -> None:
    """Print the folder (or file) of a world, and nothing else."""
    from latentworld.worlds import resolve

    give(f"{resolve(world)[0]}\n")
