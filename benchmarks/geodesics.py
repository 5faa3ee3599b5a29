"""What the metric and geodesics promise, measured: against known truths, and decoded again at equal pacing.

    python benchmarks/geodesics.py [analytic] [clairaut] [surprise] [embedded] [density]

analytic: the analytic world, whose J^T J is known: the metric by log Z against it; 20 geodesics against straight lines.
clairaut: density geodesics about two poles against Clairaut's relation; the great circle; A to B against B to A.
surprise: the denoising loss against the analytic world's exact -log p.
embedded: pairs on a 64 x 64 survey of the embedded world (a cell of 1/63), geodesics and straight lines decoded again
at equal pacing, beside the table of Lobashev et al. 2025. Needs --atlas, made (and gone on with) by
`latentworld atlas survey neutral -o out/geometry/embedded --size 64x64 --scout`.
density: mean surprise along geodesics by density and along great circles; needs the same with --surprise.
--keep writes embedded's figures and strips there; geodesics-*.png are drawn from them.
Without a name the first three are run. Exits with 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import show
from numpy.typing import NDArray
from scipy import optimize
from scipy.stats import spearmanr

from installation import rig
from installation.atlas import findings, geodesics, rendering
from installation.atlas.survey_folder import SurveyFolder
from installation.studio import Studio
from latentworld import globe, preset
from latentworld.atlas import field, geodesic, ground, leg, mesh, metric, paced, plots, survey
from latentworld.atlas.leg import Country
from latentworld.atlas.reader import Reader
from latentworld.atlas.sampling import Window
from latentworld.atlas.types import Atlas, Render
from latentworld.decoding.analytic import SHELL, AnalyticDecoder
from latentworld.decoding.surprise import AnalyticSurprise, loss

Array = NDArray[np.float64]
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


class Rows:
    """Figures with their goals."""

    def __init__(self) -> None:
        self.rows: list[list[str]] = []
        self.missed = False

    def add(self, name: str, measured: float, low: float | None = None, high: float | None = None) -> None:
        """A figure, and the least and the most it may be."""
        good = (low is None or measured >= low) and (high is None or measured <= high)
        self.missed |= not good
        bounds = (("≥", low), ("≤", high))
        asked = " ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)
        self.rows.append([name, f"{measured:.4g}", asked, ("yes" if good else "NO") if asked else ""])

    def say(self, name: str, words: str) -> None:
        """Something without a goal."""
        self.rows.append([name, words, "", ""])


# ---- the analytic world


def analytic_world(sigma: float = 0.2) -> Studio:
    """Twelve modes."""
    told = ["decoder.kind=analytic", "decoder.height=32", "decoder.width=32", "decoder.batch=64", "analytic.modes=12"]
    return rig.open_studio(preset.load("analytic", [*told, f"analytic.sigma={sigma}"]))


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


# ---- density


def poles(sigma: float = 0.3, share: float = 0.84) -> Callable[[Array], tuple[Array, Array]]:
    """-log p_t on the shell of two modes at the poles, up to a constant, and its gradient."""
    steep = np.sqrt(share * 3) / (share * sigma**2 + 1 - share)

    def at(unit: Array) -> tuple[Array, Array]:
        z = steep * unit[:, 2]
        slope = np.zeros_like(unit)
        slope[:, 2] = -steep * np.tanh(z)
        return -np.logaddexp(z, -z), slope

    return at


def by_clairaut(strength: float, latitude: float, apart: float) -> tuple[float, float]:
    """Length and turning latitude of the geodesic between two places of one latitude, `apart` in longitude.

    w cos(latitude) sin(azimuth) is constant along it: w cos(latitude) at the turn. By Gauss and Legendre's
    quadrature and a root.
    """

    def weight(at: float) -> float:
        unit = np.array([[np.cos(at), 0.0, np.sin(at)]])
        return float(np.exp(strength * poles()(unit)[0][0]))

    def along(turn: float, what: Callable[[float, float, float], float]) -> float:
        constant = weight(turn) * np.cos(turn)

        def inner(s: float) -> float:  # latitude = turn - s^2 takes the root at the turn away
            at = turn - s * s
            w = weight(at)
            return 2 * s * what(w, at, constant) / np.sqrt(max((w * np.cos(at)) ** 2 - constant**2, 1e-300))

        spot, share = np.polynomial.legendre.leggauss(120)
        half = np.sqrt(turn - latitude) / 2
        return 2 * half * float(sum(one * inner(half * (1 + at)) for at, one in zip(spot, share)))

    def gap(turn: float) -> float:
        return along(turn, lambda w, at, constant: constant / np.cos(at)) - apart

    turns = np.linspace(latitude + 1e-6, 1.55, 100)
    above = next(at for at in turns if gap(at) > 0)
    turn = float(optimize.brentq(gap, above - (turns[1] - turns[0]), above, xtol=1e-13))
    return along(turn, lambda w, at, constant: w * w * np.cos(at)), turn


def clairaut(options: Options, table: Rows) -> None:
    """Density geodesics about two poles, whose truth is a quadrature."""
    latitude, apart = 0.6, 1.8
    ends = [np.array([np.cos(latitude) * np.cos(s), np.cos(latitude) * np.sin(s), np.sin(latitude)])
            for s in (-apart / 2, apart / 2)]  # fmt: skip
    counts = (16, 32, 64, 128)
    for strength in (0.1, 0.3, 1.0):
        truth, turn = by_clairaut(strength, latitude, apart)
        errors, sides = [], []
        for count in counts:
            made, energy = dense(ends[0], ends[1], strength, count)
            errors.append(energy.length(made) / truth - 1)
            sides.append(float(np.abs(energy.chart.unit(made)[0][:, 2]).max()))
        goal = 1e-4 if strength <= 0.3 else None
        table.add(f"Clairaut, k = {strength:g}: length error at n = 64", abs(errors[2]), high=goal)
        table.add(f"Clairaut, k = {strength:g}: turning latitude off, n = 128", abs(float(np.arcsin(sides[3])) - turn))
        table.add(f"Clairaut, k = {strength:g}: order", float(np.log2(errors[1] / errors[2])), *(
            (1.9, 2.1) if goal else (None, None)))  # fmt: skip
        line = geodesic.straight(energy.chart, ends[0], ends[1], 4096)
        table.say(
            f"Clairaut, k = {strength:g}: great circle longer by", f"{100 * (energy.length(line) / truth - 1):.1f}%"
        )
        back = dense(ends[1], ends[0], strength, 64)
        there = dense(ends[0], ends[1], strength, 64)
        off = np.abs(there[1].chart.unit(there[0])[0] - back[1].chart.unit(back[0])[0][::-1]).max()
        table.add(f"Clairaut, k = {strength:g}: A to B against B to A", float(off), high=1e-9)
    made, energy = dense(ends[0], ends[1], 0.0, 64)
    circle = globe.slerp(ends[0], ends[1], np.linspace(0, 1, 65))
    table.add("k = 0 against the great circle", float(np.abs(energy.chart.unit(made)[0] - circle).max()), high=1e-12)
    for name, one, other in (("equator", (0.0, -0.8), (0.0, 0.7)), ("meridian", (-0.5, 0.3), (0.9, 0.3))):
        pair = [np.array([np.cos(a) * np.cos(b), np.cos(a) * np.sin(b), np.sin(a)]) for a, b in (one, other)]
        strength = -0.3 if name == "equator" else 0.3  # what repels from the poles holds on the equator
        made, energy = dense(pair[0], pair[1], strength, 64)
        normal = globe.normalise(np.cross(*pair))
        table.add(f"{name}: off its great circle", float(np.abs(energy.chart.unit(made)[0] @ normal).max()), high=1e-12)


def dense(begin: Array, end: Array, strength: float, count: int) -> tuple[Array, geodesic.Density]:
    """The way between two places by the poles' density."""
    chart = ground.between(begin, end)
    energy = geodesic.Density(chart, poles(), strength)
    return geodesic.relax(energy, geodesic.straight(chart, begin, end, count), chart, 1e-15), energy


def surprise(options: Options, table: Rows) -> None:
    """The estimate against the exact -log p of what decodes."""
    for sigma, goal in ((0.1, 0.9), (0.2, 0.9), (0.3, None)):
        decoder = analytic_world(sigma).decoder
        assert isinstance(decoder, AnalyticDecoder)
        unit = globe.normalise(np.random.default_rng(0).normal(size=(4000, 3)))
        told = loss(decoder.mixture, decoder.mixture.flow(unit * SHELL))
        table.add(f"surprise, m = 4, sigma {sigma}: Spearman with -log p",
                  spearmanr(told, AnalyticSurprise(decoder).exact(unit))[0], goal)  # fmt: skip


# ---- the embedded world


def pairs_of(atlas: Atlas, count: int, seed: int) -> list[tuple[Array, Array]]:
    """Pairs of places of a window, `LEAST` of it apart or more, off its rim."""
    random, found = np.random.default_rng(seed), []
    while len(found) < count:
        ends = random.uniform(0.06, 0.94, (2, 2))
        if np.linalg.norm(ends[1] - ends[0]) >= LEAST:
            found.append((atlas.plane.unit(*ends[0]), atlas.plane.unit(*ends[1])))
    return found


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


def density(options: Options, table: Rows) -> None:
    """Mean surprise of the decoded places along ways by density, read off the map's own smooth field."""
    out = SurveyFolder.at(options.atlas)
    found, kept = findings.read(out), Reader(out.store)
    told_by = kept.read_surprise()
    country = Country(found.atlas, found.mesh, found.rates, "density", 1.0, surprise=told_by)
    studio_surprise = decoded_surprise(out)
    lower, higher, gains = 0, 0, []
    for begin, end in pairs_of(found.atlas, DENSE, 6):
        line = globe.slerp(begin, end, np.linspace(0, 1, 64))
        likely = leg.between(country, begin, end).unit
        unlikely = leg.between(
            Country(found.atlas, found.mesh, found.rates, "density", -1.0, surprise=told_by), begin, end
        )
        means = [
            studio_surprise(paced.along(way, np.linspace(0, 1, 33))).mean() for way in (line, likely, unlikely.unit)
        ]
        lower, higher = lower + (means[1] < means[0]), higher + (means[2] > means[0])
        gains.append(means[1] / means[0])
        print(f"straight {means[0]:.4g}, likely {means[1]:.4g}, unlikely {means[2]:.4g}", flush=True)
    table.add(f"density: share of {DENSE} pairs with less surprise than the great circle", lower / DENSE, 0.75)
    table.add("density: mean surprise over the great circle's", float(np.mean(gains)))
    table.add("density, k = -1: share with more surprise", higher / DENSE)


def decoded_surprise(out: SurveyFolder) -> Callable[[Array], Array]:
    """The surprise of places [n, 3], measured anew."""
    from installation.atlas.survey_folder import preset_of
    from latentworld.atlas.settings import profile_of

    studio = rig.open_studio(preset_of(out))
    profile = profile_of(Reader(out.store).settings)
    scout = profile is not None and profile.kind == "scout"
    measure = rig.surprise_of(studio, rendering.chosen(studio, scout))
    return lambda unit: measure(studio.plane.latents(unit, np.ones(len(unit))), studio.prompt)


def main() -> int:
    """Run what is named."""
    parts = {"analytic": analytic, "clairaut": clairaut, "surprise": surprise, "embedded": embedded, "density": density}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", help=", ".join(parts))
    parser.add_argument("--atlas", type=Path, default=Path("out/geometry/embedded"))
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    given = parser.parse_args()
    if wrong := set(given.part) - set(parts):
        parser.error(f"no part {', '.join(sorted(wrong))}: choose of {', '.join(parts)}")
    table = Rows()
    for name in given.part or ["analytic", "clairaut", "surprise"]:
        parts[name](Options(given.atlas, given.keep, given.pairs), table)
    show("Metric and geodesics", ["figure", "measured", "asked", "reached"], table.rows)
    return 1 if table.missed else 0


if __name__ == "__main__":
    sys.exit(main())
