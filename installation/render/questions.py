"""Questions about the running model, answered beside the loop: `words` and `diffusion`.

words      {texts: [...], numbers?: n} -> {points [[x, y]], here [x, y], texts, mixture [[text, weight]], cosines [[c]],
           tensor [n first numbers], dimension, spread [share of the variance along x, along y]}
           pooled text embeddings of the words and of the prompt as it is mixed now, their principal plane, and how
           near each is to each (the last row and column: the mixture).
diffusion  {steps?: n, size?: pixels} -> {index, alpha, beta, steps: [{time, kept, noise, latent, clean, noised}],
           picture, texts} every denoising step of the newest frame by the faithful decoder, first to last: the latent
           before the step and the picture predicted there, as PNG in base64; `kept` is alpha bar, `noise` 1 - it;
           `noised` is the finished latent with as much noise put back on: training's forward process. `latent0` is the
           finished latent.

A question goes on by one UNet step a tick (`tick` gives the permit), so that the show goes on; it can be cancelled.
"""

from __future__ import annotations

import base64
import io
import logging
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from installation.control.parameters import LONGEST
from installation.frames import develop
from installation.studio import Studio
from latentworld.arrays import Array
from latentworld.errors import Cancelled, ControlError, LatentWorldError
from latentworld.prompts import Mixture, Prompt
from latentworld.worlds import LatentFormat

if TYPE_CHECKING:
    from torch import Tensor

    from latentworld.decoding.diffusion import Diffusion

MOST_TEXTS, MOST_STEPS, WAITING = 32, 100, 8
PATIENCE = 5.0  # seconds without a tick after which a question does not wait for one
PATCH = 4  # pixels of a latent's element in its picture
NUMBERS = 16

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Moment:
    """What a question is about: the newest frame's place and scene."""

    studio: Studio
    prompt: Prompt
    index: int
    unit: Array
    radius: float
    plane: Any


class Questions:
    """One thread that answers one question after another.

    moment: the newest frame and its scene, None before any; send: `Wire.send`.
    """

    def __init__(self, moment: Callable[[], Moment | None], send: Callable[..., None]) -> None:
        self._moment, self._send = moment, send
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue(WAITING)
        self._permit = threading.Event()  # a question that sleeps collects no permits: one at most
        self._open: set[Any] = set()
        self._cancelled: set[Any] = set()
        self._closed = False
        self._observer: tuple[Diffusion, Diffusion] | None = None  # of which world, and the decoder that is watched
        threading.Thread(target=self._work, name="asks", daemon=True).start()

    def ask(self, message: Mapping[str, Any]) -> None:
        """An `ask` message. Too many at a time are refused."""
        self._open.add(message.get("id"))
        try:
            self._queue.put_nowait(dict(message))
        except queue.Full:
            self._open.discard(message.get("id"))
            self._send("answer", id=message.get("id"), fault=f"{WAITING} questions wait already: ask again")

    def cancel(self, message: Mapping[str, Any]) -> None:
        """A `cancel` message: the question is not answered."""
        if message.get("id") in self._open:
            self._cancelled.add(message["id"])
            self._permit.set()

    def tick(self) -> None:
        """A tick was made: a question may go on by a step."""
        self._permit.set()

    def close(self) -> None:
        """Answer nothing more."""
        self._closed = True
        self._permit.set()

    def _work(self) -> None:
        while not self._closed and (message := self._queue.get()) is not None:
            number = message.get("id")
            try:
                content = self._answer(message)
                self._send("answer", id=number, **content)
            except Cancelled:
                pass
            except LatentWorldError as error:
                self._send("answer", id=number, fault=str(error))
            except Exception as error:
                _log.exception("a question could not be answered")
                self._send("answer", id=number, fault=f"{type(error).__name__}: {error}".splitlines()[0][:300])
            self._open.discard(number)
            self._cancelled.discard(number)

    def _answer(self, message: Mapping[str, Any]) -> dict[str, Any]:
        what, moment = message.get("what"), self._moment()
        if moment is None:
            raise ControlError("there is no frame yet: ask again")
        if what == "words":
            return self._words(message, moment)
        if what == "diffusion":
            return self._diffusion(message, moment)
        raise ControlError(f"no question {what!r:.40}: ask words or diffusion")

    def _step(self, number: Any) -> None:
        """Wait for a tick. Raises Cancelled."""
        if number not in self._cancelled and not self._closed:
            self._permit.wait(PATIENCE)
            self._permit.clear()
        if number in self._cancelled or self._closed:
            raise Cancelled("the question was taken back")

    # ---- semantic vector routing

    def _words(self, message: Mapping[str, Any], moment: Moment) -> dict[str, Any]:
        encoder = moment.studio.decoder.texts
        if encoder is None:
            raise ControlError("the analytic world reads no words: choose another world")
        texts = message.get("texts")
        if not isinstance(texts, list) or not 1 <= len(texts) <= MOST_TEXTS or not all(map(_fits, texts)):
            raise ControlError(f"words wants 1 to {MOST_TEXTS} texts of at most {LONGEST} printable characters")
        numbers = message.get("numbers", NUMBERS)
        numbers = min(max(numbers, 1), 1024) if isinstance(numbers, int) else NUMBERS
        pooled: dict[str, Array] = {}
        for text in (*texts, *(text for text, _ in moment.prompt.toward)):
            if text not in pooled:
                if not encoder.knows(text):
                    self._step(message.get("id"))
                pooled[text] = encoder.pooled(text)
        return routed(texts, pooled, moment.prompt.toward, numbers)

    # ---- the reverse-diffusion engine

    def _diffusion(self, message: Mapping[str, Any], moment: Moment) -> dict[str, Any]:
        import torch

        steps = message.get("steps")
        asked = steps if isinstance(steps, int) and not isinstance(steps, bool) and steps > 0 else None
        decoder = self._observed(moment.studio, asked)
        latent = decoder.latent
        size = message.get("size", 128)
        size = min(max(size, 16), 512) if isinstance(size, int) else 128
        start = moment.plane.latents(moment.unit[None], np.array([moment.radius]))
        noise = torch.randn(start.shape, generator=torch.Generator().manual_seed(0))
        made: list[dict[str, Any]] = []
        kept: list[float] = []
        last = start
        moments = decoder.moments(start, moment.prompt)
        while True:
            self._step(message.get("id"))
            found = next(moments, None)
            if found is None:
                break
            self._step(message.get("id"))  # painting takes as long as a step
            kept.append(found.kept)
            clean, last = png(develop(decoder.paint(found.clean))[0], size), found.after.cpu()
            made.append({"time": found.time, "kept": found.kept, "noise": 1.0 - found.kept,
                         "latent": png(seen(found.sample.cpu(), latent), size), "clean": clean})  # fmt: skip
        for step, share in zip(made, kept, strict=True):
            step["noised"] = png(seen(share**0.5 * last + (1.0 - share) ** 0.5 * noise, latent), size)
        alpha, beta, _ = moment.plane.chart(moment.unit)
        return {"index": moment.index, "alpha": float(alpha), "beta": float(beta), "steps": made,
                "latent0": png(seen(last, latent), size), "picture": png(develop(decoder.paint(last))[0], size),
                "texts": [list(part) for part in moment.prompt.toward]}  # fmt: skip

    def _observed(self, studio: Studio, steps: int | None) -> Diffusion:
        """The faithful decoder of the studio's world, kept while that is shown. Raises ControlError."""
        if studio.networks is None:
            raise ControlError("the analytic world has no denoiser to watch: choose another world")
        wanted = studio.observed if steps is None else replace(studio.observed, steps=min(steps, MOST_STEPS))
        if self._observer is None or self._observer[0] is not studio.networks:
            self._observer = (studio.networks, studio.networks.variant(wanted))
        root, before = self._observer
        self._observer = (root, before.variant(wanted))
        return self._observer[1]


def routed(texts: Sequence[str], pooled: Mapping[str, Array], mixture: Mixture, numbers: int) -> dict[str, Any]:
    """The answer to `words`, of pooled embeddings [F] by text.

    The plane is that of the first two principal components of the words and the mixture; the larger coordinates point
    up and right, so that it does not flip from answer to answer.
    """
    whole = sum(weight for _, weight in mixture)
    here = np.sum([weight / whole * pooled[text] for text, weight in mixture], axis=0)
    rows = np.stack([*(pooled[text] for text in texts), here])
    centred = rows - rows.mean(axis=0)
    _, scales, axes = np.linalg.svd(centred, full_matrices=False)
    two = np.zeros((2, rows.shape[1]))
    two[: min(2, len(axes))] = axes[:2]
    flat = centred @ two.T
    flat *= np.where(flat[np.abs(flat).argmax(axis=0), (0, 1)] < 0, -1.0, 1.0)
    variance = np.append(scales**2, 0.0)
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return {
        "texts": list(texts),
        "points": flat[:-1].tolist(),
        "here": flat[-1].tolist(),
        "mixture": [list(part) for part in mixture],
        "cosines": (unit @ unit.T).tolist(),
        "tensor": here[:numbers].tolist(),
        "dimension": int(rows.shape[1]),
        "spread": (variance[:2] / max(variance.sum(), 1e-12)).tolist(),
    }


def seen(sample: Tensor, latent: LatentFormat) -> NDArray[np.uint8]:
    """A latent [1, C, H, W] as a picture uint8[h, w, 3] in its family's colours, enlarged so that its elements are seen
    as what they are."""
    levels = np.rint(latent.glance(sample[0].float().numpy()) * 255).astype(np.uint8)
    return np.repeat(np.repeat(levels, PATCH, axis=0), PATCH, axis=1)


def png(picture: NDArray[np.uint8], longest: int) -> str:
    """A picture uint8[h, w, 3], at most `longest` pixels a side, as PNG in base64."""
    from PIL import Image

    image = Image.fromarray(picture)
    if max(image.size) > longest:
        image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def _fits(text: object) -> bool:
    return isinstance(text, str) and len(text) <= LONGEST and text.isprintable()
