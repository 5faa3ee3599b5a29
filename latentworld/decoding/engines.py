"""Engines: ways to run a module on fixed shapes. `eager` is the slow twin every other one is compared with.

========== =====================================================================================================
eager      torch as it is, channels last
compile    torch.compile: 1.2x on two cores at batch 8, after a minute of compiling; on CUDA captured as graphs are
openvino   float32, static shapes, converted once and cached; 1.3x to 1.5x on two cores. An optional dependency;
           `openvino/bfloat16` multiplies half as many bits: a scout's, where a processor can
graphs     CUDA graphs: no launch overhead; pays at small batches
whole      CUDA graphs of whole pictures, all steps and the decoder in one: a decoder's (`Diffusion`), no module's
package    compiled ahead of time and kept without weights: a later start waits for no compiler
========== =====================================================================================================
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentworld.decoding import fp8, openvino_models, packages, torch_engines
from latentworld.decoding.openvino_models import Module
from latentworld.deferred import now
from latentworld.device import has_openvino
from latentworld.errors import PresetError
from latentworld.extras import install

if TYPE_CHECKING:
    import openvino as openvino_library

Run: TypeAlias = torch_engines.Run
_log = logging.getLogger(__name__)
WHAT = {"vae": "the autoencoder", "clip": "the eye"}  # of a key's end, for who waits
# forced: on processors with AVX-512 BF16 OpenVINO's default would be bfloat16
PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}


def build(engine: str, module: Module, example: tuple[Tensor, ...], key: str) -> Run:
    """A function of tensors shaped like `example` that computes `module`; `key` names it and its weights in the cache.

    engine: a name, where numbers are not the networks' own with their precision (`openvino/bfloat16`, `compile/fp8`);
    the rows of the first input are pictures, what else is given is for all of them. A module that is deferred is made
    unless the engine has it in its cache. Raises PresetError for an engine that is none or lacks something, and
    EngineFailed, which is one, for what could not be built.
    """
    said = WHAT.get(key.rpartition("/")[2], "the network")
    name, _, precision = engine.partition("/")
    begun = "preparing" if name in ("eager", "package") else "compiling"  # a package says itself when it compiles
    _log.info("%s %s for batch %d", begun, said, *example[0].shape[:1])
    if name == "openvino":
        return _openvino(module, example, key, precision or "float32")
    engines = {
        "eager": torch_engines.eager,
        "compile": torch_engines.compiled,
        "graphs": torch_engines.graphs,
        "package": packages.packaged,
    }
    if name not in engines or precision not in ("", "fp8"):
        raise PresetError(f"engine = {engine!r}: use one of openvino, {', '.join(engines)}")
    made = now(module).eval()
    return engines[name](fp8.eight_bits(made) if precision else made, example, key)


def _openvino(module: Module, example: tuple[Tensor, ...], key: str, precision: str = "float32") -> Run:
    try:
        openvino = openvino_models.library()
    except ImportError as error:
        raise PresetError(
            f"engine = 'openvino' is not installed: {install('openvino')}, or use engine 'eager'"
        ) from error
    if precision not in PRECISIONS:
        raise PresetError(f"precision = {precision!r}: use one of {', '.join(PRECISIONS)}")
    threads, rows = torch.get_num_threads(), len(example[0])
    streams = threads if rows % threads == 0 else 1  # a share of the pictures a thread: none waits for another's layer
    share = (example[0][: rows // streams], *example[1:])
    options = {
        "INFERENCE_PRECISION_HINT": PRECISIONS[precision],
        "PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT",
        "NUM_STREAMS": str(streams),
        "INFERENCE_NUM_THREADS": str(threads),
    }
    model = openvino_models.compiled(openvino, module, share, key, options)
    requests, held = [model.create_infer_request() for _ in range(streams)], []
    for request in requests:
        held.append([np.empty(tensor.shape, tensor.numpy().dtype) for tensor in share])
        for number, place in enumerate(held[-1]):  # told once: to hand inputs over at each call costs a third of one
            request.set_input_tensor(number, openvino.Tensor(place, shared_memory=True))
    lock = threading.Lock()  # one set of buffers, and decoders in two threads may share an engine

    def run(*inputs: Tensor) -> Tensor:
        first, *others = (tensor.numpy() for tensor in inputs)
        with lock:
            for request, places, part in zip(requests, held, np.split(first, streams), strict=True):
                for place, array in zip(places, (part, *others), strict=True):
                    np.copyto(place, array)
                request.start_async()
            _end(requests)
            return torch.from_numpy(_joined([request.get_output_tensor().data for request in requests], rows))

    return run


def _end(requests: Sequence[openvino_library.InferRequest]) -> None:
    """Wait for all of them, so that none works on when the next pictures come; raises what the first to fail did."""
    faults = []
    for request in requests:
        try:
            request.wait()
        except RuntimeError as error:
            faults.append(error)
    if faults:
        raise faults[0]


def _joined(parts: Sequence[NDArray[np.float32]], rows: int) -> NDArray[np.float32]:
    """A copy of what was made of so many rows in parts: `[k x rows, ...]` of `[k x rows / parts, ...]`, k results a row
    one after another (a guided denoiser has two)."""
    each = rows // len(parts)
    laid = [part.reshape(-1, each, *part.shape[1:]) for part in parts]
    return np.concatenate(laid, axis=1).reshape(-1, *parts[0].shape[1:])


def has_bfloat16() -> bool:
    """Whether OpenVINO is here, and this processor multiplies bfloat16 by itself: else it is slower than float32."""
    return has_openvino() and "BF16" in openvino_models.core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
