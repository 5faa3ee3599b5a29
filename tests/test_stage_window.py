"""The stage with a display: the graphics card's drawing; the process that owns the wall, its ends and its faults."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from standins.stage import Picture, Stage, display, moving, needs, quarters

from installation.ipc.messages import Card, ControlChanges, Stop, WindowClosed
from installation.ipc.ring import Shot
from installation.stage.card import Facts, draw
from installation.stage.compose import Easel
from installation.stage.look import Look
from installation.stage.painter import Blitter, Painter, painter
from installation.stage.reel import Cue
from installation.venue import Wall


@pytest.fixture(scope="module")
def screen() -> Iterator[str]:
    with display() as name:
        yield name


@pytest.fixture(scope="module")
def context(screen: str) -> Iterator[Any]:
    """A GL context of a window that nobody sees."""
    glfw, moderngl = pytest.importorskip("glfw"), pytest.importorskip("moderngl")
    before = os.environ.get("DISPLAY")
    os.environ["DISPLAY"] = screen
    try:
        assert glfw.init()
        glfw.window_hint(glfw.VISIBLE, False)
        glfw.window_hint(glfw.CONTEXT_VERSION_MAJOR, 3)
        glfw.window_hint(glfw.CONTEXT_VERSION_MINOR, 3)
        glfw.window_hint(glfw.OPENGL_PROFILE, glfw.OPENGL_CORE_PROFILE)
        window = glfw.create_window(320, 180, "test", None, None)
        glfw.make_context_current(window)
        yield moderngl.create_context(require=330)
        glfw.destroy_window(window)
        glfw.terminate()
    finally:
        os.environ.pop("DISPLAY")
        if before is not None:
            os.environ["DISPLAY"] = before


def scene(size: int, seed: int) -> Picture:
    """A soft picture with an edge or two."""
    y, x = np.mgrid[0:size, 0:size] / size
    waves = [np.sin(6.3 * ((1 + seed) * x + k * y) + k) for k in range(3)]
    picture = np.stack(waves, axis=-1) * 100 + 128
    picture[size // 4 : size // 2, size // 3 : size // 2] = (240, 60, 20 * seed)
    return picture.clip(0, 255).astype(np.uint8)


def shot(picture: Picture, sequence: int) -> Shot:
    return Shot(sequence, picture, sequence, 0.0, 0.1, 0.0)


KEYSTONE = ((0.1, 0.05), (0.9, 0.15), (1.0, 0.95), (0.0, 0.85))
WALLS = {
    "plain": Wall(),
    "cover": Wall(fit="cover"),
    "turned": Wall(rotation=90),
    "turned back": Wall(rotation=270, fit="cover"),
    "pinned": Wall(corners=KEYSTONE, fit="cover"),
    "pinned and turned": Wall(corners=KEYSTONE, rotation=180),
    "blended": Wall(blend=(0.2, 0.1, 0.3, 0.0), fit="cover"),
    "a part": Wall(part=(0.1, 0.2, 0.6, 1.0), fit="cover"),
    "a part, turned": Wall(part=(0.4, 0.0, 1.0, 1.0), rotation=90, blend=(0.2, 0.0, 0.0, 0.0)),
}
LOOKS = {
    "plain": Look(),
    "graded": Look(gamma=1.6, black=0.08, light=0.7),
    "zoomed": Look(zoom=2.7),
    "card": Look(card=True),
    "dark": Look(light=0.0),
}


@pytest.mark.parametrize("wall", WALLS.values(), ids=WALLS.keys())
@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())
def test_the_graphics_card_draws_what_is_composed_in_memory(context: Any, wall: Wall, look: Look) -> None:
    size = (180, 320)
    older, newer = shot(scene(64, 1), 1), shot(scene(64, 2), 2)
    cue = Cue(older, newer, 0.35, look)

    def card(canvas: tuple[int, int]) -> Picture:
        return draw(canvas, Facts("screen"))

    drawn, composed = Painter(context, wall, card).read(cue, size), Easel(wall, size, card).draw(cue)
    apart = np.abs(drawn.astype(int) - composed)
    if look.card and wall.corners == Wall().corners and not any(wall.blend):
        assert apart.max() <= 1  # pixel for pixel
    # two bicubics of unlike sharpness; a card under a pin is all edges, which they smooth differently
    assert apart.mean() < (14 if look.card else 2.0), apart.mean()
    assert abs(drawn.mean() - composed.mean()) < 1.0


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_what_cannot_be_mixed_alike_is_mixed_all_the_same(context: Any, weight: float) -> None:
    """The dark before the first picture; pictures of other sizes and shapes; pictures larger than the wall."""
    wall, size = Wall(), (96, 160)
    painting, easel = Painter(context, wall, lambda canvas: draw(canvas, Facts(""))), Easel(wall, size)
    pairs = [
        (None, scene(64, 1)), (scene(32, 1), scene(64, 2)), (scene(64, 1)[:32], scene(64, 2)[:, :40]),
        (scene(320, 1), scene(320, 2)),
    ]  # fmt: skip
    for number, (a, b) in enumerate(pairs):
        cue = Cue(None if a is None else shot(a, 10 * number + 1), shot(b, 10 * number + 2), weight, Look())
        apart = np.abs(painting.read(cue, size).astype(int) - easel.draw(cue))
        assert apart.mean() < 2.0, number
    nothing = painting.read(Cue(None, None, 1.0, Look()), size)
    assert not nothing.any()


def test_black_is_black_in_spite_of_the_dither(context: Any) -> None:
    painting = Painter(context, Wall(), lambda canvas: draw(canvas, Facts("")))
    black = Cue(None, shot(np.zeros((64, 64, 3), np.uint8), 1), 1.0, Look())
    assert not painting.read(black, (90, 160)).any()
    assert painting.black(black, (90, 160)) == 1.0
    white = Cue(None, shot(np.full((64, 64, 3), 255, np.uint8), 2), 1.0, Look())
    assert painting.black(white, (90, 160)) == pytest.approx(7 / 16, abs=0.05)  # a square on 16:9
    grey = Cue(None, shot(np.full((64, 64, 3), 101, np.uint8), 3), 1.0, Look(light=0.502))
    values = painting.read(grey, (90, 90))
    assert set(np.unique(values)) == {50, 51}  # 50.7: dithered between the two


def test_textures_do_not_pile_up(context: Any) -> None:
    painting = Painter(context, Wall(), lambda canvas: draw(canvas, Facts("")))
    for number in range(1, 40):
        cue = Cue(shot(scene(32, 1), number), shot(scene(32 + number % 2, 2), number + 1), 0.5, Look())
        painting.read(cue, (36, 64))
    assert len(painting._textures) == 2


def test_without_a_graphics_card_the_processor_composes(context: Any) -> None:
    class Context:
        def __init__(self) -> None:
            self.info = {"GL_RENDERER": "NVIDIA GeForce"}

        def __getattr__(self, name: str) -> Any:
            return getattr(context, name)

    def card(canvas: tuple[int, int]) -> Picture:
        return draw(canvas, Facts(""))

    assert isinstance(painter(context, Wall(), card), Blitter)  # Xvfb has Mesa's llvmpipe
    assert isinstance(painter(Context(), Wall(), card), Painter)
    cue, size, target = Cue(None, shot(quarters(), 1), 1.0, Look()), (90, 160), context.simple_framebuffer((160, 90), 3)
    Blitter(context, Wall(), card).paint(cue, size, target)
    copied = np.frombuffer(target.read(components=3, alignment=1), np.uint8).reshape(90, 160, 3)[::-1]
    np.testing.assert_array_equal(copied, Easel(Wall(), size).draw(cue))


# ---- the process


def test_a_headless_stage_shows_reports_and_holds_its_picture(tmp_path: Path) -> None:
    with Stage({"kind": "headless", "size": [90, 160], "rate": 30}) as stage:
        stage.feed(lambda: len(stage.reports) >= 5 and stage.reports[-1].light > 0.05, moving)
        report = stage.reports[-1]
        assert report.presented > 20
        assert report.monitor == "headless"
        assert report.size == (90, 160)
        assert len(report.intervals.counts) == len(report.intervals.edges) + 1
        assert 0.3 < report.black < 0.5  # beside a square on 16:9
        assert sum(len(each.latency) for each in stage.reports) > 5
        assert report.fresh < 5
        stage.settle(4)  # the renderer is silent
        held, sequence = stage.shot(tmp_path), stage.reports[-1].sequence
        assert sequence == stage.ring.newest
        newest = stage.ring.get(sequence)
        assert newest is not None
        np.testing.assert_array_equal(held, Easel(Wall(), (90, 160)).draw(Cue(None, newest, 1.0, Look())))
        stage.settle(2)
        late = stage.reports[-1]
        assert (late.light, late.sequence) == (pytest.approx(stage.reports[-2].light), sequence)
        assert late.fresh > 1
        assert stage.end() == 0
        assert stage.errors == ""


def test_values_and_nonsense_are_heard(tmp_path: Path) -> None:
    with Stage({"kind": "headless", "size": [90, 160]}) as stage:
        stage.feed(lambda: len(stage.reports) >= 3, moving)
        stage.say(ControlChanges({"out.blackout": True, "out.fade": 0.0}))
        stage.settle()
        assert (stage.reports[-1].light, stage.reports[-1].black) == (0.0, 1.0)
        stage.say(Card("http://10.0.0.7:8080", "s3cret"))
        stage.say(ControlChanges({"out.blackout": False, "out.testcard": True, "out.gamma": "loud"}))
        for line in (b'{"kind": "controls", "values": [1, 2]}', b'{"kind": "dance"}', b"[]", b"\xff"):
            stage.write(line + b"\n")
        stage.settle()
        expected = draw((90, 160), Facts("headless", 30.0, 0, "http://10.0.0.7:8080/?token=s3cret"))
        np.testing.assert_array_equal(stage.shot(tmp_path), expected)
        assert len(stage.faults) == 1
        assert "out.gamma" in stage.faults[0]
        stage.wait(lambda: stage.errors.count("a message of the show could not be read") == 4)
        assert stage.errors.count("\n") == 4  # a line each
        stage.say(Stop())
        assert stage.process.wait(60) == 0


def test_sigterm_ends_it_in_good_order() -> None:
    with Stage({"kind": "headless", "size": [36, 64]}) as stage:
        stage.feed(lambda: len(stage.reports) >= 1, moving)
        stage.process.send_signal(signal.SIGTERM)
        assert stage.process.wait(60) == 0
        stage.end()
        assert stage.errors == ""


def test_a_window_shows_what_is_composed(screen: str, tmp_path: Path) -> None:
    wall = {"kind": "window", "size": [180, 320], "rotation": 90, "corners": KEYSTONE, "blend": [0.1, 0, 0, 0]}
    with Stage(wall, DISPLAY=screen) as stage:
        stage.feed(lambda: len(stage.reports) >= 4 and stage.reports[-1].light > 0.05, lambda number: quarters())
        report = stage.reports[-1]
        assert (report.monitor, report.size) == ("screen", (180, 320))
        assert not report.vsync  # Xvfb has none, and says nothing of it
        assert report.presented > 10
        expected = Easel(Wall.model_validate_json(json.dumps(wall)), (180, 320)).draw(
            Cue(None, shot(quarters(), 1), 1.0, Look())
        )
        np.testing.assert_array_equal(stage.shot(tmp_path), expected)
        assert stage.faults == []
        assert stage.end() == 0
        assert stage.errors == ""


@pytest.mark.parametrize(("kind", "ends"), [("window", True), ("fullscreen", False)])
def test_escape_closes_a_window_and_no_full_screen(kind: str, ends: bool) -> None:
    needs("xdotool")
    with display() as screen, Stage({"kind": kind, "size": [180, 320]}, DISPLAY=screen) as stage:
        stage.feed(lambda: len(stage.reports) >= 2, moving)
        there = ["xdotool", "search", "--name", "^latentworld$", "windowfocus", "--sync", "key", "Escape"]
        subprocess.run(there, env=os.environ | {"DISPLAY": screen}, check=True, timeout=60, capture_output=True)
        if ends:
            stage.wait(lambda: stage.messages[-1] == WindowClosed())
        else:
            stage.settle(3)
        assert stage.process.poll() is None  # it is the show that ends it
        stage.say(Stop())
        assert stage.process.wait(60) == 0
        assert (WindowClosed() in stage.messages) == ends


def test_a_monitor_that_is_unplugged_and_plugged_in_again_is_found_again() -> None:
    needs("xrandr", "xwininfo")
    with display() as screen, Stage({"kind": "fullscreen", "monitor": "screen"}, DISPLAY=screen) as stage:

        def here() -> bool:
            return bool(stage.reports) and stage.reports[-1].monitor == "screen"

        def xrandr(how: str) -> None:
            subprocess.run(["xrandr", "--display", screen, "--output", "screen", how], capture_output=True, timeout=60)

        stage.feed(lambda: here() and stage.reports[-1].light > 0.05, moving)
        lit = len(stage.reports) - 1
        xrandr("--off")
        stage.feed(lambda: stage.reports[-1].monitor == "no monitor", moving)
        assert "no monitor is connected" in stage.faults[-1]
        assert min(report.light for report in stage.reports[lit:]) > 0.05
        xrandr("--auto")
        stage.feed(here, moving)
        before = stage.reports[-1].sequence
        stage.feed(lambda: stage.reports[-1].sequence > before + 5, moving)
        tree = subprocess.run(["xwininfo", "-display", screen, "-root", "-tree"], capture_output=True, text=True).stdout
        assert "640x360+0+0" in next(line for line in tree.splitlines() if '"latentworld":' in line)
        assert stage.end() == 0


def test_a_monitor_that_is_not_there_is_told_and_another_is_used(screen: str) -> None:
    with Stage({"kind": "fullscreen", "monitor": "BEAMER-7"}, DISPLAY=screen) as stage:
        stage.feed(lambda: len(stage.reports) >= 2, moving)
        assert stage.faults[0].startswith("no monitor 'BEAMER-7': there is 0 screen 640x360; plug it in")
        assert stage.reports[-1].monitor == "screen"
        assert stage.end() == 0


@pytest.mark.parametrize("name", ["", ":4999"])
def test_without_a_display_it_says_so_in_a_line_and_ends_with_3(name: str) -> None:
    with Stage({"kind": "fullscreen"}, DISPLAY=name, WAYLAND_DISPLAY="") as stage:
        assert stage.process.wait(60) == 3
        stage.end()
        assert stage.errors.startswith("error: no display (")
        assert stage.errors.count("\n") == 1
        assert stage.faults == []  # its last words are told once


@pytest.mark.parametrize(
    ("wall", "ring", "status", "said"),
    [
        ({"kind": "headless"}, "lw-1-00000000", 1, "no ring"),
        ({"kind": "headless"}, "../../etc/passwd", 1, "no ring"),
        ({"kind": "hologram"}, None, 2, "mend the venue"),
        ({"kind": "headless", "corners": [[0, 0], [1, 1], [1, 0], [0, 1]]}, None, 3, "wall.corners"),
    ],
)
def test_what_it_is_given_wrongly_is_told_in_a_line(
    wall: dict[str, Any], ring: str | None, status: int, said: str
) -> None:
    with Stage(wall, ring) as stage:
        assert stage.process.wait(60) == status
        stage.end()
        assert said in stage.errors
        assert stage.errors.count("\n") == 1


def test_the_stage_imports_nothing_of_the_model() -> None:
    code = "import sys, installation.stage.__main__, installation.stage.window, installation.stage.headless;"
    heavy = {"torch", "diffusers", "transformers", "cv2", "matplotlib", "glfw", "moderngl"}
    found = f"sorted({heavy!r} & sys.modules.keys())"
    ended = subprocess.run([sys.executable, "-c", f"{code} print({found})"], capture_output=True, text=True, timeout=60)
    assert ended.stdout == "[]\n", ended.stderr
