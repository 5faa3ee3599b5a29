"""What this machine has, and what `auto` makes of it: device, dtype, engine and batch."""

from __future__ import annotations

import importlib.util
import math
import os
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from latentworld.errors import PresetError
from latentworld.extras import install

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda", "mps", "xpu")
COMPILED = 4  # pictures a batch
NAMES = {"cuda": "CUDA devices", "xpu": "Intel GPUs"}  # of which a machine may have several
DTYPES = ("auto", "float32", "float16", "bfloat16")
ENGINES = ("auto", "eager", "compile", "openvino", "graphs", "whole", "package")


@dataclass(frozen=True)
class Choice:
    """Where and how models run. `batch` is pictures a batch (twice as many UNet rows under guidance)."""

    device: str
    dtype: str
    engine: str
    batch: int


def torch_dtype(name: str) -> torch.dtype:
    """torch's type of floating-point numbers by its name. Raises PresetError for another."""
    import torch

    types = {one: kind for one, kind in vars(torch).items() if isinstance(kind, torch.dtype) and kind.is_floating_point}
    if name not in types:
        raise PresetError(f"dtype = {name!r}: use one of {', '.join(DTYPES[1:])}")
    return types[name]


def settle(device: torch.device) -> None:
    """Have float32 mean float32 where it is asked for: torch's convolutions on CUDA round it to TF32's ten bits."""
    import torch

    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False


def choose(
    device: str = "auto", dtype: str = "auto", engine: str = "auto", batch: int | str = "auto", size: int = 512
) -> Choice:
    """Fill in what is `auto` for pictures of `size` pixels a side; PresetError for what this machine cannot do."""
    _check(device, dtype, engine)
    place = _device(device)
    kind = place.partition(":")[0]
    if dtype == "auto":
        # float16 over bfloat16: the same speed, and 8 times finer, which is what a Lipschitz value's floor hangs on.
        dtype = "float16" if kind in NAMES else "float32"
    if kind == "cpu" and dtype == "float16":
        raise PresetError("dtype = 'float16' on a processor is slower than float32 and lacks kernels: use 'float32'")
    if engine == "openvino" and (kind != "cpu" or dtype != "float32"):
        raise PresetError(f"engine = 'openvino' runs in float32 on the cpu, not {dtype} on {place}: use 'eager'")
    if engine == "openvino" and not has_openvino():
        raise PresetError(f"engine = 'openvino' is not installed: {install('openvino')}, or use 'eager'")
    if engine == "compile" and (lacking := _lacks_to_compile(kind)):
        raise PresetError(f"engine = 'compile' needs {lacking}, which is not found here: install it, or use 'eager'")
    if engine in ("graphs", "whole") and kind != "cuda":
        raise PresetError(f"engine = {engine!r} (CUDA graphs) needs a CUDA device, not {place}: use 'eager'")
    if isinstance(batch, str):
        if batch != "auto":
            raise PresetError(f"batch = {batch!r}: give a number of pictures or 'auto'")
        batch = auto_batch(place, size)
    if batch < 1:
        raise PresetError(f"batch = {batch}: at least 1 picture a batch is needed")
    return Choice(place, dtype, _engine(kind, dtype, batch) if engine == "auto" else engine, batch)


def auto_batch(place: str, size: int) -> int:
    """8 on a processor up to 256 px, 2 above; on a card what fits on it, up to 16.

    A batch that does not fit after all is halved by the decoder.
    """
    free = free_bytes(place)
    if free is None:
        return 8 if size <= 256 else 2
    fitting = int((fitting_side(free) / size) ** 2)
    return max(1, min(16, 1 << max(0, fitting.bit_length() - 1)))


def fitting_side(free: int) -> float:
    """Pixels of a side of the largest guided picture that fits into so many bytes: one of SD 1.5 at 512 is taken for
    1.2 GB in half precision, and a part is left to others."""
    return 512 * math.sqrt(free * 0.6 / 1.2e9)


def _engine(kind: str, dtype: str, batch: int) -> str:
    """What `auto` makes of the engine: on CUDA graphs, since few pictures at a time leave a card waiting for launches;
    compiled from COMPILED pictures on, where a show does not wait for it and arithmetic counts."""
    if kind == "cuda":
        return "compile" if batch >= COMPILED and not _lacks_to_compile(kind) else "graphs"
    return "openvino" if kind == "cpu" and dtype == "float32" and has_openvino() else "eager"


def free_bytes(place: str) -> int | None:
    """What is free of a card's own memory; None on a processor, on a Mac, and where a driver does not say."""
    import torch

    device = torch.device(place)
    if device.type not in NAMES:
        return None
    try:
        free, _ = torch.get_device_module(device).mem_get_info(device)
    except RuntimeError:  # Intel's older drivers
        return None
    return int(free)


def _lacks_to_compile(kind: str) -> str:
    """What torch.compile needs for this kind of device and this machine lacks, "" where all is there."""
    usual = {"win32": "cl", "darwin": "clang++"}.get(sys.platform, "g++")
    if shutil.which(compiler := os.environ.get("CXX", usual)) is None:  # as torch's inductor looks for it
        return f"a C++ compiler ({compiler})"
    if kind == "cuda" and importlib.util.find_spec("triton") is None:
        return "triton"
    return ""


def has_openvino() -> bool:
    """Whether the optional engine is installed; it is not imported."""
    return importlib.util.find_spec("openvino") is not None


def _check(device: str, dtype: str, engine: str) -> None:
    for key, value, allowed in (("dtype", dtype, DTYPES), ("engine", engine, ENGINES)):
        if value not in allowed:
            raise PresetError(f"{key} = {value!r}: use one of {', '.join(allowed)}")
    if device.partition(":")[0] not in DEVICES:
        raise PresetError(f"device = {device!r}: use one of {', '.join(DEVICES)}, or cuda:N, xpu:N")


def _device(device: str) -> str:
    import torch

    has_mps = torch.backends.mps.is_available()
    there = {"cuda": torch.cuda.is_available(), "xpu": torch.xpu.is_available(), "mps": has_mps}
    if device == "auto":
        return next((kind for kind, is_there in there.items() if is_there), "cpu")
    kind, _, index = device.partition(":")
    if kind in NAMES and not there[kind]:
        raise PresetError(
            f"device = {device!r}: torch {torch.__version__} sees no {NAMES[kind][:-1]} here; use 'cpu' or 'auto'"
        )
    if index and int(index) >= (count := torch.get_device_module(kind).device_count()):
        cards = ", ".join(f"{kind}:{number}" for number in range(count))
        raise PresetError(f"device = {device!r}: there are {count} {NAMES[kind]} here; use one of {cards}")
    if device == "mps" and not there["mps"]:
        raise PresetError("device = 'mps': there is no Apple GPU here; use 'cpu' or 'auto'")
    return device
