"""Engines: ways to run a module on fixed shapes. `eager` is the slow twin every other one is compared with.

========== =====================================================================================================
eager      torch as it is, channels last
compile    torch.compile: 1.2x on two cores at batch 8, after a minute of compiling
openvino   float32, static shapes, converted once and cached; 1.3x to 1.5x on two cores. An optional dependency
graphs     CUDA graphs: no launch overhead; pays at small batches
========== =====================================================================================================
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from latentworld.errors import PresetError

Run = Callable[..., Tensor]
VERSION = 1  # of what is cached: raise it when a module's arithmetic changes


def build(engine: str, module: nn.Module, example: tuple[Tensor, ...], key: str) -> Run:
    """A function of tensors shaped like `example` that computes `module`; `key` names its weights in the cache."""
    engines = {"eager": _eager, "compile": _compile, "openvino": _openvino, "graphs": _graphs}
    if engine not in engines:
        raise PresetError(f"engine = {engine!r}: use one of {', '.join(engines)}")
    return engines[engine](module.eval(), example, key)


def _eager(module: nn.Module, example: tuple[Tensor, ...], key: str) -> Run:
    form = memory_format(example[0])
    probe = next((weight for weight in module.parameters() if weight.ndim == 4), None)

    def run(*inputs: Tensor) -> Tensor:
        # Asked every time, since decoders share networks: another one may have laid the weights out its own way.
        if probe is not None and not probe.is_contiguous(memory_format=form):
            module.to(memory_format=form)  # type: ignore[call-overload]
        with torch.inference_mode():
            return module(*(_laid(tensor, form) for tensor in inputs))  # type: ignore[no-any-return]

    return run


def memory_format(batch: Tensor) -> torch.memory_format:
    """Channels last where it pays (8.0 instead of 9.2 ms a UNet sample on two cores) and keeps slots equal.

    torch's channels-last GroupNorm on processors splits rows x pixels evenly among the threads (from 1024 pixels on).
    Where the number of rows is no multiple of theirs, some pictures are summed in two parts and others in one, so a
    picture's bytes would depend on its slot: measured with 3 rows on 2 threads, 8 on 3. The plain layout has no such.
    """
    even = batch.device.type != "cpu" or len(batch) % torch.get_num_threads() == 0
    return torch.channels_last if even else torch.contiguous_format


def _laid(tensor: Tensor, form: torch.memory_format) -> Tensor:
    return tensor.contiguous(memory_format=form) if tensor.ndim == 4 else tensor


def _compile(module: nn.Module, example: tuple[Tensor, ...], key: str) -> Run:
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    compiled = torch.compile(module, dynamic=False)

    def run(*inputs: Tensor) -> Tensor:
        # no_grad: tensors made in inference mode carry no version counter, which dynamo's guards ask for.
        with torch.no_grad():
            return compiled(*(_laid(tensor, torch.channels_last) for tensor in inputs)).clone()  # type: ignore[no-any-return]

    return run


def _graphs(module: nn.Module, example: tuple[Tensor, ...], key: str) -> Run:
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    held = tuple(_laid(tensor.clone(), torch.channels_last) for tensor in example)
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # warm up on a side stream, as CUDA graph capture wants it
    side.wait_stream(torch.cuda.current_stream())
    with torch.no_grad(), torch.cuda.stream(side):
        for _ in range(3):
            module(*held)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.no_grad(), torch.cuda.graph(graph):
        out: Tensor = module(*held)

    def run(*inputs: Tensor) -> Tensor:
        for place, tensor in zip(held, inputs, strict=True):
            place.copy_(tensor)
        graph.replay()
        return out.clone()

    return run


def _openvino(module: nn.Module, example: tuple[Tensor, ...], key: str) -> Run:
    try:
        import openvino
    except ImportError as error:
        raise PresetError(
            "engine = 'openvino' is not installed: pip install openvino, or use engine 'eager'"
        ) from error
    core = openvino.Core()
    # f32 forced: on processors with AVX-512 BF16 the default would be bf16, which is no faster without AMX.
    options: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": str(torch.get_num_threads()),
    }
    request = core.compile_model(_converted(openvino, module, example, key), "CPU", options).create_infer_request()

    def run(*inputs: Tensor) -> Tensor:
        arrays = [tensor.contiguous().numpy() for tensor in inputs]
        result = request.infer(arrays, share_inputs=True, share_outputs=False)
        return torch.from_numpy(result[0])

    return run


def _converted(openvino: Any, module: nn.Module, example: tuple[Tensor, ...], key: str) -> Any:
    """The converted model, from the cache when this machine has converted it before."""
    shapes = [(tuple(tensor.shape), str(tensor.dtype)) for tensor in example]
    what = repr((VERSION, key, type(module).__name__, shapes, openvino.__version__, torch.__version__))
    place = cache_folder() / "openvino" / hashlib.sha256(what.encode()).hexdigest()[:24]
    if (place / "model.xml").is_file():
        try:
            return openvino.Core().read_model(place / "model.xml")
        except RuntimeError:  # a damaged cache is no reason to fail: convert again
            shutil.rmtree(place, ignore_errors=True)
    model = _convert(module, example)
    _save(openvino, model, place)
    return model


def _convert(module: nn.Module, example: tuple[Tensor, ...]) -> Any:
    """Trace and convert with the frontend itself: `openvino.convert_model` would report each use over the network."""
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    frontend = FrontEndManager().load_by_framework("pytorch")
    with warnings.catch_warnings(), torch.no_grad():
        # Tracing warns of every shape that becomes a constant, which is what static shapes are.
        warnings.simplefilter("ignore")
        decoder = TorchScriptPythonDecoder(module, example_input=example)  # named: the frontend holds no reference
        model = frontend.convert(frontend.load(decoder))
    model.reshape({row: list(tensor.shape) for row, tensor in enumerate(example)})
    return model


def _save(openvino: Any, model: Any, place: Path) -> None:
    """Write into a folder of our own, then rename it: a reader sees all of it or nothing."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=place.parent))
    except OSError:
        return  # nowhere to keep it: the conversion is made again next time
    try:
        openvino.save_model(model, folder / "model.xml", compress_to_fp16=False)
        folder.rename(place)
    except (OSError, RuntimeError):  # the disk is full, or another process was faster
        shutil.rmtree(folder, ignore_errors=True)


def cache_folder() -> Path:
    """Where conversions are kept: LATENTWORLD_CACHE, else the system's folder for caches."""
    if told := os.environ.get("LATENTWORLD_CACHE"):
        return Path(told)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "latentworld" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "latentworld"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "latentworld"
