"""Is a picture the right one? Faithful ones against the library's pipeline, engines against eager, slots, repeats."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from gpu_run import worlds
from gpu_run.bench import Bench
from gpu_run.rows import Row
from latentworld.transfer import landed
from latentworld.worlds import World

SECTION = "Correctness: greatest difference of 4 pictures, of 255"
PICTURES, STEPS = 4, 10


def run(bench: Bench) -> None:
    """All its rows."""
    for dtype, tf32 in (("float32", False), ("float32", True), ("float16", False), ("bfloat16", False)):
        how = f"{dtype}, TF32 {'on' if tf32 else 'off'}" if dtype == "float32" else dtype
        bench.record.try_row(
            SECTION, "faithful against the pipeline", how, lambda d=dtype, t=tf32: against(bench, d, t)
        )
    for engine in bench.ways[1:]:
        bench.record.try_row(SECTION, f"{engine} against {bench.ways[0]}", _name(bench.half),
                             lambda e=engine: engine_row(bench, e), needs=20.0)  # fmt: skip
    for engine in bench.ways:
        bench.record.try_row(SECTION, "alone against in any slot of 8", engine, lambda e=engine: slots(bench, e))
    bench.record.try_row(SECTION, "run twice, another thread between", bench.ways[1],
                         lambda: repeats(bench, bench.ways[1]))  # fmt: skip


def against(bench: Bench, dtype: str, tf32: bool) -> Row:
    """Ours and the pipeline's, through the same networks from the same latents."""
    kind = getattr(torch, dtype)
    networks = bench.networks("sd15", kind)
    z = bench.latents(PICTURES, networks.world)
    with tensor_floats(tf32):
        ours = bench.decoder(networks, steps=STEPS, batch=PICTURES)(z, worlds.PROMPT)
        theirs = pipeline_pictures(networks.world, z)
    how = f"{dtype}, TF32 {'on' if tf32 else 'off'}" if dtype == "float32" else dtype
    return _row(bench, "faithful against the pipeline", how, ours, theirs)


def engine_row(bench: Bench, engine: str) -> Row:
    """An engine and the first one."""
    networks = bench.networks("sd15")
    z = bench.latents(PICTURES, networks.world)
    one, other = (
        bench.decoder(networks, steps=STEPS, batch=PICTURES, engine=each)(z, worlds.PROMPT)
        for each in (engine, bench.ways[0])
    )
    return _row(bench, f"{engine} against {bench.ways[0]}", _name(bench.half), one, other)


def slots(bench: Bench, engine: str) -> Row:
    """A picture alone, padded, and in every slot of a batch: the same bytes."""
    networks = bench.networks("sd15")
    decoder = bench.decoder(networks, steps=2, batch=8, engine=engine)
    z = bench.latents(1, networks.world)
    alone, filled = decoder(z, worlds.PROMPT), decoder(z.expand(8, -1, -1, -1), worlds.PROMPT)
    return _row(bench, "alone against in any slot of 8", engine, alone.expand_as(filled), filled)


def repeats(bench: Bench, engine: str) -> Row:
    """Two runs, and what another thread did between them."""
    networks = bench.networks("sd15")
    decoder = bench.decoder(networks, steps=STEPS, batch=PICTURES, engine=engine)
    z = bench.latents(PICTURES, networks.world)
    first = decoder(z, worlds.PROMPT)
    beside = bench.decoder(networks, steps=2, batch=2)
    other = threading.Thread(target=lambda: beside(z[:2], worlds.PROMPT))
    other.start()
    second = decoder(z, worlds.PROMPT)
    other.join()
    return _row(bench, "run twice, another thread between", engine, first, second)


def pipeline(world: World) -> Any:
    """The library's pipeline over the same networks."""
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    pipe = StableDiffusionPipeline(
        vae=world.vae, text_encoder=None, tokenizer=None, unet=world.denoiser, safety_checker=None,
        feature_extractor=None, scheduler=DDIMScheduler.from_config(world.schedule), requires_safety_checker=False,
    )  # fmt: skip
    pipe.set_progress_bar_config(disable=True)
    return pipe


def called(world: World, z: Tensor, steps: int, output: str) -> dict[str, Any]:
    """What the pipeline is given for ours."""
    toward, away = (world.text(text)[0] for text in (worlds.PROMPT.positive, worlds.PROMPT.negative))
    return {
        "prompt_embeds": toward, "negative_prompt_embeds": away, "num_images_per_prompt": len(z),
        "output_type": output, "latents": z.to(world.device, world.dtype), "num_inference_steps": steps,
        "guidance_scale": 5.0, "height": 8 * z.shape[2], "width": 8 * z.shape[3],
    }  # fmt: skip


def pipeline_pictures(world: World, z: Tensor) -> Tensor:
    """The pipeline's pictures, on the processor."""
    found: Tensor = landed(pipeline(world)(**called(world, z, STEPS, "pt")).images.float())[0]
    return found


@contextmanager
def tensor_floats(allowed: bool) -> Iterator[None]:
    """Float32 products with TF32's ten bits, or without."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, matmul.allow_tf32
    cudnn.allow_tf32 = matmul.allow_tf32 = allowed
    try:
        yield
    finally:
        cudnn.allow_tf32, matmul.allow_tf32 = before


def _row(bench: Bench, what: str, how: str, one: Tensor, other: Tensor) -> Row:
    apart = (one - other).abs().max() * 255
    note = "the same bytes" if torch.equal(one, other) else ""
    return Row(SECTION, what, how, float(apart), "/255", memory=bench.held(), note=note)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
