"""Questions to the renderer: the denoising of a frame, words and where the mixture stands."""

from __future__ import annotations

import base64
import io
import threading
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image
from standins.decoders import world
from standins.studio import studio

from installation.ipc.encoding import decoded, encoded
from installation.ipc.messages import Answer
from installation.ipc.questions import DiffusionAnswer, DiffusionQuestion, WordsAnswer, WordsQuestion
from installation.render.questions import Moment, Questions, routed, seen
from latentworld.prompts import Prompt


def moment(prompt: Prompt = Prompt("a cat", "fog")) -> Moment:  # noqa: B008
    return Moment(studio(), prompt, 12, studio().plane.unit(0.2, 0.3), 1.0, studio().plane)


class Answers:
    """What is sent, and a wait for it."""

    def __init__(self) -> None:
        self.got: list[Answer] = []
        self._ready = threading.Condition()

    def __call__(self, message: Answer) -> None:
        with self._ready:
            answer = decoded(encoded(message))
            assert isinstance(answer, Answer)
            self.got.append(answer)
            self._ready.notify()

    def wait(self, count: int = 1, asks: Questions | None = None) -> list[Answer]:
        with self._ready:
            for _ in range(3000):
                if len(self.got) >= count:
                    break
                if asks is not None:
                    asks.tick()
                self._ready.wait(0.01)
        return self.got


def asked(question: WordsQuestion | DiffusionQuestion) -> Answer:
    answers = Answers()
    asks = Questions(moment, answers)
    asks.ask(5, question)
    answer = answers.wait(asks=asks)[0]
    asks.close()
    assert answer.id == 5
    return answer


def picture(text: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def test_the_diffusion_of_the_present_frame_is_shown_step_by_step() -> None:
    answer = asked(DiffusionQuestion(steps=4, size=64)).content
    assert isinstance(answer, DiffusionAnswer)
    assert answer.index == 12
    assert (answer.alpha, answer.beta) == pytest.approx((0.2, 0.3))
    steps = answer.steps
    assert len(steps) == 4
    assert [step.time for step in steps] == sorted((step.time for step in steps), reverse=True)
    assert all(a.alpha_bar < b.alpha_bar for a, b in pairwise(steps))
    assert all(step.noise == pytest.approx(1 - step.alpha_bar) for step in steps)
    faithful = studio().decoder.variant(replace(studio().observed, steps=4))
    made = faithful(studio().plane.latents(moment().unit[None], 1.0), Prompt("a cat", "fog"))
    wanted = (made[0] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(picture(answer.picture), wanted)  # the last of the steps is the picture itself
    networks = studio().networks
    assert networks is not None
    start = seen(studio().plane.latents(moment().unit[None], 1.0), networks.latent)
    np.testing.assert_array_equal(picture(steps[0].latent), start)
    for step in steps:
        assert picture(step.clean).shape == (64, 64, 3)
    end = picture(answer.latent0).astype(int)
    far, near = (np.abs(picture(step.noised) - end).mean() for step in (steps[0], steps[-1]))
    assert far > 2 * near  # the more noise is put back on, the less is left


def test_a_question_goes_on_by_a_step_a_tick_and_can_be_taken_back() -> None:
    answers = Answers()
    asks = Questions(moment, answers)
    asks.ask(1, DiffusionQuestion(steps=100))
    asks.cancel(1)
    asks.ask(2, WordsQuestion(()))
    got = answers.wait()
    assert [answer.id for answer in got] == [2]
    assert "words wants 1 to 32 texts" in got[0].fault
    asks.close()


@pytest.mark.parametrize("texts", [(), ("x",) * 33, ("\x07",), ("x" * 2001,)], ids=str)
def test_words_that_cannot_be_are_refused(texts: tuple[str, ...]) -> None:
    assert "words wants 1 to 32 texts" in asked(WordsQuestion(texts)).fault


def test_words_are_laid_out_by_their_embeddings() -> None:
    answer = asked(WordsQuestion(("a cat", "a mountain", "sea"), 5)).content
    assert isinstance(answer, WordsAnswer)
    assert len(answer.points) == 3
    assert answer.here == pytest.approx(answer.points[0])  # the prompt is the first word
    assert answer.cosines[0][3] == pytest.approx(1.0)
    assert len(answer.tensor) == 5
    bundle = world()
    tokens = bundle.text.tokenizer("a cat", padding="max_length", max_length=16, truncation=True, return_tensors="pt")
    pooled = bundle.text.encoder(tokens.input_ids).pooler_output[0].detach().numpy()
    np.testing.assert_allclose(answer.tensor, pooled[:5], rtol=1e-4, atol=1e-5)


def test_the_mixture_lies_between_its_words_and_the_layout_does_not_flip() -> None:
    random = np.random.default_rng(0)
    pooled = {text: random.normal(size=12) for text in "abcd"}
    told = routed("abcd", pooled, (("a", 1.0), ("b", 3.0)), 3)
    points = np.array(told.points)
    np.testing.assert_allclose(told.here, 0.25 * points[0] + 0.75 * points[1], atol=1e-9)
    assert sum(told.spread) <= 1.0 + 1e-9
    again = np.array(routed("abcd", {t: v.copy() for t, v in pooled.items()}, (("a", 1.0), ("b", 3.1)), 3).points)
    assert np.abs(again - points).max() < 0.2
    assert np.abs(points).max(axis=0) == pytest.approx(points[np.abs(points).argmax(axis=0), [0, 1]])
    one = routed("a", pooled, (("a", 1.0),), 3)
    assert np.isfinite(one.points).all()


def test_questions_before_the_first_frame_and_too_many_are_refused() -> None:
    answers = Answers()
    asks = Questions(lambda: None, answers)
    asks.ask(1, WordsQuestion(("a",)))
    assert "no frame yet" in answers.wait()[0].fault
    asks.close()
