"""The live renderer, part by part: what a picture costs, how fast pictures come, and what looking for rifts brings.

    python benchmarks/render.py [--world embedded] [--engine openvino eager] [--batch 1 2 4] [--repeats 20]
    python benchmarks/render.py --live 20         the whole process for so many seconds, a control now and then
    python benchmarks/render.py --looks           the live pilot on the analytic world: what looks cost and bring

Times are medians in milliseconds a picture, with the least beside them: on a machine that does other things the least
is nearer to what the parts cost.
"""

from __future__ import annotations

import argparse
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import show


def timed(run: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """Median and least seconds, after one call that builds."""
    run()
    took = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        took.append(time.perf_counter() - began)
    return statistics.median(took), min(took)


def parts(asked: argparse.Namespace) -> None:
    """Milliseconds a picture by engine and batch: denoising, painting, CLIP, and the rest of a tick."""
    from installation.frames import develop, digest
    from latentworld import worlds
    from latentworld.decoding import scout_decoder
    from latentworld.plane import Plane
    from latentworld.prompts import Prompt
    from latentworld.vertices import from_seeds
    from latentworld.vision import clip_eye

    world, rows, prompt = worlds.load(asked.world), [], Prompt("a cat", "blurry")
    plane = Plane(from_seeds((0, 123, 200), world.shape))
    for engine in asked.engine:
        for batch in asked.batch:
            decoder, eye = (
                scout_decoder(world, batch=batch, engine=engine),
                clip_eye(None, world, batch=batch, engine=engine),
            )
            units = plane.unit(np.linspace(0, 1, batch), np.zeros(batch))
            latents = plane.latents(units)
            pictures = decoder(latents, prompt)
            whole = timed(lambda: decoder(latents, prompt), asked.repeats)  # noqa: B023
            painting = timed(lambda: decoder.paint(latents), asked.repeats)  # noqa: B023
            seeing = timed(lambda: eye(pictures), asked.repeats)  # noqa: B023

            def rest() -> None:
                plane.latents(units)  # noqa: B023
                for picture in develop(pictures):  # noqa: B023
                    digest(picture)

            other = timed(rest, asked.repeats)
            cells = [(whole[i] - painting[i], painting[i], seeing[i], other[i]) for i in (0, 1)]
            ms = [[1e3 * part / batch for part in row] for row in cells]
            ms = [[*row, sum(row), 1e3 / sum(row)] for row in ms]
            rows.append((engine, str(batch), *(f"{a:.1f} ({b:.1f})" for a, b in zip(*ms, strict=True))))
    title = f"The scout of {asked.world}, {world.card.size} px: ms a picture, median (least)"
    show(title, ("engine", "batch", "denoise", "paint", "CLIP", "rest", "together", "pictures/s"), rows)


def live(asked: argparse.Namespace) -> None:
    """The process itself, a fader moved ten times a second: pictures a second, and control to ring."""
    from installation.ipc.messages import Stop
    from installation.ipc.ring import Ring
    from installation.ipc.wire import Wire
    from latentworld import preset

    ring = Ring.create(8, (1024, 1024))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journey.toml"
        path.write_text(preset.dump(preset.load("first-light", [f"world.name={asked.world}"])), encoding="utf-8")
        command = [sys.executable, "-m", "installation.render", "--ring", ring.name, "--preset", str(path)]
        began = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        wire = Wire(process.stdout, process.stdin)
        rows = _watched(wire, asked.live, began)
        wire.send(Stop())
        wire.close()
        process.wait(20)
    ring.close()
    ring.unlink()
    show(f"A renderer of {asked.world}, alone on the machine but for what else runs", ("", ""), rows)


def _watched(wire: Any, seconds: float, began: float) -> list[tuple[str, str]]:
    from installation.ipc.messages import ControlChanges, Ready, Tick

    ready, first, last, sent = None, None, None, 0.0
    lags: dict[float, float] = {}
    gaps, work, batch = [], [], 1
    for message in wire.read():
        now = time.monotonic()
        if isinstance(message, Ready) and message.profile is not None:
            ready, batch = now - began, message.profile.batch
        if not isinstance(message, Tick):
            continue
        first = first or now
        if message.stamp:
            lags.setdefault(message.stamp, now - message.stamp)
        gaps += [] if last is None else [now - last]
        work.append(message.seconds / len(message.index))
        last = now
        if now - sent > 0.1:  # in this thread, at once after a tick: the worst moment, it has just missed one
            sent = now
            wire.send(ControlChanges({"walk.speed": 4 + math.sin(now)}, (), now))
        if now - first > seconds:
            break
    assert ready is not None
    late = 1e3 * np.quantile(sorted(lags.values()), [0.5, 0.99])
    even = 1e3 * np.quantile(gaps, [0.5, 0.95, 0.99])
    return [("ready after", f"{ready:.1f} s"), ("batch", str(batch)),
            ("pictures a second", f"{batch / statistics.mean(gaps):.1f}"),
            ("ms between ticks, p50 / p95 / p99", " / ".join(f"{q:.0f}" for q in even)),
            ("ms of work a picture, p50", f"{1e3 * statistics.median(work):.0f}"),
            ("ms control to ring, p50 / p99", " / ".join(f"{q:.0f}" for q in late)),
            ("controls heard", str(len(lags)))]  # fmt: skip


def looks(asked: argparse.Namespace) -> None:
    """Share of the arc in the top decile of nearness to a rift, by what a look costs and how many rays it has."""
    from installation.control.controls import LoopControls
    from installation.render import live_pilot as live_helm
    from installation.render.live_pilot import Course, LivePilot
    from latentworld import globe
    from latentworld.decoding.analytic import SHELL, analytic
    from latentworld.pacing import PacingSpec
    from latentworld.pilot import PilotSpec
    from latentworld.plane import Plane
    from latentworld.walks import Free

    plane = Plane(np.random.default_rng(3).normal(size=(3, 4, 16, 16)))
    world = analytic(plane, 6, sigma=0.1, steps=20, size=(4, 4))
    places = globe.normalise(np.random.default_rng(9).normal(size=(4000, 3)))
    near = float(np.quantile(world.rift_distance(places), 0.1))

    def feature(units: np.ndarray, radii: np.ndarray) -> np.ndarray:
        return world.mixture.flow(units * np.asarray(radii)[:, None] * SHELL)

    def flown(cost: float, rays: int, speed: float, attraction: float, seed: int) -> tuple[float, int]:
        live_helm.RAYS = rays
        random = np.random.default_rng(seed)
        unit = globe.normalise(random.normal(size=3))
        walk = Free(unit, globe.project(unit, random.normal(size=3)), plane.target, ease=115.0)
        course = [Course(plane, probe=feature, cost=cost, here=feature(unit[None], np.ones(1))[0])]  # type: ignore[arg-type]
        spec = PilotSpec(attraction=attraction, fan=rays)
        pilot = LivePilot(spec, PacingSpec(speed=speed), 0.0, lambda: course[0], lambda: 0.1)
        units = []
        for _ in range(400):
            steering = pilot(walk, None, LoopControls(), 1)
            walk = walk.advance(float(steering.strides[-1]), steering.curvature)
            units.append(walk.unit)
            course[0] = replace(course[0], here=feature(walk.unit[None], np.ones(1))[0])
        return float((world.rift_distance(np.array(units)) < near).mean()), pilot.probes

    rows = []
    for cost, rays, speed, attraction in (
        (0.2, 5, 4, 0.0), (0.2, 5, 4, 1.0), (0.2, 9, 4, 1.0), (0.2, 17, 4, 1.0), (0.8, 5, 4, 1.0), (1.6, 5, 4, 1.0),
        (3.2, 5, 4, 1.0), (5.0, 5, 4, 1.0), (5.0, 5, 1, 1.0), (0.2, 5, 4, -1.0),
    ):  # fmt: skip
        found = [flown(cost, rays, speed, attraction, seed) for seed in range(asked.walks)]
        shares = [share for share, _ in found]
        spread = statistics.stdev(shares) / math.sqrt(len(shares))
        probes = sum(count for _, count in found) / len(found) / 400
        share = f"{statistics.mean(shares):.2f} ± {spread:.2f}"
        rows.append((f"{attraction:g}", f"{rays}", f"{cost:g}", f"{speed:g}", share, f"{probes:.2f}"))
    columns = ("attraction", "rays", "frames a look", "latent/s", "of the arc near a rift", "probes a frame")
    show("The live pilot, analytic world, 6 modes, sigma .1, ten pictures a second", columns, rows)


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", default="embedded")
    parser.add_argument("--engine", nargs="+", default=["openvino", "eager"])
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--walks", type=int, default=16)
    parser.add_argument("--live", type=float, default=0.0)
    parser.add_argument("--looks", action="store_true")
    asked = parser.parse_args()
    torch.manual_seed(0)
    (live if asked.live else looks if asked.looks else parts)(asked)


if __name__ == "__main__":
    main()
