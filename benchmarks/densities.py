"""Density geodesics and surprise, measured against known truths and decoded again.

    python benchmarks/densities.py [clairaut] [surprise] [density] [--atlas out/geometry/embedded]

clairaut: density geodesics about two poles against Clairaut's relation; the great circle; A to B against B to A.
surprise: the denoising loss against the analytic world's exact -log p.
density: mean surprise along geodesics by density and along great circles of the embedded world, measured anew. Needs an
atlas, made by `latentworld atlas survey neutral -o out/geometry/embedded --size 64x64 --scout --surprise`.
Without a name the first two are run. Exits with 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from goals import Array, Rows, analytic_world, pairs_of
from scipy import optimize
from scipy.stats import spearmanr

from installation import rig
from installation.atlas import findings, rendering
from installation.atlas.survey_folder import SurveyFolder, preset_of
from latentworld import globe
from latentworld.atlas import geodesic, ground, leg, paced
from latentworld.atlas.leg import Country
from latentworld.atlas.reader import Reader
from latentworld.atlas.settings import profile_of
from latentworld.decoding.analytic import SHELL, AnalyticDecoder
from latentworld.decoding.surprise import AnalyticSurprise, loss

DENSE = 16  # pairs


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


def clairaut(atlas: Path, table: Rows) -> None:
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


def surprise(atlas: Path, table: Rows) -> None:
    """The estimate against the exact -log p of what decodes."""
    for sigma, goal in ((0.1, 0.9), (0.2, 0.9), (0.3, None)):
        decoder = analytic_world(sigma).decoder
        assert isinstance(decoder, AnalyticDecoder)
        unit = globe.normalise(np.random.default_rng(0).normal(size=(4000, 3)))
        told = loss(decoder.mixture, decoder.mixture.flow(unit * SHELL))
        table.add(f"surprise, m = 4, sigma {sigma}: Spearman with -log p",
                  spearmanr(told, AnalyticSurprise(decoder).exact(unit))[0], goal)  # fmt: skip


def density(atlas: Path, table: Rows) -> None:
    """Mean surprise of the decoded places along ways by density, read off the map's own smooth field."""
    out = SurveyFolder.at(atlas)
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
    studio = rig.open_studio(preset_of(out))
    profile = profile_of(Reader(out.store).settings)
    scout = profile is not None and profile.kind == "scout"
    measure = rig.surprise_of(studio, rendering.chosen(studio, scout))
    return lambda unit: measure(studio.plane.latents(unit, np.ones(len(unit))), studio.prompt)


def main() -> int:
    """Run what is named."""
    parts = {"clairaut": clairaut, "surprise": surprise, "density": density}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", help=", ".join(parts))
    parser.add_argument("--atlas", type=Path, default=Path("out/geometry/embedded"))
    given = parser.parse_args()
    if wrong := set(given.part) - set(parts):
        parser.error(f"no part {', '.join(sorted(wrong))}: choose of {', '.join(parts)}")
    table = Rows()
    for name in given.part or ["clairaut", "surprise"]:
        parts[name](given.atlas, table)
    return table.show("Density geodesics and surprise")


if __name__ == "__main__":
    sys.exit(main())
