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
from functools import partial

import numpy as np

from installation.frames import see
from installation.render.live_preset import elsewhere
from installation.rig import open_studio
from installation.studio import Studio, lookout
from latentworld import emphasis
from latentworld.decoding import Decoder, DecoderSettings
from latentworld.errors import DecodeError, LatentWorldError
from latentworld.preset import Preset
from latentworld.prompts import Prompt, Texts

# ticks from a control to its picture at the worst: one under way, its own, one until it is on the wall, and what the
# loop does besides decoding (measured: p99 is 3.5 times what a batch took when it was tried)
LAG = 3.6
WORTH = 0.93  # of the time a picture takes: a larger batch that gains less is not worth its latency
LARGEST = 16

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Order:
    """What is wanted: a world by name, and how its pictures are made; fit: as many at a time as latency allows."""

    world: str
    settings: DecoderSettings
    fit: bool = False


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
        settings, busy = order.settings, (studio.decoder, studio.scout)
        if order.world != studio.preset.world.name:
            studio = self._open(elsewhere(self.preset, order.world, settings))
            settings = replace(studio.settings, batch=settings.batch)  # all else its own card decides
        if order.fit:
            one = studio.variant(replace(settings, batch=1))
            return fitting(one, prompt, self.preset.show.latency, self._now)
        return warm(studio.variant(settings), prompt, self._now, busy)


class PromptEncoder:
    """A thread that encodes texts. `knows` says which are ready."""

    def __init__(self, fault: Callable[[str], None]) -> None:
        self._fault = fault
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._pending: set[tuple[int, str]] = set()
        threading.Thread(target=self._work, name="prompt_encoder", daemon=True).start()

    def knows(self, encoder: Texts | None, text: str) -> bool:
        """Whether a text is encoded; a decoder without an encoder reads none."""
        return encoder is None or encoder.knows(text)

    def type(self, encoder: Texts | None, texts: Sequence[str]) -> None:
        """Encode these, each once."""
        if encoder is None:
            return
        for text in texts:
            if (id(encoder), text) not in self._pending:
                self._pending.add((id(encoder), text))
                self._jobs.put(partial(self._encode, encoder, text))

    def fits(self, decoders: Sequence[Decoder], prompt: Prompt) -> bool:
        """Whether these are ready for a prompt of this length, whose texts are encoded; what is lacking is built here,
        once."""
        lacking = [decoder for decoder in decoders if not decoder.fits(prompt)]
        texts = repr([[text for text, _ in mixture] for mixture in (prompt.toward, prompt.away)])
        for decoder in lacking:
            key = (id(decoder), texts)
            if key not in self._pending:
                self._pending.add(key)
                self._jobs.put(partial(self._fit, decoder, prompt, key))
        return not lacking

    def drain(self, patience: float) -> bool:
        """Wait until all that was asked for is encoded; False when it took longer."""
        done = threading.Event()
        self._jobs.put(done.set)
        return done.wait(patience)

    def close(self) -> None:
        """Begin nothing new."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def _fit(self, decoder: Decoder, prompt: Prompt, key: tuple[int, str]) -> None:
        try:
            decoder.fit(prompt)
        except Exception as error:
            _log.exception("an engine could not be built for a prompt")
            why = " ".join(str(error).split())
            self._fault(f"no engine could be built for a prompt so long ({why:.120}); use a shorter one")
        else:
            self._pending.discard(key)

    def _encode(self, encoder: Texts, text: str) -> None:
        try:
            for note in emphasis.read(text).notes:
                self._fault(note)
            encoder.text(text)
        except Exception as error:
            _log.exception("a text could not be encoded")
            self._fault(f"the text {text!r:.60} could not be encoded ({error}); use another")
        else:
            self._pending.discard((id(encoder), text))


@dataclass(frozen=True, eq=False)
class Workers:
    """Who does what takes long, each on a thread of its own."""

    builder: Builder
    encoder: PromptEncoder

    def close(self) -> None:
        """Begin nothing new."""
        self.builder.close()
        self.encoder.close()


def warm(
    studio: Studio, prompt: Prompt, now: Callable[[], float], busy: Sequence[Decoder] = (), repeats: int = 2
) -> tuple[Studio, float]:
    """The studio with its engines built, and the seconds one of its pictures takes, features included.

    busy: decoders that the loop is using, and nobody else may. Raises DecodeError where its first picture is not
    finite.
    """
    import torch

    batch = studio.settings.batch
    start = np.tile(studio.plane.unit(0.0, 0.0), (batch, 1))
    latents = studio.plane.latents(start, 1.0)
    took = math.inf
    for turn in range(1 + repeats):
        began = now()
        pictures = studio.decoder(latents, prompt, stay=True)
        seen = see(pictures, studio.eye(pictures))
        passed = now() - began
        took = min(took, passed) if turn else math.inf  # the first one builds
        if not (seen.finite.all() and torch.isfinite(seen.features).all()):
            raise DecodeError("its first picture is not finite: choose another dtype, decoder or world")
    if all(studio.scout is not other for other in (studio.decoder, *busy)):
        lookout(studio.plane, studio.scout, studio.eye, prompt)(start[:1], np.ones(1))  # what the pilot looks with
    return studio, took / studio.settings.batch


def fitting(studio: Studio, prompt: Prompt, latency: float, now: Callable[[], float]) -> tuple[Studio, float]:
    """The studio (of batch 1) with the batch that makes most pictures a second within `latency` seconds from a control
    to its picture. A batch is tried where it may fit, and kept where it gains enough for what it delays."""
    best, seconds = warm(studio, prompt, now)
    batch = best.settings.batch
    while 2 * batch <= LARGEST and LAG * 1.5 * seconds * batch <= latency:
        batch *= 2
        more, took = warm(best.variant(replace(best.settings, batch=batch)), prompt, now)
        fits = LAG * took * batch <= latency and more.settings.batch == batch
        if not fits or took > WORTH * seconds:
            break
        best, seconds = more, took
    return best, seconds


def _free_memory() -> None:
    from latentworld.decoding.batches import free_memory

    free_memory()
