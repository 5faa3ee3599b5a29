"""What the atlas promises, measured: truth, adaptive surveys, constant memory and resuming, the write-up's study.

    python benchmarks/atlas.py truth
    python benchmarks/atlas.py adaptive [--world analytic|embedded] [--keep FOLDER] [--side 256]
    python benchmarks/atlas.py resume [--nside 71] [--kills 10]
    python benchmarks/atlas.py study [--side 50]

truth: the analytic world, whose rifts are known: ridge, Lipschitz constant and floor against the closed form.
adaptive: share of a dense survey's rift nodes (top 5% of the rates) that an adaptive one decodes. A place is the same
picture in both, so the adaptive survey looks its features up in the dense one, which --keep keeps and resumes.
resume: an analytic survey of the globe, killed (-9) at random moments, against an undisturbed one, byte for byte.
study: the time from nothing to store, field, pictures and page with the embedded world's scout.
Each exits with 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil  # type: ignore[import-untyped]
import torch
from common import show

from installation import rig
from installation.atlas import findings, rendering, surveys
from installation.atlas.drawing import draw
from installation.atlas.survey_folder import SurveyFolder
from installation.studio import Studio
from latentworld import globe, preset
from latentworld.atlas import field, reader, settings, store, survey
from latentworld.atlas.mesh import mesh
from latentworld.atlas.sampling import Adaptive, Globe, Window
from latentworld.atlas.types import Atlas, Render, Rendered
from latentworld.decoding.analytic import AnalyticDecoder, AnalyticEye, analytic

CREATED = settings.provenance("benchmark")
SMALL = ["decoder.height=32", "decoder.width=32", "decoder.steps=20", "decoder.batch=64"]


def main() -> int:
    """Run one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    modes = parser.add_subparsers(dest="mode", required=True)
    modes.add_parser("truth")
    dense = modes.add_parser("adaptive")
    dense.add_argument("--world", choices=("analytic", "embedded"), default="analytic")
    dense.add_argument("--keep", type=Path)
    dense.add_argument("--side", type=int, default=256)
    dense.add_argument("--budget", type=float, default=0.2)
    resumed = modes.add_parser("resume")
    resumed.add_argument("--nside", type=int, default=71)
    resumed.add_argument("--kills", type=int, default=10)
    resumed.add_argument("--seed", type=int, default=0)
    child = modes.add_parser("child")
    child.add_argument("store", type=Path)
    child.add_argument("nside", type=int)
    study = modes.add_parser("study")
    study.add_argument("--side", type=int, default=50)
    options = parser.parse_args()
    return {"truth": truth, "adaptive": adaptive, "resume": resume, "child": one_survey, "study": timed}[options.mode](
        options
    )


def adaptive(options: argparse.Namespace) -> int:
    """Rift nodes of a dense survey, and those an adaptive one finds."""
    side = options.side
    with tempfile.TemporaryDirectory() as nowhere:
        atlas = dense_survey(options.world, side, options.keep or Path(nowhere) / "dense")
        rates = field.rates(atlas)
        spec = Adaptive(rows=side, columns=side, budget=options.budget)
        found = survey.in_memory(spec, atlas.plane, looked_up(atlas))
    rift = rates >= np.quantile(rates, 0.95)
    seen = np.zeros((side, side), np.bool_)
    seen[found.lattice[:, 0], found.lattice[:, 1]] = True
    share = float((seen.ravel() & rift).sum() / rift.sum())
    spent = len(found) / side**2
    good = share >= 0.95 and spent <= 0.2
    row = [options.world, str(int(rift.sum())), f"{100 * share:.1f}%", f"{100 * spent:.1f}%", "yes" if good else "NO"]
    columns = ["world", "rift nodes", "found (>= 95%)", "decodes (<= 20%)", "reached"]
    show(f"Adaptive survey against a dense one of {side} x {side}", columns, [row])
    return 0 if good else 1


def dense_survey(world: str, side: int, path: Path) -> Atlas:
    """Every node, kept on disk and gone on with."""
    analytic = ["decoder.kind=analytic", *SMALL, "analytic.modes=12", "analytic.sigma=0.1"]
    journey = preset.load("neutral", analytic if world == "analytic" else ["decoder.kind=scout"])
    studio = rig.open_studio(journey)
    out = SurveyFolder.at(path)
    scout = world == "embedded"
    began, first = time.monotonic(), [-1]

    def told(done: int, total: int, block: int) -> None:
        first[0] = done if first[0] < 0 else first[0]
        if block % 256 == 0:
            print(f"{done}/{total}  {(done - first[0]) / (time.monotonic() - began):.1f}/s", flush=True)

    with surveys.begin(studio, out, Window(rows=side, columns=side), thumb=16, block=64, scout=scout) as kept:
        survey.run(kept, rendering.renderer(studio, rendering.chosen(studio, scout), 16), told)
        return kept.atlas()


def looked_up(atlas: Atlas) -> Render:
    """A render that knows the dense survey's places alone."""
    known = {unit.tobytes(): row for row, unit in enumerate(atlas.unit)}

    def render(units: np.ndarray, radii: np.ndarray) -> Rendered:
        rows = [known[unit.tobytes()] for unit in units]
        return Rendered(atlas.features[rows], np.zeros((len(rows), 1, 1, 3), np.uint8))

    return render


def analytic_world(modes: int = 12, sigma: float = 0.1) -> Studio:
    """A studio of the analytic world with small pictures."""
    told = ["decoder.kind=analytic", *SMALL, f"analytic.modes={modes}", f"analytic.sigma={sigma}"]
    return rig.open_studio(preset.load("analytic", told))


def one_survey(options: argparse.Namespace) -> int:
    """The child that is killed: begin or go on, tell memory on the way."""
    studio, process = analytic_world(), psutil.Process()
    told = settings.settings_of(Globe(nside=options.nside), studio.plane, studio.decoder.profile, block=64)

    def memory(done: int, total: int, block: int) -> None:
        if block % 16 == 0:
            print(f"{done} {process.memory_info().rss}", flush=True)

    with store.resume_or_create(options.store, told, studio.plane, CREATED) as kept:
        survey.run(kept, rendering.renderer(studio, studio.decoder, 32), memory)
    return 0


def resume(options: argparse.Namespace) -> int:
    """Undisturbed and killed surveys, compared."""
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder) / "whole.zarr", Path(folder) / "killed.zarr"
        began = time.monotonic()
        samples = np.array([line.split() for line in spawn(whole, options.nside).communicate()[0].splitlines()], float)
        took = time.monotonic() - began
        random.seed(options.seed)
        for _ in range(options.kills):
            process = spawn(killed, options.nside)
            time.sleep(random.uniform(2.0, max(3.0, took / options.kills)))
            process.send_signal(signal.SIGKILL)
            process.communicate()
        spawn(killed, options.nside).communicate()
        same = all((a == b).all() for a, b in zip(arrays(whole), arrays(killed), strict=True))
        total = len(reader.read(whole))
        size = sum(file.stat().st_size for file in whole.rglob("*") if file.is_file())
    late = samples[samples[:, 0] > total / 5]
    slope = float(np.polyfit(late[:, 0], late[:, 1], 1)[0])
    growth = slope * total / 1e6
    good = same and growth < 10
    rows = [
        ["places", f"{total}", ""],
        ["time, undisturbed", f"{took:.0f} s, {total / took:.0f} places/s", ""],
        ["memory, from a fifth on", f"{late[0, 1] / 1e6:.0f} to {late[-1, 1] / 1e6:.0f} MB", "constant"],
        ["slope over the whole survey", f"{growth:.1f} MB", "< 10 MB"],
        [f"arrays after {options.kills} kills", "identical" if same else "DIFFERENT", "identical"],
        ["store", f"{size / total:.0f} bytes a place", ""],
    ]
    show("A survey of the globe, killed and resumed", ["", "measured", "goal"], rows)
    return 0 if good else 1


def spawn(path: Path, nside: int) -> subprocess.Popen[str]:
    """A survey in a process of its own."""
    command = [sys.executable, __file__, "child", str(path), str(nside)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


def arrays(path: Path) -> list[np.ndarray]:
    """Everything a store holds of its places."""
    atlas = reader.read(path)
    return [atlas.unit, atlas.lattice, atlas.level, atlas.features, np.asarray(atlas.thumbs[:])]


def timed(options: argparse.Namespace) -> int:
    """The write-up's study with the scout, from the world's loading to the page."""
    began = time.monotonic()
    journey = preset.load("neutral", ["decoder.kind=scout"])
    studio = rig.open_studio(journey)
    loaded = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        out = SurveyFolder.at(Path(folder) / "study")
        sampling = Window(rows=options.side, columns=options.side)
        with surveys.begin(studio, out, sampling, scout=True) as kept:
            survey.run(kept, rendering.renderer(studio, studio.scout, 64))
        surveyed = time.monotonic()
        found = findings.conclude(
            out, rendering.renderer(studio, studio.scout, 64), findings.labeller(studio, None, None)
        )
        draw(out, found, "study")
    drawn = time.monotonic()
    count = options.side**2
    rows = [
        ["loading", f"{loaded - began:.1f} s", ""],
        ["survey", f"{surveyed - loaded:.1f} s, {count / (surveyed - loaded):.1f} pictures/s", ""],
        ["field, phases, pictures, page", f"{drawn - surveyed:.1f} s", ""],
        ["in all", f"{drawn - began:.1f} s", "<= 360 s at 50 x 50"],
    ]
    rows += [[name, f"{value:.4g}", ""] for name, value in findings.summary(found).items()]
    show(f"{options.side} x {options.side} with the embedded world's scout", ["", "measured", "goal"], rows)
    return 0 if drawn - began <= 360 else 1


def truth(options: argparse.Namespace) -> int:
    """Ridge, Lipschitz constant and floor on the analytic world, for sigma .5 to .1."""
    plane = analytic_world().plane
    rows, good = [], True
    for sigma in (0.5, 0.3, 0.2, 0.1):
        near = ridge_within_a_cell(analytic(plane, 6, sigma, size=(2, 2), batch=4096))
        error, finest = constant(analytic(plane, 2, sigma, size=(2, 2), batch=4096))
        measured, told = rounding(analytic(plane, 2, sigma, size=(2, 2), batch=4096))
        fine = near >= 0.98 and error <= 0.05 and abs(measured / told - 1) < 0.25
        good &= fine
        floor = f"{measured:.2g} of {told:.2g}"
        figures = [f"{100 * near:.1f}%", f"{100 * error:.2f}%", f"{finest:.0e}", floor, "yes" if fine else "NO"]
        rows.append([f"{sigma}", *figures])
    columns = ["sigma", "ridge within a cell", "L off by (<= 5%)", "down to a step of", "float32 floor", "reached"]
    notes = [
        "L: largest field value over the closed form's, windows about a rift from its width down, float64 latents;"
    ]
    notes += [
        "floor: feature distance that half a unit in the last place of float32 makes on the rift, of the closed form's"
    ]
    show("The field against the analytic world", columns, rows, notes)
    return 0 if good else 1


def eyes(decoder: AnalyticDecoder, exact: bool) -> Render:
    """A render of the analytic world, from float64 latents where `exact`."""
    plane = decoder.plane
    flat = np.linalg.solve(plane.corners, plane.vertices.reshape(3, -1))

    def render(units: np.ndarray, radii: np.ndarray) -> Rendered:
        latents = plane.latents(units, radii)
        if exact:
            latents = torch.from_numpy((plane.points(units, radii) @ flat).reshape(-1, *plane.shape))
        features = AnalyticEye()(decoder(latents)).numpy()
        return Rendered(features, np.zeros((len(units), 1, 1, 3), np.uint8))

    return render


def ridge_within_a_cell(decoder: AnalyticDecoder) -> float:
    """Share of ridge places (highest along a row or a column, above the middle of all) a cell or less from the rift."""
    side = 65
    spec = Window(alpha=(-1.0, 1.5), beta=(-1.0, 1.5), rows=side, columns=side)
    atlas = survey.in_memory(spec, decoder.plane, eyes(decoder, False))
    rates, unit = field.rates(atlas).reshape(side, side), atlas.unit.reshape(side, side, 3)
    high = rates > np.sqrt(np.median(rates) * rates.max())
    near = []
    for axis in (0, 1):
        middle = np.take(rates, range(1, side - 1), axis)
        before, after = np.take(rates, range(side - 2), axis), np.take(rates, range(2, side), axis)
        top = (middle >= before) & (middle >= after) & np.take(high, range(1, side - 1), axis)
        place = np.take(unit, range(1, side - 1), axis)[top]
        # a maximum along an axis is the ridge's only where the ridge crosses that axis steeply
        other = np.take(np.gradient(rates, axis=1 - axis), range(1, side - 1), axis)[top]
        place = place[np.abs(other) < 0.2 * middle[top]]
        cell = globe.angle(unit[1:, :], unit[:-1, :]).max()
        near.append(decoder.rift_distance(place) <= cell)
    return float(np.concatenate(near).mean())


def rift_place(decoder: AnalyticDecoder) -> tuple[float, float]:
    """alpha and beta half-way between two poles, on the chart's side."""
    plane = decoder.plane
    alpha, beta, _ = plane.chart(globe.project(decoder.mixture.modes[0], plane.unit(0.3, 0.3)))
    return float(alpha), float(beta)


def about(centre: tuple[float, float], width: float, side: int) -> Window:
    """A small window."""
    (a, b) = centre
    return Window(alpha=(a - width, a + width), beta=(b - width, b + width), rows=side, columns=side)


def constant(decoder: AnalyticDecoder) -> tuple[float, float]:
    """Largest relative error of the field's maximum until float64 rounds, and the finest latent step it held at."""
    place, plane = rift_place(decoder), decoder.plane
    true = float(decoder.true_rate(plane.unit(*place)[None])[0])
    width, worst, finest = 0.05 / (true * plane.target), 0.0, np.inf
    while width > 1e-13:
        atlas = survey.in_memory(about(place, width, 7), plane, eyes(decoder, True))
        spacing = float(field.spacing(atlas, mesh(atlas)).mean())
        if (16 + true * 8 * plane.target) * 2.0**-53 / spacing < 0.01 * true:
            worst, finest = max(worst, abs(float(field.rates(atlas).max()) / true - 1)), spacing
        width /= 10
    return worst, finest


def rounding(decoder: AnalyticDecoder) -> tuple[float, float]:
    """The measured floor of float32 near the rift; the closed form's: L times 2^-24 of the radius, and the pixel's."""
    place, plane = rift_place(decoder), decoder.plane
    atlas = survey.in_memory(about(place, 1e-5, 5), plane, eyes(decoder, False))
    rates = field.rates(atlas)
    floor = field.measure_floor(eyes(decoder, False), atlas, rates)
    true = float(decoder.true_rate(atlas.unit)[rates.argmax()])
    pixel = 16 * 2.0**-24 / np.sqrt(2)  # of three coordinates read from float32 pixels, between two pictures
    return floor.rounding, float(np.hypot(true * plane.target * 2.0**-24 / np.sqrt(2), pixel))


if __name__ == "__main__":
    sys.exit(main())
