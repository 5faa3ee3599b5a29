"""The page in a real browser: what it shows, copies and draws, with no network and no word in its console."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import browsing, misnamed
from patience import until
from PIL import Image
from standins.drawn import GLOBE, REFINED, WINDOW, study
from standins.surveys import PLANE, part

from latentworld import preset
from latentworld.atlas import page
from latentworld.atlas.sampling import Window
from latentworld.errors import AtlasError, OutputError

TITLE = "Twelve stars <script>alert(1)</script> & more"

window, refined, whole = (cache(lambda sampling=sampling: study(sampling)) for sampling in (WINDOW, REFINED, GLOBE))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three pages."""
    path = tmp_path_factory.mktemp("pages")
    for name, seen in (("window", window()), ("refined", refined()), ("globe", whole())):
        page.write(seen.atlas, seen.rates, path / f"{name}.html", seen.phases, seen.lines, seen.sites, TITLE)
    return path


def opened(browser: Any, path: Path, width: int = 1200, height: int = 800, phone: bool = False) -> None:
    """Open a page and wait until its pictures are there."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(path.as_uri())
    true(browser, "return document.documentElement.dataset.ready")


def true(browser: Any, script: str) -> None:
    """Wait for a script to find something true."""
    until(lambda: browser.execute_script(script))


def spot(browser: Any, index: int) -> list[float]:
    """Where a place lies on the screen."""
    script = """const [x, y] = latentworld.map.screen(arguments[0]), box = document.getElementById('map')
        .getBoundingClientRect(); return [x + box.left, y + box.top];"""
    found = browser.execute_script(script, index)
    return [float(found[0]), float(found[1])]


def mouse(browser: Any, kind: str, x: float, y: float) -> None:
    told = {"type": kind, "x": x, "y": y, "button": "left" if kind != "mouseMoved" else "none", "clickCount": 1}
    browser.execute_cdp_cmd("Input.dispatchMouseEvent", told)


def text(browser: Any, name: str) -> str:
    return str(browser.execute_script("return document.getElementById(arguments[0]).textContent", name))


def pixels(browser: Any) -> np.ndarray:
    """What the map shows, once it has been drawn anew."""
    script = """const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() =>
        done(document.getElementById('map').toDataURL())));"""
    uri = browser.execute_async_script(script)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))).convert("RGB")).astype(float)


def press(browser: Any, layer: str) -> None:
    browser.execute_script("document.querySelector(arguments[0]).click()", f"[data-layer={layer}]")


@browsing
@pytest.mark.parametrize("name", ["window", "refined", "globe"])
def test_it_opens_from_a_file_without_errors_or_network(browser: Any, folder: Path, name: str) -> None:
    browser.get_log("performance")
    browser.get_log("browser")
    opened(browser, folder / f"{name}.html")
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    assert asked
    assert all(url.startswith(("file://", "data:")) for url in asked)
    assert browser.get_log("browser") == []
    assert browser.title == TITLE
    assert pixels(browser).std() > 10


@browsing
@pytest.mark.parametrize("name", ["window", "refined", "globe"])
def test_hover_tells_the_place_and_a_click_copies_it_exactly(browser: Any, folder: Path, name: str) -> None:
    seen = {"window": window, "refined": refined, "globe": whole}[name]()
    opened(browser, folder / f"{name}.html")
    middle = PLANE.unit(1 / 3, 1 / 3)
    finest = np.flatnonzero((seen.atlas.level == seen.atlas.level.max()) & (seen.atlas.unit @ middle > 0.3))
    for index in finest[:: len(finest) // 3]:
        x, y = spot(browser, int(index))
        mouse(browser, "mouseMoved", x, y)
        true(browser, f"return latentworld.state.at === {index}")
        alpha, beta = seen.atlas.coordinates[index]
        rate = seen.rates[index]
        for axis, value in (("alpha", alpha), ("beta", beta)):
            words = text(browser, axis).removesuffix(" (antipode)")
            assert re.fullmatch(r"−?\d+(\.\d{1,4})?", words), words  # no raw double, which is for what is copied
            assert float(words.replace("−", "-")) == pytest.approx(value, abs=6e-4)
        if 1e-3 < rate < 1e4:
            assert float(text(browser, "rate").split(",")[0]) == pytest.approx(rate, rel=1e-3)
        assert text(browser, "label").startswith(seen.phases.names[seen.phases.label[index]] + ",")
        mouse(browser, "mousePressed", x, y)
        mouse(browser, "mouseReleased", x, y)
        true(browser, "return document.querySelector('#toast.shown code')")
        copied = browser.execute_script(
            "const told = document.querySelector('#toast code').textContent; toast.replaceChildren(); return told"
        ).split()
        assert copied[::2] == ["--alpha", "--beta"]
        assert [float(copied[1]), float(copied[3])] == [alpha, beta]


@browsing
@pytest.mark.parametrize("name", ["window", "globe"])
def test_everything_is_called_by_what_stands_there(browser: Any, folder: Path, name: str) -> None:
    opened(browser, folder / f"{name}.html")
    assert misnamed(browser) == []
    assert browser.execute_script("return document.querySelectorAll('main').length") == 1
    assert "places" in browser.execute_script("return document.querySelector('meta[name=description]').content")
    # a rift's button is called by its words, which may not run into one another
    assert browser.execute_script("return document.querySelector('#sites button').textContent").startswith("1 ")


@browsing
def test_alpha_runs_to_the_right_and_beta_upwards(browser: Any, folder: Path) -> None:
    opened(browser, folder / "window.html")
    (x, y), (right, _), (_, above) = (spot(browser, index) for index in (0, 11 * 12, 11))
    np.testing.assert_array_equal(window().atlas.coordinates[[0, 11 * 12, 11]], [[-1, -1], [2, -1], [-1, 2]])
    assert right > x + 300
    assert above < y - 300


@browsing
def test_a_phone_that_lies_shows_every_layer(browser: Any, folder: Path) -> None:
    opened(browser, folder / "window.html", 844, 390, phone=True)
    inside = """const {left, right, bottom} = document.querySelector('.map').getBoundingClientRect();
        return [...document.querySelectorAll('.bar button')].every((each) => { const b = each.getBoundingClientRect();
            return b.left >= left && b.right <= right && b.bottom <= bottom; });"""
    assert browser.execute_script(inside)


@browsing
def test_a_refused_clipboard_leaves_the_words_selected(browser: Any, folder: Path) -> None:
    opened(browser, folder / "window.html")
    script = """const done = arguments[0];
        Object.defineProperty(navigator, 'clipboard', {value: {writeText: () => Promise.reject(new Error('no'))}});
        document.execCommand = () => false;
        document.getElementById('copy').click();
        setTimeout(() => done([getSelection().toString(), document.getElementById('toast').textContent]), 80);"""
    selected, told = browser.execute_async_script(script)
    assert selected.startswith("--alpha ")
    assert told == f"Copy with Ctrl C: {selected}"


@browsing
@pytest.mark.parametrize("name", ["window", "globe"])
def test_every_layer_and_the_blend_change_the_picture(browser: Any, folder: Path, name: str) -> None:
    opened(browser, folder / f"{name}.html")
    before = pixels(browser)
    for layer in ("pictures", "field", "phases", "rifts"):
        press(browser, layer)
        after = pixels(browser)
        assert np.abs(after - before).max() > 20, layer
        press(browser, layer)
        np.testing.assert_array_equal(pixels(browser), before)
    script = "const b = document.getElementById('blend'); b.value = 1; b.dispatchEvent(new Event('input'))"
    browser.execute_script(script)
    assert np.abs(pixels(browser) - before).mean() > 3


@browsing
def test_keys_walk_copy_and_zoom(browser: Any, folder: Path) -> None:
    opened(browser, folder / "window.html")
    script = """const map = document.getElementById('map'), said = [];
        const key = (name) => map.dispatchEvent(new KeyboardEvent('keydown', {key: name, bubbles: true}));
        latentworld.state.at = 5 * 12 + 5;
        for (const name of ['ArrowRight', 'ArrowUp', 'ArrowLeft', 'ArrowDown']) {
            key(name);
            said.push(latentworld.state.at);
        }
        const scale = latentworld.map.view.scale;
        key('+');
        return [...said, latentworld.map.view.scale / scale];"""
    *walked, factor = browser.execute_script(script)
    assert walked == [6 * 12 + 5, 6 * 12 + 6, 5 * 12 + 6, 5 * 12 + 5]
    assert factor == pytest.approx(1.3)


@browsing
@pytest.mark.parametrize("name", ["window", "globe"])
def test_a_rift_of_the_list_is_flown_to(browser: Any, folder: Path, name: str) -> None:
    opened(browser, folder / f"{name}.html")
    browser.execute_script("document.querySelectorAll('#sites button')[1].click()")
    arrived = """const {map, atlas} = latentworld, goal = map.goal(atlas.sites[1]), {view} = map;
        return ['x', 'y', 'scale', 'radius'].every((k) => !(Math.abs(view[k] - goal[k]) > 1e-6)) &&
            (!goal.at || goal.at.every((value, k) => Math.abs(value - view.at[k]) < 1e-6));"""
    true(browser, arrived)
    x, y, *depth = browser.execute_script("""const {map, atlas} = latentworld, {at} = atlas.sites[1];
        return map.toScreen(...(atlas.kind === 'globe' ? [at] : at));""")
    width, height = browser.execute_script(
        "const b = document.getElementById('map').getBoundingClientRect(); return [b.width, b.height]"
    )
    assert 0 < x < width
    assert 0 < y < height
    assert all(value > 0.9 for value in depth)  # on the globe: in the middle


@browsing
def test_the_globe_turns_when_dragged_and_knows_every_pixel(browser: Any, folder: Path) -> None:
    opened(browser, folder / "globe.html")
    unit = np.random.default_rng(4).normal(size=(2000, 3))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    unit = np.concatenate([unit, [[0, 0, 1], [0, 0, -1]]])
    found = browser.execute_script(
        "return arguments[0].map((u) => latentworld.pixelOf(latentworld.atlas.nside, ...u))", unit.tolist()
    )
    healpix = pytest.importorskip("healpix")
    np.testing.assert_array_equal(found, healpix.vec2pix(GLOBE.nside, *unit.T))
    before = np.array(browser.execute_script("return latentworld.map.view.at"))
    mouse(browser, "mousePressed", 400, 400)
    for x in (450, 500, 550):
        browser.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": 400, "buttons": 1})
    mouse(browser, "mouseReleased", 550, 400)
    after = np.array(browser.execute_script("return latentworld.map.view.at"))
    assert np.linalg.norm(after - before) > 0.2
    assert text(browser, "toast") == ""  # a drag is no click


@browsing
def test_it_fits_a_phone(browser: Any, folder: Path) -> None:
    opened(browser, folder / "window.html", 390, 844, phone=True)
    wide, reach = browser.execute_script(
        "return [document.documentElement.scrollWidth, document.getElementById('copy').getBoundingClientRect().bottom]"
    )
    assert wide <= 390
    assert reach < 844  # map, layers, values and the button without scrolling


def test_what_people_wrote_is_escaped() -> None:
    seen = window()
    bad = replace(seen.phases, names=["</script><b>x"] * len(seen.phases.names))
    told = page.page(seen.atlas, seen.rates, bad, title=TITLE)
    assert "<script>alert" not in told
    assert "</script><b>" not in told
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in told
    assert "a &lt;b&gt;house&lt;/b&gt; &amp; $5" in told
    assert told.count("</script>") == 2


def test_a_page_needs_nothing_from_elsewhere() -> None:
    seen = window()
    told = page.page(seen.atlas, seen.rates)
    assert "default-src 'none'" in told
    for word in ("http:", "https:", "src=", "@import", "fetch(", "XMLHttpRequest"):
        assert word not in told, word


def test_2500_noisy_places_of_64_pixels_stay_under_15_megabytes() -> None:
    sampling = Window(rows=50, columns=50)
    noise = np.random.default_rng(0).integers(0, 256, (2500, 64, 64, 3), dtype=np.uint8)  # no picture is worse
    lattice = sampling.lattice()
    unit = PLANE.unit(*sampling.coordinates(lattice).T)
    level = np.zeros(2500, np.int64)
    atlas = replace(
        window().atlas, sampling=sampling, unit=unit, features=unit, thumbs=noise, lattice=lattice, level=level
    )
    assert len(page.page(atlas, np.ones(2500))) < 15e6


def test_unknown_rates_and_an_unfinished_survey_have_a_page(tmp_path: Path) -> None:
    seen = window()
    some = part(seen.atlas, np.arange(0, 144, 2))
    rates = seen.rates[::2].copy()
    rates[3] = np.nan
    page.write(some, rates, tmp_path / "part.html")
    assert "unfinished" in (tmp_path / "part.html").read_text(encoding="utf-8")
    with pytest.raises(OutputError):
        page.write(some, rates, tmp_path / "missing" / "part.html")
    with pytest.raises(AtlasError, match="no place"):
        page.page(part(some, np.array([], int)), np.array([]))


@browsing
@pytest.mark.parametrize("name", ["window", "globe"])
def test_the_map_glows_where_pictures_are_like_words(browser: Any, tmp_path: Path, name: str) -> None:
    seen = {"window": window, "globe": whole}[name]()
    goal = seen.atlas.unit[len(seen.atlas) // 3]
    score = 0.2 + 0.1 * np.exp(-((seen.atlas.unit - goal) ** 2).sum(axis=1) / 0.05)
    words = {"a cat <b>": score, "a sea": score[::-1].copy()}
    page.write(seen.atlas, seen.rates, tmp_path / "page.html", seen.phases, seen.lines, seen.sites, TITLE, words=words)
    opened(browser, tmp_path / "page.html")
    before = browser.execute_script("return latentworld.atlas.strength.join()")
    browser.execute_script("document.querySelectorAll('#words button')[0].click()")
    assert browser.execute_script("return document.querySelector('#words button').textContent") == "a cat <b>"
    assert browser.execute_script("return latentworld.state.at") == score.argmax()
    strength = browser.execute_script("return [...latentworld.atlas.strength]")
    assert int(np.argmax(strength)) == score.argmax()
    browser.execute_script("document.querySelectorAll('#words button')[0].click()")  # the rates again
    assert browser.execute_script("return latentworld.atlas.strength.join()") == before
    assert browser.get_log("browser") == []


@browsing
def test_it_offers_where_to_go_from_the_place(browser: Any, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (60, 8)).save(buffer, "WEBP")
    offered = [page.Offer("spiral", "in and <b>out</b>", "--set walk.kind=spiral --set walk.centre", buffer.getvalue())]
    page.write(window().atlas, window().rates, tmp_path / "page.html", offers=offered)
    opened(browser, tmp_path / "page.html")
    browser.execute_script("document.getElementById('offers-part').open = true")
    true(browser, "return document.querySelector('#offers img').naturalWidth === 60")
    assert browser.execute_script("return document.querySelector('#offers button').title") == "in and <b>out</b>"
    browser.execute_script("document.querySelector('#offers button').click()")
    true(browser, "return document.getElementById('toast').classList.contains('shown')")
    said = browser.execute_script("return document.querySelector('#toast code').textContent")
    setting = re.fullmatch(r"--set (walk.kind=spiral) --set walk.centre='(\[.*\])'", said)
    assert setting is not None
    journey = preset.load("neutral", [setting[1], f"walk.centre={setting[2]}"])
    at = browser.execute_script("return latentworld.state.at")
    assert journey.walk.model_dump()["centre"] == pytest.approx(tuple(window().atlas.coordinates[at]), abs=1e-15)


def test_without_offers_the_page_has_none() -> None:
    assert '"offers": []' in page.page(window().atlas, window().rates)
