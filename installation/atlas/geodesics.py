"""A geodesic tour over an atlas: its legs found on the map, their corridors surveyed finer, both ways decoded."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from installation import rig
from installation.atlas import findings, rendering
from installation.atlas.findings import Findings
from installation.atlas.survey_folder import SurveyFolder, preset_of
from installation.atlas.writeup import decoder_of
from latentworld import globe
from latentworld.arrays import Units
from latentworld.atlas import corridor, field, leg, mesh, paced, settings
from latentworld.atlas import tour as planner
from latentworld.atlas.leg import Country, Leg
from latentworld.atlas.paced import Paced
from latentworld.atlas.reader import Reader
from latentworld.atlas.types import Render
from latentworld.errors import AtlasError

ENOUGH = 0.03  # share of its energy that a round of refinement must spare, or it was the last
Say = Callable[[str], None]


@dataclass(frozen=True)
class GeodesicOptions:
    """What a way is sought by (see `leg.Country`), and how many rounds its corridor is surveyed finer."""

    by: str = "meaning"
    strength: float = 1.0
    refine: int = 0


def tour(out: SurveyFolder, points: Sequence[tuple[float, float]], chosen: GeodesicOptions, say: Say) -> planner.Tour:
    """The tour through places by alpha and beta; `say` is told how every leg does. Raises AtlasError."""
    found = findings.read(out)
    country = country_of(out, found, chosen)
    units = np.array([found.atlas.plane.unit(alpha, beta) for alpha, beta in points]).reshape(-1, 3)
    if len(units) < 2:
        raise AtlasError(f"a geodesic needs two places or more, here {len(units)}: give --point twice")
    legs = [leg.between(country, begin, end) for begin, end in pairwise(units)]
    if chosen.refine:
        if country.by != "meaning":
            raise AtlasError(f"--refine surveys for ways by meaning, not by {country.by}: leave it out")
        render = renderer_of(out)
        country, legs = refined(out, country, legs, chosen.refine, render, say)
        legs = [decided(one, render, country.atlas.radius, say) for one in legs]
    else:
        for number, one in enumerate(legs, 1):
            say(f"leg {number}: {verdict(one)}")
    return planner.geodesic(country, units, legs)


def country_of(out: SurveyFolder, found: Findings, chosen: GeodesicOptions) -> Country:
    """The atlas as ways are sought over it. Raises AtlasError for what it does not know."""
    kept = Reader(out.store)
    by = leg.by_of(chosen.by)
    return Country(
        found.atlas, found.mesh, found.rates, by, chosen.strength,
        kept.read_logz() if by == "metric" else None, kept.read_surprise() if by == "density" else None,
    )  # fmt: skip


def renderer_of(out: SurveyFolder) -> Render:
    """What decodes as the atlas was decoded. Raises AtlasError where nothing here does."""
    profile = settings.profile_of(Reader(out.store).settings)
    if profile is None:
        raise AtlasError(f"the pictures of {out.path} were imported, so that nothing is known to decode more of them")
    studio = rig.open_studio(preset_of(out))
    thumb = Reader(out.store).settings.get("thumb")
    return rendering.renderer(studio, decoder_of(studio, profile, out), int(thumb) if isinstance(thumb, int) else 64)


def refined(
    out: SurveyFolder, country: Country, legs: list[Leg], rounds: int, render: Render, say: Say
) -> tuple[Country, list[Leg]]:
    """Legs found again on ever finer corridors, until a round spares less than `ENOUGH` of their decoded energy."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    radius = country.atlas.radius
    before = sum(paced.walked(render, one.unit, radius).energy for one in legs)
    path = out.path / f"corridor-{corridor.FINER**rounds}.zarr"
    with corridor.opened(country.atlas, path, rounds, settings.provenance(now)) as kept:
        for number in range(1, rounds + 1):
            ways = [one.unit for one in legs]
            added = corridor.widen(kept, ways, number, render)
            atlas = kept.atlas()
            net = mesh.mesh(atlas)
            country = replace(country, atlas=atlas, mesh=net, rates=field.rates(atlas, net))
            legs = [leg.between(country, way[0], way[-1], way) for way in ways]
            after = sum(paced.walked(render, one.unit, radius).energy for one in legs)
            say(f"round {number}: {added} places, energy of the decoded ways {before:.4g} to {after:.4g}")
            if after > (1 - ENOUGH) * before:
                break
            before = after
    return country, legs


def decided(one: Leg, render: Render, radius: float, say: Say) -> Leg:
    """The leg, or the great circle where the decoded pictures of that are nearer to each other."""
    if one.straight:
        say(verdict(one))
        return one
    line = _line(one.unit)
    ours, theirs = (paced.walked(render, way, radius) for way in (one.unit, line))
    say(f"decoded at equal pacing: {words(ours)}; straight {words(theirs)}")
    if ours.length < theirs.length:
        return one
    say("the straight line is as short once decoded, and is taken")
    return Leg(line, one.against, one.against, True)


def words(seen: Paced) -> str:
    """A decoded way in a few figures."""
    return f"length {seen.length:.4g}, energy {seen.energy:.4g}, peak step {seen.peak:.2g} times the mean"


def verdict(one: Leg) -> str:
    """What the map says of a leg."""
    if one.straight:
        return "no way is shorter than the straight line, which is taken"
    return (
        f"{100 * one.gain:.1f}% shorter than the straight line on the map ({one.length:.4g} against {one.against:.4g})"
    )


def _line(unit: Units) -> Units:
    return globe.slerp(unit[0], unit[-1], np.linspace(0.0, 1.0, len(unit)))
