"""Where tensors lie: all that moves them between the processor and a device, so that neither waits for the other.

A processor that asks a device for a number waits until all that it was given is done, and the device then waits for the
processor. So what a live picture needs goes up without waiting (`uploaded`), and comes down once a batch, when it is
done (`landed`); between the two nothing looks at numbers. On a processor both give back what they are given.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch
    from torch import Tensor

AHEAD = 2  # steps that a processor may have asked for and a device not done


class Event(Protocol):
    """A mark in what a device was asked to do."""

    def synchronize(self) -> None:
        """Wait until the device has come so far."""
        ...


def streams(device: torch.device) -> bool:
    """Whether a device works beside the processor through a stream, and copies from pinned memory (CUDA, ROCm, XPU).
    Apple's shares the processor's memory, and its copies are safe only where they are waited for."""
    return device.type not in ("cpu", "mps", "meta")


def uploaded(tensor: Tensor, device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """A tensor of the processor's on a device; what lies there already stays."""
    if tensor.device.type != "cpu" or not streams(device):
        return tensor.to(device, dtype)
    return (tensor if dtype is None else tensor.to(dtype)).pin_memory().to(device, non_blocking=True)


def landed(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Tensors of one device on the processor, by one copy for all of them; what lies there already stays."""
    import torch

    device = tensors[0].device
    if not streams(device):
        return tuple(tensor.cpu() for tensor in tensors)
    # the widest numbers first: then each begins where its kind may begin
    order = sorted(range(len(tensors)), key=lambda number: -tensors[number].element_size())
    packed = torch.cat([tensors[number].reshape(-1).view(torch.uint8) for number in order])
    held = torch.empty(packed.shape, dtype=torch.uint8, pin_memory=True)
    held.copy_(packed, non_blocking=True)
    marked(device).synchronize()
    pieces = torch.split(held, [tensors[number].numel() * tensors[number].element_size() for number in order])
    found = {
        number: piece.view(tensors[number].dtype).view(tensors[number].shape)
        for number, piece in zip(order, pieces, strict=True)
    }
    return tuple(found[number] for number in range(len(tensors)))


def marked(device: torch.device) -> Event:
    """A mark behind all that a device was asked to do so far."""
    import torch

    event: Event = torch.get_device_module(device).current_stream(device).record_event()
    return event


class Pace:
    """Holds a processor back that would run far ahead of its device: then steps would be told as done that are hours
    of launches away, and a call that is cancelled would go on. The device never waits for it."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._marks: deque[Event] = deque()

    def step(self) -> None:
        """A step was asked for: wait for the one AHEAD before it."""
        if not streams(self._device):
            return
        self._marks.append(marked(self._device))
        if len(self._marks) > AHEAD:
            self._marks.popleft().synchronize()
