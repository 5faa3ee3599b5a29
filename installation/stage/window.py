"""A wall with a display: a window of glfw's, or a whole monitor, drawn by the graphics card."""

from __future__ import annotations

import contextlib
import sys
import time

from installation.fit import Size
from installation.ipc.ring import Ring
from installation.stage import monitors, warp
from installation.stage.card import Facts, draw
from installation.stage.pacer import Pacer
from installation.stage.painter import painter
from installation.stage.reel import Cue, Reel
from installation.stage.tally import Display
from installation.venue import Wall
from latentworld.arrays import Picture
from latentworld.errors import StageError
from latentworld.extras import need

RATE = 60.0  # Hz, of a display that does not tell its own
LOOK = 1.0  # seconds between looks at which monitors there are


class Window:
    """A `Surface` (see `perform`). Must live on the main thread. Raises StageError where no window can be had.

    Esc or Q close a window that is no full screen; on a full screen the keyboard does nothing: a wall has no keyboard,
    and a cleaner's elbow must not end a show.
    """

    def __init__(self, ring: Ring, wall: Wall) -> None:
        warp.to_frame(wall.corners)  # refused now, or never
        self._glfw, self._gl = need("glfw"), need("moderngl")
        self._wall, self.reel = wall, Reel(ring)
        self._begin()
        self._monitor, self._fault = monitors.choose(monitors.read(self._glfw), wall.monitor)
        self._looked = time.monotonic()
        try:
            self._window = self._open()
            self._glfw.make_context_current(self._window)
            self._glfw.swap_interval(1)
            self._context = self._gl.create_context(require=330)
            self._painter = painter(self._context, wall, lambda size: draw(size, self.facts))
        except StageError:
            raise
        except Exception as error:  # moderngl has no class of its own for a driver that cannot
            raise StageError(f"no OpenGL 3.3 on this display ({error}): mend the driver, or use --headless") from error
        self.facts = Facts(self._name, self._rate, wall.rotation)
        rate, vsync = self._pace
        self.pacer = Pacer(rate, time.monotonic, time.sleep, vsync)
        self._awake = contextlib.ExitStack()
        self._stay_awake()

    @property
    def fault(self) -> str | None:
        """What is wrong with it now."""
        return self._fault

    @property
    def display(self) -> Display:
        """What it is presented on."""
        return Display(self._name, self._size, str(self._context.info["GL_RENDERER"]))

    @property
    def closed(self) -> bool:
        """Whether somebody closed it by hand; a full screen nobody can."""
        return not self._full and bool(self._glfw.window_should_close(self._window))

    def show(self, cue: Cue) -> None:
        """Present a cue."""
        self._glfw.poll_events()
        self._find_monitor()
        size = self._size
        try:
            if min(size) > 0:  # else it is minimised
                self._painter.paint(cue, size, self._context.screen)
            self._glfw.swap_buffers(self._window)
        except self._gl.Error as error:
            raise StageError(f"the window is lost ({error}): look at the graphics driver; another is opened") from error

    def look(self, cue: Cue) -> Picture:
        """What is presented, uint8[h, w, 3]."""
        return self._painter.read(cue, self._size)

    def black(self, cue: Cue) -> float:
        """The share of its pixels that are black."""
        return self._painter.black(cue, self._size)

    def tell(self, facts: Facts) -> None:
        """What the test card is to say."""
        self.facts = facts
        self._painter.redraw()

    def close(self) -> None:
        """Give the display back."""
        self._awake.close()
        self._context.release()
        self._glfw.destroy_window(self._window)
        self._glfw.terminate()

    @property
    def _size(self) -> Size:
        width, height = self._glfw.get_framebuffer_size(self._window)
        return int(height), int(width)

    @property
    def _name(self) -> str:
        return "no monitor" if self._monitor is None else self._monitor.name

    @property
    def _rate(self) -> float:
        return (self._monitor.rate if self._monitor else 0.0) or RATE

    @property
    def _pace(self) -> tuple[float, bool]:
        """Presentations a second, and whether the display's vsync gives them. A slower wall spares a weak machine."""
        slower = 0 < self._wall.rate < 0.99 * self._rate
        return (self._wall.rate, False) if slower else (self._rate, True)

    @property
    def _full(self) -> bool:
        return self._wall.kind == "fullscreen"

    def _begin(self) -> None:
        glfw = self._glfw
        vars(glfw)["ERROR_REPORTING"] = "ignore"  # asked for where it matters: it warns on stderr from within callbacks
        if not glfw.init():
            code, text = glfw.get_error()
            words = text.decode(errors="replace") if isinstance(text, bytes) else str(text or code)
            raise StageError(f"no display ({words}): log in to a desktop, set DISPLAY, or use --headless")

    def _open(self) -> object:
        glfw, wall = self._glfw, self._wall
        hints = {
            glfw.CONTEXT_VERSION_MAJOR: 3, glfw.CONTEXT_VERSION_MINOR: 3, glfw.OPENGL_PROFILE: glfw.OPENGL_CORE_PROFILE,
            glfw.OPENGL_FORWARD_COMPAT: True, glfw.AUTO_ICONIFY: False, glfw.DECORATED: not self._full,
            glfw.FOCUS_ON_SHOW: False, glfw.DEPTH_BITS: 0, glfw.STENCIL_BITS: 0,
        }  # fmt: skip
        for hint, value in hints.items():
            glfw.window_hint(hint, value)
        there = self._monitor if self._full else None
        height, width = there.size if there else wall.size
        window = glfw.create_window(width, height, "latentworld", there.handle if there else None, None)
        if not window:
            code, text = glfw.get_error()
            words = text.decode(errors="replace") if isinstance(text, bytes) else str(text or code)
            raise StageError(f"no window with OpenGL 3.3 ({words}): mend the driver, or use --headless")
        if not self._full and self._monitor is not None and wall.monitor is not None:
            x, y = self._monitor.place
            glfw.set_window_pos(window, x + 40, y + 40)
        if self._full:
            glfw.set_input_mode(window, glfw.CURSOR, glfw.CURSOR_HIDDEN)
        glfw.set_key_callback(window, self._key)
        return window

    def _key(self, window: object, key: int, code: int, action: int, mods: int) -> None:
        if not self._full and action == self._glfw.PRESS and key in (self._glfw.KEY_ESCAPE, self._glfw.KEY_Q):
            self._glfw.set_window_should_close(window, True)

    def _find_monitor(self) -> None:
        """Once a second: go back to the monitor that is wanted as soon as it is there, and on to another meanwhile."""
        now = time.monotonic()
        if now - self._looked < LOOK:
            return
        self._looked = now
        found, self._fault = monitors.choose(monitors.read(self._glfw), self._wall.monitor)
        # a full screen whose monitor goes, however shortly, becomes a window: that the same one is there proves nothing
        placed = not self._full or bool(self._glfw.get_window_monitor(self._window))
        if placed and found is not None and found.same(self._monitor):
            return
        if found is None and self._monitor is None:
            return
        self._monitor = found
        if found is not None and self._full:
            height, width = found.size
            rate = int(found.rate) or self._glfw.DONT_CARE
            self._glfw.set_window_monitor(self._window, found.handle, 0, 0, width, height, rate)
            self._glfw.swap_interval(1)
        self.tell(Facts(self._name, self._rate, self._wall.rotation, self.facts.deck))
        self.pacer.reset(*self._pace)

    def _stay_awake(self) -> None:
        """No screensaver meanwhile; where the system takes no such wish the card and the docs say how to do without."""
        if not self._full:
            return
        try:
            self._awake.enter_context(need("wakepy").keep.presenting(on_fail="pass"))
        except Exception as error:
            print(f"the screensaver cannot be kept away: {error}", file=sys.stderr)
