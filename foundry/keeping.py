"""A cast in a few megabytes: averaged weights of its stages in half precision, with their settings and figures.

For the repository, so that a lost machine costs hours and not the cast, and for carrying a cast to a GPU and back. An
unfinished stage trains on from its average at the step it had come to; only the optimisers' memory is lost.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import tarfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPConfig, CLIPModel

from foundry import training, weights
from foundry.errors import FoundryError, brief
from foundry.files import save_network
from foundry.presets import TRAINED, Preset, find
from foundry.weights import RESTORED, SHARD, Record, State, read, shards_of, write
from latentworld.disk import PARTIAL, put

CARRIED = ("unet", "student")  # three files each of at most 15 MB: what one is sure to bring back from a GPU
LAID = ".laid"  # beside a cast's stages: what is being laid into it, whole
KEPT = ("autoencoder", "clip", "unet", "distil", "student")


def keep(out: Path, preset: Preset, folder: Path, stages: tuple[str, ...] = KEPT) -> list[Record]:
    """Writes what the stages of the cast in ``out`` have come to; refused where the folder keeps another preset's."""
    for path in (folder / f"{stage}.json" for stage in stages):
        if path.exists() and (there := weights.record(path).preset) != preset.name:
            raise FoundryError(f"{path} is of preset {there!r}, not {preset.name!r}: keep it in another folder")
    records = []
    for stage in stages:
        found = come_to(out / stage, preset, stage)
        if found is not None:
            write(folder, *found)
            records.append(found[0])
    keep_tokenizer(out, folder)
    return records


def come_to(folder: Path, preset: Preset, stage: str) -> tuple[Record, State] | None:
    """The finished network of a stage, else the average in its checkpoint, else nothing."""
    path, finished = folder / "checkpoint.pt", (folder / "model" / "config.json").exists()
    before = weights.record(folder / RESTORED) if (folder / RESTORED).exists() else None
    mark, step, spent = preset.fingerprint(stage), 0, 0.0
    if before is not None:
        step, spent = before.step, before.spent
    config: dict[str, Any] | None = None
    state: State | None = None
    if path.exists():
        kept = training.read(path, mark)
        step, spent, state = kept["step"], kept["spent"], kept["averages"][min(kept["averages"])]
        if (folder / "shape.json").exists():
            config = json.loads((folder / "shape.json").read_text())
    if finished:
        config = json.loads((folder / "model" / "config.json").read_text())
        file = next(iter(sorted((folder / "model").glob("*.safetensors"))))
        state = safetensors.torch.load_file(file)
    if state is None:
        return None
    lines = (folder / "log.tsv").read_text().splitlines() if (folder / "log.tsv").exists() else []
    gates = [line for line in lines if "\tgate" in line or "\tG3" in line]
    figures = gates[-1].replace("\t", " ") if gates else "" if before is None else before.figures
    shards = len(shards_of(state))
    return Record(stage, preset.name, mark, finished, step, spent, shards, config, figures), state


def kept_in(folder: Path) -> list[str]:
    """The stages that a folder keeps."""
    return sorted(path.stem for path in folder.glob("*.json") if path.stem in KEPT)


def restore(folder: Path, out: Path, preset: Preset) -> list[Record]:
    """Lays what was kept into a new cast; refused where settings differ. Of another preset's cast those networks are
    laid that are whole and the same here: `gpu` begins with the autoencoder and CLIP of `cpu` and trains its own
    teacher. A cast that has a stage goes on with its own: nothing is laid into it, for what it lacks may have been
    thrown away (`casting.lengthen`)."""
    found = kept_in(folder)
    if not found:
        raise FoundryError(f"{folder} keeps no stage of a cast: give a folder written by `foundry keep`")
    kept = {stage: read(folder, stage) for stage in found}
    strange = [stage for stage, (record, _) in kept.items() if not fits(record, preset)]
    refused = [stage for stage in strange if kept[stage][0].preset == preset.name or len(strange) == len(kept)]
    if refused:
        raise FoundryError(f"{folder / refused[0]}.json was cast with other settings than preset {preset.name!r} has")
    kept = {stage: kept[stage] for stage in kept if stage not in strange}
    whole = out / LAID
    if not whole.exists():
        if any((out / stage).exists() for stage in TRAINED):
            return []
        side = whole.with_suffix(PARTIAL)
        shutil.rmtree(side, ignore_errors=True)
        lay(folder, kept, side)
        side.rename(whole)
    for path in sorted(whole.iterdir()):  # goes on where a kill ended it
        if path.name == "tokenizer":  # of pictures alone: the networks that are laid read with their own
            shutil.rmtree(out / path.name, ignore_errors=True)
        path.rename(out / path.name)
    whole.rmdir()
    return [record for record, _ in kept.values()]


def lay(folder: Path, kept: Mapping[str, tuple[Record, State]], out: Path) -> None:
    """Stages that `folder` keeps, and its tokenizer, as a cast in ``out`` has them."""
    for stage, (record, state) in kept.items():
        if record.finished:
            finish(out / stage / "model", record, state)
        else:
            write(out / stage / "start", record, state)
        put(out / stage / RESTORED, (folder / f"{stage}.json").read_bytes())
    tokenizer = folder / "tokenizer.json"
    if tokenizer.exists():
        (out / "tokenizer").mkdir(parents=True)
        for name, text in json.loads(tokenizer.read_text()).items():
            put(out / "tokenizer" / name, text.encode())


def fits(record: Record, preset: Preset) -> bool:
    """Whether a kept network is the preset's own, or is whole and has the shape of the preset's own."""
    mark = record.fingerprint
    if mark == preset.fingerprint(record.stage):
        return True
    other = find(record.preset)
    shape, wanted = (one.fingerprint(record.stage, trained=False) for one in (other, preset))
    return record.finished and other.name != preset.name and mark == other.fingerprint(record.stage) and shape == wanted


@contextlib.contextmanager
def brought(out: Path, preset: Preset, folder: Path | None, every: float) -> Iterator[None]:
    """Keeps what trains in ``folder`` every so many seconds meanwhile, for machines that may be taken away; at the end
    the world, if it has come to one, takes its place."""
    if folder is None:
        yield
        return
    ended = threading.Event()

    def again() -> None:
        while not ended.wait(every):
            keep(out, preset, folder, CARRIED)

    thread = threading.Thread(target=again, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        keep(out, preset, folder, CARRIED)
        bundle(out / "world", folder)


def bundle(world: Path, folder: Path) -> list[Path]:
    """A world as ``world.tar.00`` and so on, no part above `SHARD` bytes, in place of what was kept meanwhile.

    ``cat world.tar.* | tar x`` unpacks it.
    """
    if not (world / "card.toml").exists():
        return []
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(world, arcname="world")
    data, parts = buffer.getvalue(), list[Path]()
    for number, start in enumerate(range(0, len(data), SHARD)):
        parts.append(folder / f"world.tar.{number:02d}")
        put(parts[-1], data[start : start + SHARD])
    kept = [
        path
        for stage in CARRIED
        for path in (folder / f"{stage}.json", *folder.glob(f"{stage}-[0-9][0-9].safetensors"))
    ]
    for old in {*kept, folder / "tokenizer.json", *folder.glob("world.tar.[0-9][0-9]")} - {*parts}:
        old.unlink(missing_ok=True)
    return parts


def keep_tokenizer(out: Path, folder: Path) -> None:
    """The tokenizer's files in one."""
    files = sorted((out / "tokenizer").glob("*.*"))
    if files:
        put(folder / "tokenizer.json", json.dumps({path.name: path.read_text() for path in files}).encode())


def finish(folder: Path, record: Record, state: State) -> None:
    """A finished network in its library's own layout."""
    assert record.config is not None
    model: torch.nn.Module
    if record.stage == "autoencoder":
        model = AutoencoderKL.from_config(record.config)
    elif record.stage == "clip":
        model = CLIPModel(CLIPConfig(**record.config))
    else:
        model = UNet2DConditionModel.from_config(record.config)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise FoundryError(
            f"the kept {record.stage} is of another shape ({brief(error)}): keep it again, or leave --from out"
        ) from error
    save_network(model, folder)  # type: ignore[arg-type]
