"""What is brought out of a machine that may be taken away."""

from __future__ import annotations

import dataclasses
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from foundry import keeping, presets
from foundry.errors import FoundryError


def test_a_world_is_brought_out_in_small_parts_that_make_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, folder = tmp_path / "cast" / "world", tmp_path / "out"
    (world / "unet").mkdir(parents=True)
    folder.mkdir()
    for name in ("unet.json", "unet-00.safetensors", "world.tar.77", "tokenizer.json"):
        (folder / name).write_text("kept meanwhile")
    for name in ("notes.json", "autoencoder.json", "unet-old.safetensors", "world.tar"):
        (folder / name).write_text("somebody's")
    (world / "unet" / "weights").write_bytes(bytes(range(256)) * 100)
    assert keeping.bundle(world, folder) == []
    (world / "card.toml").write_text("name = 'embedded'\n")
    monkeypatch.setattr(keeping, "SHARD", 9000)
    parts = keeping.bundle(world, folder)
    there = {path.name for path in folder.iterdir()}
    assert there == {path.name for path in parts} | {
        "notes.json",
        "autoencoder.json",
        "unet-old.safetensors",
        "world.tar",
    }
    assert max(path.stat().st_size for path in parts) == 9000
    with tarfile.open(fileobj=io.BytesIO(b"".join(path.read_bytes() for path in parts))) as archive:
        assert archive.extractfile("world/unet/weights").read() == bytes(range(256)) * 100  # type: ignore[union-attr]


def test_an_empty_cast_has_nothing_to_keep(tmp_path: Path) -> None:
    with keeping.brought(tmp_path / "cast", presets.TINY, tmp_path / "out", 60.0):
        pass
    assert not list((tmp_path / "out").glob("*"))


def test_a_cast_that_was_killed_while_it_was_laid_is_laid_whole_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, cpu = Path(keeping.__file__).parent / "checkpoints", presets.find("cpu")
    stages = set(keeping.kept_in(kept))

    def there() -> set[str]:
        return {stage for stage in stages if (tmp_path / stage / "restored.json").exists()}

    for owner, name, after in ((keeping, "put", 1), (Path, "rename", 2)):
        done, real = [], getattr(owner, name)

        def killed(
            *args: object, done: list[object] = done, real: Callable[..., object] = real, after: int = after
        ) -> object:
            done.append(args)
            if len(done) > after:
                raise KeyboardInterrupt
            return real(*args)

        with monkeypatch.context() as patch:
            patch.setattr(owner, name, killed)
            with pytest.raises(KeyboardInterrupt):
                keeping.restore(kept, tmp_path, cpu)
        assert there() < stages
    assert {record.stage for record in keeping.restore(kept, tmp_path, cpu)} == stages == there()
    assert keeping.restore(kept, tmp_path, cpu) == []
    assert not list(tmp_path.glob(".laid*"))


def test_a_gpu_begins_with_what_a_processor_kept(tmp_path: Path) -> None:
    """Autoencoder and CLIP, though it would train them otherwise; its teacher is of another shape."""
    kept, cpu, gpu = Path(keeping.__file__).parent / "checkpoints", presets.find("cpu"), presets.find("gpu")
    assert set(keeping.kept_in(kept)) >= {"autoencoder", "clip", "unet"}
    assert [record.stage for record in keeping.restore(kept, tmp_path / "gpu", gpu)] == ["autoencoder", "clip"]
    assert (tmp_path / "gpu" / "clip" / "model" / "config.json").exists()
    assert not (tmp_path / "gpu" / "unet").exists()
    assert {record.stage for record in keeping.restore(kept, tmp_path / "cpu", cpu)} >= {"autoencoder", "clip", "unet"}
    for changed in (  # a cast of other settings by the same name
        dataclasses.replace(cpu, clip=dataclasses.replace(cpu.clip, batch=7)),
        dataclasses.replace(gpu, shapes=dataclasses.replace(gpu.shapes, vae=(8, 8, 8, 8), clip_width=64)),
    ):
        with pytest.raises(FoundryError, match="other settings than preset"):
            keeping.restore(kept, tmp_path / "other", changed)
