"""What a cast runs on and how: device, threads, priority, what makes it pause, and the plan that a short trial finds.

Machines differ in ways that cannot be guessed: bfloat16 autocast takes twice as long as float32 on a processor without
AMX, two OpenMP threads beside other work take three times the time of one, a batch that fits one cache does not fit
another. So every training begins with a trial of some seconds, and the log says what it found. The plan changes how a
step is computed, never what a step is: batch and rates are settings, and a batch is taken in parts of `Plan.part`.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from foundry.errors import FoundryError

PRECISIONS = ("auto", "float32", "bfloat16")
PAUSE = "pause"  # the name of the file in a cast's folder that makes it pause


def say(line: str) -> None:
    """Prints a line at once, also into a file."""
    print(line, flush=True)


@dataclass(frozen=True)
class Plan:
    """How a step is computed: in which precision, by how many threads, in parts of how many samples."""

    precision: str
    threads: int
    part: int

    def __str__(self) -> str:
        return f"{self.precision}, threads {self.threads}, parts of {self.part}"


@dataclass(frozen=True)
class Machine:
    """Where a cast runs.

    `pauses` are files during whose presence it waits; `seconds` is how long a trial may take (0: take the first plan).
    `clock` gives seconds, `sleep` waits for some, `log` takes a line; `used` gives the seconds that budgets count,
    which beside other work are better those of the processor.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: str = "auto"
    threads: int | None = None
    pauses: tuple[Path, ...] = ()
    seconds: float = 10.0
    clock: Callable[[], float] = time.monotonic
    used: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    log: Callable[[str], None] = say

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise FoundryError(f"unknown precision {self.precision!r}: use one of {', '.join(PRECISIONS)}")
        if not usable(self.device):
            raise FoundryError(f"no {self.device} device is there: use --device cpu with --preset cpu")
        if self.precision == "bfloat16" and not has_bfloat16(self.device):
            raise FoundryError(f"this machine has no bfloat16 on {self.device}: use --precision float32 or auto")

    def breathe(self) -> None:
        """Waits while a pause file is there."""
        there = [str(path) for path in self.pauses if path.exists()]
        if not there:
            return
        began = self.clock()
        self.log(f"paused: {', '.join(there)} is there")
        while any(path.exists() for path in self.pauses):
            self.sleep(1.0)
        self.log(f"goes on after {self.clock() - began:.0f} s")

    def autocast(self, plan: Plan | None = None) -> torch.autocast:
        """The precision of a plan; without one, bfloat16 on a GPU and float32 elsewhere, for sampling."""
        precision = plan.precision if plan is not None else ("float32" if self.device.type == "cpu" else "bfloat16")
        return torch.autocast(self.device.type, torch.bfloat16, enabled=precision == "bfloat16")


def usable(device: torch.device) -> bool:
    """Whether such a device is there."""
    own = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return own.get(device.type, False)


def has_bfloat16(device: torch.device) -> bool:
    """Whether ``device`` computes in bfloat16 at all (on a processor autocast works everywhere, if slowly)."""
    return device.type == "cpu" or (device.type == "cuda" and torch.cuda.is_bf16_supported())


def background(nice: int = 19) -> None:
    """Lowest priority and one thread from here on, so that other work does not notice the cast."""
    os.nice(max(0, nice - os.nice(0)))
    torch.set_num_threads(1)


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """OpenMP threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def precisions(machine: Machine) -> list[str]:
    """What may be computed in, the one that is usually faster first."""
    if machine.precision != "auto":
        return [machine.precision]
    gpu = machine.device.type != "cpu" and has_bfloat16(machine.device)
    return ["bfloat16", "float32"] if gpu else ["float32", "bfloat16"]


def candidates(machine: Machine, batch: int, whole: bool = False) -> list[Plan]:
    """Plans worth a trial, the one that is usually best first; ``whole`` batches are not taken in parts."""
    gpu, numbers = machine.device.type != "cpu", precisions(machine)
    if gpu:
        counts, parts = [torch.get_num_threads()], sorted({batch, max(1, batch // 4)}, reverse=True)
    else:
        counts = [machine.threads] if machine.threads else sorted({1, torch.get_num_threads()})
        parts = [part for part in (16, 32, 64) if part < batch] + [min(batch, 128)]
    plans = [Plan(numbers[0], counts[0], part) for part in ([batch] if whole else parts)]
    plans += [Plan(numbers[0], count, plans[0].part) for count in counts[1:]]
    return plans + [Plan(precision, counts[0], plans[0].part) for precision in numbers[1:]]


def precise(machine: Machine, part: int, work: Callable[[Plan], object]) -> Plan:
    """The faster precision for sampling: a trial of ``work`` on ``part`` samples."""
    plans = [Plan(precision, torch.get_num_threads(), part) for precision in precisions(machine)]
    return trial(machine, plans, work)


def trial(machine: Machine, plans: list[Plan], work: Callable[[Plan], object]) -> Plan:
    """The fastest of ``plans`` for ``work``, which computes and drops one part of a step; logs every rate it measures.

    The clock is that of `used`, so that other work on the machine does not choose.
    """
    if machine.seconds <= 0 or len(plans) == 1:
        return plans[0]
    rates: dict[Plan, float] = {}
    for plan in plans:
        with threads(plan.threads):
            began, best, runs = machine.clock(), float("inf"), 0
            while runs < 2 or (machine.clock() - began < machine.seconds / len(plans) and runs < 50):
                start = machine.used()
                work(plan)
                best, runs = min(best, machine.used() - start), runs + 1
                if machine.clock() - began > machine.seconds:
                    break
        rates[plan] = plan.part / max(best, 1e-9)
    for plan, rate in rates.items():
        machine.log(f"trial: {plan}: {rate:.1f} samples/s")
    chosen = max(rates, key=lambda plan: rates[plan])
    machine.log(f"trial: takes {chosen}")
    return chosen
