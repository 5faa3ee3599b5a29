"""Pictures as vertices: what issue "The geometry of rifts" asks of them, measured on the embedded world.

    python benchmarks/vertices.py                     all of it, half an hour on two cores
    python benchmarks/vertices.py --only corners --steps 20
    python benchmarks/vertices.py --only alive --pictures benchmarks/first-cast    scenes that the world learned from

corners: 12 pictures (8 held-out scenes, one a family, and 4 pictures of the world's own, their metadata taken out)
through `latentworld vertices from-picture` and `latentworld still`, in both holds, at 20 and 50 steps, guidance 5;
beside them the naive inversion. whiteness: of the same latents. alive: 8 triples of them beside 8 triples of white
seeds, 18 places inside each; edges: along the first edge of each, 36 places at even angles. time: three pictures at
50 steps, world loaded.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
from common import show
from PIL import Image
from torch import Tensor

from foundry import data
from installation import pictures
from installation.cli import app
from installation.rig import open_studio
from installation.studio import Studio
from installation.vertices.held import hold_of
from installation.vertices.making import Options, Place, inverter_of, psnr, trio
from latentworld import globe, preset, vertices
from latentworld.arrays import Array
from latentworld.decoding import inverse
from latentworld.decoding.diffusion import Diffusion
from latentworld.plane import Plane
from latentworld.whiteness import Whiteness

OWN = (
    (0, 123, 200),
    ((0.1, 0.2), (0.9, 0.3), (-0.4, 0.6), (0.3, -0.7)),
)  # seeds, and places of the world's own pictures
TRIPLES = ((0, 4, 7), (2, 8, 0), (8, 4, 2), (1, 5, 6), (3, 9, 7), (10, 1, 5), (6, 11, 3), (9, 10, 4))
CORNERS = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))
INSIDE = [
    (a / 5, b / 5) for a, b in product(range(6), range(6)) if a + b <= 5 and (a, b) not in ((0, 0), (5, 0), (0, 5))
]
EDGE = 36


@dataclass(frozen=True)
class Bench:
    """A world, and the pictures: files, and levels [12, 3, 128, 128] in 0..1."""

    studio: Studio
    files: Sequence[Path]
    levels: Tensor

    def inverter(self, steps: int) -> Diffusion:
        """The decoder that pictures are inverted with."""
        found = inverter_of(self.studio)
        return found.variant(replace(found.settings, steps=steps))


@contextlib.contextmanager
def bench(given: Path | None = None) -> Iterator[Bench]:
    """Draw the pictures into a folder. given: a folder with eight others, in the families' order."""
    studio = open_studio(preset.parse({}, ["decoder.engine='eager'", "decoder.dtype='float32'"]))
    with tempfile.TemporaryDirectory() as folder:
        drawn = [
            *(map(scene, data.FAMILIES) if given is None else map(taken, sorted(given.glob("*.png")))),
            *own(studio),
        ]
        files = [Path(folder, f"{number:02d}.png") for number in range(len(drawn))]
        for file, levels in zip(files, drawn, strict=True):
            Image.fromarray((levels * 255).round().byte().permute(1, 2, 0).numpy()).save(file)
        read = [torch.from_numpy(pictures.read(file, (128, 128)).levels) for file in files]
        yield Bench(studio, files, torch.stack(read))


def scene(family: str) -> Tensor:
    """One held-out picture [3, 128, 128] of a family."""
    rng = torch.Generator().manual_seed(data.seed_of("vertices", family))
    picture: Tensor = data.scene(family).draw(rng, 1, 128).pictures[0]
    return picture


def taken(file: Path) -> Tensor:
    """A picture [3, 128, 128] from a file."""
    return torch.from_numpy(pictures.read(file, (128, 128)).levels)


def own(studio: Studio) -> list[Tensor]:
    """Pictures that the world makes itself, in 50 steps at guidance 5."""
    seeds, places = OWN
    plane = Plane(vertices.from_seeds(seeds, studio.decoder.shape))
    return list(studio.decoder(plane.latents(plane.unit(*zip(*places, strict=True))), studio.prompt))


def command(*words: object) -> None:
    """Run a latentworld command here, silently."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        app([str(word) for word in words], standalone_mode=False)


def corners(bench: Bench, steps: int, hold: str) -> tuple[list[list[str]], list[Whiteness]]:
    """A row a picture, through the commands; and how white its latent is."""
    rows, found = [], list[Whiteness]()
    naive = decoded_naively(bench, steps)
    for numbers in np.arange(len(bench.files)).reshape(-1, 3).tolist():
        file = bench.files[0].with_name("trio.safetensors")
        given = [bench.files[number] for number in numbers]
        command("vertices", "from-picture", *given, "-o", file, "--steps", steps, "--hold", hold, "--overwrite")
        for (alpha, beta), said, number in zip(CORNERS, vertices.read(file).each, numbers, strict=True):
            target = file.with_name("still.png")
            command("still", "--alpha", alpha, "--beta", beta, "--steps", steps, "-o", target,
                    "--set", f"plane.vertices={file}", "--set", "decoder.batch=1", "--guidance", 5)  # fmt: skip
            made = torch.from_numpy(pictures.read(target, (128, 128)).levels)
            reached, floor = psnr(made, bench.levels[number]), float(said["floor"])  # type: ignore[arg-type]
            name = data.FAMILIES[number] if number < len(data.FAMILIES) else f"own {number - len(data.FAMILIES)}"
            miss = "" if reached >= floor - 0.3 else "MISS"
            rows.append(
                [name, f"{floor:.2f}", f"{reached:.2f}", f"{reached - floor:+.2f}", miss, f"{naive[number]:.1f}"]
            )
            found.append(Whiteness(**said["whiteness"]))  # type: ignore[arg-type]
    return rows, found


def decoded_naively(bench: Bench, steps: int) -> list[float]:
    """dB of the inversion that everybody uses: one call a step, no white noise, decoded at guidance 5."""
    inverter = bench.inverter(steps)
    clean = inverter.world.encode(bench.levels)
    start = inverse.invert(inverter, clean, bench.studio.prompt, [0] * len(clean), calls=1, white=0.0).start
    made = inverter.variant(replace(inverter.settings, batch=4))(start, bench.studio.prompt)
    return [psnr(picture, given) for picture, given in zip(made, bench.levels, strict=True)]


def tell_corners(bench: Bench, steps: Sequence[int], holds: Sequence[str]) -> None:
    columns = ("picture", "autoencoder, dB", "vertex, dB", "difference", "", "naive, dB")
    for count, hold in product(steps, holds):
        rows, white = corners(bench, count, hold)
        show(f"{count} steps, hold = {hold}: asked within 0.3 dB of the autoencoder's", columns, rows)
        if hold == holds[0]:
            tell_white(count, white)


def tell_white(steps: int, found: Sequence[Whiteness]) -> None:
    asked = (
        ("|norm/sqrt(d) - 1|", 0.06, [abs(w.norm - 1) for w in found]),
        ("|lag|", 0.10, [abs(w.lag) for w in found]),
        ("Kolmogorov-Smirnov", 0.06, [w.ks for w in found]),
        ("local variance", 0.42, [w.local for w in found]),
    )
    rows = [
        [name, f"{most:.2f}", f"{np.mean(values):.3f}", f"{max(values):.3f}", f"{sum(v > most for v in values)} of 12"]
        for name, most, values in asked
    ]
    show(f"whiteness of 12 pictures at {steps} steps", ("", "asked, at most", "mean", "largest", "missed"), rows)


@dataclass(frozen=True)
class Ground:
    """A plane with the decoder that holds its pictures."""

    plane: Plane
    decode: Callable[[Tensor], Tensor]


def grounds(bench: Bench, steps: int, hold: str) -> tuple[list[Ground], list[Ground]]:
    """The triples' planes, and as many of white seeds."""
    inverter, studio = bench.inverter(steps), bench.studio
    plain = inverter.variant(replace(inverter.settings, batch=6))
    held, white = list[Ground](), list[Ground]()
    for number, triple in enumerate(TRIPLES):
        places = [Place(pictures.read(bench.files[one], (128, 128))) for one in triple]
        made = trio(inverter, studio.prompt, places, Options(hold)).trio  # type: ignore[arg-type]
        decoder = inverter.variant(plain.settings).holding(hold_of(made, hold, 45.0))
        held.append(Ground(Plane(made.vertices), lambda z, own=decoder: own(z, studio.prompt)))  # type: ignore[misc]
        seeds = (1000 + 3 * number, 1001 + 3 * number, 1002 + 3 * number)
        drawn = Plane(vertices.from_seeds(seeds, inverter.shape))
        white.append(Ground(drawn, lambda z: plain(z, studio.prompt)))
    return held, white


def alive(bench: Bench, grounds: Sequence[Ground]) -> tuple[Array, Array]:
    """Of each plane: the share of pictures inside that CLIP names with 0.9 or more, and their detail."""
    families = [subject.prompt for subject in bench.inverter(20).world.card.subjects]
    judge = bench.studio.eye.labels(families)
    share, detail = [], []
    for ground in grounds:
        made = ground.decode(ground.plane.latents(ground.plane.unit(*zip(*INSIDE, strict=True))))
        share.append(float((judge(bench.studio.eye(made)).max(dim=1).values >= 0.9).float().mean()))
        detail.append(slope(made))
    return np.array(share), np.array(detail)


def slope(made: Tensor) -> float:
    """The detail of pictures: mean difference of neighbours, along height and width."""
    return float(made.diff(dim=2).abs().mean() + made.diff(dim=3).abs().mean()) / 2


def edges(bench: Bench, grounds: Sequence[Ground]) -> tuple[Array, Array]:
    """Of each plane's first edge: its CLIP steps [n, 35], and the angles in degrees from the nearer end."""
    steps, near = [], []
    for ground in grounds:
        a, b = ground.plane.unit([0.0, 1.0], [0.0, 0.0])
        whole = float(globe.angle(a, b))
        way = np.array([np.sin((1 - t) * whole) * a + np.sin(t * whole) * b for t in np.linspace(0, 1, EDGE)])
        features = np.asarray(bench.studio.eye(ground.decode(ground.plane.latents(globe.normalise(way)))), np.float64)
        steps.append(np.linalg.norm(np.diff(features, axis=0), axis=1))
        far = np.degrees(np.linspace(0, whole, EDGE))
        near.append(np.minimum(far[1:], far[-1] - far[:-1]))
    return np.array(steps), np.array(near)


def tell_alive(bench: Bench, steps: int, hold: str) -> None:
    held, white = grounds(bench, steps, hold)
    (share, detail), (white_share, white_detail) = alive(bench, held), alive(bench, white)
    ratio = detail.mean() / white_detail.mean()
    given = slope(bench.levels[[number for triple in TRIPLES for number in triple]])
    (own, near), (others, _) = edges(bench, held), edges(bench, white)
    largest, white_largest = own.max(axis=1), others.max(axis=1)
    close = own[near <= 8.0]
    rows = [
        ["share of pictures inside with CLIP >= 0.9", f">= {white_share.mean() - 0.05:.3f}", f"{share.mean():.3f}"],
        ["the same of white seeds", "", f"{white_share.mean():.3f}"],
        ["detail over that of white seeds", ">= 0.85", f"{ratio:.2f}"],
        ["detail over that of the pictures at the vertices", "(>= 1)", f"{detail.mean() / given:.2f}"],
        ["largest CLIP step along an edge, mean of 8", f"<= {1.5 * white_largest.mean():.3f}", f"{largest.mean():.3f}"],
        ["the same of white seeds", "", f"{white_largest.mean():.3f}"],
        ["largest of all 8 edges; of white ones", "", f"{largest.max():.3f}; {white_largest.max():.3f}"],
        ["largest step within 8 degrees of a picture", "(<= 0.10)", f"{close.max():.3f}"],
        ["median of those", "", f"{np.median(close):.3f}"],
        ["CLIP length of an edge; of white ones", "", f"{own.sum(1).mean():.2f}; {others.sum(1).mean():.2f}"],
    ]
    show(f"8 triples at {steps} steps, guidance 5, hold = {hold}", ("", "asked", "measured"), rows,
         [f"shares {np.round(share, 2).tolist()}; of white seeds {np.round(white_share, 2).tolist()}"])  # fmt: skip


def tell_time(bench: Bench) -> None:
    inverter = bench.inverter(50)
    places = [Place(pictures.read(file, (128, 128))) for file in bench.files[:3]]
    rows = []
    for hold in ("guidance", "residual"):
        began, worked = time.perf_counter(), time.process_time()
        trio(inverter, bench.studio.prompt, places, Options(hold))  # type: ignore[arg-type]
        wall, cpu = time.perf_counter() - began, time.process_time() - worked
        rows.append([f"three pictures, 50 steps, hold = {hold}", "<= 8 s", f"{wall:.1f} s", f"{cpu:.1f} s"])
    show("encoded, inverted, measured", ("", "asked on two idle cores", "wall", "processor"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("corners", "alive", "time"))
    parser.add_argument("--steps", type=int, nargs="+", default=[20, 50])
    parser.add_argument("--hold", nargs="+", default=["guidance", "residual"])
    parser.add_argument("--pictures", type=Path, help="a folder of eight PNGs to use instead of today's scenes")
    asked = parser.parse_args()
    with bench(asked.pictures) as made:
        if asked.only in (None, "time"):
            tell_time(made)
        if asked.only in (None, "corners"):
            tell_corners(made, asked.steps, asked.hold)
        if asked.only in (None, "alive"):
            for hold in asked.hold:
                tell_alive(made, min(asked.steps), hold)


if __name__ == "__main__":
    main()
