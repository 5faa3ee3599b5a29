"""One prepared run on a GPU: is a picture the right one, how fast are they made, what would make them faster.

    python benchmarks/gpu.py [--minutes 9.5] [--out FOLDER] [--only correctness slices live extras]
    python benchmarks/gpu.py --rehearse [--out FOLDER]     on a processor, with narrow networks
    python benchmarks/gpu.py --table FOLDER/rows.jsonl     the tables of a run, as markdown

Worlds are made on the card with random weights in the shapes of Stable Diffusion 1.5 and SDXL-Turbo, at 512 pixels:
random weights cost what trained ones cost. Correctness comes first, the least important rows last. Each row is on disk
(FOLDER/rows.jsonl) before the next is begun, none is begun that its time would not be enough for, and one that fails
says why, so a run that is cut short keeps what it had.

It needs torch, transformers and diffusers, and numpy, pydantic, jaxtyping, msgspec and rich, but no network and no
weights. Where a machine has torch and transformers alone, take the rest along as wheels (13 MB):

    pip download --no-deps -d wheels diffusers==0.42.0 huggingface-hub safetensors importlib-metadata zipp \\
        pydantic pydantic-core annotated-types typing-inspection jaxtyping wadler-lindig msgspec rich
    pip install --no-deps --target site wheels/*.whl && PYTHONPATH=site python benchmarks/gpu.py

The limits are FLOP counts (a guided step 1.606 TFLOP, VAE 2.515, tiny VAE .141, CLIP B/32 .0088 a picture) over what a
product of large matrices reaches on this very card.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from common import machine
from gpu_run import correctness, extras, live, slices, worlds
from gpu_run.bench import Bench
from gpu_run.rows import Record, Row, markdown, read

from latentworld.decoding import engines

SECTIONS = {"correctness": correctness.run, "slices": slices.run, "live": live.run, "extras": extras.run}


def sustained(bench: Bench) -> Row:
    """What products of large matrices reach, TFLOP/s in half precision."""
    side = 8192 if bench.is_real else 256
    one, other = (torch.randn(side, side, device=bench.device, dtype=bench.half) for _ in range(2))
    took = bench.median(lambda: one @ other, repeats=20)
    bench.sustained = 2 * side**3 / took / 1e12 if bench.is_real else None
    return Row("Machine", "products of large matrices", f"{side} x {side}", 2 * side**3 / took / 1e12, "TFLOP/s")


def bench_of(asked: argparse.Namespace, record: Record) -> Bench:
    """The run that was asked for."""
    if not asked.rehearse:
        return Bench(record, torch.device("cuda"), worlds.FULL)
    # there are no graphs on a processor, and compiling takes a minute: every row is gone through with eager
    eager = lambda engine, module, example, key: engines.build("eager", module, example, key)  # noqa: E731
    return Bench(
        record, torch.device("cpu"), worlds.TINY, torch.float32, batches=(1, 2), steps=2, repeats=1, build=eager
    )


def main() -> None:
    """Run, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=9.5)
    parser.add_argument("--out", type=Path, default=Path("gpu-run"))
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--rehearse", action="store_true")
    parser.add_argument("--table", type=Path)
    asked = parser.parse_args()
    if asked.table is not None:
        print(markdown(read(asked.table), f"{asked.table}:"))
        return
    if not (asked.rehearse or torch.cuda.is_available()):
        print(f"{Path(__file__).name}: not run: no CUDA device (--rehearse goes through it on a processor)")
        return
    record = Record(asked.out / "rows.jsonl", time.monotonic() + 60 * asked.minutes, lambda row: print(*row.cells()))
    bench = bench_of(asked, record)
    record.try_row("Machine", "products of large matrices", "", lambda: sustained(bench))
    for name in asked.only:
        SECTIONS[name](bench)
    heading = f"{'A rehearsal with narrow networks: no figures. ' if asked.rehearse else ''}{machine()}"
    table = markdown(record.rows, heading)
    (asked.out / "table.md").write_text(table)
    print(table)


if __name__ == "__main__":
    main()
