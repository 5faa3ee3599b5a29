"""Do tours planned on an atlas keep what their map promises? Share of arc in the top decile of the frames' own rates.

    python benchmarks/tour.py                         analytic world, the whole globe and a window
    python benchmarks/tour.py --world embedded        the embedded world's scout, a window

A *straight orbit* is a great circle: of the globe three whole ones in random planes, of a window the four straight
lines of its chart (great circles, seen from the centre of the shell) through its middle: both diagonals, along alpha
and along beta, from edge to edge. Every path is rendered as a film at an even stride: frames `stride` latents apart
along its whole length. The threshold is the 90th percentile of the rates between consecutive frames of the straight
orbits together, so they spend a tenth of their arc above it. Goals: a tour that seeks rifts spends at least 5 times as
much, one that avoids them at most 0.3 times. Exit status 1 when one is missed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass

import common
import numpy as np
from numpy.typing import NDArray

from latentworld import globe, walks
from latentworld.arrays import Array
from latentworld.atlas import field, mesh
from latentworld.atlas.sampling import Globe, Window
from latentworld.atlas.survey import in_memory
from latentworld.atlas.tour import plan
from latentworld.atlas.types import Rendered
from latentworld.decoding.analytic import AnalyticEye, analytic, lattice_modes
from latentworld.lipschitz import along
from latentworld.plane import Plane

See = Callable[[Array], NDArray[np.float32]]
"""Units [n, 3] to features [n, F]."""

SEEK, AVOID = 5.0, 0.3


@dataclass(frozen=True)
class Path:
    """Units of frames at an even stride, and what is said of them."""

    name: str
    films: list[Array]
    stops: str = ""
    strays: str = ""


def straight(sampling: Window | Globe, plane: Plane, stride: float, seed: int) -> Path:
    """The straight orbits of a country."""
    step = stride / plane.target
    if isinstance(sampling, Globe):
        ends = globe.normalise(np.random.default_rng(seed).normal(size=(3, 2, 3)))
        laps = [(u, globe.project(u, v), 2 * np.pi) for u, v in ends]
    else:
        (a, b), (c, d) = sampling.alpha, sampling.beta
        middle = ((a + b) / 2, (c + d) / 2)
        chords = [
            ((a, c), (b, d)),
            ((a, d), (b, c)),
            ((a, middle[1]), (b, middle[1])),
            ((middle[0], c), (middle[0], d)),
        ]
        pairs = [(plane.unit(*begin), plane.unit(*end)) for begin, end in chords]
        laps = [(u, globe.tangent(u, v), float(globe.angle(u, v))) for u, v in pairs]
    films = [globe.step(u, heading, np.arange(0.0, length, step))[0] for u, heading, length in laps]
    return Path("straight orbits", films)


def rated(path: Path, see: See, plane: Plane) -> Array:
    """Rates between consecutive frames of a path's films."""
    found = []
    for units in path.films:
        rates, _ = along(see(units), plane.points(units))
        found.append(rates.rate[1:])
    return np.concatenate(found)


def compare(title: str, sampling: Window | Globe, plane: Plane, see: See, args: argparse.Namespace) -> bool:
    """Survey, plan, render and measure; print the table. Whether both goals are met."""

    def render(units: Array, radii: Array) -> Rendered:
        return Rendered(see(units), np.zeros((len(units), 1, 1, 3), np.uint8))

    atlas = in_memory(sampling, plane, render)
    net = mesh.mesh(atlas)
    rates = field.rates(atlas, net)
    tours = [plan(atlas, net, rates, mode, stops=args.stops) for mode in ("seek", "avoid")]
    stride = tours[0].length / args.frames
    paths = [straight(sampling, plane, stride, args.seed)]
    for made in tours:
        walk = walks.build(made.walk, plane)
        units, _ = walk.ahead(np.arange(0.0, made.length, stride))
        paths.append(Path(made.mode, [units], str(len(made.unit)), f"{made.strays:.1f}"))
    measured = [rated(path, see, plane) for path in paths]
    threshold = float(np.quantile(measured[0], 0.9))
    shares = [float((rate > threshold).mean()) for rate in measured]
    rows = [
        (path.name, str(sum(map(len, path.films))), f"{len(rate) * stride:.0f}", f"{share:.3f}",
         f"{share / shares[0]:.2f}x", f"{np.median(rate):.4f}", goal, path.stops, path.strays)
        for path, rate, share, goal in zip(paths, measured, shares, ("", f">= {SEEK:g}x", f"<= {AVOID:g}x"))
    ]  # fmt: skip
    columns = (
        "path",
        "frames",
        "latents",
        "share",
        "against straight",
        "median rate",
        "goal",
        "waypoints",
        "strays, cells",
    )
    kept = bool(shares[1] >= SEEK * shares[0] and shares[2] <= AVOID * shares[0])
    notes = (
        f"share of arc above {threshold:.4g} per latent, frames {stride:.3g} latents apart, "
        f"survey of {len(atlas)} places, {len(paths[0].films)} straight orbits (great circles; see --help)",
        "goals met" if kept else "GOALS MISSED",
    )
    common.show(f"Tours: {title}", columns, rows, notes)
    return kept


def analytic_runs(args: argparse.Namespace) -> bool:
    plane = Plane(np.random.default_rng(args.seed).normal(size=(3, 4, 16, 16)))
    world = analytic(plane, lattice_modes(12, args.seed), args.sigma, args.seed, size=(2, 2), batch=512)
    eye = AnalyticEye()

    def see(units: Array) -> NDArray[np.float32]:
        return np.asarray(eye(world(plane.latents(units))).numpy(), np.float32)

    window = Window(rows=args.rows, columns=args.rows)
    told = f"analytic world, 12 irregular modes, sigma {args.sigma:g}"
    done = [compare(f"{told}, the globe at nside {args.nside}", Globe(nside=args.nside), plane, see, args)]
    done.append(compare(f"{told}, a {args.rows}x{args.rows} window", window, plane, see, args))
    return all(done)


def model_run(args: argparse.Namespace) -> bool:
    from installation import rig
    from installation.studio import lookout
    from latentworld.preset import DecoderSpec, Preset
    from latentworld.sections import WorldSpec

    studio = rig.open_studio(Preset(world=WorldSpec(name=args.world), decoder=DecoderSpec(kind="scout")))
    look = lookout(studio.plane, studio.decoder, studio.eye, studio.prompt)

    def see(units: Array) -> NDArray[np.float32]:
        return np.asarray(look(units, np.ones(len(units))), np.float32)

    window = Window(rows=args.rows, columns=args.rows)
    return compare(f"{args.world} world's scout, a {args.rows}x{args.rows} window", window, studio.plane, see, args)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", default="analytic", help="analytic, or any world that latentworld can open")
    parser.add_argument("--frames", type=int, help="frames of the seeking tour (analytic 4000, else 300)")
    parser.add_argument("--rows", type=int, default=48, help="rows and columns of the window")
    parser.add_argument("--nside", type=int, default=32, help="HEALPix resolution of the globe (analytic world)")
    parser.add_argument("--stops", type=int, default=8, help="places the tours choose")
    parser.add_argument("--sigma", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.frames = args.frames or (4000 if args.world == "analytic" else 300)
    sys.exit(0 if (analytic_runs if args.world == "analytic" else model_run)(args) else 1)


if __name__ == "__main__":
    main()
