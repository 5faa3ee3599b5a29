"""One resumable loop for every stage: Muon and AdamW, warm-up and decay, averaged weights, atomic checkpoints, a log.

A stage hands in its network and a loss, which draws so many samples from the generator it is given. Each step of each
process has a generator of its own, seeded by stage, step and process, so that the number of the step is all there is
to resume: with a budget of steps a resumed run is equal bit for bit to one that was never stopped. With a budget of
minutes only the learning rate differs, by the clock. The rate is level and falls at the end (`StagePreset.fall`); a
second checkpoint is kept where the fall begins, from which a finished stage can be made longer.
"""

from __future__ import annotations

import contextlib
import copy
import io
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from foundry import machine as machines
from foundry import ranks, weights
from foundry.errors import FoundryError, brief
from foundry.files import save_picture
from foundry.machine import Machine, Plan
from foundry.muon import Muon
from foundry.presets import StagePreset
from latentworld.disk import put, writing

EVERY = {"cpu": 180.0, "cuda": 60.0}  # seconds between checkpoints; a GPU may be taken away
Loss = Callable[[nn.Module, torch.Generator, float, int], tuple[Tensor, dict[str, float]]]
"""Of the network, a generator, how much of the budget is used (0..1) and how many samples to draw: the value to
minimise and figures to log."""
Look = Callable[[nn.Module], Tensor]
"""Of the averaged network: a sheet ``[3, h, w]`` to look at."""
Gate = Callable[[nn.Module], dict[str, float]]
"""Of the averaged network: figures that say whether training is worth going on with."""


@dataclass(frozen=True)
class Watch:
    """What is done beside the steps: checkpoints after so many seconds by the clock, sheets and gates after so many
    that the budget counts, so that a cast which is given little does not spend it on looking at itself."""

    look: Look | None = None
    gate: Gate | None = None
    save_every: float | None = None  # default: `EVERY`
    look_every: float = 900.0
    gate_every: float = 900.0


@dataclass(frozen=True)
class Where:
    """A stage's folder, the fingerprint of its settings, and the share of its budget at which `level.pt` is kept."""

    folder: Path
    fingerprint: str
    level: float


@dataclass
class Run:
    """A stage in progress: the network, its averages by their decay, its optimisers and how far it has come."""

    model: nn.Module
    averages: dict[float, nn.Module]
    optimisers: list[torch.optim.Optimizer]
    seed: int
    step: int = 0
    spent: float = 0.0
    means: dict[str, float] = field(default_factory=dict)

    @property
    def average(self) -> nn.Module:
        """The average that forgets fastest, for looking at a run in progress."""
        return self.averages[min(self.averages)]


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
    averages = {decay: copy.deepcopy(model).eval().requires_grad_(False) for decay in stage.averages}
    return Run(model, averages, optimisers_for(model, stage), seed)


def generator(run: Run) -> torch.Generator:
    """The generator of this step in this process."""
    return torch.Generator().manual_seed(zlib.crc32(f"{run.seed}/{run.step}/{ranks.rank()}".encode()))


def checkpoint(run: Run, path: Path, fingerprint: str) -> None:
    """Writes everything a resumed run needs: a side file, synced, then renamed."""
    buffer = io.BytesIO()
    state = {
        "fingerprint": fingerprint,
        "model": run.model.state_dict(),
        "averages": {decay: average.state_dict() for decay, average in run.averages.items()},
        "optimisers": [optimiser.state_dict() for optimiser in run.optimisers],
        "step": run.step,
        "spent": run.spent,
        "means": run.means,
    }
    torch.save(state, buffer)
    with writing(path, "free some space; the checkpoint before this one is kept"):
        put(path, buffer.getvalue())


def opened(path: Path) -> dict[str, Any]:
    """A checkpoint, refused if damaged."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        state["averages"]
    except Exception as error:
        raise FoundryError(f"{path} is damaged ({error.__class__.__name__}): delete it to redo this stage") from error
    return state


def read(path: Path, fingerprint: str) -> dict[str, Any]:
    """A checkpoint, refused if damaged or made with other settings."""
    state = opened(path)
    if state.get("fingerprint") != fingerprint:
        raise FoundryError(f"{path} was cast with other settings: use another --cast, or delete {path.parent}")
    return state


def resume(run: Run, path: Path, fingerprint: str) -> bool:
    """Continues from ``path`` if it is there, else from averages that were kept (`foundry.keeping`) and lie in `start`
    beside it; FoundryError if what is there is of another shape or its settings are others."""
    if not path.exists():
        return _restart(run, path.parent / "start", fingerprint)
    state = read(path, fingerprint)
    try:
        run.model.load_state_dict(state["model"])
        for decay, average in run.averages.items():
            average.load_state_dict(state["averages"][decay])
        for optimiser, kept in zip(run.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)
    except (RuntimeError, KeyError, ValueError) as error:
        reason = brief(error)
        raise FoundryError(
            f"{path} is a checkpoint of another shape ({reason}): delete it to redo this stage"
        ) from error
    run.step, run.spent, run.means = state["step"], state["spent"], state["means"]
    return True


def _restart(run: Run, folder: Path, fingerprint: str) -> bool:
    """Continues from a kept average, without the optimisers' memory."""
    if not (folder / f"{folder.parent.name}.json").exists():
        return False
    record, state = weights.read(folder, folder.parent.name)
    if record.fingerprint != fingerprint:
        raise FoundryError(f"{folder} was cast with other settings: use another --cast, or delete {folder.parent}")
    try:
        for network in (run.model, *run.averages.values()):
            network.load_state_dict(state)
    except RuntimeError as error:
        raise FoundryError(f"{folder} is of another shape ({brief(error)}): delete it") from error
    run.step, run.spent = record.step, record.spent
    return True


def progress(run: Run, stage: StagePreset) -> float:
    """0 at the start, 1 when the budget of steps or minutes is used up."""
    return min(1.0, run.step / stage.steps if stage.steps is not None else run.spent / (stage.minutes * 60))


def pace(step: int, done: float, stage: StagePreset) -> float:
    """Share of the full rate: warm-up, level, then a straight line to a hundredth over the last `fall`."""
    return min(1.0, (step + 1) / stage.warmup) * max(0.01, min(1.0, (1 - done) / stage.fall))


def compute(
    run: Run, stage: StagePreset, loss: Loss, machine: Machine, plan: Plan, done: float
) -> tuple[float, dict[str, float]]:
    """Gradients of this process's share of a batch, taken in parts, averaged over the processes; loss and figures."""
    rng = generator(run)
    share = max(1, stage.batch_at(done) // ranks.count())
    left, value, means = share, 0.0, dict[str, float]()
    run.model.zero_grad(set_to_none=True)
    while left:
        count = min(left, plan.part)
        with machine.autocast(plan):
            part, figures = loss(run.model, rng, done, count)
        (part * (count / share)).backward()
        value += float(part.detach()) * count / share
        for key, figure in figures.items():
            means[key] = means.get(key, 0.0) + figure * count / share
        left -= count
    ranks.average_gradients(run.model)
    return value, means


def advance(run: Run, stage: StagePreset, loss: Loss, machine: Machine, plan: Plan, done: float) -> dict[str, float]:
    """One step: gradients clipped to norm 1, weights, averages."""
    for optimiser, full in zip(reversed(run.optimisers), (stage.small, stage.rate), strict=False):
        for group in optimiser.param_groups:
            group["lr"] = full * pace(run.step, done, stage)
    value, figures = compute(run, stage, loss, machine, plan, done)
    norm = torch.nn.utils.clip_grad_norm_([p for p in run.model.parameters() if p.requires_grad], 1.0)
    if torch.isfinite(norm):
        for optimiser in run.optimisers:
            optimiser.step()
    run.step += 1
    new = list(run.model.parameters())
    with torch.no_grad():
        for decay, average in run.averages.items():
            torch._foreach_lerp_(list(average.parameters()), new, 1 - kept_of(decay, run.step))
            for kept, buffer in zip(average.buffers(), run.model.buffers(), strict=True):
                kept.copy_(buffer)
    return {"loss": value, "norm": float(norm), **figures}


def kept_of(decay: float, step: int) -> float:
    """What an average keeps of itself at a step: at first it reaches back over a third of all steps. (Over a ninth, as
    the first 4,200 steps of a teacher were averaged, decays of .999 and .9997 made one and the same network.)"""
    return min(decay, (1 + step) / (4 + step))


def plan_for(run: Run, stage: StagePreset, loss: Loss, machine: Machine, whole: bool) -> Plan:
    """The plan a trial finds on a copy of the network; the first process's, for all."""
    model = copy.deepcopy(run.model).train()

    def work(plan: Plan) -> None:
        with machine.autocast(plan):
            value, _ = loss(model, torch.Generator().manual_seed(0), 0.0, plan.part)
        value.backward()
        model.zero_grad(set_to_none=True)
        if machine.device.type == "cuda":
            torch.cuda.synchronize()

    plans = machines.candidates(machine, max(1, stage.batch // ranks.count()), whole)
    found = machines.trial(machine, plans, work) if ranks.rank() == 0 else plans[0]
    return plans[int(ranks.agreed(plans.index(found))[0])]


def train(
    name: str,
    folder: Path,
    model: nn.Module,
    stage: StagePreset,
    loss: Loss,
    fingerprint: str,
    machine: Machine,
    watch: Watch | None = None,
    whole: bool = False,
) -> Run:
    """Trains until the budget is used up, from a checkpoint if there is one. Returns the run, averages and all.

    ``whole`` says that the loss compares the samples of a batch with each other, which then is never taken in parts.
    A second checkpoint is kept where the rate begins to fall.
    """
    watch = watch or Watch()
    folder.mkdir(parents=True, exist_ok=True)
    path, run = folder / "checkpoint.pt", begin(model, stage, seed=zlib.crc32(name.encode()))
    resume(run, path, fingerprint)
    model.train()
    if progress(run, stage) >= 1:
        return run
    plan = plan_for(run, stage, loss, machine, whole)
    note(folder, run, {}, f"plan: {plan}")
    for optimiser in run.optimisers:
        if isinstance(optimiser, Muon):
            optimiser.half = plan.precision == "bfloat16"
    with _bar(name, run, stage) as bar, machines.threads(plan.threads):
        where = Where(folder, fingerprint, 1 - stage.fall)
        _steps(run, stage, loss, machine, plan, watch, where, bar)
    _keep(run, folder, path, fingerprint)
    _watch(run, folder, watch, look=True, gate=True)
    ranks.wait()
    return run


def _bar(name: str, run: Run, stage: StagePreset) -> contextlib.closing[Any]:
    shape, start = "{desc} {percentage:3.0f}% {elapsed} eta {remaining} {postfix}", int(1000 * progress(run, stage))
    bar = tqdm(total=1000, initial=start, desc=name, file=sys.stdout, mininterval=30, disable=ranks.rank() > 0,
               bar_format=shape)  # fmt: skip
    return contextlib.closing(bar)


def _steps(
    run: Run, stage: StagePreset, loss: Loss, machine: Machine, plan: Plan, watch: Watch, where: Where, bar: Any
) -> None:
    """Steps up to the end of the budget, with what is done beside them."""
    folder, path = where.folder, where.folder / "checkpoint.pt"
    saved, looked, gated = machine.clock(), run.spent, run.spent
    every = EVERY.get(machine.device.type, 60.0) if watch.save_every is None else watch.save_every
    done = ranks.agreed(progress(run, stage))[0]
    while done < 1:
        machine.breathe()
        began = machine.used()
        figures = advance(run, stage, loss, machine, plan, done)
        run.means = {key: 0.98 * run.means.get(key, value) + 0.02 * value for key, value in figures.items()}
        run.spent += machine.used() - began
        before, done = done, ranks.agreed(progress(run, stage))[0]
        shown = " ".join(f"{key} {value:.4g}" for key, value in run.means.items())
        bar.set_postfix_str(f"step {run.step} {shown}", False)
        bar.update(int(1000 * done) - bar.n)
        if before < where.level <= done:
            _keep(run, folder, folder / "level.pt", where.fingerprint)
        now = machine.clock()
        if now - saved > every:
            _keep(run, folder, path, where.fingerprint)
            saved = now
        look, gate = run.spent - looked > watch.look_every, run.spent - gated > watch.gate_every
        _watch(run, folder, watch, look=look, gate=gate)
        looked, gated = run.spent if look else looked, run.spent if gate else gated


def _keep(run: Run, folder: Path, path: Path, fingerprint: str) -> None:
    """A checkpoint and a line of the log, by the first process."""
    if ranks.rank() == 0:
        checkpoint(run, path, fingerprint)
        note(folder, run, run.means)


def _watch(run: Run, folder: Path, watch: Watch, look: bool, gate: bool) -> None:
    """A sheet and the gate's figures, by the first process."""
    if ranks.rank() > 0:
        return
    if look and watch.look is not None:
        save_picture(folder / "sheets" / f"{run.step:07d}.png", watch.look(run.average))
    if gate and watch.gate is not None:
        note(folder, run, watch.gate(run.average), "gate")


def note(folder: Path, run: Run, figures: dict[str, float], text: str = "") -> None:
    """Adds a line to the stage's log: step, seconds, text, figures."""
    if ranks.rank() == 0:
        row = "\t".join([*([text] if text else []), *(f"{key}={value:.5g}" for key, value in figures.items())])
        with open(folder / "log.tsv", "a") as file:
            file.write(f"{run.step}\t{run.spent:.0f}\t{row}\n")
