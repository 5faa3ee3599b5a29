"""Pictures of an atlas, worth printing: functions (atlas, ...) -> matplotlib Figure; `save` writes PNG and SVG.

Alpha runs to the right and rows with it, beta runs up and columns with it, in every flat picture. None of them touches
pyplot's state.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from latentworld.atlas.plots.maps import field, grid, overlay
from latentworld.atlas.plots.metric import areas, ellipses, phase_lines, surface
from latentworld.atlas.plots.regions import phases
from latentworld.atlas.plots.series import growth, zoom
from latentworld.atlas.plots.sphere import globe
from latentworld.atlas.plots.ways import strips, ways
from latentworld.disk import save as keep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "areas", "ellipses", "field", "globe", "grid", "growth", "overlay", "phase_lines",
    "phases", "save", "strips", "surface", "ways", "zoom",
]  # fmt: skip


def save(figure: Figure, path: str | Path, dpi: float = 150) -> tuple[Path, Path]:
    """Write path.png (`dpi` pixels an inch; 300 for print) and path.svg, each whole or not at all.

    The same figure gives the same bytes. Raises DiskFull or OutputError.
    """
    import matplotlib as mpl

    path = Path(path)
    png, svg = path.with_name(f"{path.name}.png"), path.with_name(f"{path.name}.svg")
    for target in (png, svg):
        buffer = io.BytesIO()
        with mpl.rc_context({"svg.hashsalt": "latentworld", "svg.fonttype": "path"}):
            metadata = {"Software": None} if target is png else {"Date": None, "Creator": None}
            figure.savefig(buffer, format=target.suffix[1:], dpi=dpi, metadata=metadata)
        keep(target, buffer.getvalue())
    return png, svg
