"""Whether a walk away from what it has seen sees more: `novel` against `wander` and `ride`.

    python benchmarks/novel.py analytic [--walks 5] [--minutes 60] [--modes 480]    a world of modes that nobody named
    python benchmarks/novel.py ATLAS [--walks 5] [--minutes 20] [--clusters 120 480]    the embedded world, by its map

In a minute a walk goes 90 latents (1.5 a second), in ticks of 8 frames of 24 a second. Phases are the modes, or
clusters of the survey: of 120 clusters in 20 minutes, and of 240 modes in an hour, `wander` sees over two thirds, and
nothing can see 1.5 times as many. A picture's distance to the past is to the nearest of those seen a minute ago or
longer.
"""

from __future__ import annotations

import argparse
import tracemalloc
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from common import machine

from latentworld import globe, walks
from latentworld.archive import Archive
from latentworld.arrays import Array, Integers
from latentworld.lipschitz import Lookout
from latentworld.pacing import PacingSpec
from latentworld.pilot import Pilot, PilotSpec
from latentworld.plane import Plane

FRAMES, FPS, SPEED = 8, 24.0, 1.5
MODES, CLUSTERS = 480, (120, 480)
PAST = int(60 * FPS / FRAMES)  # ticks of a minute


def flown(mode: str, plane: Plane, look: Lookout, ticks: int, seed: int) -> tuple[Array, Pilot]:
    """Units [ticks, 3] of a walk, and its pilot as the end left it."""
    spec = walks.plain("wander") if mode == "wander" else walks.Rift()
    own, draw = walks.roaming(spec, plane), np.random.default_rng(seed)
    unit = globe.normalise(draw.normal(size=3))
    wind = None if mode != "wander" else walks.Wander(seed=seed).build(plane).wind
    walk = walks.Free(unit, globe.project(unit, draw.normal(size=3)), plane.target, ease=own.ease, wind=wind)
    own_mode = "off" if mode == "wander" else mode
    pilot = Pilot(PilotSpec(mode=own_mode), PacingSpec(kind="latent", speed=SPEED), plane, look, look, FPS)  # type: ignore[arg-type]
    units = np.empty((ticks, 3))
    for tick in range(ticks):
        steering = pilot(walk, None, None, FRAMES)
        walk = walk.advance(float(steering.strides[-1]), steering.curvature)
        units[tick] = walk.unit
    return units, pilot


def nearest_past(features: Array) -> float:
    """Mean distance of pictures to the nearest that was seen a minute ago or longer."""
    every = range(PAST, len(features), 9)
    return float(np.mean([np.linalg.norm(features[: k - PAST + 1] - features[k], axis=1).min() for k in every]))


def compare(
    plane: Plane, look: Lookout, phases: Mapping[int, Callable[[Array, Array], Integers]], walk_count: int,
    minutes: float,
) -> None:  # fmt: skip
    """phases: which each picture of a walk is of, by how many there are."""
    ticks = int(minutes * 60 * FPS / FRAMES)
    print(f"{'mode':8s} {'past':>7s} {'archive':>8s} " + " ".join(f"of {count:>5d}" for count in phases))
    means = {}
    for mode in ("wander", "ride", "novel"):
        rows = []
        for seed in range(walk_count):
            units, pilot = flown(mode, plane, look, ticks, seed)
            features = np.asarray(look(units, np.ones(len(units))), np.float64)
            visited = [len(np.unique(phase(units, features))) for phase in phases.values()]
            rows.append((nearest_past(features), len(pilot.state.archive), *visited))
        means[mode] = np.mean(rows, axis=0)
        past, archive, *visited = means[mode].tolist()
        print(f"{mode:8s} {past:7.3f} {archive:8.0f} " + " ".join(f"{count:8.1f}" for count in visited), flush=True)
    for other in ("wander", "ride"):
        more = means["novel"] / np.maximum(means[other], 1e-9)
        times = ", ".join(f"{ratio:.2f} of {count}" for ratio, count in zip(more[2:], phases, strict=True))
        print(f"novel against {other}: phases {times} (asked of wander: 1.5), distance to the past {more[0]:.2f}")


def memory(features: Array) -> None:
    """What an archive takes after an hour's and after ten hours' looks."""
    made, sizes = Archive(), []
    for turn in range(10):
        tracemalloc.start()
        for feature in features:
            made = made.seen(feature)
        sizes.append((len(made), len(made.text), tracemalloc.get_traced_memory()[0] / 1e3))
        tracemalloc.stop()
        if turn in (0, 9):
            print(f"archive after {made.looks} looks: {sizes[-1][0]} centres, {sizes[-1][1]} characters")


def analytic(walk_count: int, minutes: float, modes: int) -> None:
    from latentworld.decoding.analytic import SHELL, lattice_modes
    from latentworld.decoding.analytic import analytic as world

    plane = Plane(np.random.default_rng(3).normal(size=(3, 4, 16, 16)))
    made = world(plane, lattice_modes(modes, 1), sigma=0.02, steps=20, size=(4, 4))

    def look(units: Array, radii: Array) -> Array:
        return made.mixture.flow(units * np.asarray(radii)[:, None] * SHELL)

    compare(plane, look, {modes: lambda units, _: made.basin(units)}, walk_count, minutes)  # type: ignore[arg-type]
    memory(look(globe.normalise(np.random.default_rng(0).normal(size=(5000, 3))), np.ones(5000)))


def mapped(path: str, walk_count: int, minutes: float, counts: Sequence[int]) -> None:
    from sklearn.cluster import KMeans

    from installation.atlas.survey_folder import SurveyFolder
    from latentworld.atlas import mesh, prior, reader

    atlas = reader.read(SurveyFolder.at(path).store)
    look = prior.lookout(atlas, mesh.mesh(atlas))

    def clustered(count: int) -> Callable[[Array, Array], Integers]:
        fitted = KMeans(count, n_init=2, random_state=0).fit(np.asarray(atlas.features, np.float64))
        return lambda _, features: np.asarray(fitted.predict(features), np.int64)

    compare(atlas.plane, look, {count: clustered(count) for count in counts}, walk_count, minutes)
    memory(np.asarray(atlas.features, np.float64))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("where", help="`analytic`, or the folder of a survey of a whole globe")
    parser.add_argument("--walks", type=int, default=5)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--clusters", type=int, nargs="+", default=CLUSTERS)
    parser.add_argument("--modes", type=int, default=MODES)
    options = parser.parse_args()
    print(machine())
    if options.where == "analytic":
        analytic(options.walks, options.minutes or 60.0, options.modes)
    else:
        mapped(options.where, options.walks, options.minutes or 20.0, options.clusters)


if __name__ == "__main__":
    main()
