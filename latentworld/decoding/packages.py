"""Modules that torch's AOTInductor compiled ahead of time, and kept: a start needs neither its tracer nor a compiler.

A package is of one build of networks, of shapes, of a card and of a version of torch. No weights are in it: it is lent
the module's own, so that a package is small and serves LoRAs at every strength.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import tempfile
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from latentworld.decoding.openvino_models import PASSING
from latentworld.decoding.torch_engines import Run, captured, channels_last, failing, keep_what_is_compiled
from latentworld.disk import cache_folder, put

if TYPE_CHECKING:
    from torch.export.pt2_archive._package import AOTICompiledModel

_log = logging.getLogger(__name__)
VERSION = 1  # of what is kept: raise it when a module's arithmetic changes
# the second: else weights of up to 8 numbers, a last layer's bias, are written into the code
WITHOUT_WEIGHTS = {"aot_inductor.package_constants_in_so": False, "always_keep_tensor_constants": True}


def packaged(module: nn.Module, example: tuple[Tensor, ...], key: str) -> Run:
    """Compiled for these shapes alone, once a machine, and captured on CUDA. Raises EngineFailed."""
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    given = tuple(channels_last(tensor) for tensor in example)
    with failing("package"), torch.no_grad():
        loaded, lent = _loaded(module, given, key)
        loaded(*given)
    lock = threading.Lock()  # it runs without locks of its own, which a capture could not bear

    def run(*inputs: Tensor) -> Tensor:
        assert lent  # whose memory it reads
        with lock, torch.no_grad():
            return loaded(*map(channels_last, inputs))  # type: ignore[no-any-return]

    return captured(run, given) if given[0].device.type == "cuda" else run


def _loaded(module: nn.Module, example: tuple[Tensor, ...], key: str) -> tuple[AOTICompiledModel, Mapping[str, Tensor]]:
    """The package, from the cache when it was made here before, and the tensors it was lent."""
    path = _path(example, key.removeprefix(PASSING))
    if path.is_file():
        # what is damaged, or of a compiler whose libraries are gone, is made anew
        with contextlib.suppress(RuntimeError, OSError, KeyError):
            return _lent(module, path)
    with tempfile.TemporaryDirectory() as folder:
        side = Path(folder) / "network.pt2"
        _compile(module, example, side)
        with contextlib.suppress(OSError):  # no place to keep it: it serves this once
            path.parent.mkdir(parents=True, exist_ok=True)
            put(path, side.read_bytes())
        return _lent(module, side)


def _lent(module: nn.Module, path: Path) -> tuple[AOTICompiledModel, Mapping[str, Tensor]]:
    loaded = torch._inductor.aoti_load_package(str(path), run_single_threaded=True)
    have = _tensors(module)
    lent = {name: have[name] for name in loaded.get_constant_fqns()}
    loaded.load_constants(lent, check_full_update=True, user_managed=True)
    return loaded, lent


def _compile(module: nn.Module, example: tuple[Tensor, ...], path: Path) -> None:
    """RuntimeError for a module with tensors that are no weights, which nobody could lend (no family's)."""
    _log.info("compiling ahead of time, a minute or more, once a machine")
    keep_what_is_compiled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch's own of its own (LeafSpec), which nobody here can mend
        made, own = torch.export.export(module, example, strict=False), _tensors(module)
        others = [name for name, value in made.constants.items() if isinstance(value, Tensor) and name not in own]
        if others:
            raise RuntimeError(f"the network has tensors that are no weights: {', '.join(others)}")
        torch._inductor.aoti_compile_and_package(made, package_path=str(path), inductor_configs=WITHOUT_WEIGHTS)


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    """Weights and buffers by every name they have."""
    named = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    return {name: tensor.detach() for name, tensor in named}


def _path(example: tuple[Tensor, ...], key: str) -> Path:
    shapes = [(tuple(tensor.shape), tensor.stride(), str(tensor.dtype)) for tensor in example]
    what = repr((VERSION, key, shapes, torch.__version__, _machine(example[0].device)))
    return cache_folder() / "packages" / f"{hashlib.sha256(what.encode()).hexdigest()[:24]}.pt2"


def _machine(device: torch.device) -> tuple[str | int, ...]:
    """What compiled code is for: a card, or a processor by what it can, and its threads, whose number is a part of the
    code."""
    if device.type == "cpu":
        return ("cpu", repr(sorted(torch.cpu.get_capabilities().items())), torch.get_num_threads())
    kind = torch.get_device_module(device)
    return (device.type, kind.get_device_name(device), str(torch.version.cuda or torch.version.hip or ""))
