"""The engines of torch alone: as it is, compiled, and captured in CUDA graphs."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import torch
from torch import Tensor, nn

from latentworld.decoding.batches import is_out_of_memory
from latentworld.disk import cache_folder
from latentworld.errors import EngineFailed
from latentworld.worlds.steady import steady

Run: TypeAlias = Callable[..., Tensor]
KEPT = "TORCHINDUCTOR_CACHE_DIR"  # where torch keeps what it compiled
SHAPES = 64  # of one network that are compiled: a ladder of batches has 10, for each size and length of a text


def eager(module: nn.Module, example: tuple[Tensor, ...], key: str) -> Run:
    """As it is, channels last."""
    steady(module)

    def run(*inputs: Tensor) -> Tensor:
        with torch.inference_mode():
            return module(*map(channels_last, inputs))  # type: ignore[no-any-return]

    return run


def channels_last(tensor: Tensor) -> Tensor:
    """Channels last: 8.0 instead of 9.2 ms a UNet sample on two cores, and what tensor cores want."""
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def compiled(module: nn.Module, example: tuple[Tensor, ...], key: str) -> Run:
    """Compiled for these shapes alone, and captured on CUDA. Raises EngineFailed."""
    run = uncaptured(module, example, key)
    return captured(run, example) if example[0].device.type == "cuda" else run


def uncaptured(module: nn.Module, example: tuple[Tensor, ...], key: str) -> Run:
    """Compiled for these shapes alone. It is called once, so that what fails does so now. Raises EngineFailed."""
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    keep_what_is_compiled()
    with failing("compile"):
        # a wrapper a shape; all of them count against one limit of torch's, past which it runs eager without a word
        torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, SHAPES)
        made = torch.compile(module, dynamic=False)

    def run(*inputs: Tensor) -> Tensor:
        # no_grad: tensors made in inference mode carry no version counter, which dynamo's guards ask for.
        with torch.no_grad():
            return made(*map(channels_last, inputs)).clone()  # type: ignore[no-any-return]

    with failing("compile"):
        run(*example)
    return run


def graphs(module: nn.Module, example: tuple[Tensor, ...], key: str) -> Run:
    """Captured. Raises EngineFailed."""
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def run(*inputs: Tensor) -> Tensor:
        return module(*inputs)  # type: ignore[no-any-return]

    return captured(run, example)


def captured(call: Run, example: tuple[Tensor, ...], engine: str = "graphs") -> Run:
    """A call for these shapes, captured in a CUDA graph. Raises EngineFailed, which names the engine."""
    held = tuple(channels_last(tensor.clone()) for tensor in example)
    device = held[0].device  # streams and graphs are of the current device, which is the first one unless said
    with failing(engine), torch.no_grad(), torch.cuda.device(device):
        side = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # warm up on a side stream, as capture wants it
        side.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(side):
            for _ in range(3):
                call(*held)
        torch.cuda.current_stream(device).wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        # thread_local: a capture off the loop must not forbid the loop's own thread to allocate meanwhile
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            out: Tensor = call(*held)

    lock = threading.Lock()  # one set of buffers, and decoders in two threads may share an engine

    def run(*inputs: Tensor) -> Tensor:
        with lock, torch.cuda.device(device):
            for place, tensor in zip(held, inputs, strict=True):
                place.copy_(tensor)
            graph.replay()
            return out.clone()

    return run


@contextmanager
def failing(engine: str) -> Iterator[None]:
    """Whatever building an engine raises, but for a lack of memory, as EngineFailed."""
    try:
        yield
    except Exception as error:  # a compiler, a driver, a library: they share no class
        if is_out_of_memory(error):
            raise
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise EngineFailed(f"engine = {engine!r} does not work here ({why:.160}): use 'eager'") from error


def keep_what_is_compiled() -> None:
    """In our own folder for caches, between runs. Torch names what it keeps by code, versions and card: of another one
    it is made anew."""
    from torch._inductor.runtime.cache_dir_utils import default_cache_dir

    usual = default_cache_dir()  # which torch itself writes into the environment as soon as its compiler is imported
    if os.environ.get(KEPT, usual) == usual:
        os.environ[KEPT] = str(cache_folder() / "inductor")
