"""One ink, one inferno: no file but the tokens writes a colour, and those who read them get the same."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib import colormaps

from latentworld import tokens
from latentworld.drawing import scripts, style

ROOT = Path(__file__).parent.parent
WHERE = ("latentworld", "installation", "benchmarks", "examples", "foundry")
ENDINGS = (".py", ".css", ".js", ".html", ".svg")
LITERAL = re.compile(
    r"#(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{3})\b(?!\w)"  # a colour of CSS
    r"|\b(?:rgb|hsl)a?\(\s*\d"
    r"|(?i:fill|colou?r|ground|ink|faint|line)[\w, ]*= ?\(+\d{1,3}, \d{1,3}, \d{1,3}\)"  # of Pillow, as three levels
    r"|\"RGB\", [^#\n]*, \(\d{1,3}, \d{1,3}, \d{1,3}\)"
    r"|color(?:s|map)?=[\"'](?!none)[a-z]+[\"']"  # matplotlib's names
    r"|cmap=[\"']|colormaps\["
)
EXEMPT = {
    "latentworld/tokens.py": "the tokens themselves",
    "installation/stage/card.py": "colour bars and levels of the test card are signals, defined as numbers",
    "installation/ports/midi/driver.py": "the number of an issue",
}
COPIES = tuple(f"installation/ports/deck/static/{name}" for name in ("icon.svg", "index.html", "technician.html"))
"""Read by browsers before any style: they write colours, but none that is no token's."""
SET = {"hue", "x"}
"""Properties that scripts of the deck set on elements."""
PICTURES = ("foundry/scenes/", "foundry/estimate.py", "latentworld/decoding/figures.py")
"""What the world is cast from, and the analytic world's own rosettes: subjects, no look of ours."""


def files() -> list[Path]:
    found = [path for folder in WHERE for path in (ROOT / folder).rglob("*") if path.suffix in ENDINGS]
    return [path for path in found if not str(path.relative_to(ROOT)).startswith(PICTURES)]


def test_no_colour_is_written_but_in_the_tokens() -> None:
    assert len(files()) > 400
    found = {}
    for path in files():
        name = str(path.relative_to(ROOT))
        if name not in EXEMPT and name not in COPIES:
            written = [f"{name}: {hit.group(0)}" for hit in LITERAL.finditer(path.read_text(encoding="utf-8"))]
            found |= {name: written} if written else {}
    assert found == {}


@pytest.mark.parametrize("name", COPIES)
def test_what_cannot_take_tokens_writes_the_same(name: str) -> None:
    written = set(re.findall(r"#[0-9a-f]{6}\b", (ROOT / name).read_text(encoding="utf-8")))
    assert written
    assert written <= set(vars(tokens.DARK).values())


@pytest.mark.parametrize(
    "text", ["color: #0b0c10;", "fill=(226, 222, 212)", "rgb(11 12 16 / .5)", "cmap='magma'", "#fff"]
)
def test_a_colour_would_be_found(text: str) -> None:
    assert LITERAL.search(text)


def test_every_property_that_a_page_uses_is_a_token() -> None:
    known = set(re.findall(r"--([\w-]+):", tokens.css()))
    for path in files():
        if path.suffix in (".css", ".html"):
            text = path.read_text(encoding="utf-8")
            own = set(re.findall(r"--([\w-]+):", text)) | SET
            assert set(re.findall(r"var\(--([\w-]+)[,)]", text)) <= known | own, path


def test_inferno_is_matplotlibs() -> None:
    whole = np.array([tokens.inferno(k / 255) for k in range(256)])
    assert np.abs(whole - 255 * np.array(colormaps["inferno"](np.arange(256)))[:, :3]).max() <= 2


def test_rates_have_one_colour_in_plots_sheets_and_scripts() -> None:
    at = np.linspace(0, 1, 24)
    script = re.search(r"const GLOW = (\[.*?\]);", scripts.plain())
    assert script is not None
    assert np.array_equal(np.array([tokens.glow(float(one)) for one in at]), np.array(eval(script[1])))
    assert np.abs(255 * style.glow()(at)[:, :3] - [tokens.glow(float(one)) for one in at]).max() < 2


@pytest.mark.parametrize("paper", [tokens.DARK, tokens.LIGHT], ids=["dark", "light"])
@pytest.mark.parametrize("words", ["ink", "faint", "accent", "good"])
def test_words_can_be_read(paper: tokens.Paper, words: str) -> None:
    """4.5:1, as WCAG 2.2 asks for of text (1.4.3)."""
    for ground in (paper.ground, paper.raised):
        one, other = sorted((luminance(vars(paper)[words]), luminance(ground)))
        assert (other + 0.05) / (one + 0.05) >= 4.5


def luminance(colour: str) -> float:
    parts = np.array(tokens.rgb(colour)) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
