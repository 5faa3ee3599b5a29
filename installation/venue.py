"""The place where a show runs: wall, ports, folders. A preset is the art, a venue the room."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, Strict, ValidationError, field_validator

from installation.fit import Fit
from latentworld import texts
from latentworld.errors import ShowError
from latentworld.explain import explain, spelt
from latentworld.frozen import changed

Port = Annotated[int, Field(ge=0, le=65535)]  # 0: any free one
Corner = Annotated[tuple[FiniteFloat, FiniteFloat], Strict(False)]
Edge = Annotated[FiniteFloat, Field(ge=0.0, le=0.5)]
Target = Annotated[
    str, spelt(r"[a-z][a-z0-9_-]{0,39}(:.{1,300})?", "KIND or KIND:ARGUMENT, as ndi:stage")
]  # of an output
Share = Annotated[FiniteFloat, Field(ge=0.0, le=1.0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Wall(_Part):
    """The display. monitor: its name or number, absent the primary one. corners: where the picture's corners lie on
    the wall, upper left, upper right, lower right, lower left, in 0..1; blend: width of the dark ramp at the left, top,
    right and bottom edge, in 0..0.5 of the wall, where projectors overlap. part: which part of the whole is shown here,
    from the left, the top, to the right, the bottom, in 0..1, where several displays make one wall."""

    kind: Literal["window", "fullscreen", "headless"] = "fullscreen"
    monitor: str | int | None = None
    size: Annotated[tuple[int, int], Strict(False)] = (720, 1280)  # height, width, of a window or headless
    rate: Annotated[FiniteFloat, Field(ge=0.0, le=480.0)] = 0.0  # presentations a second; 0: the display's own
    rotation: Literal[0, 90, 180, 270] = 0
    corners: Annotated[tuple[Corner, Corner, Corner, Corner], Strict(False)] = ((0, 0), (1, 0), (1, 1), (0, 1))
    blend: Annotated[tuple[Edge, Edge, Edge, Edge], Strict(False)] = (0.0, 0.0, 0.0, 0.0)
    part: Annotated[tuple[Share, Share, Share, Share], Strict(False)] = (0.0, 0.0, 1.0, 1.0)
    fit: Fit = "contain"

    @field_validator("part")
    @classmethod
    def _some(cls, part: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        left, top, right, bottom = part
        if right - left < 0.01 or bottom - top < 0.01:
            raise ValueError("a part goes from left, top to right, bottom, as [0, 0, 0.55, 1]")
        return part

    @property
    def pace(self) -> float:
        """Presentations a second where no display has a rate of its own."""
        return self.rate or 30.0


class Doors(_Part):
    """The network. Loopback only, unless `open`: then the deck asks for a token, and OSC hears the senders in `allow`
    (addresses or networks such as 192.168.1.0/24), who may ask OSCQuery too. proxies: whose word on where a request
    came from is taken (X-Forwarded-For, -Host, -Proto); of all others such requests are refused."""

    open: bool = False
    allow: Annotated[tuple[str, ...], Strict(False)] = ()
    hosts: Annotated[tuple[str, ...], Strict(False)] = ()  # names the deck is reached by, besides the addresses
    proxies: Annotated[tuple[str, ...], Strict(False)] = ()
    osc: Port | None = 9000
    deck: Port | None = 8080
    advertise: bool = False  # by zeroconf


class Venue(_Part):
    """A place. walls: further displays, which show the same; folder: where state, snapshots, takes, recordings and the
    log are kept; outputs: where the picture goes besides, as "ndi:NAME" or "camera" (docs/outputs.md); safe: preset to
    fall back to; loop: video that is shown when nothing else can be; reserve: bytes of disk never touched."""

    folder: str = "show"
    wall: Wall = Wall()
    walls: Annotated[tuple[Wall, ...], Strict(False)] = ()
    doors: Doors = Doors()
    outputs: Annotated[tuple[Target, ...], Strict(False)] = ()
    midi: bool = True
    audio: bool = False
    safe: str = "neutral"
    loop: str | None = None
    reserve: Annotated[int, Field(ge=0)] = 500_000_000

    @field_validator("outputs", mode="before")
    @classmethod
    def _from_a_table(cls, given: object) -> object:
        """Venues of old had a table with the name of an NDI source and whether there is a camera."""
        if not isinstance(given, Mapping):
            return given
        ndi, camera = given.get("ndi"), given.get("camera", False)
        if given.keys() - {"ndi", "camera"} or not isinstance(ndi, str | None) or not isinstance(camera, bool):
            raise ValueError('outputs are a list, as ["ndi:latentworld", "camera"]')
        return (*((f"ndi:{ndi}",) if ndi else ()), *(("camera",) if camera else ()))

    @field_validator("outputs")
    @classmethod
    def _once(cls, outputs: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(outputs)) < len(outputs):
            raise ValueError("an output is named twice")
        return outputs

    def changed(self, **parts: object) -> Venue:
        """The same place with other parts, or with other values in them, all of it checked again: a mapping changes
        these keys of a part, anything else takes its place. Raises ShowError."""
        own = {name: value for name, value in self if isinstance(value, _Part)}
        said = {
            name: {**dict(own[name]), **value} if name in own and isinstance(value, Mapping) else value
            for name, value in parts.items()
        }
        try:
            return changed(self, **said)
        except ValidationError as error:
            raise ShowError(explain(error, Venue, {"walls": Wall})) from None


def load(path: str | Path | None) -> Venue:
    """A venue from a TOML file; without one, the default. Raises ShowError that names the key."""
    if path is None:
        return Venue()
    try:
        return Venue.model_validate(texts.toml(texts.read(Path(path))))
    except OSError as error:
        raise ShowError(f"the venue {path} cannot be read ({error}): check the path") from None
    except ValidationError as error:
        raise ShowError(f"the venue {path}: {explain(error, Venue, {'walls': Wall})}") from None
    except ValueError as error:
        raise ShowError(f"the venue {path} is no TOML ({error}): mend that line") from None
