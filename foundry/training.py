"""One resumable loop for every stage: Muon and AdamW, warm-up and decay, averaged weights, atomic checkpoints, a log.

A stage hands in its network and a loss; the loss draws its own batch from the generator it is given, so that the
generator's state, kept in the checkpoint, is all there is to resume. With a budget of steps a resumed run is equal bit
for bit to one that was never stopped; with a budget of minutes only the learning rate differs, by the clock.
"""

from __future__ import annotations

import copy
import io
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from foundry.errors import FoundryError
from foundry.files import save_picture
from foundry.muon import Muon
from foundry.presets import StagePreset
from latentworld.disk import put

Loss = Callable[[nn.Module, torch.Generator, float], tuple[Tensor, dict[str, float]]]
Look = Callable[[nn.Module], Tensor]

SAVE_EVERY = 120.0
LOOK_EVERY = 420.0


@dataclass
class Run:
    """A stage in progress: the network, its average, its optimisers and how far it has come."""

    model: nn.Module
    average: nn.Module
    optimisers: list[torch.optim.Optimizer]
    rng: torch.Generator
    step: int = 0
    spent: float = 0.0


def optimisers_for(model: nn.Module, stage: StagePreset) -> list[torch.optim.Optimizer]:
    """Muon for matrices and kernels of rank 16 and more, AdamW for vectors, embeddings and the narrow ends."""
    tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    wide: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for p in (p for p in model.parameters() if p.requires_grad):
        matrix = p.ndim > 1 and id(p) not in tables and min(p.shape[0], p[0].numel()) >= 16
        (wide if matrix else rest).append(p)
    adam = torch.optim.AdamW(rest, lr=stage.small, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
    return [Muon(wide, lr=stage.rate, weight_decay=stage.decay), adam] if wide else [adam]


def begin(model: nn.Module, stage: StagePreset, seed: int) -> Run:
    """A fresh run of ``model``."""
    average = copy.deepcopy(model).eval().requires_grad_(False)
    return Run(model, average, optimisers_for(model, stage), torch.Generator().manual_seed(seed))


def checkpoint(run: Run, path: Path, fingerprint: str) -> None:
    """Writes everything a resumed run needs, atomically."""
    buffer = io.BytesIO()
    torch.save(
        {
            "fingerprint": fingerprint,
            "model": run.model.state_dict(),
            "average": run.average.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in run.optimisers],
            "rng": run.rng.get_state(),
            "step": run.step,
            "spent": run.spent,
        },
        buffer,
    )
    put(path, buffer.getvalue())


def read(path: Path, fingerprint: str) -> dict[str, Any]:
    """A checkpoint, refused if damaged or made with other settings."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise FoundryError(f"{path} is damaged ({error.__class__.__name__}): delete it to redo this stage") from error
    if state["fingerprint"] != fingerprint:
        raise FoundryError(f"{path} was cast with other settings: use another --out, or delete {path.parent}")
    return state


def resume(run: Run, path: Path, fingerprint: str) -> bool:
    """Continues from ``path`` if it is there."""
    if not path.exists():
        return False
    state = read(path, fingerprint)
    run.model.load_state_dict(state["model"])
    run.average.load_state_dict(state["average"])
    for optimiser, kept in zip(run.optimisers, state["optimisers"], strict=True):
        optimiser.load_state_dict(kept)
    run.rng.set_state(state["rng"])
    run.step, run.spent = state["step"], state["spent"]
    return True


def progress(run: Run, stage: StagePreset) -> float:
    """0 at the start, 1 when the budget of steps or minutes is used up."""
    return min(1.0, run.step / stage.steps if stage.steps is not None else run.spent / (stage.minutes * 60))


def pace(step: int, done: float, stage: StagePreset) -> float:
    """Share of the full rate: warm-up, then a quarter of the budget level, then a straight line to a hundredth."""
    return min(1.0, (step + 1) / stage.warmup) * max(0.01, min(1.0, (1 - done) / 0.75))


def advance(run: Run, stage: StagePreset, loss: Loss) -> dict[str, float]:
    """One step: loss, gradient clipped to norm 1, weights, average."""
    done = progress(run, stage)
    for optimiser, full in zip(reversed(run.optimisers), (stage.small, stage.rate), strict=False):
        for group in optimiser.param_groups:
            group["lr"] = full * pace(run.step, done, stage)
    value, figures = loss(run.model, run.rng, done)
    run.model.zero_grad(set_to_none=True)
    value.backward()
    norm = torch.nn.utils.clip_grad_norm_([p for p in run.model.parameters() if p.requires_grad], 1.0)
    if torch.isfinite(norm):
        for optimiser in run.optimisers:
            optimiser.step()
    run.step += 1
    keep = min(stage.ema, (1 + run.step) / (10 + run.step))
    with torch.no_grad():
        ours, new = list(run.average.parameters()), list(run.model.parameters())
        torch._foreach_lerp_(ours, new, 1 - keep)
        for kept, buffer in zip(run.average.buffers(), run.model.buffers(), strict=True):
            kept.copy_(buffer)
    return {"loss": float(value.detach()), "norm": float(norm), **figures}


def train(
    name: str,
    folder: Path,
    model: nn.Module,
    stage: StagePreset,
    loss: Loss,
    fingerprint: str,
    look: Look | None = None,
) -> nn.Module:
    """Trains until the budget is used up, from a checkpoint if there is one. Returns the averaged network."""
    folder.mkdir(parents=True, exist_ok=True)
    path, run = folder / "checkpoint.pt", begin(model, stage, seed=len(name))
    resume(run, path, fingerprint)
    model.train()
    bar = tqdm(total=1000, initial=int(1000 * progress(run, stage)), desc=name, file=sys.stdout, mininterval=15,
               bar_format="{desc} {percentage:3.0f}% {elapsed} eta {remaining} {postfix}")  # fmt: skip
    mean: dict[str, float] = {}
    saved = looked = last = time.monotonic()
    while progress(run, stage) < 1:
        figures = advance(run, stage, loss)
        mean = {key: 0.98 * mean.get(key, value) + 0.02 * value for key, value in figures.items()}
        now = time.monotonic()
        run.spent, last = run.spent + now - last, now
        bar.set_postfix_str(f"step {run.step} " + " ".join(f"{key} {value:.4g}" for key, value in mean.items()), False)
        bar.update(int(1000 * progress(run, stage)) - bar.n)
        if now - saved > SAVE_EVERY:
            checkpoint(run, path, fingerprint)
            log(folder / "log.tsv", run, mean)
            saved = time.monotonic()
        if look is not None and now - looked > LOOK_EVERY:
            save_picture(folder / "sheets" / f"{run.step:07d}.png", look(run.average))
            looked = last = time.monotonic()
    bar.close()
    checkpoint(run, path, fingerprint)
    log(folder / "log.tsv", run, mean)
    if look is not None:
        save_picture(folder / "sheets" / "last.png", look(run.average))
    return run.average


def log(path: Path, run: Run, figures: dict[str, float]) -> None:
    """Adds a line: step, seconds, figures."""
    with open(path, "a") as file:
        row = "\t".join(f"{key}={value:.5g}" for key, value in figures.items())
        file.write(f"{run.step}\t{run.spent:.0f}\t{row}\n")
