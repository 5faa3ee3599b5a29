"""What a cast runs on: pauses, plans, priority, processes."""

from __future__ import annotations

import functools
import multiprocessing
from pathlib import Path

import pytest
import torch

from foundry import casting, estimate, machine, presets, ranks, training
from foundry.errors import FoundryError
from foundry.machine import Machine, Plan


def test_it_waits_while_a_pause_file_is_there_and_says_so(tmp_path: Path) -> None:
    pause, lines, slept = tmp_path / "pause", list[str](), list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            pause.unlink()

    here = Machine(pauses=(tmp_path / "other", pause), clock=lambda: float(len(slept)), sleep=sleep, log=lines.append)
    here.breathe()
    assert slept == []
    pause.touch()
    here.breathe()
    assert len(slept) == 3
    assert lines == [f"paused: {pause} is there", "goes on after 3 s"]


def test_a_trial_takes_the_fastest_plan_and_logs_every_rate() -> None:
    spent, lines = [0.0], list[str]()
    cost = {("float32", 16): 16.0, ("float32", 32): 16.0, ("float32", 48): 60.0, ("bfloat16", 16): 32.0}

    def work(plan: Plan) -> None:
        spent[0] += cost[plan.precision, plan.part]

    here = Machine(threads=1, clock=lambda: spent[0], used=lambda: spent[0], log=lines.append, seconds=300.0)
    plans = machine.candidates(here, 48)
    assert machine.trial(here, plans, work) == Plan("float32", 1, 32)
    assert len(lines) == len(plans) + 1
    assert "parts of 32: 2.0 samples/s" in lines[1]
    assert machine.candidates(here, 48, whole=True)[0].part == 48


def test_a_machine_without_the_precision_asked_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FoundryError, match="use one of auto, float32, bfloat16"):
        Machine(precision="float16")
    monkeypatch.setattr(machine, "has_bfloat16", lambda device: False)
    with pytest.raises(FoundryError, match="no bfloat16 on cpu: use --precision float32"):
        Machine(precision="bfloat16")
    assert all(plan.precision == "float32" for plan in machine.candidates(Machine(threads=1), 8)[:-1])


def test_a_gpu_preset_on_a_processor_is_refused_with_an_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "seconds_a_sample", lambda preset: 0.0432)
    with pytest.raises(FoundryError, match=r"'gpu' would take about 2 days on this processor: use --preset cpu"):
        estimate.refuse_days(presets.GPU, Machine())
    for device in ("cuda", "mps", "xla"):
        with pytest.raises(FoundryError, match=f"no {device} device is there: use --device cpu"):
            Machine(device=torch.device(device))
    estimate.refuse_days(presets.find("cpu"), Machine())


def test_an_estimate_is_measured() -> None:
    assert 0 < estimate.seconds_a_sample(presets.TINY, batch=2) < 10


def _gradients(folder: Path) -> None:
    model = torch.nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(1.0)
    model(torch.tensor([[1.0 + 2 * ranks.rank(), 4.0]])).sum().backward()
    ranks.average_gradients(model)
    told = ranks.agreed(10.0 + ranks.rank())
    ranks.wait()
    (folder / str(ranks.rank())).write_text(f"{model.weight.grad.tolist()} {told} {ranks.count()}")


class Work:
    """Picklable: what each process does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self) -> None:
        _gradients(self.folder)


def test_two_processes_average_their_gradients_and_agree_on_the_first_ones_numbers(tmp_path: Path) -> None:
    ranks.spawn(2, tmp_path, Work(tmp_path))
    assert (tmp_path / "0").read_text() == (tmp_path / "1").read_text() == "[[2.0, 4.0]] [10.0] 2"
    assert not multiprocessing.active_children()
    assert (ranks.rank(), ranks.count(), ranks.agreed(3.0)) == (0, 1, [3.0])


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_stage_is_cast_by_two_processes(tmp_path: Path) -> None:
    here = Machine(threads=1, seconds=0)
    ranks.spawn(2, tmp_path, functools.partial(casting.cast_here, tmp_path, presets.TINY, here, "autoencoder", 1))
    state = training.read(tmp_path / "autoencoder" / "checkpoint.pt", presets.TINY.fingerprint("autoencoder"))
    assert state["step"] == presets.TINY.autoencoder.steps
    assert (tmp_path / "autoencoder" / "model" / "config.json").exists()
