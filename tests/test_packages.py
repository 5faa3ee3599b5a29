"""Engines compiled ahead of time: the same pictures, kept without weights, lent the module's own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from standins.decoders import latents
from torch import Tensor, nn

from latentworld.decoding import engines, packages
from latentworld.decoding.openvino_models import PASSING
from latentworld.errors import EngineFailed

pytestmark = [
    pytest.mark.usefixtures("own_cache"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning"),
    pytest.mark.skipif(shutil.which("g++") is None, reason="it needs a C++ compiler"),
]


class Layers(nn.Module):
    """Weights that are shared, and a buffer that no file keeps."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.one = nn.Conv2d(4, 4, 3, padding=1)
        self.two = nn.Conv2d(4, 4, 3, padding=1)
        self.two.weight = self.one.weight
        self.register_buffer("shift", torch.randn(4, 1, 1), persistent=False)

    def forward(self, x: Tensor, more: Tensor) -> Tensor:
        return self.two(nn.functional.silu(self.one(x))) + self.shift + more.sum()


@pytest.fixture
def compiling(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is compiled while a test runs."""
    made: list[str] = []
    real = torch._inductor.aoti_compile_and_package

    def counted(*given: Any, **options: Any) -> Any:
        made.append(options["package_path"])
        return real(*given, **options)

    monkeypatch.setattr(torch._inductor, "aoti_compile_and_package", counted)
    return made


def built(module: nn.Module, key: str = "layers", rows: int = 2) -> tuple[engines.Run, tuple[Tensor, Tensor]]:
    example = (latents(rows), torch.ones(3))
    return engines.build("package", module.eval(), example, key), example


def kept(folder: Path) -> list[Path]:
    return sorted((folder / "packages").glob("*.pt2"))


def test_a_package_is_made_once_lent_its_weights_and_made_anew_when_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiling: list[str]
) -> None:
    monkeypatch.setenv("LATENTWORLD_CACHE", str(tmp_path))
    module = Layers()
    run, given = built(module)
    with torch.no_grad():
        assert torch.allclose(run(*given), module(*given), atol=1e-5)
    assert len(compiling) == len(kept(tmp_path)) == 1
    again, _ = built(module)
    assert torch.equal(again(*given), run(*given))
    assert len(compiling) == 1

    # other weights of the same build, as a LoRA's strength makes them: the same package
    other = Layers(seed=1)
    mixed, _ = built(other, f"{PASSING}layers")
    with torch.no_grad():
        assert torch.allclose(mixed(*given), other(*given), atol=1e-5)
        assert torch.allclose(run(*given), module(*given), atol=1e-5)  # who was lent others keeps them
        for weight in other.parameters():
            weight.mul_(0.5)
        assert torch.allclose(mixed(*given), other(*given), atol=1e-5)  # they are not copied
    assert len(compiling) == 1
    assert not torch.allclose(mixed(*given), run(*given), atol=1e-2)

    # no other shape's, nor another machine's
    more, wide = built(module, rows=3)
    assert more(*wide).shape == (3, 4, 8, 8)
    assert len(compiling) == 2

    for path in kept(tmp_path):
        path.write_bytes(path.read_bytes()[:100])
    mended, _ = built(module)
    assert torch.equal(mended(*given), run(*given))
    assert len(compiling) == 3


def test_where_nothing_can_be_kept_a_package_serves_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiling: list[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("LATENTWORLD_CACHE", str(tmp_path / "file"))
    module = Layers()
    run, given = built(module)
    with torch.no_grad():
        assert torch.allclose(run(*given), module(*given), atol=1e-5)
    assert len(compiling) == 1


def test_a_package_is_of_a_machine_and_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def path() -> Path:
        return packages._path((latents(1),), "key")

    usual = path()
    assert path() == usual
    with monkeypatch.context() as patch:
        patch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_f": False})
        assert path() != usual
    with monkeypatch.context() as patch:
        patch.setattr(torch, "__version__", "9.9")
        assert path() != usual


def test_what_cannot_be_compiled_ahead_is_a_failing_engine() -> None:
    class Asking(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * 2 if x.sum() > 0 else x

    class Holding(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + torch.tensor([0.25])

    for module, why in ((Asking(), "does not work here"), (Holding(), "tensors that are no weights: lifted_tensor_0")):
        with pytest.raises(EngineFailed, match=f"engine = 'package' .*{why}.*: use 'eager'"):
            engines.build("package", module, (latents(1),), "key")
