"""The files of a world on disk: which they are, whether they are whole, and their hash. Needs no torch."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import msgspec

from latentworld.errors import UnsafeWeights, WorldDamaged, WorldError, WorldMismatch
from latentworld.worlds.locate import PICKLED

if TYPE_CHECKING:
    from torch import Tensor

TEXTS = (".json", ".txt", ".jinja")  # suffixes of a part's small files that pictures depend on
# model.safetensors, model.fp16.safetensors, model-00001-of-00003.safetensors, model.fp16-00001-of-00003.safetensors
WEIGHTS = re.compile(
    r"(?P<stem>[^.]+?)(?:\.(?P<variant>\w+))?(?:-(?P<shard>\d+)-of-(?P<shards>\d+))?\.safetensors", re.IGNORECASE
)
# torch.save's zip; pickles: else the bytes would be the length of a header
PICKLE = re.compile(rb"PK\x03\x04|\x80[\x02-\x05](\x95|.{2}(?!\0{4}))", re.DOTALL)
PAGE = re.compile(rb"\s*<(!|\?xml|html|head)", re.IGNORECASE)
PREFERRED = ("", "fp16", "bf16", "fp32")  # variants; others follow by name, and one without its averages last


Whole = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class TensorEntry(TypedDict):
    """One tensor in a safetensors header; data_offsets: its first byte after the header and the one after its last."""

    dtype: str
    shape: list[Whole]
    data_offsets: tuple[Whole, Whole]


def weights(part: Path) -> list[Path]:
    """The safetensors files of a part, checked: plain ones, else those of one variant (fp16, ...), in one file or many.

    Raises UnsafeWeights when there are only pickled ones, WorldDamaged when there are none or one is not whole.
    """
    there = {file.name: file for file in sorted(part.glob("*")) if file.suffix.lower() == ".safetensors"}
    files = [there[name] for name in one_set(list(there))]
    if not files:
        pickled = [file for file in sorted(part.glob("*")) if file.suffix in PICKLED]
        if pickled:
            raise UnsafeWeights(f"{pickled[0]} is pickled and could run code: convert the world to safetensors first")
        raise WorldDamaged(f"{part} holds no .safetensors weights: copy or download the world again")
    shards = [int(match["shards"] or 0) for file in files if (match := WEIGHTS.fullmatch(file.name))]
    if any(shards) and len(shards) < max(shards):
        raise WorldDamaged(f"{part} holds {len(shards)} of {max(shards)} weight files: copy or download it again")
    if len(shards) > 1 and any(shards) and not list(part.glob("*.safetensors.index*.json")):
        raise WorldDamaged(f"{part} lacks the index of its {len(shards)} weight files (….index.json): copy it too")
    check_types(part, [entry["dtype"] for file in files for entry in header(file).values()])
    return files


def check_types(place: Path, types: Iterable[str]) -> None:
    """Raises WorldMismatch for weights of 8 bits, which mean nothing without scales, and for a part that mixes the two
    halves, as parts of two models do: whichever it is read in, the other's numbers are lost."""
    kinds = set(types)
    if small := sorted(kind for kind in kinds if kind.startswith(("F8", "F4", "F6"))):
        raise WorldMismatch(f"{place} has weights of 8 bits ({small[0]}) or fewer: give it in float16 or float32")
    if {"F16", "BF16"} <= kinds:
        raise WorldMismatch(f"{place} mixes BF16 and F16, as parts of two models do: give it in one of them")


def one_set(names: Sequence[str]) -> list[str]:
    """Of the weight files of a part, by name, those of one variant: the plain ones where there are any."""
    variants = {name: match["variant"] or "" for name in names if (match := WEIGHTS.fullmatch(name))}
    if not variants:
        return sorted(names)
    order = [*PREFERRED, *sorted(set(variants.values()) - {*PREFERRED, "non_ema"}), "non_ema"]
    chosen = min(variants.values(), key=order.index)
    return sorted(name for name, variant in variants.items() if variant == chosen)


def variant(files: list[Path]) -> str | None:
    """The variant that diffusers must be told to find these weights."""
    match = WEIGHTS.fullmatch(files[0].name)
    return match["variant"] if match else None


def header(path: Path) -> dict[str, TensorEntry]:
    """Names, types and shapes in a safetensors file. Raises as `header_and_metadata`."""
    return header_and_metadata(path)[0]


def header_and_metadata(path: Path) -> tuple[dict[str, TensorEntry], dict[str, str]]:
    """A safetensors file's header, and what it says of itself beside.

    Raises WorldDamaged where it is missing, cut short or something else, UnsafeWeights where it is pickled.
    """
    remedy = "copy or download it again"
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(size - 8, 100_000_000):
                file.seek(0)
                raise _stranger(path, file.read(64))
            content = json.loads(file.read(length))
        metadata = {str(key): str(value) for key, value in (content.pop("__metadata__", None) or {}).items()}
        entries = msgspec.convert(content, dict[str, TensorEntry])  # a number of another kind is no size
        end = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
        whole = size == 8 + length + end
    except OSError as error:
        raise WorldDamaged(f"{path} cannot be read ({error.strerror}): {remedy}") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise WorldDamaged(f"{path} is damaged ({error!s:.120}): {remedy}") from error
    if not whole:
        raise WorldDamaged(f"{path} is damaged ({size} bytes instead of {8 + length + end}): {remedy}")
    with _opened(path):  # as those who load it will: types, and places that fit shapes and leave no gap
        return entries, metadata


def _stranger(path: Path, start: bytes) -> WorldError:
    """What to say of a file that has no safetensors header, by how it begins."""
    again = "copy or download it again"
    if not start:
        return WorldDamaged(f"{path} is empty: {again}")
    if start.startswith(b"version https://git-lfs"):
        return WorldDamaged(f"{path} is a pointer of Git LFS, without the file it points to: run `git lfs pull` there")
    if PAGE.match(start):
        return WorldDamaged(
            f"{path} is a web page, as a refused download leaves it: log in there and download it again"
        )
    if PICKLE.match(start):
        return UnsafeWeights(f"{path} is a pickled file, which could run code: convert it to .safetensors first")
    return WorldDamaged(f"{path} is damaged (no safetensors header): {again}")


def tensors(path: Path) -> dict[str, Tensor]:
    """What a safetensors file holds, by name. Raises WorldDamaged."""
    from safetensors.torch import load_file

    header(path)
    with _opened(path):
        held: dict[str, Tensor] = load_file(path)
        return held


@contextmanager
def _opened(path: Path) -> Iterator[None]:
    """The file, opened by its library, which refuses what is none of its kind. Raises WorldDamaged, also for what that
    library says within."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np"):
            yield
    except (SafetensorError, OSError) as error:
        raise WorldDamaged(f"{path} is damaged ({error!s:.120}): copy or download it again") from error


def parameters(part: Path) -> int:
    """Number of parameters in a part, from the headers alone."""
    return sum(math.prod(entry["shape"]) for file in weights(part) for entry in header(file).values())


def used(folder: Path, parts: Iterable[tuple[str, bool]]) -> list[Path]:
    """Every file of these parts (name, whether it holds weights) that pictures depend on, in a fixed order.

    Raises WorldDamaged where a part is missing or has no weights, UnsafeWeights where they are pickled.
    """
    named, found = list(parts), []
    for name, weighted in named:
        part = folder / name
        if not part.is_dir():
            wanted = ", ".join(other for other, _ in named if "/" not in other)
            raise WorldDamaged(f"{part} is missing: a world needs {wanted}; copy or download it again")
        found += [file for file in sorted(part.iterdir()) if file.suffix in TEXTS]
        if weighted:
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
