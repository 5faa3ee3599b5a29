"""The physics bench: log Z as a log-sum-exp of affine atoms against models whose truth is known.

    python benchmarks/table1.py [exact] [ising] [tasep] [onsager] [size]

exact: Ising 4 x 4 by all its 65,536 states, and TASEP's current from its exact posterior: no sampling at all.
ising: the same Ising model from samples, with half the spins for N (a posterior's width and its centre's own scatter
add), so that no scale is fitted.
tasep: 6,000 places of 8 snapshots of 32 sites, posteriors by a small perceptron: Lobashev et al. 2025, Table 1.
onsager: a 32 x 32 torus at H = 0 under two couplings, simulated on a checkerboard, against Onsager's log Z.
size: time and memory of a fit of 60,000 places.
Beside every figure stand those of an affine function (fitted to the truth) and of a zero gradient: what knowing nothing
is worth. log Z is known up to an affine function, which is fitted; where one scale more is fitted it is said.
Without a name all are run. Exits with 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from common import show
from numpy.typing import NDArray
from physics import ising, seen, tasep
from scipy.stats import qmc

from latentworld.atlas import logz, posterior
from latentworld.atlas.logz import LogZ
from latentworld.atlas.posterior import Posteriors

Array = NDArray[np.float64]
PAPER = (0.0112, 0.1165, 0.1135)  # Table 1, TASEP, U^2-Net


@dataclass(frozen=True)
class Truth:
    """A free energy and its gradient at places of the unit square: at [n, 2], value [n], slope [n, 2]."""

    at: Array
    value: Array
    slope: Array

    @property
    def affine(self) -> tuple[float, float, float]:
        """Root mean square of value and slopes less the best affine function: the first baseline."""
        plain = np.column_stack([self.at, np.ones(len(self.at))])
        fitted = np.linalg.lstsq(plain, self.value, rcond=None)[0]
        return rms(self.value - plain @ fitted), *(rms(self.slope[:, i] - fitted[i]) for i in (0, 1))  # type: ignore[return-value]

    @property
    def flat(self) -> tuple[float, float, float]:
        """The same of a zero gradient."""
        return rms(self.value - self.value.mean()), rms(self.slope[:, 0]), rms(self.slope[:, 1])

    def off(self, found: LogZ, scaled: bool = False) -> tuple[float, float, float, float]:
        """Root mean square errors of value and slopes once an affine function (and one scale) is fitted to the value;
        and that scale."""
        value, slope = found.value(self.at), found.gradient(self.at)
        plain = np.column_stack([self.at, np.ones(len(self.at))])
        scale = 1.0
        if scaled:
            scale = float(np.linalg.lstsq(np.column_stack([value, plain]), self.value, rcond=None)[0][0])
        tilt = np.linalg.lstsq(plain, self.value - scale * value, rcond=None)[0]
        wrong = scale * slope + tilt[:2] - self.slope
        return rms(scale * value + plain @ tilt - self.value), rms(wrong[:, 0]), rms(wrong[:, 1]), scale


def rms(values: Array) -> float:
    """Root of the mean square."""
    return float(np.sqrt((values**2).mean()))


class Rows:
    """What was measured, and whether a goal was missed."""

    def __init__(self) -> None:
        self.rows: list[list[str]] = []
        self.missed = False

    def add(self, name: str, measured: float, goal: float | None, *beside: str, least: bool = False) -> None:
        """A figure, the most (or with `least` the least) it may be, and what stands beside it."""
        good = goal is None or (measured >= goal if least else measured <= goal)
        self.missed |= not good
        asked = "" if goal is None else f"{'≥' if least else '≤'} {goal:g}"
        self.rows.append([name, f"{measured:.4g}", asked, "" if goal is None else "yes" if good else "NO", *beside])

    def against(self, name: str, truth: Truth, found: LogZ, goals: tuple[float | None, ...], scaled: bool) -> None:
        """Value and slopes beside the baselines."""
        *errors, scale = truth.off(found, scaled)
        for what, error, goal, plain, flat in zip(("F", "∂1 F", "∂2 F"), errors, goals, truth.affine, truth.flat):
            self.add(f"{name}: {what}", error, goal, f"{plain:.4g}", f"{flat:.4g}")
        if scaled:
            self.add(f"{name}: the scale fitted", scale, None, "", "")


def even(at: Array, begin: Array, rows: Array) -> Posteriors:
    """Posteriors over bins of equal area."""
    return Posteriors(at, np.full(len(at), 1.0 / len(at)), begin, rows, float("nan"))


def softmax(logits: Array) -> Array:
    """Rows that sum to 1."""
    weight = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def counted() -> tuple[ising.Counted, Array, Truth, Array]:
    """Ising 4 x 4 over K in .1 .. .7 and h in -.3 .. .3: the states, the couplings, the truth a spin, its metric."""
    states, at, width = ising.counted(), seen.bins(32), np.array([0.6, 0.6])
    places = np.array([0.1, -0.3]) + at * width
    mean, spread = states.moments(*places.T)
    truth = Truth(at, states.log_z(*places.T) / states.spins, mean / states.spins * width)
    return states, places, truth, spread / states.spins * width[:, None] * width


def exact(table: Rows) -> None:
    """Fits of exact posteriors: what the atoms can say."""
    _, _, truth, metric = counted()
    chosen = np.random.default_rng(0).permutation(len(truth.at))[:400]
    rows = softmax(256 * (truth.slope[chosen] @ truth.at.T - truth.value))
    began = time.process_time()
    found, _ = logz.fit(even(truth.at, truth.at[chosen], rows), 256, 100)
    took = time.process_time() - began
    table.against("Ising 4×4, exact posterior", truth, found, (1e-3, 2e-3, 2e-3), scaled=False)
    table.add("Ising 4×4: metric, median relative error", off_metric(found, truth.at, metric), 0.02)
    table.add("Ising 4×4: CPU seconds", took, None)
    line = Truth(truth.at, -tasep.current(*truth.at.T), -tasep.slope(*truth.at.T))
    rows = softmax(30 * (line.slope[chosen[:300]] @ line.at.T - line.value))
    found, _ = logz.fit(even(line.at, line.at[chosen[:300]], rows), 30, 100)
    table.against("TASEP −J, exact posterior, N = 30", line, found, (0.006, 0.06, 0.06), scaled=False)


def off_metric(found: LogZ, at: Array, metric: Array) -> float:
    """Median relative error of the metric, by Frobenius' norm."""
    wrong = np.linalg.norm(found.metric(at) - metric, axis=(1, 2))
    return float(np.median(wrong / np.linalg.norm(metric, axis=(1, 2))))


def sampled(table: Rows) -> None:
    """The Ising model from draws of 16 states, 8 and 64 draws a place; the posterior of each draw is Bayes' own."""
    states, places, truth, metric = counted()
    random, each = np.random.default_rng(0), 16
    chosen = random.permutation(len(truth.at))[:400]
    for draws in (8, 64):
        drawn = states.drawn(*places[chosen].T, draws * each, random).reshape(len(chosen), draws, each, 2).sum(axis=2)
        spent = each * states.log_z(*places.T)
        rows = np.mean([softmax(drawn[:, k] @ places.T - spent) for k in range(draws)], axis=0)
        found, _ = logz.fit(even(truth.at, truth.at[chosen], rows), each * states.spins / 2, 100)
        name = f"Ising 4×4, {draws} draws of {each}, N/2"
        table.against(name, truth, found, (4e-3, 0.02, 0.02), scaled=False)
        table.add(f"{name}: metric, median relative error", off_metric(found, truth.at, metric), 0.2)
        table.add(f"{name}: the scale that would fit", truth.off(found, True)[3], None)


def simulated(table: Rows) -> None:
    """TASEP from snapshots, as the paper's Table 1 has it."""
    began, worked = time.monotonic(), time.process_time()
    places = np.random.default_rng(0).random((6000, 2))
    lines = tasep.snapshots(*places.T, sites=32, draws=8, sweeps=400, every=60, seed=0)
    rows = seen.posteriors(places, looked_at(lines), 24, epochs=12, seed=0)
    found, _ = logz.fit(even(seen.bins(24), places[:1200], rows[:1200]), 16, 100)
    took = time.process_time() - worked
    at = seen.bins(64)
    truth = Truth(at, -tasep.current(*at.T), -tasep.slope(*at.T))
    table.against("TASEP simulated, −J", truth, found, (0.009, 0.09, 0.09), scaled=True)
    for what, theirs in zip(("F", "∂1 F", "∂2 F"), PAPER):
        table.add(f"the paper's TASEP (U²-Net, 128²): {what}", theirs, None)
    table.add("TASEP simulated: CPU seconds, one thread", took, 40)
    table.add("TASEP simulated: wall seconds, as busy as the machine was", time.monotonic() - began, None)
    value, step = tasep.negentropy(*at.T), 1e-6
    slope = [(tasep.negentropy(*(at + e).T) - tasep.negentropy(*(at - e).T)) / (2 * step) for e in step * np.eye(2)]
    table.against("TASEP, negentropy", Truth(at, value, np.stack(slope, 1)), found, (None,) * 3, scaled=True)


def looked_at(lines: NDArray[np.uint8]) -> NDArray[np.floating]:
    """Snapshots [n, draws, sites] with a few sums beside: density whole and at the ends, pairs, moves that are open."""
    line = lines.astype(np.float32)
    sums = [line, line[..., :8], line[..., -8:], line[..., :-1] * (1 - line[..., 1:]), line[..., :-1] * line[..., 1:]]
    return np.concatenate([line, *(part.mean(axis=2, keepdims=True) for part in sums)], axis=2)


def critical(table: Rows) -> None:
    """Two couplings of a torus at H = 0 about T_c, simulated; Onsager's log Z along K_x = K_y."""
    side, low, width = 32, 0.28, 0.32
    places = qmc.Sobol(2, scramble=False).random(1024)
    states = ising.energies(*(low + width * places).T, side, sweeps=600, every=12, draws=32, seed=0)
    rows = seen.posteriors(places, states, 36, epochs=12, seed=0, width=64)
    found, _ = logz.fit(even(seen.bins(36), places, rows), side**2 / 2 * width, 196)
    share = np.linspace(0.02, 0.98, 193)
    line, coupling = np.stack([share, share], axis=1), low + width * share
    truth = ising.onsager(coupling, coupling)
    for scaled in (False, True):
        value, plain = width * found.value(line), np.column_stack([share, np.ones(len(share))])
        columns = np.column_stack([value, plain]) if scaled else plain
        fitted = np.linalg.lstsq(columns, truth if scaled else truth - value, rcond=None)[0]
        made = columns @ fitted + (0 if scaled else value)
        words = f"one scale fitted: {fitted[0]:.3g}" if scaled else "no scale fitted"
        table.add(f"Onsager: log Z, largest relative error, {words}", float(np.abs(made / truth - 1).max()), 0.01)
    straight = np.column_stack([share, np.ones(len(share))])
    plain = straight @ np.linalg.lstsq(straight, truth, rcond=None)[0]
    table.add("Onsager: the same of an affine function", float(np.abs(plain / truth - 1).max()), None)
    metric = found.metric(line).sum(axis=(1, 2))
    peak = 1 / coupling[metric.argmax()]
    table.add("Onsager: |T at the metric's peak − T_c|", abs(float(peak - 1 / ising.CRITICAL)), 0.05)


def size(table: Rows) -> None:
    """60,000 places with 512 features of 12 blurred phases: posteriors and a fit."""
    random = np.random.default_rng(0)
    line = np.linspace(0, 1, 245)
    places = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
    middles, features = random.random((12, 2)), random.normal(size=(12, 512))
    share = softmax(-400 * ((places[:, None] - middles) ** 2).sum(axis=2))
    features = (share @ features).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows = posterior.of_features(places, np.full(len(places), 1 / len(places)), features, 20.0)
    logz.fit(rows, 20.0, 144)
    table.add(f"{len(places):,} places: wall seconds", time.monotonic() - began, 60)
    table.add(
        f"{len(places):,} places: GB, whole process", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 1.5
    )
    table.add(f"{len(places):,} places: GB before the fit", before / 1e6, None)


def main() -> int:
    """Run what is named."""
    parts: dict[str, Callable[[Rows], None]] = {
        "size": size, "exact": exact, "ising": sampled, "tasep": simulated, "onsager": critical,
    }  # fmt: skip
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", help=", ".join(parts))
    named = parser.parse_args().part
    if wrong := set(named) - set(parts):
        parser.error(f"no part {', '.join(sorted(wrong))}: choose of {', '.join(parts)}")
    torch.set_num_threads(1)  # small matrices: a second thread costs more than it brings
    table = Rows()
    for name, part in parts.items():
        if not named or name in named:
            part(table)
    rows = [row + [""] * (6 - len(row)) for row in table.rows]
    columns = ["figure", "measured", "asked", "reached", "affine function", "zero gradient"]
    show("log Z as a log-sum-exp, against known truths (root mean square errors)", columns, rows)
    return 1 if table.missed else 0


if __name__ == "__main__":
    sys.exit(main())
