"""Questions about the running model, answered beside the loop: `WordsQuestion`, `DiffusionQuestion`, `FindQuestion`,
`PictureQuestion`.

Words: pooled text embeddings of the words and of the prompt as it is mixed now, their principal plane, and how near
each is to each. Diffusion: every denoising step of the newest frame by the faithful decoder, first to last: the latent
before the step and the picture predicted there, and the finished latent with as much noise put back on, which is
training's forward process. Find: how like a text, to the eye, each place of the atlas underneath is.

A question goes on by one UNet step a tick (`tick` gives the permit), so that the show goes on; it can be cancelled.
"""

from __future__ import annotations

import base64
import io
import logging
import math
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from installation.frames import develop
from installation.ipc.messages import Answer
from installation.ipc.questions import (
    DenoisingStep,
    DiffusionAnswer,
    DiffusionQuestion,
    FindAnswer,
    FindQuestion,
    PictureAnswer,
    PictureQuestion,
    WordsAnswer,
    WordsQuestion,
)
from installation.render.vertex_maker import VertexMaker
from installation.render.word_find import found
from installation.studio import Studio
from latentworld.arrays import Array
from latentworld.errors import Cancelled, ControlError, LatentWorldError
from latentworld.plane import Plane
from latentworld.prompts import LONGEST, Mixture, Prompt, readable
from latentworld.worlds import LatentFormat

if TYPE_CHECKING:
    from torch import Tensor

    from latentworld.atlas.prior import Prior
    from latentworld.decoding.diffusion import Diffusion

MOST_TEXTS, MOST_STEPS, MOST_NUMBERS, WAITING = 32, 100, 1024, 8
LARGEST = 512  # pixels of a picture in an answer
PATIENCE = 5.0  # seconds without a tick after which a question does not wait for one
PATCH = 4  # pixels of a latent's element in its picture

AnyQuestion = WordsQuestion | DiffusionQuestion | FindQuestion | PictureQuestion
AnyAnswer = WordsAnswer | DiffusionAnswer | FindAnswer | PictureAnswer

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Moment:
    """What a question is about: the newest frame's place and scene, and the atlas of just that, if there is one."""

    studio: Studio
    prompt: Prompt
    index: int
    unit: Array
    radius: float
    plane: Plane
    map: Prior | None = None


class Questions:
    """One thread that answers one question after another.

    moment: the newest frame and its scene, None before any; send: `Wire.send`; adopt: takes a new vertex file.
    """

    def __init__(
        self, moment: Callable[[], Moment | None], send: Callable[[Answer], None],
        adopt: Callable[[str], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self._moment, self._send, self._maker = moment, send, VertexMaker(adopt)
        self._queue: queue.Queue[tuple[int, AnyQuestion]] = queue.Queue(WAITING)
        self._permit = threading.Event()  # a question that sleeps collects no permits: one at most
        self._open: set[int] = set()
        self._cancelled: set[int] = set()
        self._closed = False
        self._observer: tuple[Diffusion, Diffusion] | None = None  # of which world, and the decoder that is watched
        threading.Thread(target=self._work, name="questions", daemon=True).start()

    def ask(self, number: int, question: AnyQuestion) -> None:
        """Answer this under its number, in its turn. Too many at a time are refused."""
        self._open.add(number)
        try:
            self._queue.put_nowait((number, question))
        except queue.Full:
            self._open.discard(number)
            self._send(Answer(number, fault=f"{WAITING} questions wait already: ask again"))

    def cancel(self, number: int) -> None:
        """The question of that number is not answered."""
        if number in self._open:
            self._cancelled.add(number)
            self._permit.set()

    def tick(self) -> None:
        """A tick was made: a question may go on by a step."""
        self._permit.set()

    def close(self) -> None:
        """Answer nothing more."""
        self._closed = True
        self._permit.set()

    def _work(self) -> None:
        while not self._closed:
            number, question = self._queue.get()
            try:
                self._send(Answer(number, self._answer(number, question)))
            except Cancelled:
                pass
            except LatentWorldError as error:
                self._send(Answer(number, fault=str(error)))
            except Exception as error:
                _log.exception("a question could not be answered")
                self._send(Answer(number, fault=f"{type(error).__name__}: {error}".splitlines()[0][:300]))
            self._open.discard(number)
            self._cancelled.discard(number)

    def _answer(self, number: int, question: AnyQuestion) -> AnyAnswer:
        moment = self._moment()
        if moment is None:
            raise ControlError("there is no frame yet: ask again")
        match question:
            case WordsQuestion():
                return self._words(number, question, moment)
            case DiffusionQuestion():
                return self._diffusion(number, question, moment)
            case FindQuestion():
                return found(question, moment.studio.eye, moment.map)
            case PictureQuestion():
                return self._maker(question, moment.studio, moment.plane, moment.prompt, lambda *_: self._go(number))

    def _go(self, number: int) -> bool:
        """A call of the network has been made: the next one waits for a tick. Raises Cancelled."""
        self._step(number)
        return True

    def _step(self, number: int) -> None:
        """Wait for a tick. Raises Cancelled."""
        if number not in self._cancelled and not self._closed:
            self._permit.wait(PATIENCE)
            self._permit.clear()
        if number in self._cancelled or self._closed:
            raise Cancelled("the question was taken back")

    # ---- semantic vector routing

    def _words(self, number: int, question: WordsQuestion, moment: Moment) -> WordsAnswer:
        encoder = moment.studio.decoder.texts
        if encoder is None:
            raise ControlError("the analytic world reads no words: choose another world")
        texts = question.texts
        if not 1 <= len(texts) <= MOST_TEXTS or not all(map(readable, texts)):
            raise ControlError(f"words wants 1 to {MOST_TEXTS} texts of at most {LONGEST} characters")
        pooled: dict[str, Array] = {}
        for text in (*texts, *(text for text, _ in moment.prompt.toward)):
            if text not in pooled:
                if not encoder.knows(text):
                    self._step(number)
                pooled[text] = encoder.pooled(text)
        return routed(texts, pooled, moment.prompt.toward, min(max(question.numbers, 1), MOST_NUMBERS))

    # ---- the reverse-diffusion engine

    def _diffusion(self, number: int, question: DiffusionQuestion, moment: Moment) -> DiffusionAnswer:
        import torch

        count = question.steps if question.steps is not None and question.steps > 0 else None
        decoder = self._observed(moment.studio, count)
        latent = decoder.latent
        size = min(max(question.size, 16), LARGEST)
        start = moment.plane.latents(moment.unit[None], np.array([moment.radius]))
        noise = torch.randn(start.shape, generator=torch.Generator().manual_seed(0))
        made: list[DenoisingStep] = []
        last = start
        moments = decoder.moments(start, moment.prompt)
        while True:
            self._step(number)
            found = next(moments, None)
            if found is None:
                break
            self._step(number)  # painting takes as long as a step
            clean, last = png(develop(decoder.paint(found.clean))[0], size), found.after.cpu()
            before = png(seen(found.sample.cpu(), latent), size)
            made.append(DenoisingStep(float(found.time), found.alpha_bar, 1.0 - found.alpha_bar, before, clean))
        steps = tuple(
            msgspec.structs.replace(step, noised=_noised(step.alpha_bar, last, noise, latent, size)) for step in made
        )
        alpha, beta, _ = moment.plane.chart(moment.unit)
        return DiffusionAnswer(
            index=moment.index,
            alpha=_finite(alpha),
            beta=_finite(beta),
            steps=steps,
            latent0=png(seen(last, latent), size),
            picture=png(develop(decoder.paint(last))[0], size),
            texts=moment.prompt.toward,
        )

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


def routed(texts: Sequence[str], pooled: Mapping[str, Array], mixture: Mixture, numbers: int) -> WordsAnswer:
    """The answer to a `WordsQuestion`, of pooled embeddings [F] by text.

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
    *points, standing = ((x, y) for x, y in flat.tolist())
    along, across = (variance[:2] / max(variance.sum(), 1e-12)).tolist()
    return WordsAnswer(
        texts=tuple(texts),
        points=tuple(points),
        here=standing,
        mixture=mixture,
        cosines=tuple(map(tuple, (unit @ unit.T).tolist())),
        tensor=tuple(here[:numbers].tolist()),
        dimension=int(rows.shape[1]),
        spread=(along, across),
    )


def _noised(alpha_bar: float, clean: Tensor, noise: Tensor, latent: LatentFormat, size: int) -> str:
    """The finished latent [1, C, H, W] with so much noise put back on that `alpha_bar` of its variance is left."""
    return png(seen(alpha_bar**0.5 * clean + (1.0 - alpha_bar) ** 0.5 * noise, latent), size)


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


def _finite(value: Array) -> float | None:
    return float(value) if math.isfinite(value) else None
