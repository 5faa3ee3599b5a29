"""An accelerator that is not there: the numbers of a processor, under the rules of a device of its own.

Torch keeps a kind of device for backends that it does not know (`privateuseone`). A tensor that says it lies there
holds one of the processor's; every operation on it comes by here and is done on what it holds. What a card would refuse
is refused, and what would make a processor wait for one is a failure:

- tensors of two devices in one operation, other than a single number of the processor's (as CUDA has it);
- numbers of two kinds in one product (as its kernels have it), and pictures or words in float64;
- whatever needs a number to go on: `.item()`, `bool`, `.tolist()`, a mask as an index, `nonzero`, `unique`;
- a copy that is waited for, up or down: from or into memory that is not pinned, or without `non_blocking`.

A copy down arrives only when the processor waits for the mark behind it: until then there is nonsense, so that nobody
can look too early. Copies are counted, and waits.

    with Accelerator() as there:        # nothing is watched before the `with`, nor is anything counted
        ...
    there.down, there.up, there.waits
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Self

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map
from torch.utils.backend_registration import _DummyDeviceGuard

aten = torch.ops.aten
DEVICE = torch.device("privateuseone", 0)
HOST = torch.device("cpu")
NONSENSE = 0xA5
MADE_OF_OTHERS = {"to", "pin_memory", "type_as"}
WAITING = {
    aten.item.default,
    aten._local_scalar_dense.default, aten.is_nonzero.default, aten.nonzero.default, aten.equal.default,
    aten.masked_select.default, aten._unique2.default, aten.unique_dim.default, aten.unique_consecutive.default,
    aten.repeat_interleave.Tensor, aten.repeat_interleave.self_Tensor, aten.bincount.default,
    aten.nonzero_numpy.default,
}  # fmt: skip
ALIKE = {
    aten.mm.default, aten.bmm.default, aten.addmm.default, aten.baddbmm.default, aten.matmul.default,
    aten.linear.default, aten.conv2d.default, aten.convolution.default, aten.scaled_dot_product_attention.default,
}  # fmt: skip


class Refused(AssertionError):
    """What a device cannot do, or what would make a processor wait for it."""


class There(torch.Tensor):
    """A tensor that lies there; `held` is the processor's."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> There:
        made = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, held.shape, strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype,
            device=DEVICE, layout=held.layout, requires_grad=False,
        )  # fmt: skip
        made.held = held
        return made  # type: ignore[no-any-return]

    def __repr__(self) -> str:  # type: ignore[override]
        return f"There({tuple(self.shape)}, {self.dtype})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise Refused(f"{func} on a device that nobody watches: use `with Accelerator()`")

    def tolist(self) -> Any:
        raise Refused("tolist() waits for the device")

    def numpy(self, *args: Any, **kwargs: Any) -> Any:
        raise Refused("numpy() of a tensor of the device")


class _Mark:
    """What a stream gives for a mark: copies before it have arrived when it was waited for."""

    def __init__(self, accelerator: Accelerator) -> None:
        self._accelerator, self._copies = accelerator, list(accelerator.under_way)

    def synchronize(self) -> None:
        self._accelerator.waits += 1
        for copy in self._copies:
            copy()
        self._accelerator.under_way = [one for one in self._accelerator.under_way if one not in self._copies]


class Accelerator(TorchDispatchMode):
    """Watches what is done there. down, up: copies; waits: for marks; lax: what is forbidden is done and counted in
    `waited` instead, for what happens once (reading a text, building an engine)."""

    def __init__(self) -> None:
        super().__init__()
        self.down = self.up = self.waits = 0
        self.waited: list[str] = []
        self.under_way: list[Callable[[], object]] = []
        self._pinned: dict[int, torch.Tensor] = {}  # by address, which is kept from others
        self._is_lax, self._spelt = False, _Spelt()
        self._outer: Accelerator | None = None

    def __enter__(self) -> Self:
        self._outer, _MODULE.current = _MODULE.current, self
        if self._outer is None:
            _registered()
        super().__enter__()
        self._spelt.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._spelt.__exit__(*error)
        super().__exit__(*error)
        _MODULE.current = self._outer
        if self._outer is None:  # the tests after this one have no such device
            del sys.modules["torch.privateuseone"], torch.privateuseone

    @contextmanager
    def lax(self) -> Iterator[None]:
        """What would be waited for is done, and told in `waited`."""
        before, self._is_lax = self._is_lax, True
        try:
            yield
        finally:
            self._is_lax = before

    def count(self) -> tuple[int, int, int]:
        """(down, up, waits) since it was asked last."""
        found = self.down, self.up, self.waits
        self.down = self.up = self.waits = 0
        return found

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with torch.inference_mode(False), torch.no_grad():  # a tensor around another knows no inference mode
            return self._done(func, args, dict(kwargs or {}))

    def _done(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        if func._opname in MADE_OF_OTHERS:  # inference mode hands them over whole
            with self, torch._C.DisableTorchFunction():
                return func.decompose(*args, **kwargs)
        flat = tree_flatten((args, kwargs))[0]
        there = [one for one in flat if isinstance(one, There)]
        here = [one for one in flat if isinstance(one, torch.Tensor) and not isinstance(one, There)]
        goal = kwargs.get("device")
        pinned = self._pinning(func, args, kwargs, goal)
        if pinned is not None:
            return pinned
        if func is aten._to_copy.default and goal is not None and (there or goal == DEVICE):
            return self._moved(args[0], kwargs)
        if func is aten.copy_.default and (there or None) and isinstance(args[0], There) != isinstance(args[1], There):
            return self._copied(args[0], args[1], bool(kwargs.get("non_blocking") or args[2:3] == (True,)))
        if not there and not (isinstance(goal, torch.device) and goal.type == DEVICE.type):
            return func(*args, **kwargs)
        self._check(func, flat, there, here)
        made = func(*tree_map(_within, args), **tree_map(_within, kwargs))
        return _outside(func, args, made)

    def _pinning(self, func: Any, args: Any, kwargs: dict[str, Any], goal: Any) -> Any:
        """Memory that is pinned is the processor's own, with a mark."""
        if func is aten.is_pinned.default:
            return not isinstance(args[0], There) and self._is_pinned(args[0])
        if func is aten._pin_memory.default:
            made = args[0].clone()
        elif kwargs.get("pin_memory") and goal in (None, HOST):
            made = func(*args, **{**kwargs, "pin_memory": False})
        else:
            return None
        self._pinned[made.untyped_storage().data_ptr()] = made
        return made

    def _is_pinned(self, tensor: torch.Tensor) -> bool:
        return tensor.untyped_storage().data_ptr() in self._pinned

    def _moved(self, tensor: torch.Tensor, options: dict[str, Any]) -> torch.Tensor:
        """`tensor.to(...)`, from one device to the other or within one."""
        goal, waits = torch.device(options.pop("device")), not options.pop("non_blocking", False)
        inner = tensor.held if isinstance(tensor, There) else tensor
        goes_down = isinstance(tensor, There) and goal.type == "cpu"
        goes_up = not isinstance(tensor, There) and goal.type == DEVICE.type
        if goes_down:
            self.down += 1
            self._wait("a copy down that is waited for: use latentworld.transfer.landed")
        if goes_up:
            self.up += 1
            if waits or not self._is_pinned(tensor):
                self._wait("a copy up that is waited for: use latentworld.transfer.uploaded")
        made = aten._to_copy.default(inner, **options, device=HOST)
        return made if goal.type == "cpu" else There(made)

    def _copied(self, into: torch.Tensor, out_of: torch.Tensor, is_free: bool) -> torch.Tensor:
        """`into.copy_(out_of)` between the two."""
        if isinstance(into, There):
            self.up += 1
            if not is_free or not self._is_pinned(out_of):
                self._wait("a copy up that is waited for")
            into.held.copy_(out_of)
            return into
        self.down += 1
        assert isinstance(out_of, There)
        if not is_free or not self._is_pinned(into):
            self._wait("a copy down into memory that is not pinned, or that is waited for")
            into.copy_(out_of.held)
            return into
        into.view(torch.uint8).fill_(NONSENSE)  # until it was waited for
        source = out_of.held.clone()
        self.under_way.append(partial(into.copy_, source))
        return into

    def _check(self, func: Any, flat: list[Any], there: list[There], here: list[torch.Tensor]) -> None:
        strangers = [one for one in here if one.ndim > 0]
        if strangers and there:
            raise Refused(f"{func}: a tensor {tuple(strangers[0].shape)} lies on the processor, the others do not")
        masks = func in (aten.index.Tensor, aten.index_put_.default, aten.index_put.default) and any(
            one.dtype == torch.bool for one in there[1:]
        )
        if func in WAITING or masks:
            self._wait(f"{func} needs a number of the device")
        kinds = {one.dtype for one in there if one.is_floating_point()}
        if func in ALIKE and len(kinds) > 1:
            raise Refused(f"{func}: numbers of {' and '.join(sorted(map(str, kinds)))} in one product")
        if any(one.dtype == torch.float64 and one.ndim > 2 for one in there):
            self._wait(f"{func} of pictures or words in float64, which a card computes slowly")

    def _wait(self, why: str) -> None:
        if not self._is_lax:
            raise Refused(why)
        self.waited.append(why)


class _Spelt(TorchFunctionMode):
    """`torch.tensor([1, 2], device=...)` comes by no operator: the numbers are a tensor of the processor's that is
    brought there, and waited for."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        goal = kwargs.get("device")
        if func in (torch.tensor, torch.as_tensor) and goal is not None and torch.device(goal).type == DEVICE.type:
            return func(*args, **{**kwargs, "device": HOST}).to(DEVICE)
        if func is torch.Tensor.__getitem__ and isinstance(args[0], There):  # a list of numbers becomes a tensor there
            own = args[1] if isinstance(args[1], tuple) else (args[1],)
            args = args[0], tuple(torch.tensor(one).to(DEVICE) if isinstance(one, list) else one for one in own)
        if func is torch.Tensor.new_tensor and isinstance(args[0], There):
            return torch.tensor(args[1], dtype=kwargs.get("dtype", args[0].dtype)).to(DEVICE)
        return func(*args, **kwargs)


def _within(value: Any) -> Any:
    if isinstance(value, There):
        return value.held
    return HOST if isinstance(value, torch.device) and value.type == DEVICE.type else value


def _outside(func: Any, args: Any, made: Any) -> Any:
    """What was made, there; what an operation changed in place is the very tensor that it was given."""
    owners = {id(one.held): one for one in tree_flatten(args)[0] if isinstance(one, There)}

    def wrapped(one: Any) -> Any:
        return owners.get(id(one), one) if id(one) in owners or not isinstance(one, torch.Tensor) else There(one)

    return tree_map(wrapped, made)


class _Module(types.ModuleType):
    """What torch keeps of a kind of device in a module of its name."""

    current: Accelerator | None = None

    def is_available(self) -> bool:
        return True

    def device_count(self) -> int:
        return 1

    def current_device(self) -> int:
        return 0

    def manual_seed_all(self, seed: int) -> None:
        return None

    def _lazy_init(self) -> None:
        return None

    def _is_in_bad_fork(self) -> bool:
        return False

    def current_stream(self, device: Any = None) -> Any:
        assert self.current is not None
        return types.SimpleNamespace(record_event=partial(_Mark, self.current))


_MODULE = _Module("torch.privateuseone")
_GUARD = _DummyDeviceGuard()
_GUARDED: list[bool] = []


def _registered() -> None:
    torch._register_device_module("privateuseone", _MODULE)
    if not _GUARDED:  # torch takes one, and for good
        torch._C._acc.register_python_privateuseone_device_guard(_GUARD)
        _GUARDED.append(True)
