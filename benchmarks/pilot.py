"""Does the pilot find rifts? Share of arc in the top decile of the rate, piloted against unpiloted.

    python benchmarks/pilot.py                        analytic world, 100 random starts
    python benchmarks/pilot.py --world embedded       the embedded world, fewer starts

Decile: of a survey of random places over the whole globe, independent of every walk. Rate of a place: its gradient
magnitude (closed form on the analytic world; elsewhere from a cross of probes), the same for survey and walks.
Every walk has the same start, length and number of samples, evenly spaced in arc; the unpiloted one goes straight on.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from latentworld import globe
from latentworld.arrays import Array
from latentworld.decoding.analytic import AnalyticEye, analytic, lattice_modes
from latentworld.drawing.style import glow
from latentworld.lipschitz import Lookout, ratio
from latentworld.pacing import PacingSpec
from latentworld.pilot import Pilot, PilotSpec
from latentworld.plane import Plane
from latentworld.prompts import Prompt
from latentworld.tokens import PHASES
from latentworld.walks import Free

if TYPE_CHECKING:
    from torch import Tensor

RateOf = Callable[[Array], Array]
EASE = np.degrees(1.0) * 2.0  # curvature per radian of travel: the default of a rift walk, 0.5 degrees a unit


def random_units(count: int, seed: int) -> Array:
    """Uniform on the globe [count, 3]."""
    return globe.normalise(np.random.default_rng(seed).normal(size=(count, 3)))


def stencil_rate(lookout: Lookout, plane: Plane, step: float) -> RateOf:
    """Gradient magnitude from two crossing lines of three probes each, `step` radians apart."""

    def rate(units: Array) -> Array:
        east = globe.normalise(np.cross(units, np.eye(3)[np.abs(units).argmin(axis=1)]))
        squared = np.zeros(len(units))
        for heading in (east, globe.cross(units, east)):
            line = np.stack([globe.step(units, heading, np.full(len(units), s))[0] for s in (-step, 0.0, step)], axis=1)
            features = np.asarray(lookout(line.reshape(-1, 3), np.ones(line.shape[0] * 3)), dtype=np.float64)
            points = plane.points(line, np.ones(line.shape[:2]))
            squared += line_rate(features.reshape(*line.shape[:2], -1), points) ** 2
        return np.sqrt(squared)

    return rate


def line_rate(features: Array, points: Array) -> Array:
    """Mean rate of both edges at the middle of each line of three: features [n, 3, F], points [n, 3, 3]."""
    edges = ratio(np.linalg.norm(np.diff(features, axis=1), axis=2), np.linalg.norm(np.diff(points, axis=1), axis=2))
    return np.asarray(edges.mean(axis=1))


def walked(pilot: Pilot, walk: Free, length: float, n: int, samples: int) -> Array:
    """Units [samples, 3] evenly spaced in arc along a piloted walk of this length."""
    units, gathered, position = [], np.linspace(0, length, samples, endpoint=False), 0.0
    while position < length:
        steering = pilot(walk, None, None, n)
        stride = float(steering.strides[-1])
        inside = gathered[(gathered >= position) & (gathered < position + stride)] - position
        if len(inside):
            units.append(walk.ahead(inside, steering.curvature)[0])
        walk, position = walk.advance(stride, steering.curvature), position + stride
    return np.concatenate(units)


def open_world(args: argparse.Namespace, exact: bool) -> tuple[Plane, Lookout, int, RateOf]:
    """Plane, lookout, batch and rate: the analytic world, or the scout of any other."""
    if not exact:
        from installation import rig
        from installation.studio import lookout
        from latentworld.preset import DecoderSpec, Preset
        from latentworld.sections import WorldSpec

        studio = rig.open_studio(Preset(world=WorldSpec(name=args.world), decoder=DecoderSpec(kind="scout")))
        look = lookout(studio.plane, studio.decoder, studio.eye, studio.prompt)
        return studio.plane, look, studio.decoder.profile.batch, stencil_rate(look, studio.plane, args.step)
    plane = Plane(np.random.default_rng(args.seed).normal(size=(3, 4, 16, 16)))
    world = analytic(plane, lattice_modes(args.mixture, args.seed), args.sigma, args.seed, size=(8, 8), batch=64)
    eye = AnalyticEye()

    def lookout(units: Array, radii: Array) -> Tensor:
        return eye(world(plane.latents(units, radii), Prompt()))

    return plane, lookout, 8, world.true_rate


def compare(
    make: Callable[[str], Pilot],
    plane: Plane,
    rate: RateOf,
    threshold: float,
    args: argparse.Namespace,
) -> dict[str, list[Array]]:
    """Walk every mode from every start; print the table."""
    starts = random_units(args.starts, args.seed + 1)
    tangents = random_units(args.starts, args.seed + 2)
    paths: dict[str, list[Array]] = {mode: [] for mode in args.modes}
    print(f"{'mode':8s} {'share in top decile':>20s} {'against straight':>17s} {'median rate':>12s} {'decodes':>8s}")
    plain = 1.0
    for mode in args.modes:
        shares, rates, decodes = [], [], 0
        for start, tangent in zip(starts, tangents):
            pilot = make(mode)
            walk = Free(start, globe.project(start, tangent), plane.target, ease=EASE)
            units = walked(pilot, walk, args.length, args.frames, args.samples)
            measured = rate(units)
            shares.append(float((measured >= threshold).mean()))
            rates.append(measured)
            paths[mode].append(units)
            decodes += pilot.probes
        share = float(np.mean(shares))
        plain = share if mode == "off" else plain
        error = float(np.std(shares) / np.sqrt(len(shares)))
        times = share / plain if plain else np.nan
        middle = np.median(np.concatenate(rates))
        print(f"{mode:8s} {share:12.3f} ± {error:.3f} {times:16.2f}x {middle:12.4f} {decodes:8d}", flush=True)
    return paths


def plot(paths: dict[str, list[Array]], rate: RateOf, threshold: float, size: int, file: Path) -> None:
    """Paths over the rate field, in longitude and sine of latitude (equal areas): one panel a mode."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    longitude, sine = np.meshgrid(
        (np.arange(2 * size) + 0.5) / size * np.pi - np.pi, (np.arange(size) + 0.5) / size * 2 - 1
    )
    ring = np.sqrt(1 - sine**2)
    field = rate(np.stack([ring * np.cos(longitude), ring * np.sin(longitude), sine], -1).reshape(-1, 3))
    figure, axes = plt.subplots(len(paths), 1, figsize=(9, 4.6 * len(paths)), constrained_layout=True)
    for axis, (mode, walks) in zip(np.atleast_1d(axes), paths.items()):
        image = axis.imshow(np.log10(field).reshape(size, 2 * size), extent=(-180, 180, -1, 1), origin="lower",
                            aspect="auto", cmap=glow())  # fmt: skip
        for number, units in enumerate(walks[:6]):
            east = np.degrees(np.arctan2(units[:, 1], units[:, 0]))
            east[1:][np.abs(np.diff(east)) > 180] = np.nan
            axis.plot(east, units[:, 2], lw=1.1, color=PHASES[number])
            axis.plot(east[0], units[0, 2], "o", ms=4, color=PHASES[number])
        axis.set(
            title=f"{mode}: {len(walks[:6])} of {len(walks)} walks", xlabel="longitude (°)", ylabel="sine of latitude"
        )
        figure.colorbar(image, ax=axis, label=f"log10 rate per latent (decile {np.log10(threshold):.2f})")
    figure.savefig(file, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", default="analytic", help="analytic, or any world that latentworld can open")
    parser.add_argument("--starts", type=int, help="random starts (analytic 100, else 8)")
    parser.add_argument("--length", type=float, default=100.0, help="latent arc of every walk")
    parser.add_argument("--frames", type=int, default=8, help="frames a tick")
    parser.add_argument("--speed", type=float, default=4.0, help="latent arc per second at 24 frames a second")
    parser.add_argument("--samples", type=int, help="rates measured along every walk (analytic 400, else 50)")
    parser.add_argument("--survey", type=int, help="random places of the survey (analytic 20000, else 500)")
    parser.add_argument("--modes", nargs="+", default=["off", "seek", "ride", "cross", "avoid"])
    parser.add_argument("--mixture", type=int, default=10, help="modes of the analytic mixture, irregular")
    parser.add_argument("--sigma", type=float, default=0.1)
    parser.add_argument("--step", type=float, default=0.01, help="radians between probes of a measured rate")
    parser.add_argument("--size", type=int, help="rows of the field in the plot (analytic 200, else 24)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/benchmarks"))
    args = parser.parse_args()
    exact = args.world == "analytic"
    for name, here, there in (("starts", 100, 8), ("samples", 400, 50), ("survey", 20000, 500), ("size", 200, 24)):
        setattr(args, name, getattr(args, name) or (here if exact else there))

    plane, lookout, batch, rate = open_world(args, exact)

    def make(mode: str) -> Pilot:
        pace = PacingSpec(kind="latent", speed=args.speed)
        return Pilot(PilotSpec(mode=mode), pace, plane, lookout, lookout, batch=batch)  # type: ignore[arg-type]

    survey = rate(random_units(args.survey, args.seed + 3))
    threshold = float(np.quantile(survey, 0.9))
    print(f"{args.world}: decile {threshold:.4g} per latent (median {np.median(survey):.4g}, {args.survey} places), "
          f"{args.starts} starts, {args.length:g} latents each")  # fmt: skip
    paths = compare(make, plane, rate, threshold, args)
    args.out.mkdir(parents=True, exist_ok=True)
    file = args.out / f"pilot-{args.world.replace('/', '-')}.png"
    plot(paths, rate, threshold, args.size, file)
    print(f"paths over the field: {file}")


if __name__ == "__main__":
    main()
