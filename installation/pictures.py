"""Any picture a person has, as a world's networks take it: turned as it was meant, over grey, in sRGB, of one size.

A picture comes from strangers too (the deck): what may be read is bounded by kind and by pixels, and nothing of a file
is believed before its header says that it is within them.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from latentworld import disk
from latentworld.errors import PresetError

FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF")
MOST = 100_000_000  # pixels: a large camera's have 100 million; decoded, such a picture takes 0.4 GB
LARGEST = 1 << 30  # bytes of a file
GREY = 128  # behind what is clear, and beside what is padded: the middle of what a network sees
FLAT = 1.5 / 255  # standard deviation of the levels, below which a picture counts as of one colour

Fit = Literal["crop", "pad"]
Levels = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class SourcePicture:
    """A picture as a world takes it. levels: float32[3, height, width] in 0..1; name: of the file, without its folders;
    sha256: of its bytes; size: height, width of the picture that it holds, as it is meant to be seen; crop: left, top,
    width and height of what was taken of it, in its pixels; notes: what a person should know, a line each."""

    levels: Levels
    name: str
    sha256: str
    size: tuple[int, int]
    crop: tuple[int, int, int, int]
    notes: tuple[str, ...] = ()


def read(path: str | Path, size: tuple[int, int], fit: Fit = "crop") -> SourcePicture:
    """A file as a picture of (height, width). Raises PresetError, in a line: for what is no file, or as `decoded`."""
    path = Path(path)
    try:
        data = disk.read(path, LARGEST)
    except OSError as error:
        raise PresetError(f"{path} cannot be read ({error.strerror or error}): give a picture's file") from None
    return decoded(data, path.name, size, fit)


def decoded(data: bytes, name: str, size: tuple[int, int], fit: Fit = "crop", most: int = MOST) -> SourcePicture:
    """A file's bytes as a picture of (height, width). fit: the middle of it cut to that shape, or the whole beside
    grey; most: pixels that it may have.

    Raises PresetError: for what is no picture of these kinds, is damaged, or has more pixels.
    """
    if fit not in get_args(Fit):
        raise PresetError(f"fit = {fit!r}: use one of {', '.join(get_args(Fit))}")
    image, notes = _opened(data, name, most)
    seen, crop = _fitted(image, size, fit)
    levels = np.ascontiguousarray(np.asarray(seen, np.float32).transpose(2, 0, 1) / np.float32(255))
    if float(levels.std(axis=(1, 2)).max()) < FLAT:
        notes.append(f"{name} is of one colour: a latent of it is far from white noise, and little grows around it")
    return SourcePicture(levels, name, hashlib.sha256(data).hexdigest(), image.size[::-1], crop, tuple(notes))


def _opened(data: bytes, name: str, most: int) -> tuple[Image.Image, list[str]]:
    """The first picture of a file, RGB as it is meant to be seen, and what is to be said of it."""
    Image.init()
    known = [kind for kind in FORMATS if kind in Image.OPEN]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the bound is ours
            image = Image.open(io.BytesIO(data), formats=known)
        width, height = image.size
        if width * height > most:
            raise PresetError(
                f"{name} has {width * height / 1e6:.0f} million pixels: make it smaller, of {most / 1e6:.0f} at most"
            )
        notes = _said(image, name)
        white = _white(image)
        return _plain(ImageOps.exif_transpose(image), white), notes
    except Image.DecompressionBombError:
        raise PresetError(f"{name} has too many pixels, {most / 1e6:.0f} million at most are read") from None
    except UnidentifiedImageError:
        raise PresetError(f"{name} is no picture: give one of {', '.join(known)}") from None
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError) as error:  # what its codecs make of damage
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise PresetError(f"{name} cannot be read as a picture ({why:.100}): give another") from None


def _said(image: Image.Image, name: str) -> list[str]:
    """Whether more pictures are in the file than the one that is taken; telephones keep a second one for depth."""
    if image.format == "MPO":
        return []
    count = 1
    with contextlib.suppress(EOFError):
        image.seek(1)
        count = 2
    image.seek(0)
    return [f"{name} is animated or has several pictures: the first one is taken"] if count > 1 else []


def _plain(image: Image.Image, white: float | None) -> Image.Image:
    """RGB in sRGB, 8 bits, what is clear over grey. white: as in `_of_deep`."""
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        return _of_deep(np.asarray(image, np.float64), white).convert("RGB")
    if image.has_transparency_data:
        own = image.convert("RGBA")
        ground = Image.new("RGBA", own.size, (GREY, GREY, GREY, 255))
        return Image.alpha_composite(ground, own).convert("RGB")
    return _of_profile(image)


def _white(image: Image.Image) -> float | None:
    """The level that a file says is white: its largest (TIFF 6.0, tag 281), or what its bits a sample hold (258)."""
    if not isinstance(image, TiffImageFile) or image.mode == "F":
        return None
    largest, bits = (_one(image.tag_v2.get(tag)) for tag in (281, 258))
    return float(largest) if largest > 0 else float(2**bits - 1) if 8 < bits <= 16 else None


def _one(said: object) -> int:
    """A number that a tag says, alone or first of several; 0 where it says none."""
    first = said[0] if isinstance(said, tuple) and said else said
    return first if isinstance(first, int) else 0


def _of_deep(values: NDArray[np.float64], white: float | None) -> Image.Image:
    """One channel of more than 8 bits; what is no number is black. white: its level, if it is known: else 1 of real
    numbers up to 1, 255 up to that, 65535 of whole ones, and of other real ones the most that so many bits hold."""
    values = np.nan_to_num(values, nan=0.0)
    top = float(values.max(initial=0.0))
    if white is None:
        whole = bool(np.all(values == np.rint(values))) and top <= 65535.0
        bits = 16 if whole else np.ceil(np.log2(top + 1.0)) if top > 255.0 else 8
        white = 1.0 if top <= 1.0 else float(2.0**bits - 1.0)
    levels = np.clip(values / white, 0.0, 1.0) * 255.0
    return Image.fromarray(np.rint(levels).astype(np.uint8))


def _of_profile(image: Image.Image) -> Image.Image:
    """The colours as the file's own profile means them; plainly converted where it has none, or one that is damaged."""
    profile = image.info.get("icc_profile")
    if isinstance(profile, bytes) and profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            made = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if made is not None:
                return made
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    return image.convert("RGB")


def _fitted(image: Image.Image, size: tuple[int, int], fit: Fit) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """A picture of (height, width), and what was taken of it: left, top, width, height."""
    height, width = size
    ratio = min(image.width / width, image.height / height)
    if fit == "crop":
        wide, high = max(1, round(width * ratio)), max(1, round(height * ratio))
        left, top = (image.width - wide) // 2, (image.height - high) // 2
        box = (left, top, left + wide, top + high)
        return image.resize((width, height), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0), (
            left,
            top,
            wide,
            high,
        )
    return (
        ImageOps.pad(image, (width, height), Image.Resampling.LANCZOS, color=(GREY, GREY, GREY)),
        (0, 0, image.width, image.height),
    )
