"""Both pages of the deck for everybody: axe-core finds nothing in either light, and nothing pressed is too small."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from chromium import browsing
from deck_browser import LAPTOP, PHONE, click, opened, ready, seen, tab, typed
from patience import until
from standins.deck import Stagehand

from installation.ports.deck import Server

pytestmark = browsing
AXE = (Path(__file__).parent / "assets" / "axe" / "axe.min.js").read_text(encoding="utf-8")
TABLET, LYING = (1024, 768, True), (844, 390, True)
SIZES = {"laptop": LAPTOP, "tablet": TABLET, "phone": PHONE, "lying": LYING}
TABS = ("walk", "words", "engine", "motion", "show")
LEAST = 40  # pixels of what is pressed, each way
PICTURES = os.environ.get("LATENTWORLD_SCREENSHOTS")  # a folder: what each page looked like is left there


def look(browser: Any, paper: str, large: bool = False) -> None:
    """Choose paper and type as the technician's page does, and load the page anew."""
    said = {"paper": paper if paper == "light" else None, "type": "large" if large else None}
    for name, value in said.items():
        script = "arguments[1] ? localStorage.setItem(...arguments) : localStorage.removeItem(arguments[0])"
        browser.execute_script(script, name, value)
    browser.refresh()


def violations(browser: Any) -> list[str]:
    """What axe-core finds, a line each."""
    browser.execute_script(AXE)
    found = browser.execute_async_script(
        "axe.run(document, {resultTypes: ['violations']}).then((r) => arguments[arguments.length - 1](r.violations))"
    )
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:160]} {node['any'][0]['message'] if node['any'] else ''}"
        for rule in found
        for node in rule["nodes"]
    ]


def kept(browser: Any, name: str) -> None:
    if PICTURES:
        browser.save_screenshot(str(Path(PICTURES) / f"{name}.png"))


def to_technician(browser: Any, server: Server, size: tuple[int, int, bool]) -> None:
    opened(browser, server.url, size)
    browser.get(f"{server.url}technician")
    seen(browser, "return document.querySelector('#health dd') && document.documentElement.dataset.line === 'open'")


def test_axe_is_awake(browser: Any, played: Server) -> None:
    """What is wrong is found: a button without a name, words too faint to read."""
    to_technician(browser, played, LAPTOP)
    script = (
        "document.querySelector('main').insertAdjacentHTML('beforeend', '<button></button><p>faint</p>');"
        "Object.assign(document.querySelector('main > p').style, {color: '#555', background: '#444'})"
    )
    browser.execute_script(script)  # by a script: the page takes no styles that stand in HTML
    found = violations(browser)
    assert any(line.startswith("button-name") for line in found)
    assert any(line.startswith("color-contrast") for line in found)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("paper", ["dark", "light"])
def test_axe_finds_nothing_on_the_deck(
    paper: str, size: tuple[int, int, bool], browser: Any, played: Server, charted: Stagehand
) -> None:
    charted.snapshots.save("dusk")
    opened(browser, played.url, size)
    look(browser, paper)
    ready(browser)
    seen(browser, "return document.querySelector('#snapshots .chip')")
    found = []
    for name in TABS:
        tab(browser, name)
        kept(browser, f"deck-{name}-{paper}-{size[0]}")
        found += [f"{name}: {line}" for line in violations(browser)]
    assert not found, "\n".join(sorted(set(found)))


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("paper", ["dark", "light"])
def test_axe_finds_nothing_on_the_technicians_page(
    paper: str, size: tuple[int, int, bool], browser: Any, played: Server, charted: Stagehand
) -> None:
    lines = [{"time": f"2026-11-30T20:15:{k:02}+00:00", "level": level, "text": text} for k, (level, text) in enumerate(
        [("info", "the show begins"), ("warning", "the renderer hung (nothing made for 30 s) and was killed"),
         ("info", "recorded the take evening")] * 6)]  # fmt: skip
    (charted.folder.parent / "log.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    to_technician(browser, played, size)
    for large in (False, True):
        look(browser, paper, large)
        seen(browser, "return document.querySelectorAll('#log li').length > 10 && document.querySelector('#health dd')")
        kept(browser, f"technician-{paper}-{size[0]}{'-large' if large else ''}")
        found = violations(browser)
        assert not found, "\n".join(sorted(set(found)))
        wide = browser.execute_script("return document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0


@pytest.mark.parametrize("size", [PHONE, LYING, TABLET], ids=["phone", "lying", "tablet"])
def test_nothing_that_is_pressed_is_too_small_for_a_finger(
    size: tuple[int, int, bool], browser: Any, played: Server, charted: Stagehand
) -> None:
    charted.snapshots.save("dusk")
    small = """const wrong = [];
        const pressed = 'button, input, select, textarea, summary, a[href], [role=switch]';
        for (const each of document.querySelectorAll(pressed)) {
            const {width, height} = each.getBoundingClientRect();
            if (!width || getComputedStyle(each).visibility === 'hidden') continue;
            const told = `${Math.round(width)}x${Math.round(height)} ${each.outerHTML.slice(0, 110)}`;
            if (Math.round(Math.min(width, height)) < arguments[0]) wrong.push(told);
        }
        return wrong;"""
    opened(browser, played.url, size)
    look(browser, "dark")
    ready(browser)
    seen(browser, "return document.querySelector('#snapshots .chip')")
    found = []
    for name in TABS:
        tab(browser, name)
        browser.execute_script("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        found += browser.execute_script(small, LEAST)
    browser.get(f"{played.url}technician")
    seen(browser, "return document.querySelector('#restart')")
    found += browser.execute_script(small, LEAST)
    assert not found, "\n".join(sorted(set(found)))


def test_a_snapshot_is_renamed_and_deleted_by_hand(browser: Any, played: Server, charted: Stagehand) -> None:
    charted.snapshots.save("dusk")
    opened(browser, played.url, LAPTOP)
    look(browser, "dark")
    ready(browser)
    tab(browser, "show")
    seen(browser, "return document.querySelector('#snapshots .chip')")
    click(browser, "#snapshots .edit")
    seen(browser, "return document.querySelector('#snapshots .kept .more')")
    click(browser, "#snapshots .kept .more")
    typed(browser, "#snapshots .actions input", "dawn")
    click(browser, "#snapshots .actions button")
    until(lambda: charted.snapshots.names() == ["dawn"])
    seen(browser, "return document.querySelector('#snapshots .chip').textContent === 'dawn'")
    click(browser, "#snapshots .kept .more")
    address = browser.execute_script("return document.querySelector('#snapshots .actions a').getAttribute('href')")
    assert address == "/snapshots/dawn"
    click(browser, "[data-delete]")
    seen(browser, "return document.querySelector('[data-delete]').textContent === 'Really delete?'")
    assert charted.snapshots.names() == ["dawn"]  # once is not enough
    click(browser, "[data-delete]")
    until(lambda: not charted.snapshots.names())


def test_the_technician_has_card_renderer_and_look(browser: Any, played: Server, charted: Stagehand) -> None:
    to_technician(browser, played, LAPTOP)
    look(browser, "dark")
    seen(browser, "return document.querySelector('#card') && document.documentElement.dataset.line === 'open'")
    click(browser, "#card")
    until(lambda: charted.desk.value("out.testcard"))
    click(browser, "#restart")
    assert charted.restarted == 0
    click(browser, "#restart")
    until(lambda: charted.restarted == 1)
    click(browser, "#paper")
    assert browser.execute_script("return document.documentElement.dataset.paper") == "light"
    opened(browser, played.url, LAPTOP)
    assert browser.execute_script("return document.documentElement.dataset.paper") == "light"
    look(browser, "dark")


def test_the_screen_is_asked_to_stay_on(browser: Any, played: Server, charted: Stagehand) -> None:
    opened(browser, played.url, PHONE)
    script = """const asked = []; Object.defineProperty(navigator, 'wakeLock', {configurable: true, value:
        {request: async (what) => { asked.push(what); return new EventTarget(); }}});
        document.dispatchEvent(new Event('pointerdown')); return asked;"""
    assert browser.execute_script(script) in (["screen"], [])  # [] where the browser gave it when the page came
    assert browser.execute_script("return 'wakeLock' in navigator")
