"""What each format of a film costs: frames a second, bytes, and how near the pictures it stays.

    python benchmarks/formats.py FILM.mkv [--frames 240] [--side 512] [--grain 0]

FILM is a lossless film (film.codec=ffv1), whose frames are held in memory and given to each encoder in turn, as a film
gives them. PSNR is of what comes out against what went in; fine detail is the share of the pictures' finest octave
(the difference from a blur of 3 x 3) that is left, where grain lives.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from common import show
from PIL import Image

from installation.film.encoder import Encoder
from installation.film.ffmpeg import Recipe, binary
from installation.film.finish import grained
from installation.film.formats import FORMATS, Codec
from installation.film.sinks import save_png
from latentworld.arrays import Pictures

HOURS = 4.0  # a film whose size is told, at 24 frames a second


def frames(film: Path, side: int, most: int) -> Pictures:
    """The first frames of a film as ffmpeg decodes them, uint8[n, side, side, 3]."""
    scaled = ["-vf", f"scale={side}:{side}:flags=area+accurate_rnd+full_chroma_int", "-frames:v", str(most)]
    form = ["-map", "0:v", *scaled, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    run = subprocess.run([binary(), "-v", "error", "-i", str(film), *form], capture_output=True, check=True)
    return np.frombuffer(run.stdout, np.uint8).reshape(-1, side, side, 3)


def encoded(pictures: Pictures, recipe: Recipe, target: Path) -> float:
    """Seconds that a film takes to be encoded."""
    began = time.perf_counter()
    encoder = Encoder(recipe, target)
    for picture in pictures:
        encoder.send(picture.tobytes())
    encoder.close()
    return time.perf_counter() - began


def stills(pictures: Pictures, folder: Path) -> float:
    """The same as PNGs."""
    began = time.perf_counter()
    for number, picture in enumerate(pictures):
        save_png(folder / f"{number:09d}.png", picture)
    return time.perf_counter() - began


def nearness(pictures: Pictures, made: Pictures) -> tuple[float, float]:
    """PSNR in dB, and the share of fine detail that is left."""
    one, two = (values.astype(np.float32) for values in (pictures, made))
    error = float(np.mean((one - two) ** 2))
    fine = [float(np.mean([np.var(each - cv2.blur(each, (3, 3))) for each in values])) for values in (one, two)]
    return (np.inf if error == 0 else 10 * np.log10(255**2 / error)), fine[1] / fine[0]


def row(name: str, pictures: Pictures, seconds: float, size: int, made: Pictures | None) -> list[str]:
    """A line of the table."""
    psnr, fine = (np.inf, 1.0) if made is None else nearness(pictures[::10], made[::10])
    hours = size / len(pictures) * HOURS * 3600 * 24 / 1e9
    near = "lossless" if np.isinf(psnr) else f"{psnr:.1f}"
    return [name, f"{len(pictures) / seconds:.0f}", f"{size / 1e6:.2f}", f"{hours:.1f}", near, f"{100 * fine:.0f}%"]


def main() -> None:
    """Measure every format on one film."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("film", type=Path)
    parser.add_argument("--frames", type=int, default=240)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--grain", type=float, default=0.0)
    asked = parser.parse_args()
    pictures = frames(asked.film, asked.side, asked.frames)
    if asked.grain:
        pictures = np.stack([grained(picture, asked.grain, number) for number, picture in enumerate(pictures)])
    size, rows = (pictures.shape[1], pictures.shape[2]), []
    with tempfile.TemporaryDirectory() as folder:
        kinds: list[tuple[Codec, bool]] = [(codec, False) for codec in FORMATS]
        kinds += [("h264", True), ("h265", True), ("av1", True)]
        for codec, grain in sorted(kinds, key=lambda kind: list(FORMATS).index(kind[0])):
            target = Path(folder, f"film{FORMATS[codec].suffix}")
            seconds = encoded(pictures, Recipe(codec, 24.0, size, size, grain=grain), target)
            name = f"{codec}, film.grain" if grain else codec
            rows.append(row(name, pictures, seconds, target.stat().st_size, frames(target, asked.side, asked.frames)))
            print(" ".join(rows[-1]), flush=True)
        seconds = stills(pictures, Path(folder))
        total = sum(path.stat().st_size for path in Path(folder).glob("*.png"))
        with Image.open(Path(folder, "000000000.png")) as image:
            assert np.array_equal(np.asarray(image), pictures[0])
        rows.append(row("frames", pictures, seconds, total, None))
    title = f"{len(pictures)} frames of {size[0]} x {size[1]}, grain {asked.grain:g}"
    show(title, ["format", "frames/s", "MB", f"GB for {HOURS:g} h", "PSNR", "fine detail"], rows)


if __name__ == "__main__":
    main()
