"""The places of a still, as people name them: one, several, a grid, some at random."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Annotated

import typer

Option = typer.Option
Written = tuple[float, float, float]
MOST = 10_000  # places of a command


@dataclass(frozen=True)
class Places:
    """Where: exactly one of the ways."""

    alpha: Annotated[float | None, Option(help="From z0 toward z1.")] = None
    beta: Annotated[float | None, Option(help="From z0 toward z2.")] = None
    at: Annotated[
        list[str] | None,
        Option(metavar="A,B", help="A place as 0.4,0.6, or with its radius as 0.4,0.6,1.2; repeatable."),
    ] = None
    grid: Annotated[str | None, Option(metavar="RxC", help="Rows along alpha by columns along beta, of the cell.")] = (
        None
    )
    random: Annotated[int | None, Option(min=1, max=MOST, help="So many places of the cell, drawn.")] = None
    draw: Annotated[int, Option(min=0, help="Which drawing --random is: another number, other places.")] = 0
    radius: Annotated[
        float | None,
        Option(help="Factor of the shell, 0.05 to 3; negative: of the place on the far side. 1 if absent."),
    ] = None

    @property
    def given(self) -> bool:
        """Whether anything is said of places."""
        return self != Places()

    @property
    def written(self) -> list[Written]:
        """Alpha, beta and radius of each. Raises typer.BadParameter where not exactly one way says which."""
        single = self.alpha is not None or self.beta is not None
        said = {
            "--alpha and --beta": single, "--at": bool(self.at), "--grid": self.grid is not None,
            "--random": self.random is not None,
        }  # fmt: skip
        ways = [name for name, is_given in said.items() if is_given]
        if len(ways) > 1:
            raise typer.BadParameter(f"{ways[0]} and {ways[1]} both say where: choose one")
        if self.draw and self.random is None:
            raise typer.BadParameter("--draw is of --random: give that too, or leave it out")
        if not ways or (single and (self.alpha is None or self.beta is None)):
            raise typer.BadParameter(
                "say where: give --alpha and --beta, --at, --grid or --random, or a picture of ours to make again"
            )
        return self._found()

    def _found(self) -> list[Written]:
        usual = 1.0 if self.radius is None else self.radius
        if self.alpha is not None and self.beta is not None:
            return [(self.alpha, self.beta, usual)]
        if self.at:
            return [_place(text, usual) for text in self.at]
        if self.grid is not None:
            rows, columns = _shape(self.grid)
            return [
                (_part(row, rows), _part(column, columns), usual) for row in range(rows) for column in range(columns)
            ]
        chance = random.Random(self.draw)
        return [(chance.random(), chance.random(), usual) for _ in range(self.random or 0)]


def _part(number: int, count: int) -> float:
    """Of an interval 0..1 with both ends; the middle where it is one."""
    return 0.5 if count == 1 else number / (count - 1)


def _place(text: str, radius: float) -> Written:
    try:
        alpha, beta, *more = (float(part) for part in text.split(","))
        (own,) = more or [radius]
    except ValueError:
        raise typer.BadParameter(f"{text!r}: write 0.4,0.6 or 0.4,0.6,1.2", param_hint="--at") from None
    return alpha, beta, own


def _shape(text: str) -> tuple[int, int]:
    try:
        rows, columns = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise typer.BadParameter(f"{text!r}: write rows x columns, as 3x3", param_hint="--grid") from None
    if not (rows >= 1 and columns >= 1 and rows * columns <= MOST):
        raise typer.BadParameter(f"{text!r} is no grid of 1 to {MOST} places: write it as 3x3", param_hint="--grid")
    return rows, columns
