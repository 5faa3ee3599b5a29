"""What is worth knowing and may be missing: SDXL-Turbo's shape, cuDNN's search, ways of attention, fp8, and how long
engines take to start."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import torch

from gpu_run import worlds
from gpu_run.bench import Bench
from gpu_run.rows import Row
from installation.frames import see
from latentworld.decoding import fp8

XL = "SDXL-Turbo's shape, one step"
SEARCH = "cuDNN's search for convolutions, batch of 8, milliseconds a guided step"
ATTENTION = "Ways of attention, milliseconds a call"
FP8 = "Eight-bit floats, milliseconds (scouts alone: they move pictures)"
PRODUCT, SCOUT = "16384 x 1280 x 5120", "SDXL-Turbo's shape, one step, batch 4"
START = "Seconds from a new decoder to a scout's first picture, one step, batch 1"
SHAPES = {"SD 1.5, 64 x 64, heads of 40": (16, 8, 4096, 40), "SDXL, 64 x 64, heads of 64": (8, 10, 4096, 64)}


def run(bench: Bench) -> None:
    """All its rows, the least important last."""
    for batch in (1, 8):
        make = partial(turbo, bench, bench.ways[1], batch)
        bench.record.try_row(XL, bench.ways[1], f"batch {batch}", make, needs=15.0)
    for dtype in ("float16", "bfloat16"):
        bench.record.try_row(XL, "the VAE is finite", dtype, partial(finite, bench, dtype), needs=5.0)
    for on in (False, True):
        how = "on" if on else "off"
        bench.record.try_row(SEARCH, "cudnn.benchmark", how, partial(search, bench, on), needs=10.0)
    for shape in SHAPES:
        for way in ("FLASH_ATTENTION", "CUDNN_ATTENTION", "EFFICIENT_ATTENTION", "MATH"):
            bench.record.try_row(ATTENTION, way.lower(), shape, partial(attention, bench, way, shape), needs=2.0)
    for name in ("half", "fp8"):
        bench.record.try_row(FP8, name, PRODUCT, partial(product, bench, name), needs=5.0)
    for name in ("bfloat16", "fp8"):
        bench.record.try_row(FP8, name, SCOUT, partial(scout, bench, name), needs=60.0)
    for engine, needs in (("package", 150.0), ("compile", 100.0)):
        for how, least in (("made", needs), ("kept", 30.0)):
            bench.record.try_row(START, engine, how, partial(start, bench, engine, how), needs=least)


def turbo(bench: Bench, engine: str, batch: int) -> Row:
    """A tick of a show on SDXL-Turbo's shape, with its tiny decoder."""
    networks = bench.networks("sdxl-turbo")
    decoder = bench.decoder(networks, kind="scout", steps=1, guidance=1.0, batch=batch, engine=engine)
    z, look = bench.latents(batch, networks.world), bench.eye()

    def tick() -> Any:
        pictures = decoder(z, worlds.PROMPT, stay=True)
        return see(pictures, look(pictures))

    rate = batch / bench.median(tick)
    return Row(XL, engine, f"batch {batch}", rate, "/s", memory=bench.held())


def finite(bench: Bench, dtype: str) -> Row:
    """Whether the VAE makes numbers of strong latents in half precision. With random weights this says little: trained
    ones have larger activations."""
    networks = bench.networks("sdxl-turbo")
    vae = networks.world.vae.to(getattr(torch, dtype))
    latents = 3.0 * bench.latents(1, networks.world).to(bench.device, getattr(torch, dtype))
    with torch.inference_mode():
        pictures = vae.decode(latents / networks.world.latent.scale, return_dict=False)[0]
    share = float(pictures.isfinite().float().mean())
    vae.to(bench.half)
    return Row(XL, "the VAE is finite", dtype, share, "of pixels", memory=bench.held(), note="random weights")


def search(bench: Bench, on: bool) -> Row:
    """Eager steps with cuDNN's own choice of algorithms, and with those that it finds by trying."""
    before, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, on
    try:
        networks = bench.networks("sd15")
        decoder = bench.decoder(networks, batch=bench.batches[0])
        z = bench.latents(bench.batches[0], networks.world)
        took = bench.median(lambda: decoder.clean(z, worlds.PROMPT), repeats=2) / bench.steps
    finally:
        torch.backends.cudnn.benchmark = before
    return Row(SEARCH, "cudnn.benchmark", "on" if on else "off", took * 1e3, "ms", memory=bench.held())


def attention(bench: Bench, way: str, shape: str) -> Row:
    """One call of `scaled_dot_product_attention` held to one way."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    size = SHAPES[shape] if bench.is_real else (1, 2, 64, SHAPES[shape][3])
    query, key, value = (torch.randn(size, device=bench.device, dtype=bench.half) for _ in range(3))
    with sdpa_kernel(getattr(SDPBackend, way)), torch.inference_mode():
        took = bench.median(lambda: torch.nn.functional.scaled_dot_product_attention(query, key, value))
    return Row(ATTENTION, way.lower(), shape, took * 1e3, "ms", memory=bench.held())


def start(bench: Bench, engine: str, how: str) -> Row:
    """How long an engine takes that is made for the first time, and one that was kept (nothing of it is in memory)."""
    torch.compiler.reset()
    networks = bench.networks("sd15")
    runs = engine if bench.is_real else bench.ways[0]
    decoder = bench.decoder(networks, kind="scout", steps=1, guidance=1.0, batch=1, engine=runs)
    began = time.perf_counter()
    decoder(bench.latents(1, networks.world), worlds.PROMPT)
    bench.settle()
    return Row(START, engine, how, time.perf_counter() - began, "s", memory=bench.held())


def product(bench: Bench, name: str) -> Row:
    """A linear layer of SD 1.5's widest transformer block, in half precision or through torchao's fp8."""
    rows, inner, outer = (16384, 1280, 5120) if bench.is_real else (64, 32, 64)
    layer = torch.nn.Sequential(torch.nn.Linear(inner, outer, device=bench.device, dtype=bench.half))
    tokens = torch.randn(rows, inner, device=bench.device, dtype=bench.half)
    if name == "fp8":
        fp8.check(str(bench.device), "bfloat16")
        layer, tokens = torch.compile(fp8.eight_bits(layer.bfloat16())), tokens.bfloat16()
    with torch.no_grad():
        took = bench.median(lambda: layer(tokens))
    return Row(FP8, name, PRODUCT, took * 1e3, "ms", memory=bench.held())


def scout(bench: Bench, name: str) -> Row:
    """A whole scout that multiplies fp8, beside the same in the numbers of its networks, and how far apart they are."""
    precision = "fp8" if name == "fp8" else ""
    if precision:
        fp8.check(str(bench.device), "bfloat16")
    networks = bench.networks("sdxl-turbo", torch.bfloat16)
    z, asked = bench.latents(4, networks.world), {"kind": "scout", "steps": 1, "guidance": 1.0, "batch": 4}
    engine = bench.ways[1] if bench.ways[1] != "graphs" else "compile"
    decoder = bench.decoder(networks, engine=engine, precision=precision, **asked)
    took = bench.median(lambda: decoder(z, worlds.PROMPT, stay=True))
    twin = bench.decoder(networks, engine="eager", **asked)(z, worlds.PROMPT).float()
    apart = 255 * float((decoder(z, worlds.PROMPT).float() - twin).abs().mean())
    return Row(FP8, name, SCOUT, took * 1e3, "ms", memory=bench.held(), note=f"{apart:.2f}/255 from eager bfloat16")
