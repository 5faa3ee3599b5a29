"""Draws cues with OpenGL 3.3: pictures are mixed at their own size, then placed on the wall. See `shaders/`."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, cast

import numpy as np

from installation.fit import Size, fitted
from installation.ipc.ring import Shot
from installation.stage import warp
from installation.stage.compose import Card, Easel
from installation.stage.reel import Cue
from installation.venue import Wall
from latentworld.arrays import Picture

if TYPE_CHECKING:
    import moderngl

_PROBE = (36, 64)  # pixels in which a report looks at what is drawn


class Painter:
    """Belongs to the thread that has the GL context. card: canvas -> the test card of that size."""

    def __init__(self, context: moderngl.Context, wall: Wall, card: Card) -> None:
        self._gl, self._wall, self._draw_card = context, wall, card
        self._frame = warp.to_frame(wall.corners)
        self._mix, self._place = _Program(context, "mix.frag"), _Program(context, "wall.frag")
        self._textures: dict[int, moderngl.Texture] = {}  # the pictures on the wall, by their number
        self._dark = self._texture(np.zeros((1, 1, 3), np.uint8))
        self._mixed: tuple[moderngl.Framebuffer, moderngl.Texture] | None = None
        self._key: object = None  # of what lies in it
        self._card: tuple[Size, moderngl.Texture] | None = None
        self._probe = context.simple_framebuffer((_PROBE[1], _PROBE[0]), 3)

    def paint(self, cue: Cue, size: Size, target: moderngl.Framebuffer, wall: Size | None = None) -> None:
        """Draw a cue into a framebuffer of that size (height, width in pixels); wall: the size of the wall itself where
        this is a smaller drawing of it."""
        if cue.look.card:
            texture, matrix = self._card_of(wall or size), warp.to_canvas(self._wall)
        elif cue.newer is None and cue.older is None:
            target.clear(0.0, 0.0, 0.0, 1.0)
            return
        else:
            texture = self._mixture(cue)
            matrix = warp.to_picture(self._wall, size, (texture.height, texture.width), cue.look.zoom)
        shrinks = warp.shrink(matrix, size, (texture.height, texture.width)) > 1.01
        if shrinks:
            texture.build_mipmaps()  # sets a filter between them
        else:
            texture.filter = (self._gl.LINEAR, self._gl.LINEAR)
        look = cue.look
        self._place.give(size=(size[1], size[0]), to_picture=matrix, to_frame=self._frame, blend=self._wall.blend)
        self._place.give(light=look.light, gamma=look.gamma, black=look.black, shrinks=shrinks)
        self._place.draw(target, size, picture=texture)

    def read(self, cue: Cue, size: Size) -> Picture:
        """What `paint` draws, uint8[h, w, 3], upper row first."""
        target = self._gl.simple_framebuffer((size[1], size[0]), 3)
        try:
            self.paint(cue, size, target)
            return _upright(target, size)
        finally:
            target.release()

    def black(self, cue: Cue, size: Size) -> float:
        """The share of pixels of a cue that are black on a wall of that size, of a small drawing of it."""
        self.paint(cue, _PROBE, self._probe, size)
        return float((_upright(self._probe, _PROBE).max(axis=2) <= 2).mean())

    def redraw(self) -> None:
        """Forget the test card: what it says has changed."""
        if self._card is not None:
            self._card[1].release()
        self._card = None

    def _mixture(self, cue: Cue) -> moderngl.Texture:
        """The cue's pictures as one texture, of the newer one's size."""
        self._keep([shot for shot in (cue.older, cue.newer) if shot is not None])
        shot = cue.newer or cue.older
        assert shot is not None  # `paint` clears where both are missing
        size = (shot.picture.shape[0], shot.picture.shape[1])
        mixed, texture = self._mixed_of(size)
        key = (*(shot.sequence if shot else 0 for shot in (cue.older, cue.newer)), cue.weight)
        if key != self._key:
            older, newer = (
                self._dark if shot is None else self._textures[shot.sequence] for shot in (cue.older, cue.newer)
            )
            between = fitted(size, (older.height, older.width), "contain") if cue.older else np.eye(3)
            self._mix.give(older_place=between, weight=cue.weight, size=size[::-1])
            self._mix.draw(mixed, size, older=older, newer=newer)
            self._key = key
        return texture

    def _mixed_of(self, size: Size) -> tuple[moderngl.Framebuffer, moderngl.Texture]:
        """Where pictures of a size are mixed, and the texture that holds the mixture."""
        if self._mixed is not None:
            mixed, texture = self._mixed
            if mixed.size == size[::-1]:
                return self._mixed
            texture.release()
            mixed.release()
        # half floats: bytes would show steps where one dark picture slowly becomes another
        texture = self._gl.texture(size[::-1], 4, dtype="f2")
        texture.repeat_x = texture.repeat_y = False
        self._mixed, self._key = (self._gl.framebuffer([texture]), texture), None
        return self._mixed

    def _keep(self, shots: list[Shot]) -> None:
        """Have the textures of these pictures, and of no others."""
        wanted = {shot.sequence for shot in shots}
        for sequence in self._textures.keys() - wanted:
            self._textures.pop(sequence).release()
        for shot in shots:
            if shot.sequence not in self._textures:
                self._textures[shot.sequence] = self._texture(shot.picture)

    def _card_of(self, size: Size) -> moderngl.Texture:
        if self._card is None or self._card[0] != size:
            self.redraw()
            self._card = (size, self._texture(self._draw_card(warp.canvas(self._wall, size))))
        return self._card[1]

    def _texture(self, picture: Picture) -> moderngl.Texture:
        data = np.ascontiguousarray(picture)
        texture = self._gl.texture((picture.shape[1], picture.shape[0]), 3, data.data, alignment=1)
        texture.repeat_x = texture.repeat_y = False
        return texture


class Blitter:
    """The same where OpenGL is done by the processor: what an `Easel` draws is copied to the window. Mesa's llvmpipe
    takes 57 ms of processor time for a wall of 720x1280 with `wall.frag`, this takes 9."""

    def __init__(self, context: moderngl.Context, wall: Wall, card: Card) -> None:
        self._gl, self._wall, self._draw_card = context, wall, card
        self._easel = Easel(wall, wall.size, card)
        self._copy = _Program(context, "copy.frag")
        self._texture: moderngl.Texture | None = None
        self._in_it: Picture | None = None

    def paint(self, cue: Cue, size: Size, target: moderngl.Framebuffer) -> None:
        """Draw a cue into a framebuffer of that size (height, width in pixels)."""
        picture = self.read(cue, size)
        if self._texture is None or self._texture.size != size[::-1]:
            if self._texture is not None:
                self._texture.release()
            self._texture, self._in_it = self._gl.texture(size[::-1], 3, alignment=1), None
            self._texture.filter = (self._gl.NEAREST, self._gl.NEAREST)
        if picture is not self._in_it:
            self._texture.write(np.ascontiguousarray(picture).data, alignment=1)
            self._in_it = picture
        self._copy.draw(target, size, picture=self._texture)

    def read(self, cue: Cue, size: Size) -> Picture:
        """What `paint` draws, uint8[h, w, 3], upper row first."""
        if self._easel.size != size:
            self._easel = Easel(self._wall, size, self._draw_card)
        return self._easel.draw(cue)

    def black(self, cue: Cue, size: Size) -> float:
        """The share of pixels of a cue that are black on a wall of that size."""
        return float((self.read(cue, size)[::8, ::8].max(axis=2) <= 2).mean())

    def redraw(self) -> None:
        """Forget the test card: what it says has changed."""
        self._easel.redraw()


def painter(context: moderngl.Context, wall: Wall, card: Card) -> Painter | Blitter:
    """Whatever suits what is behind that GL context."""
    behind = str(context.info.get("GL_RENDERER", "")).casefold()
    software = any(name in behind for name in ("llvmpipe", "softpipe", "swrast", "swiftshader"))
    return (Blitter if software else Painter)(context, wall, card)


class _Program:
    """A fragment shader over the whole target."""

    def __init__(self, context: moderngl.Context, name: str) -> None:
        shaders = files(__package__) / "shaders"
        vertex, fragment = ((shaders / part).read_text(encoding="utf-8") for part in ("full.vert", name))
        self._program = context.program(vertex_shader=vertex, fragment_shader=fragment)
        self._array = context.vertex_array(self._program, [])

    def give(self, **uniforms: object) -> None:
        """Set uniforms; a matrix is given as numpy has it, row by row."""
        for name, value in uniforms.items():
            if isinstance(value, np.ndarray):
                self._uniform(name).write(value.T.astype("f4").tobytes())
            else:
                self._uniform(name).value = value

    def draw(self, target: moderngl.Framebuffer, size: Size, **textures: moderngl.Texture) -> None:
        """Fill a target of that size."""
        for place, (name, texture) in enumerate(textures.items()):
            texture.use(place)
            self._uniform(name).value = place
        target.use()
        target.viewport = (0, 0, size[1], size[0])
        self._array.render(vertices=3)

    def _uniform(self, name: str) -> moderngl.Uniform:
        return cast("moderngl.Uniform", self._program[name])  # shaders of ours: what they name are uniforms


def _upright(framebuffer: moderngl.Framebuffer, size: Size) -> Picture:
    data = framebuffer.read(viewport=(0, 0, size[1], size[0]), components=3, alignment=1)
    return np.frombuffer(data, np.uint8).reshape(*size, 3)[::-1]
