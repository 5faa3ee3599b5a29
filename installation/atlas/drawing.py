"""The pictures and the page of a survey."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from installation.atlas import metrics
from installation.atlas.findings import Findings
from installation.atlas.survey_folder import SurveyFolder
from installation.gallery.offers import offers
from latentworld.arrays import Vector
from latentworld.atlas import page, plots
from latentworld.atlas.metric import Metered
from latentworld.atlas.sampling import Globe
from latentworld.disk import writing
from latentworld.tokens import DARK, Paper

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(
    out: SurveyFolder, found: Findings, title: str = "", dpi: float = 150, paper: Paper = DARK,
    words: Mapping[str, Vector] | None = None,
) -> list[Path]:  # fmt: skip
    """Every picture that this kind of survey has, as PNG and SVG, and the page; the metric's where it was measured.
    words: how like each of them the places are [n], for the page."""
    atlas, rates = found.atlas, found.rates
    with writing(out.pictures):
        out.pictures.mkdir(parents=True, exist_ok=True)
    made: dict[str, Figure] = {}
    if isinstance(atlas.sampling, Globe):
        made["globe"] = plots.globe(atlas, rates, title=title, paper=paper)
        made["globe-phases"] = plots.globe(atlas, rates, found.phases, title=title, paper=paper)
    else:
        made["grid"] = plots.grid(atlas, title, paper)
        made["field"] = plots.field(atlas, rates, title, paper)
        made["overlay"] = plots.overlay(atlas, rates, title, paper)
        made["phases"] = plots.phases(atlas, found.phases, found.lines, found.sites, title, paper)
        made["globe"] = plots.globe(atlas, rates, title=title, paper=paper)
    metered = metrics.known(out)
    if metered is not None and not isinstance(atlas.sampling, Globe):
        made |= of_metric(found, metered, title, paper)
    files = [path for name, figure in made.items() for path in plots.save(figure, out.pictures / name, dpi)]
    page.write(atlas, rates, out.page, found.phases, found.lines, found.sites, title, metered, words, offers())
    return [*files, out.page]


def of_metric(found: Findings, metered: Metered, title: str, paper: Paper) -> dict[str, Figure]:
    """The pictures of a window's metric, by name."""
    atlas = found.atlas
    made = {
        "metric-ellipses": plots.ellipses(atlas, metered, title, paper),
        "metric-areas": plots.areas(atlas, metered, title, paper),
    }
    if metered.logz is not None:
        made["logz"] = plots.surface(atlas, metered.logz, title, paper)
        made["phase-lines"] = plots.phase_lines(atlas, metered.logz, found.rates, title, paper)
    return made
