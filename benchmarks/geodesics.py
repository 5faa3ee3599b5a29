"""What the metric and geodesics promise, measured: against known truths, and decoded again at equal pacing.

    python benchmarks/geodesics.py [analytic] [embedded] [--keep out/geometry/pairs]

analytic: the analytic world, whose J^T J is known: the metric by log Z against it; 20 geodesics against straight lines.
embedded: pairs on a 64 x 64 survey of the embedded world (a cell of 1/63), geodesics and straight lines decoded again
at equal pacing, beside the table of Lobashev et al. 2025. Needs --atlas, made (and gone on with) by
`latentworld atlas survey neutral -o out/geometry/embedded --size 64x64 --scout`.
--keep writes embedded's figures and strips there; geodesics-*.png are drawn from them.
Without a name the first is run. Densities: densities.py. Exits with 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from goals import Array, Rows, analytic_world, pairs_of
from scipy.stats import spearmanr

from installation.atlas import findings, geodesics, rendering
from installation.atlas.survey_folder import SurveyFolder
from installation.studio import Studio
from latentworld import globe
from latentworld.atlas import field, geodesic, leg, mesh, metric, paced, plots, survey
from latentworld.atlas.leg import Country
from latentworld.atlas.sampling import Window
from latentworld.atlas.types import Render
from latentworld.decoding.analytic import SHELL, AnalyticDecoder

PAPER = (
    ("CLIP length", "72.3 ± 4.0", "73.6 ± 3.5"),
    ("PPL", "3.12 ± .16", "3.17 ± .23"),
    ("curvature", ".367", "1.33"),
)
PACES = (("latent", "straight", "even in latents"), ("straight", "straight", "even in meaning"),
         ("geodesic", "geodesic", "even in meaning"))  # fmt: skip
PAIRS, DENSE = 12, 16
LEAST = 0.35  # of the window, between the ends of a pair


@dataclass(frozen=True)
class Options:
    """atlas: of the embedded world; keep: where figures go, None for nowhere; pairs: decoded again."""

    atlas: Path
    keep: Path | None
    pairs: int


# ---- the analytic world


def exact_metric(studio: Studio, coordinates: Array) -> Array:
    """J^T J of x_0 in alpha and beta [n, 2, 2], by the flow's own derivative."""
    decoder, plane, step = studio.decoder, studio.plane, 1e-6
    assert isinstance(decoder, AnalyticDecoder)
    ends = [(plane.unit(*(coordinates + e).T), plane.unit(*(coordinates - e).T)) for e in step * np.eye(2)]
    moves = np.stack([(after - before) / (2 * step) for after, before in ends], axis=2)
    slope = decoder.mixture.jacobian(plane.unit(*coordinates.T) * SHELL) @ (moves * SHELL)
    return np.asarray(np.einsum("nfa,nfb->nab", slope, slope))


def analytic(options: Options, table: Rows) -> None:
    """The metric against the exact one, and geodesics against straight lines."""
    studio = analytic_world()
    seen = survey.in_memory(Window(rows=36, columns=36), studio.plane, rendering.renderer(studio, studio.decoder, 8))
    net = mesh.mesh(seen)
    truth = exact_metric(studio, seen.coordinates).trace(axis1=1, axis2=2)
    fitted = metric.hessian(seen, net, sharpness=30.0)
    for name, tensors, low in (("by log Z", fitted.tensors, True), ("pull-back", metric.pulled_back(seen, net), False)):
        trace = metric.trace(tensors)
        table.add(f"analytic: Spearman(tr g, exact), {name}", spearmanr(trace, truth)[0], 0.85 if low else None)
        shared = len(top(trace) & top(truth)) / len(top(truth))
        table.add(f"analytic: top decile shared, {name}", shared, 0.75 if low else None)
    table.add("analytic: least eigenvalue by log Z", float(metric.axes(fitted.tensors)[0].min()), -1e-12)
    rates = field.rates(seen, net)
    for by in ("meaning", "metric"):
        country = Country(seen, net, rates, leg.by_of(by), logz=fitted.logz)
        ways_in(studio, country, by, table)
    within(studio, Country(seen, net, rates), table)


def top(values: Array) -> set[int]:
    """The places of the largest tenth."""
    return set(np.argsort(values)[-len(values) // 10 :].tolist())


def flowed(studio: Studio, unit: Array, pieces: int | None = None) -> Array:
    """Exact features along a way at its own pace, or evenly along its arc in so many pieces."""
    assert isinstance(studio.decoder, AnalyticDecoder)
    at = unit if pieces is None else paced.along(unit, np.linspace(0, 1, pieces + 1))
    return studio.decoder.mixture.flow(at * SHELL)


def ways_in(studio: Studio, country: Country, by: str, table: Rows) -> None:
    """20 pairs: energy at a geodesic's own pace against the straight line's latent one, and at equal pacing."""
    random, plane = np.random.default_rng(1), studio.plane
    ours, theirs, lengths, straights, seconds = [], [], [], [], time.process_time()
    for _ in range(20):
        ends = plane.unit(*random.uniform(0.05, 0.95, (2, 2)).T)
        way = leg.between(country, *ends).unit
        line = globe.slerp(ends[0], ends[1], np.linspace(0, 1, len(way)))
        ours.append(geodesic.energy(flowed(studio, way)))
        theirs.append(geodesic.energy(flowed(studio, line)))
        lengths.append(geodesic.length(flowed(studio, way, 2000)))
        straights.append(geodesic.length(flowed(studio, line, 2000)))
    each = (time.process_time() - seconds) / 20
    goal = by == "meaning"
    table.add(f"analytic, by {by}: energy over straight, 20 pairs", sum(ours) / sum(theirs), high=0.7 if goal else None)
    even = sum(np.square(lengths)) / sum(np.square(straights))
    table.add(f"analytic, by {by}: the same at equal pacing", even)
    table.add(f"analytic, by {by}: length over straight", sum(lengths) / sum(straights), high=0.97 if goal else None)
    table.add(f"analytic, by {by}: the worst pair's", float(np.max(np.divide(lengths, straights))))
    table.add(f"analytic, by {by}: CPU seconds a way", each)


def within(studio: Studio, country: Country, table: Rows) -> None:
    """Within one phase ways are straight: pairs in one basin whose whole line lies there, calm throughout."""
    assert isinstance(studio.decoder, AnalyticDecoder)
    random, off, found = np.random.default_rng(2), [], 0
    calm = float(np.quantile(country.rates, 0.4))
    while found < 12:
        ends = studio.plane.unit(*random.uniform(0.02, 0.98, (2, 2)).T)
        line = globe.slerp(ends[0], ends[1], np.linspace(0, 1, 40))
        rates = studio.decoder.true_rate(line)
        if len(np.unique(studio.decoder.basin(line))) > 1 or rates.max() > calm or globe.angle(*ends) < 0.1:
            continue
        found += 1
        way = leg.between(country, *ends).unit
        off.append(1 - geodesic.length(flowed(studio, way, 800)) / geodesic.length(flowed(studio, line, 800)))
    table.add("analytic: within one phase, most a way spares", float(np.max(np.abs(off))), high=0.02)


# ---- the embedded world


def embedded(options: Options, table: Rows) -> None:
    """Geodesics decoded again: how much is pacing, how much is the way."""
    out = SurveyFolder.at(options.atlas)
    found = findings.read(out)
    render = geodesics.renderer_of(out)
    country = Country(found.atlas, found.mesh, found.rates)
    table.say("embedded: cell", f"{1 / (found.atlas.grid or (2, 2))[0]:.4f} of the window")
    kept: list[dict[str, Any]] = []
    drawn: list[dict[str, paced.Paced]] = []
    for number, (begin, end) in enumerate(pairs_of(found.atlas, options.pairs, 5), 1):
        what, three = compared(country, begin, end, render)
        kept.append(what)
        drawn.append(three)
        print(number, {k: v for k, v in kept[-1].items() if k in ("energy", "length")}, flush=True)
    told(table, kept)
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
        (options.keep / "pairs.json").write_text(json.dumps(kept))
        draw(options.keep, found, kept, drawn)


def draw(
    folder: Path, found: findings.Findings, kept: list[dict[str, Any]], drawn: list[dict[str, paced.Paced]]
) -> None:
    """All ways over the field, and the strips of the three pairs that gain most."""
    over = [{name: np.array(one["ways"][name]) for name in ("straight", "geodesic")} for one in kept]
    plots.save(plots.ways(found.atlas, found.rates, over, "Straight lines and geodesics"), folder / "geodesics-map")
    gains = [one["length"]["geodesic"] / one["length"]["straight"] for one in kept]
    for rank, index in enumerate(np.argsort(gains)[:3].tolist(), 1):
        three = {f"{name}, {pace}": drawn[index][key] for key, name, pace in PACES}
        words = f"pair {index + 1} of {len(kept)}: the geodesic is {100 * (1 - gains[index]):.0f}% shorter once decoded"
        plots.save(plots.strips(three, "How much is pacing, how much is the way", words), folder / f"geodesics-{rank}")


def compared(
    country: Country, begin: Array, end: Array, render: Render
) -> tuple[dict[str, Any], dict[str, paced.Paced]]:
    """One pair three ways: straight at latent pace, straight at equal pace, and the geodesic at equal pace; where the
    geodesic is no shorter once decoded, the straight line is what is answered."""
    radius = country.atlas.radius
    one = leg.between(country, begin, end)
    line = globe.slerp(begin, end, np.linspace(0, 1, len(one.unit)))
    latent = paced.latent(render, line, radius)
    straight = paced.walked(render, line, radius)
    way = straight if one.straight else paced.walked(render, one.unit, radius)
    answered = way if way.length < straight.length else straight
    three = {"latent": latent, "straight": straight, "geodesic": way, "answered": answered}
    what: dict[str, Any] = {"map": one.gain, "ends": [begin.tolist(), end.tolist()]}
    for name in ("length", "energy", "curvature", "peak"):
        what[name] = {key: vars(Figures.of(seen))[name] for key, seen in three.items()}
    what["steps"] = {key: seen.steps.tolist() for key, seen in three.items()}
    what["ways"] = {"geodesic": one.unit.tolist(), "straight": line.tolist()}
    what["frames"] = {key: seen.unit.tolist() for key, seen in three.items()}
    return what, three


@dataclass(frozen=True)
class Figures:
    """Of a decoded way."""

    length: float
    energy: float
    curvature: float
    peak: float

    @staticmethod
    def of(seen: paced.Paced) -> Figures:
        """Its figures."""
        return Figures(seen.length, seen.energy, seen.curvature, seen.peak)


def told(table: Rows, kept: list[dict[str, Any]]) -> None:
    """The pairs' figures, and the paper's table beside them."""

    def column(name: str, key: str) -> Array:
        return np.array([one[name][key] for one in kept])

    for answer, goal in (("geodesic", False), ("answered", True)):
        what = "geodesics" if answer == "geodesic" else "answers (the straight line where that is shorter)"
        energy = column("energy", answer) / column("energy", "straight")
        length = column("length", answer) / column("length", "straight")
        table.add(
            f"embedded, {what}: energy over straight, {len(kept)} pairs", energy.mean(), high=0.88 if goal else None
        )
        table.add(f"embedded, {what}: length over straight", length.mean(), high=0.96 if goal else None)
        table.add(f"embedded, {what}: the worst pair's length", length.max(), high=1.02 if goal else None)
    table.add("embedded: energy of the straight line at equal over latent pace",
              float((column("energy", "straight") / column("energy", "latent")).mean()))  # fmt: skip
    for name, unit in (
        ("length", "CLIP distance"),
        ("energy", "n Σ d²"),
        ("curvature", "rad a step"),
        ("peak", "of mean"),
    ):
        cells = [
            f"{column(name, key).mean():.3g} ± {column(name, key).std():.2g}"
            for key in ("latent", "straight", "geodesic")
        ]
        table.say(f"ours, {name} ({unit}): latent pace / straight / geodesic", " / ".join(cells))
    for name, ours, line in PAPER:
        table.say(f"the paper's {name}: its geodesics / linear", f"{ours} / {line}")


def main() -> int:
    """Run what is named."""
    parts = {"analytic": analytic, "embedded": embedded}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", help=", ".join(parts))
    parser.add_argument("--atlas", type=Path, default=Path("out/geometry/embedded"))
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    given = parser.parse_args()
    if wrong := set(given.part) - set(parts):
        parser.error(f"no part {', '.join(sorted(wrong))}: choose of {', '.join(parts)}")
    table = Rows()
    for name in given.part or ["analytic"]:
        parts[name](Options(given.atlas, given.keep, given.pairs), table)
    return table.show("Metric and geodesics")


if __name__ == "__main__":
    sys.exit(main())
