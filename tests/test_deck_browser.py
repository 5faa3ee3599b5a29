"""The deck in a real browser, at the size of a laptop and of a phone, played with pointer, fingers and keys."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deck_standins import PLANE, STEPS, Stagehand, moving, pooled, serving, until, window_atlas
from PIL import Image

from installation.deck import Server
from installation.live.venue import Doors
from installation.parameters import table

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver: apt install them")
FLAGS = "--headless=new --no-sandbox --disable-gpu --no-proxy-server --force-prefers-reduced-motion"
LAPTOP, PHONE = (1440, 900, False), (390, 844, True)
TABS = ("walk", "words", "engine", "motion", "show")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER, env={**os.environ, "NO_PROXY": "*"}))
    driver.set_script_timeout(60)
    yield driver
    driver.quit()


@pytest.fixture
def hand(tmp_path: Path) -> Stagehand:
    hand = Stagehand(tmp_path)
    hand.chart = window_atlas()
    return hand


@pytest.fixture
def server(hand: Stagehand) -> Iterator[Server]:
    hand.step()
    with serving(hand) as server, moving(hand):
        yield server


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


def tap(browser: Any, x: float, y: float) -> None:
    browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


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


@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_it_comes_up_whole_and_asks_nobody_else(browser: Any, server: Server, hand: Stagehand, size: Any) -> None:
    browser.get_log("performance")
    browser.get_log("browser")
    opened(browser, server.url, size)
    seen(browser, "return Number(document.getElementById('preview').dataset.frame) > 4")
    width, height, _ = size
    for name in TABS:
        tab(browser, name)
        wide, *hands = browser.execute_script(
            """return [document.documentElement.scrollWidth, ...['freeze', 'blackout', 'panic', 'preview'].map((id) => {
                const b = document.getElementById(id).getBoundingClientRect();
                return [b.left, b.top, b.right, b.bottom]; })]"""
        )
        assert wide <= width
        for left, top, right, bottom in hands:  # always in reach
            assert left >= 0
            assert top >= 0
            assert right <= width
            assert bottom <= height
            assert bottom - top >= 40
    controls = browser.execute_script("return [...document.querySelectorAll('[data-name]')].map((e) => e.dataset.name)")
    assert set(controls) == set(hand.desk.table)
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    assert asked
    assert all(url.startswith((server.url, "data:")) for url in asked), asked
    assert browser.get_log("browser") == []
    assert pixels(browser, "#preview")[..., :3].std() > 10


def test_faders_have_the_scales_of_the_address_table(browser: Any, server: Server, hand: Stagehand) -> None:
    opened(browser, server.url)
    rows = [row for row in hand.desk.table.values() if row.numeric]
    places = [0.0, 1e-3, 0.1, 0.5, 0.777, 1.0, -1.0, 2.0]
    script = """const {link, real, normal} = deck; return arguments[0].map((name) => {
        const row = link.rows.get(name);
        return arguments[1].map((x) => [real(row, x), normal(row, real(row, x))]); });"""
    found = browser.execute_script(script, [row.name for row in rows], places)
    for row, pairs in zip(rows, found):
        for x, (value, back) in zip(places, pairs):
            step = 1 if row.kind == "int" else 0  # halves round to even here, up there
            assert value == pytest.approx(row.real(x), rel=1e-9, abs=step), (row.name, x)
            assert back == pytest.approx(row.normal(value), rel=1e-9, abs=1e-9), (row.name, x)


@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_a_drag_on_the_chart_steers(browser: Any, server: Server, hand: Stagehand, size: Any) -> None:
    opened(browser, server.url, size)
    click(browser, "#follow")  # so that the map stands still
    left, top, width, height = box(browser, "#chart")
    here = [(left + width * x, top + height * y) for x, y in ((0.4, 0.4), (0.45, 0.45), (0.5, 0.5), (0.3, 0.6))]
    wanted = browser.execute_script(
        "return deck.map.chart.toPlane(arguments[0], arguments[1])", width * 0.3, height * 0.6
    )
    drag(browser, *here)
    until(lambda: hand.desk.value("walk.position") == pytest.approx(wanted, abs=0.01))
    assert hand.presses == []
    assert seen(browser, "return deck.map.chart.target === null")  # the autopilot still has it
    hand.desk.tell("walk.auto", False)  # as the loop does
    assert seen(browser, "return deck.map.chart.target")
    assert seen(browser, "return document.getElementById('auto').ariaPressed === 'false'")
    click(browser, "#auto")
    until(lambda: hand.desk.value("walk.auto") is True)


def test_two_taps_jump_there(browser: Any, server: Server, hand: Stagehand) -> None:
    opened(browser, server.url, PHONE)
    left, top, width, height = box(browser, "#chart")
    x, y = left + width * 0.25, top + height * 0.5
    tap(browser, x, y)
    tap(browser, x, y)
    until(lambda: [press.name for press in hand.presses] == ["walk.jump"])
    wanted = browser.execute_script("return deck.map.chart.toPlane(arguments[0], arguments[1])", x - left, y - top)
    assert hand.desk.value("walk.position") == pytest.approx(wanted, abs=0.2)


def test_the_globe_turns_and_steers_to_its_front_alone(browser: Any, server: Server, hand: Stagehand) -> None:
    opened(browser, server.url)
    click(browser, "#swap")
    click(browser, "#follow")
    before = np.array(browser.execute_script("return deck.map.globe.at"))
    left, top, width, height = box(browser, "#globe")
    drag(browser, *[(left + width / 2 + step, top + height / 2) for step in (0, 20, 40, 60)])
    after = np.array(browser.execute_script("return deck.map.globe.at"))
    assert np.linalg.norm(after - before) > 0.05
    assert hand.desk.value("walk.position") is None
    place = (0.4, 0.3)
    screen = browser.execute_script(
        """const {map, track} = deck; map.globe.at = track.unitOf(1/3, 1/3);
        return map.globe.toScreen(track.unitOf(...arguments[0]))""",
        place,
    )
    np.testing.assert_allclose(
        browser.execute_script("return deck.track.unitOf(0.4, 0.3)"), PLANE.unit(*place), atol=1e-6
    )
    drag(browser, (left + screen[0], top + screen[1]))
    until(lambda: hand.desk.value("walk.position") == pytest.approx(place, abs=0.01))
    script = "const {map, track} = deck; map.globe.at = track.unitOf(1/3, 1/3).map((part) => -part); return 1"
    browser.execute_script(script)
    drag(browser, (left + width / 2, top + height / 2))
    assert seen(browser, "return document.getElementById('toast').textContent.startsWith('The far side')")
    assert hand.desk.value("walk.position") == pytest.approx(place, abs=0.01)


def test_arrow_keys_steer(browser: Any, server: Server, hand: Stagehand) -> None:
    opened(browser, server.url)
    hand.desk.set("walk.position", (0.5, 0.25))
    hand.desk.tell("walk.auto", False)
    seen(browser, "return deck.map.chart.target")
    key(browser, "#chart", "ArrowRight", "ArrowUp", "Enter")
    until(lambda: [press.name for press in hand.presses] == ["walk.jump"])
    step = 1.9 / 40
    assert hand.desk.value("walk.position") == pytest.approx((0.5 + step, 0.25 + step), abs=1e-4)


def test_the_atlas_lies_underneath(browser: Any, server: Server) -> None:
    opened(browser, server.url)
    seen(browser, "return deck.map.layer === 'field'")
    browser.execute_async_script("setTimeout(arguments[0], 200)")
    shown = [pixels(browser, "#chart")]
    for layer in ("kinds", None):
        click(browser, "#atlas")
        seen(browser, "return deck.map.layer === arguments[0]", layer)
        browser.execute_async_script("setTimeout(arguments[0], 200)")
        shown.append(pixels(browser, "#chart"))
    field, kinds, none = (picture.astype(int) for picture in shown)
    assert np.abs(field - none).mean() > 1
    assert np.abs(field - kinds).mean() > 1


@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_a_prompt_is_sent_when_it_is_sent(browser: Any, server: Server, hand: Stagehand, size: Any) -> None:
    opened(browser, server.url, size)
    tab(browser, "words")
    typed(browser, "[data-name='prompt.a'] textarea", "a forest in fog")
    hand.desk.set("prompt.b", "seen elsewhere")
    seen(browser, "return document.querySelector(\"[data-name='prompt.b'] textarea\").value === 'seen elsewhere'")
    assert hand.desk.value("prompt.a") is None
    assert browser.execute_script(
        "return document.querySelector(\"[data-name='prompt.a']\").classList.contains('dirty')"
    )
    hand.desk.set("prompt.a", "from another deck")
    seen(browser, "return deck.link.values['prompt.a'] === 'from another deck'")
    assert (
        browser.execute_script("return document.querySelector(\"[data-name='prompt.a'] textarea\").value")
        == "a forest in fog"
    )
    click(browser, "[data-name='prompt.a'] .send")
    until(lambda: hand.desk.value("prompt.a") == "a forest in fog")
    seen(browser, "return !document.querySelector(\"[data-name='prompt.a']\").classList.contains('dirty')")
    click(browser, "[data-name='prompt.a'] .back")
    until(lambda: hand.desk.value("prompt.a") is None)
    seen(browser, "return document.querySelector(\"[data-name='prompt.a'] textarea\").value === 'a ringed planet'")


@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_a_snapshot_is_saved_and_come_back_to(browser: Any, server: Server, hand: Stagehand, size: Any) -> None:
    opened(browser, server.url, size)
    tab(browser, "show")
    hand.desk.set("rift.attraction", -0.5)
    typed(browser, "#snapshots input[placeholder=name]", "blue hour")
    click(browser, "#save")
    until(lambda: hand.snapshots.names() == ["blue hour"])
    hand.desk.set("rift.attraction", 0.75)
    seen(browser, "return document.querySelector('.chip')?.textContent === 'blue hour'")
    browser.execute_script(
        """const r = document.querySelector('#snapshots input[type=range]'); r.value = 0.5;
        r.dispatchEvent(new Event('input'))"""
    )
    click(browser, ".chip")
    until(lambda: hand.desk.value("rift.attraction") == -0.5)
    assert hand.presses[-1].value == "blue hour|15"


def test_typed_names_that_are_none_are_not_sent(browser: Any, server: Server, hand: Stagehand) -> None:
    opened(browser, server.url)
    typed(browser, "#snapshots input[placeholder=name]", "../etc")
    click(browser, "#save")
    seen(browser, "return document.getElementById('toast').classList.contains('fault')")
    assert hand.presses == []


@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_the_reverse_diffusion_engine(browser: Any, server: Server, hand: Stagehand, size: Any) -> None:
    opened(browser, server.url, size)
    tab(browser, "engine")
    click(browser, "#take-apart")
    seen(browser, "return document.querySelector('.engine') && !document.querySelector('.engine').hidden")
    assert hand.asked == [("diffusion", {"size": 256})]
    shown = {}
    slide = (
        "const s = document.getElementById('engine-step'); s.value = arguments[0]; s.dispatchEvent(new Event('input'))"
    )
    code = "const {time, kept} = document.getElementById('engine-code').dataset; return [Number(time), Number(kept)]"
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


def test_a_question_that_fails_says_why(browser: Any, hand: Stagehand) -> None:
    with serving(hand) as server:
        hand.step()
        opened(browser, server.url)
        hand.number = 0
        tab(browser, "engine")
        click(browser, "#take-apart")
        seen(browser, "return document.getElementById('engine').textContent.includes('there is no frame yet')")


@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_semantic_vector_routing(browser: Any, server: Server, hand: Stagehand, size: Any) -> None:
    opened(browser, server.url, size)
    tab(browser, "words")
    for number, word in enumerate(("flowers", "a cat", "stained glass"), 1):
        typed(browser, f"[data-name='word.{number}.text'] input", word)
        click(browser, f"[data-name='word.{number}.text'] .send")
    until(lambda: hand.desk.value("word.3.text") == "stained glass")
    seen(browser, "return document.getElementById('tensor').textContent.startsWith('tensor([')")
    told = seen(browser, "const t = document.getElementById('tensor').textContent; return t.includes('of 32') && t")
    numbers = [float(word) for word in told.replace("−", "-").split("(")[1].split(",")[0].strip("[]").split()]
    assert numbers == pytest.approx(pooled("a ringed planet")[:16], abs=1e-3)  # no word weighs anything yet
    settled = "return document.getElementById('routing-told').textContent.includes('Drag')"
    seen(browser, settled)
    browser.execute_async_script("setTimeout(arguments[0], 600)")
    left, top, width, height = box(browser, "#routing")
    drag(browser, (left + width / 2, top + height / 2), (left + width / 2 + 4, top + height / 2))
    until(lambda: any(hand.desk.value(f"word.{k}.weight") for k in (1, 2, 3)))
    seen(browser, "return [1, 2, 3].some((k) => deck.link.values[`word.${k}.weight`] > 0)")

    def followed() -> bool:
        weights = np.array([hand.desk.value(f"word.{k}.weight") for k in (1, 2, 3)], float)
        words = np.stack([pooled(text) for text in ("flowers", "a cat", "stained glass")])
        mixture = (pooled("a ringed planet") + weights @ words) / (1 + weights.sum())
        text = browser.execute_script("return document.getElementById('tensor').textContent").replace("−", "-")
        shown = [float(word) for word in text.split("(")[1].split(",")[0].strip("[]").split()]
        return bool(np.allclose(shown, mixture[:16], atol=2e-3))

    until(followed)


def test_weights_bring_the_mixture_where_it_is_pulled(browser: Any, server: Server) -> None:
    opened(browser, server.url)
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


def test_two_decks_stay_in_step(browser: Any, server: Server, hand: Stagehand) -> None:
    opened(browser, server.url)
    first = browser.current_window_handle
    browser.switch_to.new_window("window")
    second = browser.current_window_handle
    try:
        opened(browser, server.url, PHONE)
        names = []
        for window in (first, second):
            browser.switch_to.window(window)
            names.append(browser.execute_script("return deck.link.you"))
        assert len(set(names)) == 2
        key(browser, "[data-name='walk.heading'] input[type=range]", *["ArrowRight"] * 10)
        click(browser, "#freeze")
        until(lambda: hand.desk.value("out.freeze"))
        browser.switch_to.window(first)
        seen(browser, "return document.getElementById('freeze').ariaPressed === 'true'")
        seen(browser, "return document.getElementById('badge').textContent === 'the wall is frozen'")
        heading = seen(
            browser, "return document.querySelector(\"[data-name='walk.heading'] input[type=range]\").valueAsNumber"
        )
        assert heading == pytest.approx(0.6, abs=1e-3)
        click(browser, "[data-choice=reverse]")
        until(lambda: hand.desk.value("walk.direction") == "reverse")
        browser.switch_to.window(second)
        seen(browser, "return document.querySelector('[data-choice=reverse]').ariaChecked === 'true'")
    finally:
        browser.switch_to.window(second)
        browser.close()
        browser.switch_to.window(first)


def test_nobody_moves_a_fader_from_under_a_hand(browser: Any, server: Server, hand: Stagehand) -> None:
    opened(browser, server.url)
    left, top, width, height = box(browser, "[data-name='walk.heading'] input[type=range]")
    at = "return document.querySelector(\"[data-name='walk.heading'] input[type=range]\").valueAsNumber"
    mouse(browser, "mousePressed", left + width * 0.75, top + height / 2)
    until(lambda: hand.desk.value("walk.heading") == pytest.approx(0.5, abs=0.05))
    mine = browser.execute_script(at)
    hand.desk.set("walk.heading", -1.0, "osc")
    hand.desk.set("walk.radius", 0.5, "osc")
    seen(browser, "return deck.link.values['walk.radius'] === 0.5")
    assert browser.execute_script(at) == mine
    mouse(browser, "mouseReleased", left + width * 0.75, top + height / 2)
    hand.desk.set("walk.heading", -0.5, "osc")
    seen(browser, at.replace("valueAsNumber", "valueAsNumber === 0.25"))


def test_what_moves_by_itself_is_shown(browser: Any, server: Server, hand: Stagehand) -> None:
    opened(browser, server.url)
    hand.desk.set("walk.heading", 0.0)
    for name, value in (("target", "walk.heading"), ("shape", "square"), ("depth", 0.5)):
        hand.desk.set(f"lfo.1.{name}", value)
    script = """const g = document.querySelector("[data-name='walk.heading'] .ghost");
        return !g.hidden && g.style.getPropertyValue('--x')"""
    x = float(seen(browser, script))
    assert x in (0.25, 0.75)


def test_panic_keys_and_numbers_that_are_typed(browser: Any, server: Server, hand: Stagehand) -> None:
    opened(browser, server.url)
    key(browser, "body", "f", "b", "P", "2")
    until(lambda: hand.desk.value("out.freeze") and hand.desk.value("out.blackout"))
    until(lambda: [press.name for press in hand.presses] == ["panic"])
    assert browser.execute_script("return document.body.dataset.tab") == "words"
    tab(browser, "walk")
    for text, value in (("−0,5", -0.5), ("7", 1.0), ("much", 1.0)):
        typed(browser, "[data-name='walk.heading'] .value", text)
        browser.execute_script("document.activeElement.blur()")
        until(lambda value=value: hand.desk.value("walk.heading") == value)
    key(browser, "[data-name='prompt.a'] textarea", "P", "f")  # letters in a text are letters
    assert [press.name for press in hand.presses] == ["panic"]


def test_midi_is_learned_from_the_control(browser: Any, server: Server, hand: Stagehand) -> None:
    opened(browser, server.url)
    tab(browser, "motion")
    click(browser, "button[data-name='midi.learn']")
    tab(browser, "walk")
    click(browser, "[data-name='walk.speed'] .learner button")
    until(lambda: [(press.name, press.value) for press in hand.presses] == [("midi.learn", "walk.speed")])


def test_it_comes_back_when_the_show_does(browser: Any, hand: Stagehand) -> None:
    with serving(hand) as server:
        hand.step()
        opened(browser, server.url)
    seen(browser, "return document.documentElement.dataset.line === 'lost'")
    assert (
        browser.execute_script("return document.getElementById('state').textContent").strip() == "the show is not there"
    )
    hand.desk.set("walk.heading", 0.5)
    with serving(hand, Doors(deck=server.port)):
        seen(browser, "return document.documentElement.dataset.line === 'open'")
        seen(
            browser,
            "return document.querySelector(\"[data-name='walk.heading'] input[type=range]\").valueAsNumber === 0.75",
        )
    browser.get_log("browser")


def test_a_phone_comes_in_by_the_link_with_the_token(browser: Any, hand: Stagehand) -> None:
    with serving(hand, Doors(deck=0, open=True)) as server:
        hand.step()
        browser.get(f"http://127.0.0.1:{server.port}/")
        assert "locked" in browser.execute_script("return document.body.textContent")
        opened(browser, f"http://127.0.0.1:{server.port}/?token={server.token}", PHONE)
        assert browser.current_url == f"http://127.0.0.1:{server.port}/"
        assert "token" not in browser.execute_script("return document.cookie")
        click(browser, "#freeze")
        until(lambda: hand.desk.value("out.freeze"))
    with serving(hand, Doors(deck=server.port, open=True)):  # another show, another token
        seen(browser, "return document.getElementById('state').textContent.includes('locked')")
    browser.get_log("browser")


def test_the_table_is_the_one_that_everybody_has(hand: Stagehand) -> None:
    assert set(table()) == set(hand.desk.table)
