"""The pictures of README and docs, made anew by the commands that stand beside them: for when the world is another.

    python benchmarks/pictures.py                   all of them; goes on where it was stopped
    python benchmarks/pictures.py atlas-page logz   these alone
    python benchmarks/pictures.py --list            what each is made of

They go into docs/pictures, in place of those that are there; work lies in out/pictures, a folder and a log a step, and
what was made of this very world is not made again. Surveys, zoom, pairs, bridges and the judge take minutes each. The
strips of docs/gallery are `latentworld gallery -o docs/gallery`. Screenshots want chromium and chromedriver. Look at
each picture before you commit it: what stands beside it in the docs may not be true any more.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from latentworld import worlds
from latentworld.worlds import files
from latentworld.worlds.find import find
from latentworld.worlds.look import used

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "pictures"
EMERGE = "a cat,a moon,a sea,a flower"
sys.path.insert(0, str(ROOT / "tests"))


@dataclass(frozen=True)
class Step:
    """Commands that leave something in the folder of their own name, `{}` in them; after: whose folders they read."""

    commands: tuple[str, ...]
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """One of the docs' pictures: a file of a step's, at most so wide. box: left, top, right, bottom as shares of it."""

    step: str
    source: str
    width: int
    box: tuple[float, float, float, float] = (0, 0, 1, 1)


@dataclass(frozen=True)
class Page:
    """A screenshot. step: whose folder has the page, "" for the deck of a show; size: width, height, whether fingers
    play; act: what is done before it is taken; scale: device pixels of one of the page's."""

    step: str
    url: str
    size: tuple[int, int, bool]
    act: Callable[[Any], None] = lambda browser: None
    scale: int = 1


STEPS: Mapping[str, Step] = {
    "film": Step(("latentworld film first-light -o {}/first-light",)),
    "map": Step(("latentworld atlas survey neutral -o {} --size 50x50 --scout",)),
    "zoom": Step(("latentworld atlas zoom neutral -o {} --atlas {map} --scout --overwrite",), ("map",)),
    "globe": Step(("latentworld atlas survey neutral -o {} --globe 16 --scout",)),
    "emergence": Step((f"latentworld atlas emergence {{globe}} --words '{EMERGE}' -o {{}}",), ("globe",)),
    "geometry": Step(
        ("latentworld atlas survey neutral -o {} --size 64x64 --scout", "latentworld atlas metric {}"),
    ),
    "pairs": Step(("python benchmarks/geodesics.py embedded --atlas {geometry} --keep {}",), ("geometry",)),
    "bridge": Step(("python benchmarks/bridge.py --out {}",)),
    "symbiosis": Step(
        ("python examples/symbiosis.py --strip {}/strip.png", "python examples/symbiosis.py --sheet {}/sheet.png")
    ),
    "judged": Step(("python -m foundry judge latentworld/worlds/embedded --sheets {}",)),
}  # fmt: skip


def on(name: str, then: Callable[[Any], None] = lambda browser: None) -> Callable[[Any], None]:
    """The deck's tab of that name, and what is done there."""

    def act(browser: Any) -> None:
        from deck_browser import tab

        tab(browser, name)
        then(browser)

    return act


def lit(act: Callable[[Any], None]) -> Callable[[Any], None]:
    """On light paper."""

    def lighted(browser: Any) -> None:
        from deck_browser import seen

        browser.execute_script("localStorage.setItem('paper', 'light')")
        browser.refresh()
        seen(browser, "return document.documentElement.dataset.line === 'open'")
        act(browser)

    return lighted


def taken_apart(browser: Any) -> None:
    """The newest frame's denoising, half-way."""
    from patience import until

    browser.execute_script("document.querySelector('#take-apart').click()")
    until(lambda: browser.execute_script("return document.querySelector('#engine-step').max > 1"), 300.0)
    half = "const s = document.querySelector('#engine-step'); s.value = s.max / 2; s.dispatchEvent(new Event('input'))"
    browser.execute_script(half)


def globe(browser: Any) -> None:
    """The globe in the chart's place."""
    browser.execute_script("document.querySelector('#swap').click()")


def hovered(browser: Any) -> None:
    """The pointer over an atlas's map."""
    from deck_browser import box, mouse

    time.sleep(2)
    left, top, width, height = box(browser, "#map")
    mouse(browser, "mouseMoved", left + 0.6 * width, top + 0.4 * height)


LAPTOP, TABLET, PHONE, LYING = (1440, 900, False), (900, 675, True), (390, 844, True), (844, 390, True)
PICTURES: Mapping[str, Picture | Page] = {
    "first-light.jpg": Picture("film", "first-light/contact-sheet.png", 1790),
    "atlas-overlay.jpg": Picture("map", "pictures/overlay.png", 1400),
    "atlas-phases.jpg": Picture("map", "pictures/phases.png", 1400),
    "atlas-page.jpg": Page("map", "atlas.html", LAPTOP, hovered),
    "atlas-zoom.jpg": Picture("zoom", "zoom.png", 1600),
    "emergence.jpg": Picture("emergence", "emergence.png", 900),
    "metric-ellipses.jpg": Picture("geometry", "pictures/metric-ellipses.png", 704),
    "logz.jpg": Picture("geometry", "pictures/logz.png", 768),
    "phase-lines.jpg": Picture("geometry", "pictures/phase-lines.png", 792),
    "geodesic-strips.jpg": Picture("pairs", "geodesics-1.png", 1400),
    "geodesic-map.jpg": Picture("pairs", "geodesics-map.png", 1100),
    "bridge-strip.png": Picture("bridge", "flowers-mountains.png", 1216),
    "symbiosis.png": Picture("symbiosis", "sheet.png", 882),
    "vertices-strip.png": Picture("symbiosis", "strip.png", 980),
    **{f"world-{name}.jpg": Picture("judged", f"{name}.png", 1536)
       for name in ("reconstructions", "families", "neutral", "grid", "rift", "student")},
    "deck-laptop.png": Page("", "", LAPTOP, on("walk")),
    "deck-globe.png": Page("", "", (1100, 688, False), on("walk", globe)),
    "deck-engine.png": Page("", "", (1100, 688, False), on("engine", taken_apart)),
    "deck-words.png": Page("", "", LAPTOP, on("words")),
    "deck-phone.png": Page("", "", PHONE, on("walk"), 2),
    "deck-light.jpg": Page("", "", TABLET, lit(on("walk"))),
    "deck-lying.jpg": Page("", "", LYING, lit(on("walk"))),
    "deck-phone-light.jpg": Page("", "", PHONE, lit(on("show"))),
    "deck-technician.jpg": Page("", "technician", (1100, 688, False), lit(lambda browser: None)),
}  # fmt: skip
BY_HAND = {
    "beats.png": "benchmarks/beats.py, of no world",
    "deck-gallery.jpg": "of docs/gallery",
    "notebook.jpg": "examples/walk.ipynb as an editor shows it",
}


@dataclass(frozen=True)
class Studio:
    """Where steps leave what they make. mark: of the world it is made of."""

    folder: Path
    mark: str

    def need(self, name: str) -> Path:
        """A step's folder, with what its commands leave there. Raises SystemExit where one fails."""
        step, target = STEPS[name], self.folder / name
        around = {other: str(self.need(other)) for other in step.after}
        commands = [command.format(target, **around) for command in step.commands]
        done, mark = self.folder / f"{name}.done", hashlib.sha256(f"{self.mark}{commands}".encode()).hexdigest()
        if done.exists() and done.read_text() == mark:
            return target
        target.mkdir(parents=True, exist_ok=True)
        for command in commands:
            print(f"{name}: {command}", flush=True)
            self._run(command, self.folder / f"{name}.log")
        done.write_text(mark)
        return target

    def _run(self, command: str, log: Path) -> None:
        program, *rest = shlex.split(command)
        start = ["-m", "installation"] if program == "latentworld" else []
        with log.open("a") as file:
            ended = subprocess.run([sys.executable, *start, *rest], cwd=ROOT, stdout=file, stderr=file, check=False)
        if ended.returncode:
            raise SystemExit(f"{command} failed: see {log}")


def kept(image: Image.Image, name: str, width: int) -> None:
    """Write one of the docs' pictures, no wider than that."""
    if image.width > width:
        image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    image = image.convert("RGB")
    if name.endswith(".jpg"):
        image.save(TARGET / name, quality=88, progressive=True)
    else:  # of 256 colours: a quarter of the bytes, and flat grounds and lettering stay as they are
        image.quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(TARGET / name, optimize=True)
    print(f"{name}: {image.width} x {image.height}, {(TARGET / name).stat().st_size / 1000:.0f} kB", flush=True)


def picture(studio: Studio, name: str, made: Picture) -> None:
    """Make one anew of a step's file."""
    with Image.open(studio.need(made.step) / made.source) as image:
        left, top, right, bottom = made.box
        w, h = image.size
        kept(image.crop((round(left * w), round(top * h), round(right * w), round(bottom * h))), name, made.width)


@contextlib.contextmanager
def show(studio: Studio, port: int = 18473) -> Iterator[str]:
    """The address of a show's deck, an atlas underneath."""
    atlas, folder = studio.need("map"), studio.folder / "show"
    asked = ["--set", "walk.kind=lissajous", "--set", f"pilot.atlas={atlas}", "--folder", str(folder)]
    command = [sys.executable, "-m", "installation", "show", "neutral", "--headless", "--fresh", "--no-osc", *asked]
    with (studio.folder / "show.log").open("w") as log:
        running = subprocess.Popen([*command, "--deck", str(port)], cwd=ROOT, stdout=log, stderr=log)
        try:
            time.sleep(45)  # a while of pictures, and of the way behind them
            yield f"http://127.0.0.1:{port}/"
        finally:
            running.terminate()
            running.wait(30)


def screenshots(studio: Studio, pages: Mapping[str, Page], address: str = "") -> None:
    """Take pages of one kind: of the deck at that address, or of files."""
    import io

    from chromium import chromium
    from deck_browser import opened

    for name, page in pages.items():
        with chromium() as browser:
            width, height, mobile = page.size
            if address:
                opened(browser, address, page.size)
                if page.url:
                    browser.get(address + page.url)
            metrics = {"width": width, "height": height, "deviceScaleFactor": page.scale, "mobile": mobile}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            if not address:
                browser.get((studio.need(page.step) / page.url).as_uri())
            page.act(browser)
            time.sleep(4)
            image = Image.open(io.BytesIO(browser.get_screenshot_as_png()))
        kept(image, name, width * page.scale)


def make(studio: Studio, names: Sequence[str]) -> None:
    """Make these anew, in the table's order."""
    asked = {name: made for name, made in PICTURES.items() if name in names}
    for name, made in asked.items():
        if isinstance(made, Picture):
            picture(studio, name, made)
    pages = {name: made for name, made in asked.items() if isinstance(made, Page)}
    screenshots(studio, {name: page for name, page in pages.items() if page.step})
    played = {name: page for name, page in pages.items() if not page.step}
    if played:
        with show(studio) as address:
            screenshots(studio, played, address)


def print_sources(names: list[str], by_hand: dict[str, str]) -> None:
    """A line a picture: what it is made of."""
    for name in names:
        made = PICTURES[name]
        source = made.source if isinstance(made, Picture) else made.url
        print(f"{name:24} {made.step or 'the deck of a show'}{source and f': {source}'}")
    for name, how in by_hand.items():
        print(f"{name:24} by hand: {how}")


def main() -> None:
    """Make what is named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="without their endings; all if none is named")
    parser.add_argument("--list", action="store_true")
    asked = parser.parse_args()
    known = {Path(name).stem: name for name in PICTURES}
    strange = [name for name in asked.names if Path(name).stem not in known]
    by_hand = {Path(name).stem: how for name, how in BY_HAND.items()}
    if strange and (how := by_hand.get(Path(strange[0]).stem)):
        raise SystemExit(f"{strange[0]} is made by hand: {how}")
    if strange:
        raise SystemExit(f"no picture {strange[0]!r}: --list has them")
    names = [known[Path(name).stem] for name in asked.names] or list(PICTURES)
    if asked.list:
        print_sources(names, {} if asked.names else BY_HAND)
        return
    make(Studio(ROOT / "out" / "pictures", files.digest(used(find("embedded")), worlds.EMBEDDED)), names)


if __name__ == "__main__":
    main()
