"""Driving a deck in a real Chromium: pointer, fingers, keys, and what is seen."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from patience import until
from PIL import Image

LAPTOP, PHONE = (1440, 900, False), (390, 844, True)
LYING = ((844, 390, True), (667, 375, True), (932, 430, True))  # phones in landscape
sizes = pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])


def opened(browser: Any, url: str, size: tuple[int, int, bool] = LAPTOP) -> None:
    width, height, mobile = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": mobile})
    browser.get(url)
    ready(browser)


def ready(browser: Any) -> None:
    seen(browser, "return window.deck?.track.head && document.documentElement.dataset.line === 'open'")


def seen(browser: Any, script: str, *arguments: Any) -> Any:
    """Wait for a script to find something true."""
    return until(lambda: browser.execute_script(script, *arguments))


def tab(browser: Any, name: str) -> None:
    browser.execute_script("document.querySelector(`[data-for=${arguments[0]}]`).click()", name)


def box(browser: Any, selector: str) -> tuple[float, float, float, float]:
    """Left, top, width, height on the screen, scrolled into view."""
    script = """const element = document.querySelector(arguments[0]); element.scrollIntoView({block: 'center'});
        const b = element.getBoundingClientRect(); return [b.left, b.top, b.width, b.height];"""
    left, top, width, height = browser.execute_script(script, selector)
    return left, top, width, height


def mouse(browser: Any, kind: str, x: float, y: float) -> None:
    told = {
        "type": kind,
        "x": x,
        "y": y,
        "button": "left",
        "buttons": 0 if kind == "mouseReleased" else 1,
        "clickCount": 1,
    }
    browser.execute_cdp_cmd("Input.dispatchMouseEvent", told)


def drag(browser: Any, *places: tuple[float, float]) -> None:
    mouse(browser, "mousePressed", *places[0])
    for place in places[1:]:
        mouse(browser, "mouseMoved", *place)
    mouse(browser, "mouseReleased", *places[-1])


def tap(browser: Any, x: float, y: float, at: float) -> None:
    """A finger comes and goes at a moment, in s since 1970: a slow machine must not make two taps of a double one."""
    for kind, points in (("touchStart", [{"x": x, "y": y}]), ("touchEnd", [])):
        told = {"type": kind, "touchPoints": points, "timestamp": at}
        browser.execute_cdp_cmd("Input.dispatchTouchEvent", told)


def click(browser: Any, selector: str) -> None:
    left, top, width, height = box(browser, selector)
    drag(browser, (left + width / 2, top + height / 2))


def typed(browser: Any, selector: str, text: str) -> None:
    script = (
        "const f = document.querySelector(arguments[0]); f.scrollIntoView({block: 'center'}); f.focus(); f.select?.()"
    )
    browser.execute_script(script, selector)
    browser.execute_cdp_cmd("Input.insertText", {"text": text})


def key(browser: Any, selector: str, *names: str) -> None:
    script = """const e = document.querySelector(arguments[0]);
        for (const key of arguments[1]) {
            e.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
        }"""
    browser.execute_script(script, selector, names)


def pixels(browser: Any, canvas: str) -> np.ndarray:
    uri = browser.execute_script("return document.querySelector(arguments[0]).toDataURL()", canvas)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))).convert("RGBA"))
