"""A zoom and what is left of it: the series, the growth, the film of the fall, and figures as JSON."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from installation.atlas import dive as falling
from installation.film.encoder import Encoder
from installation.film.ffmpeg import Recipe, index_first, muxing
from installation.film.output import claimed, write_text
from latentworld.atlas import plots, zoom
from latentworld.atlas.sampling import Window
from latentworld.atlas.types import Render
from latentworld.disk import writing
from latentworld.errors import AtlasError, OutputExists
from latentworld.plane import Plane

SIDE = 720  # pixels of the film's square frame
FPS = 24.0
FILES = ("zoom.json", "zoom.png", "zoom.svg", "growth.png", "growth.svg", "zoom.mp4")


@dataclass(frozen=True)
class Made:
    """The files of a zoom."""

    figures: Path
    series: Path
    growth: Path
    film: Path | None


@contextmanager
def prepared(out: Path, seconds: float, overwrite: bool) -> Iterator[None]:
    """Make the folder and keep others out while a zoom is made, which `make` is for; an earlier one stays until then.

    Raises OutputExists where it holds a zoom that may not go, or is taken; AtlasError for a film of no length.
    """
    if not 0 < seconds <= 60:
        raise AtlasError(f"a film of {seconds:g} seconds a level: give more than 0, and 60 at most")
    with claimed(out):
        if (there := _ours(out)) and not overwrite:
            raise OutputExists(f"{out} holds a zoom already ({there[0].name}): give --overwrite, or another folder")
        yield


def make(
    out: Path, found: zoom.Zoom, title: str = "", seconds: float = 3.0, film: bool = True, dpi: float = 150
) -> Made:
    """Draw and film a zoom into a folder that is there, whole and then in place of an earlier one; `seconds` a level of
    the film."""
    with writing(out), tempfile.TemporaryDirectory(prefix=".zoom-", dir=out) as side:
        made = _draw(Path(side), found, title, seconds, film, dpi)
        new = {file.name for file in Path(side).iterdir()}
        for file in _ours(out):
            if file.name not in new:
                file.unlink()
        for name in new:
            Path(side, name).replace(out / name)
    return Made(
        out / made.figures.name, out / made.series.name, out / made.growth.name, made.film and out / made.film.name
    )


def _draw(out: Path, found: zoom.Zoom, title: str, seconds: float, film: bool, dpi: float) -> Made:
    write_text(out / "zoom.json", json.dumps(figures(found), indent=1, allow_nan=False))
    levels = found.levels
    series, _ = plots.save(plots.zoom(levels, title), out / "zoom", dpi)
    growth, _ = plots.save(plots.growth(levels, title=title), out / "growth", dpi)
    target = out / "zoom.mp4"
    if film and len(levels) > 1:
        _film(target, found, seconds)
    return Made(out / "zoom.json", series, growth, target if film and len(levels) > 1 else None)


def figures(found: zoom.Zoom) -> dict[str, object]:
    """A zoom in plain values; None where a figure is not to be had."""
    growth, (dimension, error) = found.growth, found.dimension
    return {
        "factor": found.factor,
        "stops_at_width": found.stops,
        "floor_at_width": found.floor,
        "growth": {
            "exponent": _finite(growth.exponent),
            "error": _finite(growth.error),
            "levels": growth.levels,
            "stops_growing_at_width": growth.width,
        },
        "box_counting_dimension": {"value": _finite(dimension), "error": _finite(error)},
        "levels": [
            {
                "alpha": level.centre[0],
                "beta": level.centre[1],
                "width": level.width,
                "spacing": level.spacing,
                "largest_rate": level.largest,
                "median_rate": level.median,
                "floor_rate": _finite(level.floor),
                "distinct_neighbours": level.distinct,
                "above_the_floor": level.resolved,
                "dimension": [_finite(value) for value in level.dimension],
            }
            for level in found.levels
        ],
    }


def table(found: zoom.Zoom) -> list[str]:
    """A zoom as lines for a terminal."""
    lines = ["width       spacing    largest     median      floor   distinct  above the floor"]
    for level in found.levels:
        lines.append(
            f"{level.width:<9.2g} {level.spacing:>9.3g} {level.largest:>10.4g} {level.median:>10.4g} "
            f"{level.floor:>10.3g} {100 * level.distinct:>8.1f}%  {'yes' if level.resolved else 'no'}"
        )
    growth, (dimension, scatter) = found.growth, found.dimension
    if math.isfinite(growth.exponent):
        error = f" ± {growth.error:.2f}" if math.isfinite(growth.error) else f", of {growth.levels} levels"
        lines.append(f"the largest rate grows as spacing to the power {-growth.exponent:.2f}{error}")
    if growth.width is not None:
        lines.append(f"it stops growing at a width of {growth.width:.2g}")
    if math.isfinite(dimension):
        lines.append(f"box-counting dimension of the boundary {dimension:.2f} ± {scatter:.2f}")
    if found.floor is not None:
        lines.append(f"from a width of {found.floor:.2g} on only rounding changes")
    if found.stops is not None:
        lines.append(f"pictures stop changing at a width of {found.stops:.2g}")
    return lines


def run(
    render: Render,
    plane: Plane,
    start: Window,
    factor: float,
    levels: int | None,
    radius: float,
    follow: tuple[float, float] | None,
    on_level: Callable[[zoom.Level], None],
) -> tuple[zoom.Zoom, bool]:
    """The dive, and whether it is whole: a KeyboardInterrupt leaves the levels so far, where there are any."""
    found: list[zoom.Level] = []

    def seen(level: zoom.Level) -> None:
        found.append(level)
        on_level(level)

    try:
        return zoom.dive(render, plane, start, factor, levels, radius, follow, on_level=seen), True
    except KeyboardInterrupt:
        if not found:
            raise
        return zoom.Zoom(tuple(found), factor), False


def _ours(out: Path) -> list[Path]:
    return [out / name for name in FILES if (out / name).exists()]


def _film(target: Path, found: zoom.Zoom, seconds: float) -> None:
    sheets = []
    for level in found.levels:
        rows, columns = level.atlas.grid or (0, 0)
        picture = falling.mosaic(np.asarray(level.atlas.thumbs[:]), rows, columns)
        # half a cell beyond the outer places: a picture stands for the country around it
        sheets.append(falling.Sheet(picture, level.centre, level.width * rows / (rows - 1)))
    recipe = Recipe("h264", FPS, (SIDE, SIDE), (SIDE, SIDE), muxing=muxing("h264"))
    encoder = Encoder(recipe, target)
    try:
        for frame in falling.frames(sheets, SIDE, max(1, round(seconds * FPS))):
            encoder.send(frame.tobytes())
    finally:
        encoder.close()
    index_first(target)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
