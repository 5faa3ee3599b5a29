"""The deck in a real browser, at the size of a laptop and of a phone, played with pointer, fingers and keys."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from chromium import browsing, misnamed
from deck_browser import (
    LAPTOP,
    LYING,
    PHONE,
    box,
    click,
    drag,
    key,
    mouse,
    opened,
    pixels,
    seen,
    sizes,
    tab,
    tap,
    typed,
)
from patience import until
from standins.deck import PLANE, Stagehand, adaptive_atlas, globe_atlas, moving, serving

from installation.control.controls import WalkControls
from installation.control.parameter import rows
from installation.ports.deck import Server
from installation.venue import Doors
from latentworld.pacing import PacingSpec
from latentworld.reference import about
from latentworld.walks import BUILT_IN, Rift

pytestmark = browsing
WALK_SPEED, WALK_RADIUS, WALK_KIND = (rows(WalkControls)[name].name for name in ("speed", "radius", "kind"))
TABS = ("walk", "words", "engine", "motion", "show")


@sizes
def test_it_comes_up_whole_and_asks_nobody_else(browser: Any, played: Server, charted: Stagehand, size: Any) -> None:
    browser.get("about:blank")  # the page before this one still knocks at the door of its own show
    browser.get_log("performance")
    browser.get_log("browser")
    opened(browser, played.url, size)
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
    assert set(controls) == set(charted.desk.table)
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    assert asked
    assert all(url.startswith((played.url, "data:")) for url in asked), asked
    assert browser.get_log("browser") == []
    assert pixels(browser, "#preview")[..., :3].std() > 10


@pytest.mark.parametrize("size", LYING, ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_phone_that_lies_has_its_tabs_beside_each_other_and_room_for_the_panel(
    browser: Any, played: Server, size: Any
) -> None:
    opened(browser, played.url, size)
    for name in TABS:
        tab(browser, name)
        tabs = browser.execute_script(
            """return [...document.querySelectorAll('[role=tab]')].map((tab) => {
                const range = document.createRange(); range.selectNodeContents(tab);
                const [b, words] = [tab.getBoundingClientRect(), range.getBoundingClientRect()];
                return [b.left, b.right, words.left, words.right, b.height]; })"""
        )
        assert tabs[-1][1] <= size[0]
        for (_, _, _, before, height), (_, _, after, _, _) in pairwise(tabs):
            assert before < after, "no word over another"
            assert height >= 38
        width, height = browser.execute_script(
            """const b = document.querySelector('.panel').getBoundingClientRect();
            return [Math.min(b.right, innerWidth) - b.left, Math.min(b.bottom, innerHeight) - b.top]"""
        )
        assert width >= 220
        assert height >= 250
    wide, top = browser.execute_script(
        "return [document.documentElement.scrollWidth, document.getElementById('panic').getBoundingClientRect().top]"
    )
    assert wide <= size[0]
    assert top >= 0


@pytest.mark.parametrize("size", [LAPTOP, PHONE, LYING[0]], ids=["laptop", "phone", "lying"])
def test_everything_is_called_by_what_stands_there(browser: Any, played: Server, size: Any) -> None:
    """What axe-core finds critical or serious of our kind: labels, names, lists, landmarks, what scrolls."""
    opened(browser, played.url, size)
    assert browser.execute_script("return document.querySelectorAll('main').length") == 1
    assert browser.execute_script("return document.querySelector('meta[name=description]').content.length") > 20
    for name in TABS:
        tab(browser, name)
        assert misnamed(browser) == []


def test_controls_say_what_their_keys_mean(browser: Any, played: Server) -> None:
    opened(browser, played.url)
    script = "return document.querySelector(`[data-name='${arguments[0]}'] [title]`).title"
    for name, words in ((WALK_SPEED, about(PacingSpec, "speed")), (WALK_RADIUS, about(Rift, "radius"))):
        told = browser.execute_script(script, name).splitlines()
        assert told[0].startswith(f"{name}: ")
        assert told[1:] == [words]


def test_faders_have_the_scales_of_the_address_table(browser: Any, played: Server, charted: Stagehand) -> None:
    opened(browser, played.url)
    rows = [row for row in charted.desk.table.values() if row.numeric]
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


@sizes
def test_a_drag_on_the_chart_steers(browser: Any, played: Server, charted: Stagehand, size: Any) -> None:
    opened(browser, played.url, size)
    click(browser, "#follow")  # so that the map stands still
    left, top, width, height = box(browser, "#chart")
    here = [(left + width * x, top + height * y) for x, y in ((0.4, 0.4), (0.45, 0.45), (0.5, 0.5), (0.3, 0.6))]
    wanted = browser.execute_script(
        "return deck.map.chart.toPlane(arguments[0], arguments[1])", width * 0.3, height * 0.6
    )
    drag(browser, *here)
    until(lambda: charted.desk.value("walk.position") == pytest.approx(wanted, abs=0.01))
    assert charted.presses == []
    assert seen(browser, "return deck.map.chart.target")
    told = "return document.querySelector(\"[data-name='walk.steering'] p\").textContent"
    lit = "return document.getElementById('auto').ariaPressed"
    assert seen(browser, f"{told} === 'place'")
    assert browser.execute_script(lit) == "false"
    click(browser, "#auto")  # once
    until(lambda: charted.desk.value("walk.auto") is True)
    assert seen(browser, f"{told} === 'autopilot'")
    assert browser.execute_script(lit) == "true"
    assert seen(browser, "return deck.map.chart.target === null")


def test_two_taps_jump_there(browser: Any, played: Server, charted: Stagehand) -> None:
    opened(browser, played.url, PHONE)
    left, top, width, height = box(browser, "#chart")
    x, y = left + width * 0.25, top + height * 0.5
    now = time.time()
    tap(browser, x, y, now)
    tap(browser, x, y, now + 0.1)
    until(lambda: "walk.jump" in [press.name for press in charted.presses])
    wanted = browser.execute_script("return deck.map.chart.toPlane(arguments[0], arguments[1])", x - left, y - top)
    assert charted.desk.value("walk.position") == pytest.approx(wanted, abs=0.2)


def test_the_globe_turns_and_steers_to_its_front_alone(browser: Any, played: Server, charted: Stagehand) -> None:
    opened(browser, played.url)
    click(browser, "#swap")
    click(browser, "#follow")
    before = np.array(browser.execute_script("return deck.map.globe.at"))
    left, top, width, height = box(browser, "#globe")
    drag(browser, *[(left + width / 2 + step, top + height / 2) for step in (0, 20, 40, 60)])
    after = np.array(browser.execute_script("return deck.map.globe.at"))
    assert np.linalg.norm(after - before) > 0.05
    assert charted.desk.value("walk.position") is None
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
    until(lambda: charted.desk.value("walk.position") == pytest.approx(place, abs=0.01))
    script = "const {map, track} = deck; map.globe.at = track.unitOf(1/3, 1/3).map((part) => -part); return 1"
    browser.execute_script(script)
    drag(browser, (left + width / 2, top + height / 2))
    assert seen(browser, "return document.getElementById('toast').textContent.startsWith('The far side')")
    assert charted.desk.value("walk.position") == pytest.approx(place, abs=0.01)


def test_arrow_keys_steer(browser: Any, played: Server, charted: Stagehand) -> None:
    opened(browser, played.url)
    charted.desk.set("walk.position", (0.5, 0.25))
    seen(browser, "return deck.map.chart.target")
    key(browser, "#chart", "ArrowRight", "ArrowUp", "Enter")
    until(lambda: [press.name for press in charted.presses] == ["walk.jump"])
    step = 1.9 / 40
    assert charted.desk.value("walk.position") == pytest.approx((0.5 + step, 0.25 + step), abs=1e-4)


def test_the_atlas_lies_underneath(browser: Any, played: Server) -> None:
    opened(browser, played.url)
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


@pytest.mark.parametrize("kind", ["globe", "adaptive"])
def test_an_atlas_that_is_no_grid_leaves_no_gaps(browser: Any, charted: Stagehand, kind: str) -> None:
    charted.chart = globe_atlas() if kind == "globe" else adaptive_atlas()
    charted.step()
    with serving(charted) as deck, moving(charted):
        opened(browser, deck.url)
        seen(browser, "return deck.map.layer === 'kinds'")
        # what is drawn of the cells alone, on a view that they all cover, and of one that reaches far out
        covered = """const {chart} = deck.map; Object.assign(chart.view, {alpha: 0.5, beta: 0.5, span: arguments[0]});
            chart.draw(false); const {width, height} = chart.sheet;
            const bytes = chart.sheet.getContext('2d').getImageData(0, 0, width, height).data;
            let count = 0; for (let k = 3; k < bytes.length; k += 4) count += bytes[k] > 250;
            return count / (width * height)"""
        assert browser.execute_script(covered, 0.5) > 0.999
        if kind == "globe":
            assert browser.execute_script(covered, 4.0) > 0.98


@sizes
def test_a_prompt_is_sent_when_it_is_sent(browser: Any, played: Server, charted: Stagehand, size: Any) -> None:
    opened(browser, played.url, size)
    tab(browser, "words")
    typed(browser, "[data-name='prompt.a'] textarea", "a forest in fog")
    charted.desk.set("prompt.b", "seen elsewhere")
    seen(browser, "return document.querySelector(\"[data-name='prompt.b'] textarea\").value === 'seen elsewhere'")
    assert charted.desk.value("prompt.a") is None
    assert browser.execute_script(
        "return document.querySelector(\"[data-name='prompt.a']\").classList.contains('dirty')"
    )
    charted.desk.set("prompt.a", "from another deck")
    seen(browser, "return deck.link.values['prompt.a'] === 'from another deck'")
    assert (
        browser.execute_script("return document.querySelector(\"[data-name='prompt.a'] textarea\").value")
        == "a forest in fog"
    )
    click(browser, "[data-name='prompt.a'] .send")
    until(lambda: charted.desk.value("prompt.a") == "a forest in fog")
    seen(browser, "return !document.querySelector(\"[data-name='prompt.a']\").classList.contains('dirty')")
    click(browser, "[data-name='prompt.a'] .back")
    until(lambda: charted.desk.value("prompt.a") is None)
    seen(browser, "return document.querySelector(\"[data-name='prompt.a'] textarea\").value === 'a ringed planet'")


@sizes
def test_a_snapshot_is_saved_and_come_back_to(browser: Any, played: Server, charted: Stagehand, size: Any) -> None:
    opened(browser, played.url, size)
    tab(browser, "show")
    charted.desk.set("rift.attraction", -0.5)
    typed(browser, "#snapshots input[placeholder=name]", "blue hour")
    click(browser, "#save")
    until(lambda: charted.snapshots.names() == ["blue hour"])
    charted.desk.set("rift.attraction", 0.75)
    seen(browser, "return document.querySelector('.chip')?.textContent === 'blue hour'")
    browser.execute_script(
        """const r = document.querySelector('#snapshots input[type=range]'); r.value = 0.5;
        r.dispatchEvent(new Event('input'))"""
    )
    click(browser, ".chip")
    until(lambda: charted.desk.value("rift.attraction") == -0.5)
    assert charted.presses[-1].value == "blue hour|15"


def test_typed_names_that_are_none_are_not_sent(browser: Any, played: Server, charted: Stagehand) -> None:
    opened(browser, played.url)
    typed(browser, "#snapshots input[placeholder=name]", "../etc")
    click(browser, "#save")
    seen(browser, "return document.getElementById('toast').classList.contains('fault')")
    assert charted.presses == []


def test_two_decks_stay_in_step(browser: Any, played: Server, charted: Stagehand) -> None:
    opened(browser, played.url)
    first = browser.current_window_handle
    browser.switch_to.new_window("window")
    second = browser.current_window_handle
    try:
        opened(browser, played.url, PHONE)
        names = []
        for window in (first, second):
            browser.switch_to.window(window)
            names.append(browser.execute_script("return deck.link.you"))
        assert len(set(names)) == 2
        key(browser, "[data-name='walk.heading'] input[type=range]", *["ArrowRight"] * 10)
        click(browser, "#freeze")
        until(lambda: charted.desk.value("out.freeze"))
        browser.switch_to.window(first)
        seen(browser, "return document.getElementById('freeze').ariaPressed === 'true'")
        seen(browser, "return document.getElementById('badge').textContent === 'the wall is frozen'")
        heading = seen(
            browser, "return document.querySelector(\"[data-name='walk.heading'] input[type=range]\").valueAsNumber"
        )
        assert heading == pytest.approx(0.6, abs=1e-3)
        click(browser, "[data-choice=reverse]")
        until(lambda: charted.desk.value("walk.direction") == "reverse")
        browser.switch_to.window(second)
        seen(browser, "return document.querySelector('[data-choice=reverse]').ariaChecked === 'true'")
    finally:
        browser.switch_to.window(second)
        browser.close()
        browser.switch_to.window(first)


def test_nobody_moves_a_fader_from_under_a_hand(browser: Any, played: Server, charted: Stagehand) -> None:
    opened(browser, played.url)
    left, top, width, height = box(browser, "[data-name='walk.heading'] input[type=range]")
    at = "return document.querySelector(\"[data-name='walk.heading'] input[type=range]\").valueAsNumber"
    mouse(browser, "mousePressed", left + width * 0.75, top + height / 2)
    until(lambda: charted.desk.value("walk.heading") == pytest.approx(0.5, abs=0.05))
    mine = browser.execute_script(at)
    charted.desk.set("walk.heading", -1.0, "osc")
    charted.desk.set("walk.radius", 0.5, "osc")
    seen(browser, "return deck.link.values['walk.radius'] === 0.5")
    assert browser.execute_script(at) == mine
    mouse(browser, "mouseReleased", left + width * 0.75, top + height / 2)
    charted.desk.set("walk.heading", -0.5, "osc")
    seen(browser, at.replace("valueAsNumber", "valueAsNumber === 0.25"))


def test_what_moves_by_itself_is_shown(browser: Any, played: Server, charted: Stagehand) -> None:
    opened(browser, played.url)
    charted.desk.set("walk.heading", 0.0)
    for name, value in (("target", "walk.heading"), ("shape", "square"), ("depth", 0.5)):
        charted.desk.set(f"lfo.1.{name}", value)
    script = """const g = document.querySelector("[data-name='walk.heading'] .ghost");
        return !g.hidden && g.style.getPropertyValue('--x')"""
    x = float(seen(browser, script))
    assert x in (0.25, 0.75)


def test_panic_keys_and_numbers_that_are_typed(browser: Any, played: Server, charted: Stagehand) -> None:
    opened(browser, played.url)
    key(browser, "body", "f", "b", "P", "2")
    until(lambda: charted.desk.value("out.freeze") and charted.desk.value("out.blackout"))
    until(lambda: [press.name for press in charted.presses] == ["panic"])
    assert browser.execute_script("return document.body.dataset.tab") == "words"
    tab(browser, "walk")
    for text, value in (("−0,5", -0.5), ("7", 1.0), ("much", 1.0)):
        typed(browser, "[data-name='walk.heading'] .value", text)
        browser.execute_script("document.activeElement.blur()")
        until(lambda value=value: charted.desk.value("walk.heading") == value)
    key(browser, "[data-name='prompt.a'] textarea", "P", "f")  # letters in a text are letters
    assert [press.name for press in charted.presses] == ["panic"]


def test_midi_is_learned_from_the_control(browser: Any, played: Server, charted: Stagehand) -> None:
    opened(browser, played.url)
    tab(browser, "motion")
    click(browser, "button[data-name='midi.learn']")
    tab(browser, "walk")
    click(browser, "[data-name='walk.speed'] .learner button")
    assert until(lambda: [(press.name, press.value) for press in charted.presses]) == [("midi.learn", "walk.speed")]


def test_it_comes_back_when_the_show_does(browser: Any, charted: Stagehand) -> None:
    with serving(charted) as played:
        charted.step()
        opened(browser, played.url)
    seen(browser, "return document.documentElement.dataset.line === 'lost'")
    assert (
        browser.execute_script("return document.getElementById('state').textContent").strip() == "the show is not there"
    )
    charted.desk.set("walk.heading", 0.5)
    with serving(charted, Doors(deck=played.port)):
        seen(browser, "return document.documentElement.dataset.line === 'open'")
        seen(
            browser,
            "return document.querySelector(\"[data-name='walk.heading'] input[type=range]\").valueAsNumber === 0.75",
        )
    browser.get_log("browser")


def test_a_phone_comes_in_by_the_link_with_the_token(browser: Any, charted: Stagehand) -> None:
    with serving(charted, Doors(deck=0, open=True)) as played:
        charted.step()
        browser.get(f"http://127.0.0.1:{played.port}/")
        assert "locked" in browser.execute_script("return document.body.textContent")
        opened(browser, f"http://127.0.0.1:{played.port}/?token={played.token}", PHONE)
        assert browser.current_url == f"http://127.0.0.1:{played.port}/"
        assert "token" not in browser.execute_script("return document.cookie")
        click(browser, "#freeze")
        until(lambda: charted.desk.value("out.freeze"))
    with serving(charted, Doors(deck=played.port, open=True)):  # another show, another token
        seen(browser, "return document.getElementById('state').textContent.includes('locked')")
    browser.get_log("browser")


def test_words_glow_on_the_map_and_lead_there(browser: Any, played: Server, charted: Stagehand) -> None:
    opened(browser, played.url, LAPTOP)
    tab(browser, "walk")
    seen(browser, "return !document.getElementById('atlas').hidden")
    typed(browser, "#find", "a cat")
    told = seen(browser, "return document.querySelector('[data-name=found]').textContent")
    assert told.startswith("best 0.")
    seen(browser, "return document.getElementById('atlas').textContent === 'Atlas: words'")
    charted.presses.clear()
    click(browser, "#finding button[data-name=goto]")
    until(lambda: [press for press in charted.presses if press.name == "goto"])
    assert charted.presses[-1].value == "a cat"
    click(browser, "#finding button:not([data-name])")
    until(lambda: charted.desk.value("rift.words") == "a cat")
    until(lambda: charted.desk.value("rift.mode") == "toward")
    typed(browser, "#find", "")
    seen(browser, "return document.getElementById('atlas').textContent !== 'Atlas: words'")


IMAGES = """return [...document.querySelectorAll('.look img')].filter((each) => each.naturalWidth)
    .map((each) => each.src.split('/').at(-1)).filter((name) => name === arguments[0]).length"""


def test_choices_are_shown_and_all_of_them_only_when_asked_for(
    browser: Any, charted: Stagehand, played: Server
) -> None:
    opened(browser, f"http://127.0.0.1:{played.port}/")
    charted.desk.set(WALK_KIND, "orbit", "deck:9")
    seen(browser, IMAGES, "walk-orbit.webp")
    assert not browser.execute_script(IMAGES, "walk-lissajous.webp")
    browser.execute_script("document.querySelector('.look details').open = true")
    seen(browser, IMAGES, "walk-lissajous.webp")
    names = "return [...document.querySelectorAll('.look')][0].innerText.split('\\n').filter((word) => word)"
    assert browser.execute_script(names)[1:] == list(BUILT_IN)
    browser.execute_script("[...document.querySelectorAll('.look')][0].querySelector('button:last-child').click()")
    until(lambda: charted.desk.value(WALK_KIND) == BUILT_IN[-1])
    seen(browser, "return document.querySelector('.strip-shown img').src.includes('walk-spiral')")
    assert misnamed(browser) == []
