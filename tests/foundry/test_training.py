"""The loop: rates, parts of a batch, checkpoints, what is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from foundry import muon, presets, training, weights
from foundry.errors import FoundryError
from foundry.machine import Machine, Plan
from foundry.presets import StagePreset

STAGE = StagePreset(1, 8, 1e-2, steps=8, warmup=2, averages=(0.9, 0.99), early=4)
HERE = Machine(threads=1, seconds=0)
PLAN = Plan("float32", 1, 8)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(16, 24), nn.Tanh(), nn.Linear(24, 16))


def loss(model: nn.Module, rng: torch.Generator, done: float, count: int) -> tuple[Tensor, dict[str, float]]:
    x = torch.randn(count, 16, generator=rng)
    value = (model(x) - x.flip(1)).square().mean()
    return value, {"count": float(count)}


def run(folder: Path, stage: StagePreset = STAGE, mark: str = "same") -> training.Run:
    return training.train("test", folder, network(), stage, loss, mark, HERE)


def test_parts_of_a_batch_give_the_gradients_of_the_whole() -> None:
    whole, parted = (training.begin(network(), STAGE, 1) for _ in range(2))
    value, figures = training.compute(whole, STAGE, loss, HERE, PLAN, 1.0)
    again, _ = training.compute(parted, STAGE, loss, HERE, dataclasses.replace(PLAN, part=3), 1.0)
    assert figures["count"] == 8
    assert again == pytest.approx(value, rel=1e-5)
    for a, b in zip(whole.model.parameters(), parted.model.parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, atol=1e-6)


def test_the_batch_grows_after_a_third_and_the_rate_falls_at_the_end() -> None:
    assert [STAGE.batch_at(done) for done in (0.0, 0.3, 0.34, 1.0)] == [4, 4, 8, 8]
    level = [training.pace(100, done, STAGE) for done in (0.0, 0.5, 0.75, 1.0)]
    assert level == [1.0, 1.0, 0.5, 0.01]
    assert training.pace(0, 0.0, STAGE) == 0.5


def test_training_learns_and_averages_lag(tmp_path: Path) -> None:
    done = run(tmp_path, dataclasses.replace(STAGE, steps=300))
    rng = torch.Generator().manual_seed(5)
    before, after = (float(loss(model, rng, 0, 64)[0].detach()) for model in (network(), done.average))
    assert after < 0.5 * before
    assert done.averages.keys() == {0.9, 0.99}


def test_a_resumed_run_equals_one_that_was_not_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    straight = run(tmp_path / "straight").model.state_dict()
    advance, steps = training.advance, [0]

    def stopping(*given: object) -> dict[str, float]:
        steps[0] += 1
        if steps[0] == 4:
            raise KeyboardInterrupt
        return advance(*given)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(training, "advance", stopping)
        with pytest.raises(KeyboardInterrupt):
            training.train("test", tmp_path / "stopped", network(), STAGE, loss, "same", HERE,
                           training.Watch(save_every=-1.0))  # fmt: skip
    resumed = run(tmp_path / "stopped").model.state_dict()
    assert all(torch.equal(straight[key], resumed[key]) for key in straight)


def test_a_second_checkpoint_is_kept_where_the_rate_begins_to_fall(tmp_path: Path) -> None:
    run(tmp_path)
    assert training.read(tmp_path / "level.pt", "same")["step"] == 4
    assert training.read(tmp_path / "checkpoint.pt", "same")["step"] == 8
    log = (tmp_path / "log.tsv").read_text()
    assert log.startswith("0\t0\tplan: float32, threads 1, parts of 8\n")


def test_wrong_checkpoints_are_refused_by_name(tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(FoundryError, match=r"checkpoint\.pt was cast with other settings"):
        run(tmp_path, dataclasses.replace(STAGE, steps=9), mark="others")
    with pytest.raises(FoundryError, match=r"checkpoint\.pt is a checkpoint of another shape .* delete it"):
        training.train("test", tmp_path, nn.Linear(16, 24), STAGE, loss, "same", HERE)
    (tmp_path / "checkpoint.pt").write_bytes(b"half a checkpoint")
    with pytest.raises(FoundryError, match=r"checkpoint\.pt is damaged .* delete it"):
        run(tmp_path)


def test_a_stage_goes_on_from_a_kept_average(tmp_path: Path) -> None:
    done = run(tmp_path / "first")
    folder = tmp_path / "second" / "start"
    record = weights.Record("second", "tiny", "same", False, 6, 60.0, 1, None, "")
    weights.write(folder, record, done.average.state_dict())
    again = training.begin(network(), STAGE, 0)
    assert training.resume(again, folder.parent / "checkpoint.pt", "same")
    assert (again.step, again.spent) == (6, 60.0)
    for a, b in zip(again.model.parameters(), done.average.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-3)
    with pytest.raises(FoundryError, match="other settings"):
        training.resume(again, folder.parent / "checkpoint.pt", "others")
    (folder / "second-00.safetensors").write_bytes(b"half")
    with pytest.raises(FoundryError, match="keeps no whole second"):
        training.resume(again, folder.parent / "checkpoint.pt", "same")


@pytest.mark.parametrize("half", [False, True])
def test_orthogonalised_matrices_have_singular_values_near_one(half: bool) -> None:
    for shape in ((24, 40), (40, 24)):
        matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
        values = torch.linalg.svdvals(muon.orthogonalise(matrix, half=half))
        assert 0.5 < float(values.min()) <= float(values.max()) < 1.3


def test_weights_are_kept_in_half_precision_in_small_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "SHARD", 1000)
    state = {f"w{i}": torch.randn(300, generator=torch.Generator().manual_seed(i)) for i in range(4)}
    record = weights.Record("unet", "tiny", "m", True, 1, 2.0, len(weights.shards_of(state)), None, "")
    weights.write(tmp_path, record, state)
    assert len(list(tmp_path.glob("unet-*.safetensors"))) == 4
    again, found = weights.read(tmp_path, "unet")
    assert again == record
    assert all(torch.allclose(state[key], found[key], atol=2e-3) for key in state)


def test_no_two_averages_of_a_stage_are_alike() -> None:
    preset = presets.find("cpu")
    for name in presets.TRAINED:
        stage = getattr(preset, name)
        half = {training.kept_of(decay, stage.steps // 2) for decay in stage.averages}
        assert len(half) == len(stage.averages), name
