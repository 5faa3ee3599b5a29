"""What docs/casting.md says of the foundry's choices, measured: what a sample costs each UNet of the bake-off, what
paying for the latents' roughness does to a cast's autoencoder, how a teacher stands, what guidance does, and how
far a student can agree.

    python benchmarks/casting.py shapes                              a minute on one core
    python benchmarks/casting.py smooth --steps 150 0 .01 .03        goes on from a cast's autoencoder, writes nothing
    python benchmarks/casting.py teacher                             gate G3 of a cast's teacher, as far as it is
    python benchmarks/casting.py guidance 1.5 2 2.5 3                a world's own prompts at each guidance
    python benchmarks/casting.py agreement 1.75 2                    teacher in few and in many steps, and student

smooth: needs the checkpoint of a cast's autoencoder (--cast), the further from its end the more there is to see. Each
weight gets the same steps, data and rates from there; printed are the figures of gate G1 on held-out pictures.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from common import show

from foundry import (
    autoencoder,
    bench,
    captions,
    casting,
    clip,
    data,
    export,
    gates,
    judge,
    ladder,
    presets,
    student,
    training,
    unet,
)
from foundry.errors import FoundryError
from foundry.machine import Machine, Plan
from foundry.texts import Texts
from latentworld.prompts import Prompt

SHAPES = ((64, 128, 192), (96, 160, 160), (96, 192))
REPEATS = 3


def least(work: Callable[[], object]) -> float:
    """Processor's seconds of the best of some calls."""
    times = []
    for _ in range(REPEATS):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


def costs(shape: tuple[int, ...], precision: str, batch: int) -> tuple[str, str]:
    """Milliseconds of one core a sample: forward and backward, and forward alone."""
    preset, plan, machine = presets.find("cpu"), Plan(precision, 1, batch), Machine(seconds=0)
    network, sizes = unet.build(preset, shape), preset.shapes
    x, told = torch.randn(batch, *preset.shape), torch.randn(batch, sizes.tokens, sizes.text_width)
    times = torch.randint(0, 1000, (batch,))

    def made() -> torch.Tensor:
        with machine.autocast(plan):
            found: torch.Tensor = network(x, times, told).sample
        return found

    both = least(lambda: made().float().square().mean().backward())
    with torch.no_grad():
        return f"{1000 * both / batch:.1f}", f"{1000 * least(made) / batch:.1f}"


def shapes(batch: int = 64) -> None:
    """What each shape costs, in either precision."""
    rows = [["-".join(map(str, shape)), *costs(shape, "bfloat16", batch), *costs(shape, "float32", batch)]
            for shape in SHAPES]  # fmt: skip
    columns = ("", "bfloat16, both ways", "forward", "float32, both ways", "forward")
    show(f"ms of one core a sample, batch {batch}", columns, rows)


def smooth(out: Path, weights: list[float], steps: int) -> None:
    """G1's figures after so many steps at each weight of the roughness."""
    preset = presets.find("cpu")
    kept = training.read(out / "autoencoder" / "checkpoint.pt", preset.fingerprint("autoencoder"))
    few = preset.data.early
    train, held = (data.load_split(out / "data", split, preset.data, few) for split in ("train", "held"))
    judged, machine = held.batch(autoencoder.look_for(held, 20)), Machine(seconds=0)
    stage = dataclasses.replace(preset.autoencoder, averages=(0.97,))
    rows = []
    for weight in weights:
        model = autoencoder.build(preset)
        run = training.begin(model, stage, seed=5)
        for network in (model, *run.averages.values()):
            network.load_state_dict(kept["model"])
        for optimiser, state in zip(run.optimisers, kept["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        run.step = kept["step"]
        asked = dataclasses.replace(preset, latents=dataclasses.replace(preset.latents, smooth=weight))
        loss = autoencoder.loss_for(train, asked, machine)
        for _ in range(steps):
            training.advance(run, stage, loss, machine, Plan("bfloat16", 1, 16), 0.5)
        found = gates.autoencoder_figures(run.average, judged)  # type: ignore[arg-type]
        rows.append([f"{weight:g}", *(f"{found[name]:.3f}" for name in gates.G1)])
        print(*rows[-1], flush=True)
    show(f"{steps} steps on from step {kept['step']}", ("roughness at", *gates.G1), rows)


def teacher(out: Path) -> None:
    """G3's ladder, with guidance and without, and losses, on 64 held-out pictures."""
    preset, machine = presets.find("cpu"), Machine(seconds=0)
    held = data.load_split(out / "data", "held", preset.data)
    world = export.so_far(out, preset, held)
    rows = torch.arange(0, len(held), max(1, len(held) // 64))
    with torch.no_grad():
        latents = torch.cat([autoencoder.encode(world.vae, part) for part in held.batch(rows).split(16)])
    told = [held.captions[row][0] for row in rows.tolist()]
    texts, real = Texts(clip.text_encoder(world.clip), world.tokenizer, machine.device), ladder.Pictures(latents, told)
    figures = ladder.losses(world.unet, texts, real, machine)
    for guidance in (1.0, 2.0):
        figures |= ladder.ladder(world.unet, world.vae, texts, real, machine, guidance=guidance)
    show("the teacher", ("", "value"), [[name, f"{value:.4g}"] for name, value in figures.items()])


def guided(world: Path, guidances: list[float]) -> None:
    """What the judge asks of the families' own prompts, at each guidance: what a card's default is chosen by."""
    b = bench.bench_for(world, Path("out/casting"), bench.FULL)
    wanted = torch.arange(len(data.FAMILIES)).repeat_interleave(b.effort.family)
    noise, prompts = bench.starts(b, len(wanted), 2000), [b.prompts[int(k)] for k in wanted]
    with torch.no_grad():
        for guidance in guidances:
            judge.own_prompts(b, bench.pictures_of(b, prompts, noise, guidance=guidance), wanted, f", {guidance:g}")


def agreement(world: Path, guidances: list[float], noises: int = 256) -> None:
    """Of how many noises teacher and student, each under the neutral prompt, make pictures of one family: what a
    student can reach, since it learns from a teacher in few steps."""
    b = bench.bench_for(world, Path("out/casting"), bench.FULL)
    noise, neutral = bench.starts(b, noises, 1000), Prompt(captions.NEUTRAL, captions.NEGATIVE)
    seen = dict[str, torch.Tensor]()
    with torch.no_grad():
        for guidance in guidances:
            for steps in (b.preset.teacher_steps, bench.FULL.steps):
                made = b.teacher(steps, guidance)(noise, neutral)
                seen[f"{steps} steps, {guidance:g}"] = bench.assigned(b, made).argmax(1)
        told = [captions.NEUTRAL] * len(noise)
        few = [student.sample(b.world.student, b.texts, told[: len(x)], x, b.student_steps) for x in noise.split(32)]
        for name, vae in (("student", b.world.vae), ("student, tiny decoder", b.world.tiny_vae)):
            made = torch.cat([autoencoder.decode(vae, x) for x in few])
            seen[name] = bench.assigned(b, made).argmax(1)
    rows = [[one, *(f"{float((a == c).float().mean()):.2f}" for c in seen.values())] for one, a in seen.items()]
    show(f"of one family, {noises} noises", ("", *seen), rows)


def main() -> None:
    """Measure what is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("shapes", "smooth", "teacher", "guidance", "agreement"))
    parser.add_argument(
        "weights",
        nargs="*",
        type=float,
        help="of smooth: prices of roughness; of guidance and agreement: values of it",
    )
    parser.add_argument("--steps", type=int, default=150, help="of smooth: steps at each price")
    parser.add_argument(
        "--cast", type=Path, default=casting.home("cpu"), help="of smooth and teacher: the folder of a cast"
    )
    parser.add_argument(
        "--world", type=Path, default=Path("latentworld/worlds/embedded"), help="of guidance and agreement"
    )
    asked = parser.parse_intermixed_args()
    values = asked.weights or ([0.0, 0.01, 0.03] if asked.what == "smooth" else [2.0])
    if asked.what not in ("guidance", "agreement"):  # samples take all there are
        torch.set_num_threads(1)
    if asked.what in ("guidance", "agreement"):
        if not all(math.isfinite(value) and value >= 1 for value in values):
            parser.error("guidance is a number from 1 on")
        try:
            (guided if asked.what == "guidance" else agreement)(asked.world, values)
        except FoundryError as error:
            raise SystemExit(f"error: {error}") from None
    elif asked.what == "shapes":
        shapes()
    elif asked.what == "teacher":
        teacher(asked.cast)
    else:
        smooth(asked.cast, values, asked.steps)


if __name__ == "__main__":
    main()
