"""A tour over an atlas, as a preset that films it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from installation.atlas import findings, geodesics
from installation.atlas.geodesics import GeodesicOptions, Say
from installation.atlas.survey_folder import SurveyFolder, preset_of
from installation.film.output import write_text
from latentworld.atlas import tour as planner
from latentworld.disk import writing
from latentworld.errors import OutputError
from latentworld.preset import dump


@dataclass(frozen=True)
class TourOptions:
    """What a tour passes and how, as in `latentworld.atlas.tour.plan`."""

    labels: Sequence[str] = ()
    follow: Sequence[int] = (1,)
    stops: int = 8
    ordered: bool = False
    closed: bool | None = None
    weave: float | None = None
    geodesic: GeodesicOptions = field(default_factory=GeodesicOptions)


def write(
    out: SurveyFolder,
    mode: str,
    points: Sequence[tuple[float, float]],
    target: Path,
    speed: float | None,
    chosen: TourOptions,
    say: Say = print,
) -> planner.Tour:
    """Plan a tour over an atlas and write the preset that films it; `say` is told how the legs of a geodesic do.

    Raises OutputError where it is no .toml.
    """
    if target.suffix != ".toml" or target.resolve() == out.preset.resolve():
        raise OutputError(f"a tour is a preset of its own: {target} should end in .toml, and not be the atlas's")
    base = preset_of(out, [] if speed is None else [f"pacing.speed={speed!r}"])
    if planner.mode_of(mode) == "geodesic":
        made = geodesics.tour(out, points, chosen.geodesic, say)
    else:
        made = _planned(out, mode, points, chosen)
    with writing(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target, dump(made.preset(base)))
    return made


def _planned(out: SurveyFolder, mode: str, points: Sequence[tuple[float, float]], chosen: TourOptions) -> planner.Tour:
    found = findings.read(out)
    plane = found.atlas.plane
    units = [plane.unit(alpha, beta) for alpha, beta in points]
    return planner.plan(
        found.atlas,
        found.mesh,
        found.rates,
        planner.mode_of(mode),
        points=units,
        phases=found.phases,
        lines=found.lines,
        labels=chosen.labels,
        follow=chosen.follow,
        stops=chosen.stops,
        ordered=chosen.ordered,
        closed=chosen.closed,
        weave=chosen.weave,
    )
