"""Batches of pictures in 50 guided steps, as timed slices: some steps and the painting are timed apart, then added."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from gpu_run import worlds
from gpu_run.bench import TFLOP, Bench
from gpu_run.correctness import called, pipeline
from gpu_run.rows import Row

SECTION = "50 guided steps at a time, pictures a second with VAE and CLIP"
STEPS = 50
NEEDS = {"compiled, not captured": 80.0, "compile": 60.0}  # seconds, compiling included


def run(bench: Bench) -> None:
    """All its rows: the engines at the first two batches, then the best of them at the others."""
    compared: dict[int, float] = {}
    for batch in bench.batches[:2]:
        made = bench.record.try_row(SECTION, "pipeline", _how(batch), partial(library, bench, batch), needs=12.0)
        if made.value is not None:
            compared[batch] = made.value
    for batch in bench.batches:
        for engine in bench.ways[:2]:
            bench.record.try_row(
                SECTION, engine, _how(batch), partial(ours, bench, engine, batch, compared.get(batch)), needs=12.0
            )
    batch = bench.batches[1]
    for engine in bench.ways[2:]:
        slice_of = partial(ours, bench, engine, batch, compared.get(batch))
        bench.record.try_row(SECTION, engine, _how(batch), slice_of, needs=NEEDS.get(engine, 20.0))
    bench.record.try_row(
        SECTION, "eager, contiguous", _how(batch), partial(contiguous, bench, batch, compared.get(batch)), needs=12.0
    )


def library(bench: Bench, batch: int) -> Row:
    """The pipeline's batched loop."""
    networks = bench.networks("sd15")
    world, pipe = networks.world, pipeline(networks.world)
    asked = called(world, bench.latents(batch, world), bench.steps, "latent")
    clean = bench.latents(batch, world).to(world.device, world.dtype)

    @torch.inference_mode()
    def painted() -> Any:
        return world.vae.decode(clean / world.latent.scale, return_dict=False)[0]

    stepped = bench.median(lambda: pipe(**asked), repeats=2)
    return _row(bench, "pipeline", batch, stepped, bench.median(painted, 2), None)


def ours(bench: Bench, engine: str, batch: int, compared: float | None) -> Row:
    """A faithful decoder's."""
    networks = bench.networks("sd15")
    decoder = bench.decoder(networks, batch=batch, engine=engine)
    z = bench.latents(batch, networks.world)
    stepped = bench.median(lambda: decoder.clean(z, worlds.PROMPT), repeats=2)
    clean = z.to(networks.world.device)
    return _row(bench, engine, batch, stepped, bench.median(lambda: decoder.paint(clean), 2), compared)


def contiguous(bench: Bench, batch: int, compared: float | None) -> Row:
    """Eager with pictures laid out plainly: whether channels last pays where GroupNorm takes plain ones alone."""
    from latentworld.decoding import torch_engines

    kept: Callable[[torch.Tensor], torch.Tensor] = torch_engines.channels_last
    torch_engines.channels_last = lambda tensor: tensor.contiguous()  # type: ignore[assignment]
    try:
        row = ours(bench, "eager", batch, compared)
    finally:
        torch_engines.channels_last = kept
    return Row(**{**vars(row), "what": "eager, contiguous"})


def _row(bench: Bench, what: str, batch: int, stepped: float, painted: float, compared: float | None) -> Row:
    look = bench.eye()
    pictures = torch.rand(batch, 3, bench.widths.side, bench.widths.side, device=bench.device)
    looked = bench.median(lambda: look(pictures), 2)
    rate = batch / (stepped * STEPS / bench.steps + painted + looked)
    flop = STEPS * TFLOP["step"] + TFLOP["vae"] + TFLOP["clip"]
    note = f"a step {stepped / bench.steps * 1e3:.1f} ms, VAE {painted * 1e3:.0f} ms, CLIP {looked * 1e3:.1f} ms"
    against = None if compared is None else rate / compared
    return Row(SECTION, what, _how(batch), rate, "/s", against, bench.limit(rate, flop), bench.held(), note=note)


def _how(batch: int) -> str:
    return f"batch {batch}"
