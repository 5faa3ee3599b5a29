"""`latentworld vertices`: pictures as the vertices of a plane."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from installation.cli import completion
from installation.cli.help import Group
from installation.cli.presets import Override, overriding
from installation.cli.progress import speaking

if TYPE_CHECKING:
    from installation.vertices.making import Made
    from latentworld.vertices import Trio

app = typer.Typer(
    cls=Group, help="Make pictures the vertices of a plane, and look into files of vertices.", no_args_is_help=True
)
Option = typer.Option


@app.command("from-picture")
def from_picture(
    pictures: Annotated[list[Path], typer.Argument(help="One to three pictures: z0, z1, z2.")],
    output: Annotated[Path, Option("-o", "--output", help="The vertex file, such as trio.safetensors.")],
    preset: Annotated[
        str | None,
        Option(autocompletion=completion.preset, help="Whose world, prompt, steps and seeds; without one, defaults."),
    ] = None,
    hold: Annotated[
        Literal["guidance", "residual", "none"], Option(help="How the plane is to hold them (plane.hold = auto).")
    ] = "guidance",
    fit: Annotated[Literal["crop", "pad"], Option(help="Cut to the picture's shape, or grey beside it.")] = "crop",
    steps: Annotated[int | None, Option(help="Denoising steps; the preset's or the world's if absent.")] = None,
    seed: Annotated[int, Option(min=0, max=2**63 - 1, help="Of the white noise in the pictures' last steps.")] = 0,
    vertex: Annotated[
        list[str] | None, Option("--vertex", metavar="zN=seed:SEED", help="What stands where no picture does.")
    ] = None,
    strip: Annotated[Path | None, Option(help="A PNG that shows how near each picture is reached.")] = None,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace a file that is there already.")] = False,
    set_: Override = None,
) -> None:
    """Encode pictures and invert them, so that a film or a show on this plane has them at its vertices."""
    if not 1 <= len(pictures) <= 3:
        raise typer.BadParameter("a plane has three vertices: give one, two or three pictures")
    overrides = overriding({"decoder.steps": steps}, set_)
    seeds = _seeds(vertex or [], len(pictures))
    with speaking("loading the world") as speaker:
        from installation.vertices.command import Wish, make

        wish = Wish(tuple(pictures), output, preset, tuple(overrides), hold, fit, seed, seeds, strip, overwrite)
        made = make(wish, speaker.part)
    _tell(made)
    print(output)


@app.command()
def show(file: Annotated[Path, typer.Argument(help="A vertex file.")]) -> None:
    """What a vertex file holds: where each vertex came from, how near its picture is reached, how white it is."""
    from latentworld import vertices

    _table(vertices.read(file))


def _seeds(texts: list[str], taken: int) -> dict[int, int]:
    """Seeds by the number of their vertex, of `zN=seed:SEED`."""
    found: dict[int, int] = {}
    for text in texts:
        known = re.fullmatch(r"z([0-2])=seed:([0-9]{1,18})", text)
        if known is None:
            raise typer.BadParameter(f"{text!r}: write z2=seed:200", param_hint="--vertex")
        if int(known[1]) < taken:
            raise typer.BadParameter(f"{text!r}: a picture stands at z{known[1]} already", param_hint="--vertex")
        found[int(known[1])] = int(known[2])
    return found


def _tell(made: Made) -> None:
    from latentworld.errors import Notice

    for note in made.notes:
        warnings.warn(note, Notice, stacklevel=2)
    _table(made.trio)


def _table(trio: Trio) -> None:
    """A row a vertex, on stderr where the file's name goes to stdout."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("", "from", "steps", "autoencoder", "reached", "length", "lag", "KS", "local"):
        table.add_column(column, justify="left" if column in ("", "from") else "right")
    for number, said in enumerate(trio.each):
        table.add_row(f"z{number}", *_row(said))
    console = Console(stderr=True, highlight=False)
    console.print(table)
    added = [name for name, there in (("details", trio.details), ("residuals", trio.residuals)) if there is not None]
    shape = " x ".join(str(side) for side in trio.vertices.shape[1:])
    hold = f"hold: {trio.origin.get('hold', 'none')}" + (f" ({', '.join(added)})" if added else "")
    console.print(f"latents {shape}; {hold}; {trio.digest[:16]}", style="dim", markup=False)


def _row(said: object) -> list[str]:
    """The cells of one vertex; what its table lacks, or another program wrote, is a dash."""
    from rich.markup import escape

    from installation.terminal import one_line

    table = said if isinstance(said, dict) else {}
    kind, white = str(table.get("kind", "-")), table.get("whiteness")
    white = white if isinstance(white, dict) else {}
    name = table.get("seed", "-") if kind == "seed" else table.get("name", "")

    def number(value: object, form: str) -> str:
        return format(value, form) if isinstance(value, int | float) else "-"

    return [
        escape(one_line(f"{kind} {name}")), number(table.get("steps"), "d") if kind == "picture" else "-",
        *(f"{cell} dB" if (cell := number(table.get(key), ".1f")) != "-" else "-" for key in ("floor", "reached")),
        *(number(white.get(key), ".3f") for key in ("norm", "lag", "ks", "local")),
    ]  # fmt: skip
