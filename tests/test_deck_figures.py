"""The two figures of the deck in a real browser: the reverse-diffusion engine and semantic vector routing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from chromium import browsing
from deck_browser import box, click, drag, opened, pixels, seen, sizes, tab, typed
from patience import until
from standins.deck import STEPS, Stagehand, pooled, serving

from installation.ipc.questions import DiffusionQuestion
from installation.ports.deck import Server

pytestmark = browsing


@sizes
def test_the_reverse_diffusion_engine(browser: Any, played: Server, charted: Stagehand, size: Any) -> None:
    opened(browser, played.url, size)
    tab(browser, "engine")
    click(browser, "#take-apart")
    seen(browser, "return document.querySelector('.engine') && !document.querySelector('.engine').hidden")
    assert charted.asked == [DiffusionQuestion(size=256)]
    shown = {}
    slide = (
        "const s = document.getElementById('engine-step'); s.value = arguments[0]; s.dispatchEvent(new Event('input'))"
    )
    code = (
        "const data = document.getElementById('engine-code').dataset; return [Number(data.time), Number(data.alphaBar)]"
    )
    for step in (0, 3, STEPS):
        browser.execute_script(slide, step)
        shown[step] = (
            pixels(browser, "#engine-latent"),
            pixels(browser, "#engine-clean"),
            browser.execute_script(code),
        )
    assert shown[0][2] == [999, 0.01]
    assert shown[3][2] == [639, pytest.approx(0.01 + 3 * 0.94 / 7, abs=1e-4)]
    assert shown[STEPS][2] == [0, 1]
    finished = shown[STEPS][0].astype(int)
    away = [np.abs(shown[step][0].astype(int) - finished).mean() for step in (0, 3)]
    assert away[0] > away[1] > 1  # from noise to picture
    assert np.abs(shown[0][1].astype(int) - shown[3][1]).mean() > 1
    click(browser, "#engine-forward")
    browser.execute_script(slide, 3)
    assert np.abs(pixels(browser, "#engine-latent").astype(int) - shown[3][0]).mean() > 1
    assert "√ᾱ·x_0" in browser.execute_script("return document.getElementById('engine-code').textContent")


def test_a_question_that_fails_says_why(browser: Any, charted: Stagehand) -> None:
    with serving(charted) as played:
        charted.step()
        opened(browser, played.url)
        charted.number = 0
        tab(browser, "engine")
        click(browser, "#take-apart")
        assert "there is no frame yet" in seen(
            browser, "const t = document.getElementById('engine').textContent; return t.includes('no frame') && t"
        )


@sizes
def test_semantic_vector_routing(browser: Any, played: Server, charted: Stagehand, size: Any) -> None:
    opened(browser, played.url, size)
    tab(browser, "words")
    for number, word in enumerate(("flowers", "a cat", "stained glass"), 1):
        typed(browser, f"[data-name='word.{number}.text'] input", word)
        click(browser, f"[data-name='word.{number}.text'] .send")
    until(lambda: charted.desk.value("word.3.text") == "stained glass")
    seen(browser, "return document.getElementById('tensor').textContent.startsWith('tensor([')")
    told = seen(browser, "const t = document.getElementById('tensor').textContent; return t.includes('of 32') && t")
    numbers = [float(word) for word in told.replace("−", "-").split("(")[1].split(",")[0].strip("[]").split()]
    assert numbers == pytest.approx(pooled("a ringed planet")[:16], abs=1e-3)  # no word weighs anything yet
    settled = "return document.getElementById('routing-told').textContent.includes('Drag')"
    seen(browser, settled)
    browser.execute_async_script("setTimeout(arguments[0], 600)")
    left, top, width, height = box(browser, "#routing")
    drag(browser, (left + width / 2, top + height / 2), (left + width / 2 + 4, top + height / 2))
    until(lambda: any(charted.desk.value(f"word.{k}.weight") for k in (1, 2, 3)))
    seen(browser, "return [1, 2, 3].some((k) => deck.link.values[`word.${k}.weight`] > 0)")

    def followed() -> bool:
        weights = np.array([charted.desk.value(f"word.{k}.weight") for k in (1, 2, 3)], float)
        words = np.stack([pooled(text) for text in ("flowers", "a cat", "stained glass")])
        mixture = (pooled("a ringed planet") + weights @ words) / (1 + weights.sum())
        text = browser.execute_script("return document.getElementById('tensor').textContent").replace("−", "-")
        shown = [float(word) for word in text.split("(")[1].split(",")[0].strip("[]").split()]
        return bool(np.allclose(shown, mixture[:16], atol=2e-3))

    until(followed)


def test_weights_bring_the_mixture_where_it_is_pulled(browser: Any, played: Server) -> None:
    opened(browser, played.url)
    script = """const done = arguments[0]; import('/static/mixing.js').then(({mixture, weightsFor}) => {
        const places = [[0, 2], [2, 0], [-1, -1], [2, 2]], rest = [0, 0], before = [0.1, 0, 0.3, 0];
        done([[0.3, 0.4], [-0.2, -0.2], [0, 0], [0.9, 0.9], [50, 0]].map((goal) => {
            const weights = weightsFor(goal, rest, places, before);
            return [goal, weights, mixture([rest, ...places], [1, ...weights])];
        })); });"""
    *near, far = browser.execute_async_script(script)
    for goal, weights, place in near:
        assert all(0 <= weight <= 1 for weight in weights)
        assert place == pytest.approx(goal, abs=0.01)
    assert all(0 <= weight <= 1 for weight in far[1])
    assert far[2][0] > 0.6  # as far as bounded weights reach
