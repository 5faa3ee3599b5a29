"""How a picture or a film was made, written into its own file: enough to make it again.

A PNG carries it as the iTXt text `latentworld`, a film as its comment. It is read from strangers' files too: its size
is bounded, every part is checked, and files are named in it without the folders they lie in.
"""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

import msgspec
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngImageFile, PngInfo

from installation.film.ffmpeg import PATIENCE, QUIET, binary, named
from installation.frames import digest
from installation.ipc.jsonable import line
from installation.studio import Studio
from latentworld import __version__, vertices
from latentworld.arrays import Picture, Unit
from latentworld.decoding import Profile
from latentworld.errors import DecodeError, PresetError
from latentworld.plane import Plane
from latentworld.preset import Preset, named_files

VERSION = 1
KEY = "latentworld"
LARGEST = 60_000  # bytes of what is written: tags of a .mov count theirs with 16 bits
_MOST = 1 << 20  # bytes of what is read
_LINE = re.compile(r"((?:[^\\\n=]++|\\.)*+)(?:=((?:[^\\\n]++|\\.)*+))?\n", re.DOTALL)  # of ffmetadata
_PNG = b"\x89PNG\r\n\x1a\n"


class Spot(msgspec.Struct, frozen=True):
    """Where a picture lies: as people write it (a negative radius is the far side), and to the last bit."""

    alpha: float
    beta: float
    radius: float
    unit: tuple[float, float, float]

    @classmethod
    def of(cls, plane: Plane, unit: Unit, radius: float) -> Spot:
        """A place on a plane, unit [3]."""
        alpha, beta, signed = plane.written(unit, radius)
        x, y, z = (float(part) for part in unit)
        return cls(alpha, beta, signed, (x, y, z))


class Enlarged(msgspec.Struct, frozen=True):
    """By which network pictures were enlarged."""

    network: str
    digest: str
    scale: int


class Imprint(msgspec.Struct, frozen=True, omit_defaults=True):
    """What made it. preset: resolved; world, eye, vertices, take: digests; place, sum: of one picture, where it lies
    and a digest of it as the model made it; frame: its number in a film; made: how it was made where it is
    no picture of its own place alone; finished: a still that was enlarged and grained as `film` has it."""

    latentworld: int
    program: str
    preset: dict[str, object]
    world: str
    eye: str
    vertices: str
    profile: dict[str, object]
    profile_hash: str
    take: str | None = None
    enlarged: Enlarged | None = None
    place: Spot | None = None
    frame: int | None = None
    sum: str = ""
    made: str = ""
    finished: bool = False

    def at(
        self, place: Spot, picture: Picture, frame: int | None = None, made: str = "", finished: bool = False
    ) -> Imprint:
        """The same of one picture, as the model made it."""
        said = {"place": place, "sum": digest(picture), "frame": frame, "made": made, "finished": finished}
        return msgspec.structs.replace(self, **said)

    @property
    def text(self) -> str:
        """As JSON, in a line; "" where it would be too long for a file's own words."""
        text = line(self, compact=True)
        return text if len(text.encode()) <= LARGEST else ""

    @property
    def png(self) -> PngInfo:
        """As a PNG has it."""
        info = PngInfo()
        if text := self.text:
            info.add_itxt("Software", f"latentworld {self.program}")
            info.add_itxt(KEY, text)
        return info

    def differences(self, studio: Studio) -> list[str]:
        """What in a studio is another than what it was made with, and may make other pictures."""
        said = [] if self.program == __version__ else [f"latentworld was {self.program}, now {__version__}"]
        own = vertices.digest(studio.plane.vertices)
        said += [] if self.vertices == own else [f"vertices were {self.vertices:.12}, now {own:.12}"]
        try:
            return said + Profile.read(self.profile).differences(studio.decoder.profile)
        except DecodeError:
            return [*said, "its profile cannot be read"]


def of(studio: Studio, take: str | None = None, enlarged: Enlarged | None = None) -> Imprint | None:
    """What made the pictures of a studio; None where its preset keeps that private. take: digest of what was filmed."""
    if studio.preset.film.private:
        return None
    profile = studio.decoder.profile
    return Imprint(
        latentworld=VERSION, program=__version__, preset=nameless(studio.preset), world=studio.world, eye=studio.seer,
        vertices=vertices.digest(studio.plane.vertices), profile=dict(profile.record()), profile_hash=profile.hash,
        take=take, enlarged=enlarged,
    )  # fmt: skip


def digest_of(take: Path) -> str:
    """Digest of a take or a plan, as an imprint has it. Raises PresetError."""
    try:
        with take.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise PresetError(f"{take} cannot be read ({error.strerror}): check the path") from None


def nameless(preset: Preset) -> dict[str, object]:
    """A preset as a table, files named without the folders that they lie in: those are nobody else's business."""
    table: dict[str, object] = preset.model_dump(mode="json", exclude_none=True)
    for keys, key in named_files(table):
        keys[key] = _bare(str(keys[key]))
    return table


def _bare(name: str) -> str:
    """A file's name alone; what is no file, such as a hub name, as it is."""
    path = Path(name).expanduser()
    absolute = PurePosixPath(name).is_absolute() or PureWindowsPath(name).is_absolute() or name.startswith((".", "~"))
    try:
        there = path.exists()
    except (OSError, ValueError):
        there = False
    return PureWindowsPath(name).name or path.name or name if absolute or there else name


def read(path: Path) -> Imprint:
    """What a PNG or a film of ours says of itself.

    Raises PresetError, in a line: for a file that is not there, has no such text, or one that is too long, damaged, or
    of a newer version.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(len(_PNG))
    except OSError as error:
        raise PresetError(f"{path} cannot be read ({error.strerror}): check the path") from None
    text = _of_png(path) if begin == _PNG else _of_film(path)
    if not text:
        raise PresetError(f"{path} does not say how it was made: it is none of ours, or was made with film.private")
    if len(text) > _MOST:
        raise PresetError(f"{path} says more of itself ({len(text) / 1e6:.1f} MB) than any of ours: it is not read")
    return _parsed(path, text)


def _parsed(path: Path, text: str) -> Imprint:
    try:
        said = msgspec.json.decode(text, type=_Version)
        if said.latentworld != VERSION:
            raise PresetError(f"{path} was made by another latentworld ({said.latentworld}): read it with that one")
        return msgspec.json.decode(text, type=Imprint)
    except (ValueError, RecursionError) as error:
        raise PresetError(f"{path} does not say how it was made, or is damaged ({error!s:.100})") from None


class _Version(msgspec.Struct):
    latentworld: int


def of_picture(data: bytes, name: str) -> Imprint | None:
    """What the bytes of a picture say of how it was made; None for what is none of ours, or of another version."""
    if not data.startswith(_PNG):
        return None
    try:
        text = _of_png(io.BytesIO(data), name)
        return _parsed(Path(name), text) if 0 < len(text) <= _MOST else None
    except PresetError:
        return None


def _of_png(source: Path | io.BytesIO, name: object = "") -> str:
    """The text in a PNG, which stands before its pixels: these are not decoded."""
    try:
        with Image.open(source, formats=["PNG"]) as image:
            texts = image.text if isinstance(image, PngImageFile) else {}
            return str(texts.get(KEY, ""))
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise PresetError(f"{name or source} cannot be read as a PNG ({error!s:.100}): give another") from None


def _of_film(path: Path) -> str:
    """The comment of a film; "" where ffmpeg finds none, or it is no film."""
    # of a stranger's file no more is believed than that it is a film: no playlist, no address
    bounds = ["-protocol_whitelist", "file", "-format_whitelist", "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm"]
    arguments = [binary(), *QUIET, *bounds, "-i", named(path), "-map_chapters", "-1", "-f", "ffmetadata", "-"]
    nothing = subprocess.DEVNULL
    with subprocess.Popen(arguments, stdin=nothing, stdout=subprocess.PIPE, stderr=nothing) as process:
        assert process.stdout is not None  # opened with PIPE
        late = threading.Timer(PATIENCE, process.kill)
        late.start()
        try:
            data = process.stdout.read(4 * _MOST)
        finally:
            late.cancel()
            process.kill()
    return tags(data.decode(errors="replace")).get("comment", "")


def tags(text: str) -> Mapping[str, str]:
    """The tags at the head of an ffmetadata text, by their names in small letters; not those of chapters."""
    found = dict[str, str]()
    for part in _LINE.finditer(text):
        name, value = part[1], part[2]
        if name.startswith("["):
            break
        if value is not None:
            found.setdefault(_plain(name).lower(), _plain(value))
    return found


def _plain(escaped: str) -> str:
    return re.sub(r"\\(.)", r"\1", escaped, flags=re.DOTALL)


@dataclass(frozen=True)
class Marks:
    """What is written into the pictures of a studio: how they were made, and where each lies."""

    imprint: Imprint
    plane: Plane

    def png(
        self, unit: Unit, radius: float, picture: Picture, frame: int | None = None, made: str = "",
        finished: bool = False,
    ) -> PngInfo:  # fmt: skip
        """Of one picture, as the model made it, uint8[height, width, 3], at unit [3]. made, finished: see `Imprint`."""
        return self.imprint.at(Spot.of(self.plane, unit, radius), picture, frame, made, finished).png
