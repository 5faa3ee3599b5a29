"""What takes long is done here, off the loop: worlds are loaded, decoders built and warmed, texts encoded.

A builder hands over only what is finished: its engines are built and its first picture was finite. The loop asks
`finished` at a tick's beginning and swaps; until then the old scene goes on, and where a build fails it stays.
"""

from __future__ import annotations

import logging
import math
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from installation.rig import Cast, Studio, cast_of, open_studio, performed, recast
from latentworld.decoding.decoder import Decoder
from latentworld.errors import DecodeError, LatentWorldError
from latentworld.preset import Preset
from latentworld.prompts import Prompt

# ticks from a control to its picture at the worst: one under way, its own, one until it is on the wall, and what the
# loop does besides decoding (measured: p99 is 3.5 times what a batch took when it was tried)
LAG = 3.6
WORTH = 0.93  # of the time a picture takes: a larger batch that gains less is not worth its latency
LARGEST = 16

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Order:
    """What is wanted: a world by name, and its cast; cast.batch 0: as many at a time as latency allows."""

    world: str
    cast: Cast


@dataclass(frozen=True, eq=False)
class Built:
    """An order's studio, warm, and the seconds a picture takes in it; or what went wrong."""

    order: Order
    studio: Studio | None
    seconds: float = 0.0
    fault: str = ""


class Builder:
    """One thread that builds what was ordered last.

    preset: what other worlds are opened with. now: the time. open: from a preset to a studio.
    """

    def __init__(
        self, preset: Preset, now: Callable[[], float], open: Callable[[Preset], Studio] = open_studio
    ) -> None:
        self.preset, self._now, self._open = preset, now, open
        self._ready = threading.Condition()
        self._order: tuple[Order, Studio, Prompt] | None = None
        self._built: Built | None = None
        self._closed = False
        self.busy = False
        self._thread = threading.Thread(target=self._work, name="builder", daemon=True)
        self._thread.start()

    def order(self, order: Order, studio: Studio, prompt: Prompt) -> None:
        """Build this next, out of `studio` where its world is the same; an order not yet begun is forgotten."""
        with self._ready:
            self._order, self._built, self.busy = (order, studio, prompt), None, True
            self._ready.notify()

    def finished(self) -> Built | None:
        """What was ordered last, once, when it is done."""
        with self._ready:
            built, self._built = self._built, None
            return built

    def close(self) -> None:
        """Begin nothing new."""
        with self._ready:
            self._closed = True
            self._ready.notify()

    def _work(self) -> None:
        while True:
            with self._ready:
                while self._order is None and not self._closed:
                    self._ready.wait()
                if self._closed:
                    return
                assert self._order is not None
                (order, studio, prompt), self._order = self._order, None
            built = self._build(order, studio, prompt)
            with self._ready:
                if self._order is None:
                    self._built, self.busy = built, False
            del studio, built  # the world that was replaced must not be kept alive by a thread that waits
            _free_memory()

    def _build(self, order: Order, studio: Studio, prompt: Prompt) -> Built:
        try:
            made, seconds = self.build(order, studio, prompt)
            return Built(order, made, seconds)
        except LatentWorldError as error:
            return Built(order, None, fault=str(error))
        except Exception as error:  # a library's own: the show goes on with what it has
            _log.exception("the builder failed")
            return Built(order, None, fault=f"{type(error).__name__} while building: {error}".splitlines()[0][:300])

    def build(self, order: Order, studio: Studio, prompt: Prompt) -> tuple[Studio, float]:
        """As ordered, and the seconds a picture takes. Raises LatentWorldError."""
        cast, busy = order.cast, (studio.decoder, studio.scout)
        if order.world != studio.preset.world.name:
            studio = self._open(self._elsewhere(order))
            cast = replace(cast_of(studio), batch=cast.batch) if cast.kind == studio.preset.decoder.kind else cast
        if cast.batch:
            return warm(recast(studio, cast), prompt, self._now, busy)
        return fitting(recast(studio, replace(cast, batch=1)), prompt, self.preset.show.latency, self._now)

    def _elsewhere(self, order: Order) -> Preset:
        """The preset of another world: its card decides what the first world's did."""
        world = self.preset.world.model_copy(update={"name": order.world, "revision": None})
        kept = self.preset.decoder
        device = {key: getattr(kept, key) for key in ("device", "dtype", "engine")}
        played = performed(self.preset.model_copy(update={"decoder": type(kept)(**device)})).decoder
        decoder = played.model_copy(update={"kind": order.cast.kind, "batch": order.cast.batch or 1})
        eye, plane = type(self.preset.eye)(), self.preset.plane.model_copy(update={"vertices": None})
        return self.preset.model_copy(update={"world": world, "decoder": decoder, "eye": eye, "plane": plane})


class PromptEncoder:
    """A thread that encodes texts. `knows` says which are ready."""

    def __init__(self, fault: Callable[[str], None]) -> None:
        self._fault = fault
        self._texts: queue.SimpleQueue[tuple[Any, str] | None] = queue.SimpleQueue()
        self._asked: set[tuple[int, str]] = set()
        threading.Thread(target=self._work, name="prompt_encoder", daemon=True).start()

    def knows(self, encoder: Any, text: str) -> bool:
        """Whether a text is encoded; a decoder without an encoder reads none."""
        return encoder is None or bool(encoder.knows(text))

    def type(self, encoder: Any, texts: Sequence[str]) -> None:
        """Encode these, each once."""
        for text in texts:
            if (id(encoder), text) not in self._asked:
                self._asked.add((id(encoder), text))
                self._texts.put((encoder, text))

    def drain(self, patience: float) -> bool:
        """Wait until all that was asked for is encoded; False when it took longer."""
        done = threading.Event()
        self._texts.put((_Mark(done), ""))
        return done.wait(patience)

    def close(self) -> None:
        """Begin nothing new."""
        self._texts.put(None)

    def _work(self) -> None:
        while (asked := self._texts.get()) is not None:
            encoder, text = asked
            try:
                encoder.text(text)
            except Exception as error:
                _log.exception("a text could not be encoded")
                self._fault(f"the text {text!r:.60} could not be encoded ({error}); use another")
            else:
                self._asked.discard((id(encoder), text))


@dataclass(frozen=True)
class _Mark:
    """An encoder that tells when it is its turn."""

    done: threading.Event

    def text(self, text: str) -> None:
        """Tell."""
        self.done.set()


def encoder_of(studio: Studio) -> Any:
    """Where a studio's texts are encoded; None in a world that reads none."""
    return getattr(studio.decoder, "prompts", None)


def warm(
    studio: Studio, prompt: Prompt, now: Callable[[], float], busy: Sequence[Decoder] = (), repeats: int = 2
) -> tuple[Studio, float]:
    """The studio with its engines built, and the seconds one of its pictures takes, features included.

    busy: decoders that the loop is using, and nobody else may. Raises DecodeError where its first picture is not
    finite.
    """
    import torch

    batch = studio.decoder.profile.batch
    start = np.tile(studio.plane.unit(0.0, 0.0), (batch, 1))
    latents = studio.plane.latents(start, 1.0)
    took = math.inf
    for turn in range(1 + repeats):
        began = now()
        pictures = studio.decoder(latents, prompt)
        features = studio.eye(pictures)
        passed = now() - began
        took = min(took, passed) if turn else math.inf  # the first one builds
        if not (torch.isfinite(pictures).all() and torch.isfinite(features).all()):
            raise DecodeError("its first picture is not finite: choose another dtype, decoder or world")
    if all(studio.scout is not other for other in (studio.decoder, *busy)):
        studio.eye(studio.scout(latents[:1], prompt))  # what the helm feels with
    return studio, took / studio.decoder.profile.batch


def fitting(studio: Studio, prompt: Prompt, latency: float, now: Callable[[], float]) -> tuple[Studio, float]:
    """The studio (of batch 1) with the batch that makes most pictures a second within `latency` seconds from a control
    to its picture. A batch is tried where it may fit, and kept where it gains enough for what it delays."""
    best, seconds = warm(studio, prompt, now)
    cast = cast_of(best)
    while 2 * cast.batch <= LARGEST and LAG * 1.5 * seconds * cast.batch <= latency:
        cast = replace(cast, batch=2 * cast.batch)
        more, took = warm(recast(best, cast), prompt, now)
        fits = LAG * took * cast.batch <= latency and cast_of(more).batch == cast.batch
        if not fits or took > WORTH * seconds:
            break
        best, seconds = more, took
    return best, seconds


def _free_memory() -> None:
    from latentworld.decoding.batches import free_memory

    free_memory()
