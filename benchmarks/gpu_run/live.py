"""A show's pictures: as the loop has them, from latents to bytes and features on the processor, and stage by stage."""

from __future__ import annotations

import statistics
from functools import partial

import torch
from torch import Tensor

from gpu_run import worlds
from gpu_run.bench import TFLOP, Bench
from gpu_run.rows import Row
from installation.frames import develop, see
from latentworld.transfer import landed

SECTION = "Live: pictures a second from latents to bytes and features on the processor"
STAGES = "Live, stage by stage, milliseconds a batch"
LIVE = ((1, 1), (1, 4), (1, 8), (4, 1), (4, 4))  # steps, batch


def run(bench: Bench) -> None:
    """All its rows."""
    engines = [engine for engine in bench.ways if engine in ("eager", "graphs", "compile")]
    for engine in engines[:2]:
        for steps, batch in LIVE:
            how = f"{engine}, {steps} steps, batch {batch}"
            bench.record.try_row(SECTION, "as it is shown", how, partial(shown, bench, engine, steps, batch), needs=5.0)
    for steps, batch in LIVE[:1] + LIVE[3:4]:
        how = f"{engines[1]}, {steps} steps, batch {batch}"
        bench.record.try_row(
            SECTION, "by way of the processor", how, partial(shown, bench, engines[1], steps, batch, stay=False)
        )
    for steps, batch in LIVE[:1] + LIVE[2:3]:
        for name in ("denoiser", "decoder", "CLIP", "bytes and copy, pinned", "floats, pageable"):
            make = partial(stage, bench, engines[1], steps, batch, name)
            bench.record.try_row(STAGES, name, f"{engines[1]}, {steps} steps, batch {batch}", make)
    if "graphs" in engines:
        for steps, batch in LIVE:
            how = f"whole, {steps} steps, batch {batch}"
            bench.record.try_row(
                SECTION, "as it is shown", how, partial(shown, bench, "whole", steps, batch), needs=5.0
            )
    for engine in engines[2:]:
        make = partial(shown, bench, engine, 1, 1)
        bench.record.try_row(SECTION, "as it is shown", f"{engine}, 1 steps, batch 1", make, needs=70.0)


def shown(bench: Bench, engine: str, steps: int, batch: int, stay: bool = True) -> Row:
    """A tick of the loop; stay=False: pictures go down as floats, and up again for CLIP."""
    networks = bench.networks("sd15")
    decoder = bench.decoder(networks, kind="scout", steps=steps, guidance=1.0, batch=batch, engine=engine)
    z, look = bench.latents(batch, networks.world), bench.eye()

    def tick() -> None:
        pictures = decoder(z, worlds.PROMPT, stay=stay)
        if stay:
            see(pictures, look(pictures))
        else:
            landed(look(pictures))
            develop(pictures)

    took = bench.seconds(tick, repeats=8 * bench.repeats)
    rate = batch / statistics.median(took)
    flop = steps * TFLOP["step"] / 2 + TFLOP["tiny"] + TFLOP["clip"]
    slowest = sorted(took)[int(0.99 * (len(took) - 1))]
    note = f"p99 {slowest * 1e3:.1f} ms a batch"
    how = f"{engine}, {steps} steps, batch {batch}"
    what = "as it is shown" if stay else "by way of the processor"
    return Row(SECTION, what, how, rate, "/s", None, bench.limit(rate, flop), bench.held(), note=note)


def stage(bench: Bench, engine: str, steps: int, batch: int, name: str) -> Row:
    """One stage alone, waited for."""
    networks = bench.networks("sd15")
    decoder = bench.decoder(networks, kind="scout", steps=steps, guidance=1.0, batch=batch, engine=engine)
    z = bench.latents(batch, networks.world)
    clean = z.to(bench.device)
    side = bench.widths.side
    pictures, features = torch.rand(batch, 3, side, side, device=bench.device), torch.rand(batch, 512).to(bench.device)
    look = bench.eye()

    def pageable() -> Tensor:
        return pictures.cpu()

    run = {
        "denoiser": lambda: decoder.clean(z, worlds.PROMPT),
        "decoder": lambda: decoder._painted(clean),
        "CLIP": lambda: look(pictures),
        "bytes and copy, pinned": lambda: see(pictures, features),
        "floats, pageable": pageable,
    }[name]
    took = bench.median(run, repeats=4 * bench.repeats)
    return Row(STAGES, name, f"{engine}, {steps} steps, batch {batch}", took * 1e3, "ms", memory=bench.held())
