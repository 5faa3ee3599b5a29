"""The files of a world on disk: which they are, whether they are whole, and their hash. Needs no torch."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from latentworld.errors import UnsafeWeights, WorldDamaged
from latentworld.worlds.locate import PARTS, PICKLED

OPTIONAL = ("student/unet", "student/scheduler", "tiny_vae")


def weights(part: Path) -> list[Path]:
    """The safetensors files of a part, checked; plain ones before an fp16 variant.

    Raises UnsafeWeights when there are only pickled ones, WorldDamaged when there are none or one is not whole.
    """
    files = sorted(part.glob("*.safetensors"))
    plain = [file for file in files if ".fp16." not in file.name and ".non_ema." not in file.name]
    files = plain or files
    if not files:
        pickled = [file for file in sorted(part.glob("*")) if file.suffix in PICKLED]
        if pickled:
            raise UnsafeWeights(f"{pickled[0]} is pickled and could run code: convert the world to safetensors first")
        raise WorldDamaged(f"{part} holds no .safetensors weights: copy or download the world again")
    for file in files:
        header(file)
    return files


def variant(files: list[Path]) -> str | None:
    """The variant that diffusers must be told to find these weights."""
    return "fp16" if ".fp16." in files[0].name else None


def header(path: Path) -> dict[str, Any]:
    """Names, types and shapes in a safetensors file; WorldDamaged when it is missing, cut short or something else."""
    remedy = "copy or download the world again"
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(size - 8, 100_000_000):
                raise ValueError("no safetensors header")
            content: dict[str, Any] = json.loads(file.read(length))
        content.pop("__metadata__", None)
        end = max((entry["data_offsets"][1] for entry in content.values()), default=0)
    except OSError as error:
        raise WorldDamaged(f"{path} cannot be read ({error.strerror}): {remedy}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WorldDamaged(f"{path} is damaged ({error}): {remedy}") from error
    if size != 8 + length + end:
        raise WorldDamaged(f"{path} is damaged ({size} bytes instead of {8 + length + end}): {remedy}")
    return content


def parameters(part: Path) -> int:
    """Number of parameters in a part, from the headers alone."""
    return sum(math.prod(entry["shape"]) for file in weights(part) for entry in header(file).values())


def parts(folder: Path) -> Iterator[Path]:
    """The parts of a diffusers folder that pictures depend on; WorldDamaged when a required one is missing."""
    for name in PARTS:
        part = folder / name
        if not part.is_dir():
            raise WorldDamaged(f"{part} is missing: a world needs {', '.join(PARTS)}; copy or download it again")
        yield part
    yield from (folder / name for name in OPTIONAL if (folder / name).is_dir())


def used(folder: Path) -> list[Path]:
    """Every file that pictures depend on, in a fixed order."""
    texts = (".json", ".txt")
    found = []
    for part in parts(folder):
        found += [file for file in sorted(part.iterdir()) if file.suffix in texts]
        if part.name not in ("tokenizer", "scheduler"):
            found += weights(part)
    return found


def digest(files: list[Path], root: Path) -> str:
    """16 hexadecimal digits over names and contents (SHA-256; 0.9 GB a second on the reference machine)."""
    total = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            inner = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{path.relative_to(root).as_posix()} {inner}\n".encode())
    return total.hexdigest()[:16]
