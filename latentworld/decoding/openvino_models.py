"""Modules as OpenVINO runs them: converted once, compiled once, and kept in the user's cache."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from latentworld.deferred import Deferred, now
from latentworld.disk import cache_folder, put
from latentworld.worlds.parts import quiet

if TYPE_CHECKING:
    import openvino as openvino_library

Module: TypeAlias = "nn.Module | Deferred[nn.Module]"
PASSING = "passing/"  # how keys begin of networks that are made for a while out of those that the rest of it names
VERSION = 2  # of what is cached: raise it when a module's arithmetic changes


def library() -> ModuleType:
    """OpenVINO. Raises ImportError."""
    # its converter reports its use over the network, from a fork that outlives a renderer; without this module it takes
    # a stand-in of its own that says nothing
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return import_module("openvino")


@cache
def core() -> openvino_library.Core:
    """OpenVINO's core: one a process, which is never let go of.

    On a processor with AMX its plugin gives the thread that first compiles a stack for signals, and frees it with the
    core, after putting back the one before. Of two cores that were let go of in the order in which they were made, the
    second puts back what the first has freed, and the next signal, be it Ctrl-C, ends the process without a word
    (OpenVINO 2026.4, seen by strace on a Xeon).
    """
    made: openvino_library.Core = library().Core()
    return made


def compiled(
    openvino: ModuleType, module: Module, example: tuple[Tensor, ...], key: str, options: Mapping[str, str]
) -> openvino_library.CompiledModel:
    """The model as this processor runs it, from the cache when it was compiled here before: half the time (0.33 instead
    of 0.65 s for the embedded UNet), the same bytes of pictures. Like what is converted it is read back at once."""
    if key.startswith(PASSING):  # of weights that come and go
        return core().compile_model(_converted(openvino, module, example, key), "CPU", dict(options))
    place = _place(openvino, example, key)
    how = repr((core().get_property("CPU", "FULL_DEVICE_NAME"), sorted(options.items())))
    blob = place / f"{hashlib.sha256(how.encode()).hexdigest()[:16]}.compiled"
    found = _imported(blob, options)
    if found is not None:
        return found
    made = core().compile_model(_converted(openvino, module, example, key), "CPU", dict(options))
    with contextlib.suppress(OSError, RuntimeError):  # no place to keep it, or a model that cannot be exported
        data = made.export_model().getvalue()
        put(blob, hashlib.sha256(data).digest() + data)
    return _imported(blob, options) or made


def _imported(blob: Path, options: Mapping[str, str]) -> openvino_library.CompiledModel | None:
    """What was exported into a file; None where there is none, or it is not as it was written."""
    with contextlib.suppress(OSError, RuntimeError):
        data = blob.read_bytes()
        if hashlib.sha256(memoryview(data)[32:]).digest() == data[:32]:
            return core().import_model(data[32:], "CPU", dict(options))
        blob.unlink()
    return None


def _converted(openvino: ModuleType, module: Module, example: tuple[Tensor, ...], key: str) -> openvino_library.Model:
    """The converted model, from the cache when this machine has converted it before; of passing networks one of the
    same build, which is given their weights: that takes a tenth of converting anew.

    It is read back from disk even when it was just converted: the model in memory rounds differently from the same one
    after saving (seen on the first run of a film against its second).
    """
    if key.startswith(PASSING):
        own, made = key.removeprefix(PASSING), now(module).eval()
        is_there = (_place(openvino, example, own) / "model.xml").is_file()
        model = _kept(openvino, made, example, own if is_there else key)
        return model if _given(model, made) else _read_back(openvino, made, example)
    return _kept(openvino, module, example, key)


def _place(openvino: ModuleType, example: tuple[Tensor, ...], key: str) -> Path:
    shapes = [(tuple(tensor.shape), str(tensor.dtype)) for tensor in example]
    what = repr((VERSION, key, shapes, openvino.__version__, torch.__version__))
    return cache_folder() / "openvino" / hashlib.sha256(what.encode()).hexdigest()[:24]


def _read_back(openvino: ModuleType, module: nn.Module, example: tuple[Tensor, ...]) -> openvino_library.Model:
    """Converted anew, and not kept."""
    with _workplace(cache_folder() / "openvino") as folder:
        openvino.save_model(_convert(module, example), folder / "model.xml", compress_to_fp16=False)
        return core().read_model(folder / "model.xml")


def _given(model: openvino_library.Model, module: nn.Module) -> bool:
    """Give a converted model the weights of a module of the same build. False where it lacks one of them by name."""
    from openvino import opset13

    constants = {op.get_friendly_name(): op for op in model.get_ops() if op.get_type_name() == "Constant"}
    for name, weight in module.named_parameters():
        constant, value = constants.get(f"self.{name}"), weight.detach().contiguous().numpy()
        if constant is None or constant.data.shape != value.shape or constant.data.dtype != value.dtype:
            return False
        if np.array_equal(constant.data, value):
            continue
        made = opset13.constant(value.copy())
        made.set_friendly_name(constant.get_friendly_name())
        for target in constant.output(0).get_target_inputs():
            target.replace_source_output(made.output(0))
    return True


def _kept(openvino: ModuleType, module: Module, example: tuple[Tensor, ...], key: str) -> openvino_library.Model:
    place = _place(openvino, example, key)
    if (place / "model.xml").is_file():
        try:
            return core().read_model(place / "model.xml")
        except RuntimeError:  # a damaged cache is no reason to fail: convert again
            shutil.rmtree(place, ignore_errors=True)
    with _workplace(place.parent) as folder:
        openvino.save_model(_convert(now(module).eval(), example), folder / "model.xml", compress_to_fp16=False)
        # Renamed when it is whole: a reader sees all of it or nothing. Another process may have been faster.
        with contextlib.suppress(OSError):
            folder.rename(place)
        return core().read_model((place if place.is_dir() else folder) / "model.xml")


@contextlib.contextmanager
def _workplace(parent: Path) -> Iterator[Path]:
    """A new folder in `parent`, or anywhere if that is not to be written; gone afterwards unless it was renamed."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=parent))
    except OSError:
        folder = Path(tempfile.mkdtemp())
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _convert(module: nn.Module, example: tuple[Tensor, ...]) -> openvino_library.Model:
    """Trace and convert with the frontend itself: `openvino.convert_model` would report each use over the network."""
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    laid = {torch.channels_last for weight in module.parameters() if weight.ndim == 4 and not weight.is_contiguous()}
    module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    frontend = FrontEndManager().load_by_framework("pytorch")
    with quiet(imported=True), warnings.catch_warnings(), torch.no_grad():
        # Tracing warns of every shape that becomes a constant, which is what static shapes are.
        warnings.simplefilter("ignore")
        decoder = TorchScriptPythonDecoder(module, example_input=example)  # named: the frontend holds no reference
        model = frontend.convert(frontend.load(decoder))
    for form in laid:  # as an eager decoder of the same networks left them
        module.to(memory_format=form)  # type: ignore[call-overload]
    model.reshape({row: list(tensor.shape) for row, tensor in enumerate(example)})
    return model
