"""The chart on paper: the plane of alpha and beta with its grid, the cell and its vertices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from latentworld.drawing.style import halo
from latentworld.tokens import PRINT, Paper

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def furniture(axes: Axes, paper: Paper, named: bool = True, weight: float = 1.0) -> None:
    """Grid, the cell z0 z1 z2 on its parallelogram, vertices with their names if `named`. weight: of lines."""
    axes.grid(color=paper.rule, lw=0.6 * weight)
    axes.fill([0, 1, 1, 0], [0, 0, 1, 1], color=paper.raised, lw=0)
    axes.plot([0, 1, 0, 0], [0, 0, 1, 0], color=paper.faint, lw=0.8 * weight)
    for name, x, y in (("z₀", 0, 0), ("z₁", 1, 0), ("z₂", 0, 1)) if named else ():
        axes.plot(x, y, "o", color=paper.ground, mec=paper.ink, ms=4, mew=0.9, zorder=5)
        axes.annotate(name, (x, y), (6, 5), textcoords="offset points", fontsize=PRINT.text, zorder=5,
                      path_effects=halo(paper, 2.2))  # fmt: skip
