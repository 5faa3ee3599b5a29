"""Products of eight bits: a copy of a network whose linear layers multiply fp8 (e4m3; Micikevicius et al. 2022,
2209.05433), by torchao. A scout's alone: three bits of mantissa are not what a Lipschitz rate is measured with.

Each row of a layer's input, which is one place of one picture, has a scale of its own: with one for the whole input, as
torchao has by default, a picture would depend on those it is decoded with. Convolutions stay as they are.
"""

from __future__ import annotations

import copy
import importlib.util
import warnings
from weakref import WeakKeyDictionary

import torch
from torch import nn

from latentworld.errors import PresetError
from latentworld.extras import install

CELLS = 16  # what a layer's widths must be whole multiples of
NEWEST = (8, 9)  # the first NVIDIA architecture that multiplies fp8, Ada; Hopper has 9.0
_copies: WeakKeyDictionary[nn.Module, nn.Module] = WeakKeyDictionary()


def check(device: str, dtype: str) -> None:
    """Raises PresetError where networks of this dtype cannot be multiplied in fp8 on this device."""
    if not _multiplies(torch.device(device)):
        raise PresetError(
            f"scout_precision = 'fp8': {device} does not multiply it (NVIDIA's from Ada and Hopper on do): use 'auto'"
        )
    if dtype != "bfloat16":
        raise PresetError(
            f"scout_precision = 'fp8' with dtype {dtype!r}: each row's own scale wants decoder.dtype = 'bfloat16'"
        )
    if importlib.util.find_spec("torchao") is None:
        raise PresetError(f"scout_precision = 'fp8' wants torchao: {install('fp8')}, or use 'auto'")


def eight_bits(module: nn.Module) -> nn.Module:
    """The module's copy that multiplies fp8, one for all shapes; the module itself where it has no layer for it."""
    if not any(_fits(layer, "") for layer in module.modules()):
        return module
    found = _copies.get(module)
    if found is None:
        found = _copies.setdefault(module, _quantised(copy.deepcopy(module)))
    return found


def _quantised(module: nn.Module) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own compiled parts for other versions of torch, which are not used
        from torchao.quantization import Float8DynamicActivationFloat8WeightConfig, PerRow, quantize_

        quantize_(module, Float8DynamicActivationFloat8WeightConfig(granularity=PerRow()), filter_fn=_fits)
    return module


def _fits(layer: nn.Module, name: str) -> bool:
    return isinstance(layer, nn.Linear) and layer.in_features % CELLS == 0 and layer.out_features % CELLS == 0


def _multiplies(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.version.hip is None and torch.cuda.get_device_capability(device) >= NEWEST
    return device.type == "xpu"
