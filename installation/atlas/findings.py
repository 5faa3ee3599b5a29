"""What follows from a survey: field, noise floor, phases and rifts, kept in its store and read again."""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from installation import rig
from installation.atlas.survey_folder import SurveyFolder, preset_of
from installation.studio import Studio
from installation.vocabulary import classifier
from latentworld.arrays import Array
from latentworld.atlas import field, mesh, phases, reader, rifts, store
from latentworld.atlas.types import Atlas, Line, Mesh, Phases, Render, Site
from latentworld.errors import AtlasError


@dataclass(frozen=True, eq=False)
class Findings:
    """An atlas with everything that follows from it."""

    atlas: Atlas
    mesh: Mesh
    rates: Array
    phases: Phases
    lines: list[Line]
    sites: list[Site]


def conclude(out: SurveyFolder, render: Render | None, phased: Callable[[Atlas], Phases]) -> Findings:
    """Field, noise floor (where there is a `render`), phases and rifts of a survey, kept in its store."""
    with store.open_for_writing(out.store) as kept:
        atlas, net = _charted(kept)
        rates = field.rates(atlas, net)
        kept.write_rates(rates)
        if render is not None and atlas.floor is None:
            kept.write_floor(field.measure_floor(render, atlas, rates))
        found = phased(atlas)
        kept.write_labels(found)
        atlas = kept.atlas()
    return _findings(atlas, net, rates, found)


def read(out: SurveyFolder) -> Findings:
    """What was concluded of a survey; rates and clusters anew where places were added since."""
    kept = reader.Reader(out.store)
    atlas, net = _charted(kept)
    rates = kept.read_rates()
    rates = field.rates(atlas, net) if rates is None else rates
    return _findings(atlas, net, rates, kept.read_labels() or phases.by_clusters(atlas))


def _charted(kept: reader.Reader) -> tuple[Atlas, Mesh]:
    atlas = kept.atlas()
    if len(atlas) < 3:
        raise AtlasError(f"{kept.path} has {len(atlas)} places so far, too few for a field: survey on")
    return atlas, mesh.mesh(atlas)


def _findings(atlas: Atlas, net: Mesh, rates: Array, found: Phases) -> Findings:
    lines, sites = phases.lines(atlas, net, found, rates), rifts.strongest(atlas, net, rates)
    return Findings(atlas, net, rates, found, lines, sites)


def with_phases(found: Findings, label: Phases) -> Findings:
    """The same survey with other phases; nothing is kept."""
    return _findings(found.atlas, found.mesh, found.rates, label)


def labeller(studio: Studio, words: Sequence[str] | None, count: int | None) -> Callable[[Atlas], Phases]:
    """Phases by words, through the eye, or by clusters of the features: `count` of them, or as many as fit."""
    if words is None:
        return lambda atlas: phases.by_clusters(atlas, count)
    chosen = phases.checked(words)
    classify = classifier(studio, chosen)
    return lambda atlas: phases.by_words(atlas, classify, chosen)


def relabelled(out: SurveyFolder, found: Findings, words: Sequence[str] | None, count: int | None) -> Findings:
    """The same survey with other phases, kept in its store; words need the world's eye, clusters do not."""
    if words is None:
        label: Callable[[Atlas], Phases] = functools.partial(phases.by_clusters, count=count)
    else:
        label = labeller(rig.open_studio(preset_of(out)), phases.checked(words), count)
    with store.open_for_writing(out.store) as kept:
        kept.write_labels(label(found.atlas))
    return read(out)


def summary(found: Findings) -> dict[str, float]:
    """The figures that sum a survey up."""
    rates = found.rates[np.isfinite(found.rates)]
    median = float(np.median(rates)) if len(rates) else 0.0
    usual = median or math.nan  # nothing changes anywhere: nothing stands out
    return {
        "places": float(len(found.atlas)),
        "median rate": median,
        "99th percentile over median": float(np.quantile(rates, 0.99)) / usual if len(rates) else math.nan,
        "largest over median": float(rates.max()) / usual if len(rates) else math.nan,
    }


def still_options(site: Site, radius: float) -> str:
    """Where a rift lies, as options of `latentworld still`; radius: of the survey. See `Plane.place`."""
    signed = radius if site.front else -radius
    place = f"--alpha {site.alpha:.10g} --beta {site.beta:.10g}"
    return place if signed == 1.0 else f"{place} --radius {signed:.10g}"


def digest(found: Findings) -> str:
    """What work on an atlas depends on."""
    parts = (found.atlas.unit, found.phases.label, found.phases.confidence, found.rates)
    return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()[:16]
