"""Modules as engines run them: an engine for each shape of what a module is given, shared by all decoders alike."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from torch import Tensor

    from latentworld.decoding.engines import Run
    from latentworld.decoding.settings import DecoderSettings

KEPT = 3  # engines: a cross-fade has the lengths of two texts, and of both
HELD = 2  # kinds of engines of one recipe, where recipes come and go
Shapes = tuple[tuple[int, ...], ...]


class Shaped:
    """Runs inputs through the engine that was built for their shapes; the last KEPT ones are kept.

    build: (example) -> an engine; follows: whether one engine takes every shape, as eager does. Several threads may
    call it.
    """

    def __init__(self, build: Callable[[tuple[Tensor, ...]], Run], follows: bool) -> None:
        self._build, self.follows = build, follows
        self._engines: OrderedDict[Shapes, Run] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, *inputs: Tensor) -> Tensor:
        """What the module makes of these inputs; an engine that is lacking is built first."""
        key = self._key(inputs)
        with self._lock:
            engine = self._engines.get(key)
            if engine is not None:
                self._engines.move_to_end(key)
        return (self._built(key, inputs) if engine is None else engine)(*inputs)

    def knows(self, inputs: Sequence[Tensor]) -> bool:
        """Whether an engine for inputs of these shapes is there, so that the next call only computes."""
        with self._lock:
            return self._key(inputs) in self._engines

    @property
    def warm(self) -> bool:
        """Whether there is an engine at all."""
        return bool(self._engines)

    def _key(self, inputs: Sequence[Tensor]) -> Shapes:
        return () if self.follows else tuple(tuple(tensor.shape) for tensor in inputs)

    def _built(self, key: Shapes, inputs: tuple[Tensor, ...]) -> Run:
        """Built outside the lock: nobody waits for another's engine."""
        engine = self._build(inputs)
        with self._lock:
            engine = self._engines.setdefault(key, engine)
            while len(self._engines) > KEPT:
                self._engines.popitem(last=False)
        return engine


class Runs:
    """What runs a recipe's networks for pictures of one size, so many at a time: the denoiser by the rows of its texts,
    and the painter, None until it is built."""

    def __init__(self) -> None:
        self.denoise: dict[int, Shaped] = {}
        self.paint: Run | None = None


class Shelf:
    """The runs of one recipe: decoders alike find each other's."""

    def __init__(self) -> None:
        self._found: WeakValueDictionary[tuple[object, ...], Runs] = WeakValueDictionary()
        self._held: deque[Runs] = deque(maxlen=HELD)
        self._lock = threading.Lock()

    def runs(self, settings: DecoderSettings) -> Runs:
        """Those for these settings. They last as long as a decoder that has them; where LoRA are played also while none
        has, so that to come back to a strength takes no time."""
        with self._lock:
            key = (settings.runner, settings.batch, settings.size)
            found = self._found.setdefault(key, Runs())
            if settings.loras and found not in self._held:
                self._held.append(found)
            return found
