"""Design tokens: the colours, typefaces, type sizes and spaces of deck, pages, sheets, plots and layouts, written once.

Pages take them as CSS custom properties (`css`) and as a script (`script`), matplotlib and Pillow as values. A test
holds that no other file writes a colour, but those it names with a reason.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class Paper:
    """What things are drawn on, as `#rrggbb`. `dark`: strong is bright, and the colour map runs away from the ground.

    ground: the page; raised: fields, seas and wells on it; rule: hairlines and grids; line: outlines that matter;
    faint: words beside (4.5:1 on ground and raised, WCAG 2.2 AA); ink: words; accent: what is to be seen first; good:
    all is well.
    """

    ground: str
    raised: str
    rule: str
    line: str
    faint: str
    ink: str
    accent: str
    good: str
    dark: bool


DARK = Paper("#0b0c10", "#14161c", "#2a2d36", "#5a5d68", "#9a9aa2", "#e9e5db", "#ff7a59", "#8fc58a", dark=True)
"""Of the deck, the pages, sheets, and plots unless they are asked for light ones."""
LIGHT = Paper("#f7f4ed", "#ece7dc", "#d5cfc2", "#a39d92", "#67635c", "#1d1c1a", "#b43414", "#35702f", dark=False)
"""Of what is printed."""

# Okabe and Ito 2008, then Tol's muted colours that stay apart from them: told apart by colour-blind readers
PHASES = (
    "#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#d55e00", "#b8b8b8", "#882255",
    "#0072b2", "#999933", "#44aa99", "#332288", "#ddcc77", "#aa4499", "#117733", "#cc6677",
)  # fmt: skip
# quiet companions that words, routes and sections have: light enough for letters on the dark ground
HUES = ("#e0b15a", "#7fb4d8", "#e5897a", "#a3a8e8", "#8fc58a", "#c994c7", "#a7adb8", "#cccccc")

# inferno (Smith and van der Walt 2015, CC0; matplotlib's), every fifth of its 256 colours
INFERNO = (
    "#000004", "#02020c", "#050417", "#0a0722", "#10092d", "#160b39", "#1e0c45", "#260c51", "#2f0a5b", "#380962",
    "#400a67", "#490b6a", "#510e6c", "#59106e", "#61136e", "#69166e", "#71196e", "#781c6d", "#801f6c", "#88226a",
    "#902568", "#982766", "#a02a63", "#a82e5f", "#b0315b", "#b73557", "#bf3952", "#c63d4d", "#cc4248", "#d34743",
    "#d94d3d", "#df5337", "#e45a31", "#e9612b", "#ed6925", "#f1711f", "#f47918", "#f78212", "#f98b0b", "#fa9407",
    "#fb9d07", "#fca60c", "#fcb014", "#fbba1f", "#fac42a", "#f8cd37", "#f6d746", "#f4e156", "#f2ea69", "#f2f27d",
    "#f5f992", "#fcffa4",
)  # fmt: skip
GLOW = (0.12, 1.0)  # the part of inferno that rates have on dark paper: its end would drown in the ground
GLOW_LIGHT = (0.98, 0.1)  # and on light paper, where strong is dark
BRIGHT = 0.3  # of GLOW, from which thin lines begin: they drown where areas do not

SERIF = '"Iowan Old Style", "Palatino Linotype", Palatino, "Book Antiqua", Georgia, "DejaVu Serif", serif'
SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif'
MONO = 'ui-monospace, "SF Mono", Consolas, "DejaVu Sans Mono", monospace'
Face = Literal["sans", "serif", "mono"]
DRAWN = {"sans": "DejaVu Sans", "serif": "DejaVu Serif", "mono": "DejaVu Sans Mono"}
"""The faces of what is drawn: matplotlib brings them, so that pictures are the same on every machine."""


@dataclass(frozen=True)
class Sizes:
    """Type sizes of one medium, in its unit: small print, captions, running words, headings, titles."""

    small: float
    caption: float
    text: float
    heading: float
    title: float


PAGE = Sizes(0.82, 0.9, 1.0, 1.12, 1.45)  # rem
PRINT = Sizes(7, 8.5, 9, 11, 16)  # points, of plots
SHEET = Sizes(12, 13, 14, 17, 28)  # pixels, of sheets
CANVAS = Sizes(11, 12, 13, 15, 18)  # CSS pixels, of maps drawn by scripts

SPACES = {"tight": 0.3, "near": 0.6, "space": 1.0, "apart": 1.4, "far": 1.8}  # rem, of pages
MARGIN, GAP = 48, 22  # pixels, of sheets


def rgb(colour: str) -> Rgb:
    """`#rrggbb` as 0..255."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def inferno(at: float) -> Rgb:
    """The colour at 0..1 of the map, between its stops on straight lines: within 2/255 of the whole map."""
    place = min(max(at, 0.0), 1.0) * (len(INFERNO) - 1)
    low = min(int(place), len(INFERNO) - 2)
    one, other = rgb(INFERNO[low]), rgb(INFERNO[low + 1])
    red, green, blue = (round(a + (place - low) * (b - a)) for a, b in zip(one, other))
    return red, green, blue


def glow(at: float, paper: Paper = DARK) -> Rgb:
    """The colour of a rate at 0..1 of its scale: the part of inferno that shows on this paper."""
    low, high = GLOW if paper.dark else GLOW_LIGHT
    return inferno(low + at * (high - low))


def colours(paper: Paper, selector: str) -> str:
    """A paper's colours as custom properties of what a selector selects: --ink, --ground and so on."""
    rows = {name: value for name, value in vars(paper).items() if isinstance(value, str)} | {"ill": paper.accent}
    return _block(selector, f"color-scheme: {'dark' if paper.dark else 'light'};", rows)


def css(paper: Paper = DARK) -> str:
    """The tokens as custom properties of `:root`: its colours, --serif, --text-small, --space-near and so on."""
    rows = {"serif": SERIF, "sans": SANS, "mono": MONO}
    rows |= {"text" if name == "text" else f"text-{name}": f"{size:g}rem" for name, size in vars(PAGE).items()}
    rows |= {f"space-{name}" if name != "space" else name: f"{size:g}rem" for name, size in SPACES.items()}
    return colours(paper, ":root") + _block(":root", "", rows)


def _block(selector: str, first: str, rows: Mapping[str, str]) -> str:
    return f"{selector} {{ {first}\n" + "".join(f"  --{name}: {value};\n" for name, value in rows.items()) + "}\n"


def script(paper: Paper = DARK) -> str:
    """The same for scripts that draw: constants INK, GROUND, ..., HUES, PHASES, GLOW [[r, g, b], ...], fonts."""
    colours = {name.upper(): value for name, value in vars(paper).items() if isinstance(value, str)}
    values: dict[str, object] = {
        **colours, "HUES": HUES, "PHASES": PHASES, "GLOW": [glow(k / 23, paper) for k in range(24)],
        "BRIGHT_FROM": BRIGHT, "FONT_TICKS": f"{CANVAS.small:g}px {SANS}", "FONT_WORDS": f"{CANVAS.caption:g}px {SANS}",
        "FONT_NAMES": f"italic {CANVAS.heading:g}px {SERIF}", "FONT_NUMBERS": f"600 {CANVAS.small:g}px {SANS}",
    }  # fmt: skip
    return "".join(f"const {name} = {json.dumps(value)};\n" for name, value in values.items())
