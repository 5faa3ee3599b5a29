"""Which ffmpeg there is, what it can do, how files are named to it, and what of a film that was cut short plays."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Literal

from installation.film.formats import CHIPS, FORMATS, Codec, Effort, Encoder, hardware, pixels, software
from installation.fit import Box, Fit, Size, box
from latentworld.disk import PARTIAL
from latentworld.errors import EncoderFailed

Muxing = Literal["hybrid", "fragments"]
_REMEDY = "pip install imageio-ffmpeg, or set IMAGEIO_FFMPEG_EXE to one"
WANTED = f"give ffmpeg 4.2 or newer with libx264: {_REMEDY}"
QUIET = ("-y", "-nostdin", "-hide_banner", "-loglevel", "error")
PATIENCE = 20.0  # seconds for two small frames
# What an encoder says of itself when nothing is wrong would hide what it says when something is.
ENVIRONMENT = {"SVT_LOG": "1"}
# Frames are stored in another order than they are shown in, so times of storing begin before the first picture: as
# offsets below zero in a whole film, which then starts at 0. Not while it is written: read again, such times are taken
# wrongly (ffmpeg 9: pieces of 277 frames, joined, at 23.91 a second instead of 24).
WHOLE = ("-movflags", "faststart+negative_cts_offsets")
# A fragment a frame: what x264 has given out is in the file at once, 27 frames after it came in (73 with one a second).
# hybrid (ffmpeg 7.1) makes a plain file of them at the end; without it the file stays in fragments, which play too.
MOVFLAGS: dict[Muxing, str] = {
    "hybrid": "hybrid_fragmented+frag_every_frame",
    "fragments": "frag_keyframe+frag_every_frame+empty_moov+default_base_moof",
}


# one thread: x264 writes the same bytes only at the same number of threads
_THREADS = "1"
_TAGS = "color_primaries=bt709:color_trc=bt709"


@dataclass(frozen=True)
class Recipe:
    """How a film is written: picture sizes as (height, width), before and after scaling, and how the one lies in the
    other; crf: None for the codec's own; effort of x264 and x265; how an .mp4 or .mov is put together, see `muxing`."""

    codec: Codec
    fps: float
    source: tuple[int, int]
    size: tuple[int, int]
    crf: int | None = None
    grain: bool = False
    effort: Effort = "medium"
    muxing: Muxing = "hybrid"
    fit: Fit = "contain"
    encoder: Encoder = "software"


def binary() -> str:
    """The ffmpeg that imageio-ffmpeg ships, or the one IMAGEIO_FFMPEG_EXE names."""
    import imageio_ffmpeg

    try:
        found = str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:
        raise EncoderFailed(f"no ffmpeg found: {WANTED}") from None
    if shutil.which(found) is None:
        raise EncoderFailed(f"{found} is no ffmpeg to run: {WANTED}")
    return found


def named(path: Path) -> str:
    """A file as ffmpeg takes no other way: `take:2` is no protocol then, `-x` no option."""
    return f"file:{path.absolute()}"


def command(recipe: Recipe, target: Path) -> list[str]:
    """The whole command line; nothing is left to a default that may change between versions."""
    height, width = recipe.source
    read = ["-f", "rawvideo", "-pixel_format", "rgb24", "-video_size", f"{width}x{height}"]
    read += ["-framerate", str(recipe.fps), "-i", "pipe:0"]
    group, kind = max(1, round(recipe.fps)), FORMATS[recipe.codec]
    if recipe.encoder == "software":
        device: tuple[str, ...] = ()
        write = software(recipe.codec, recipe.crf, recipe.grain, recipe.effort, group)
    else:
        device = CHIPS[recipe.encoder].device
        write = hardware(recipe.encoder, recipe.codec, recipe.crf, group)
    if kind.form == "matroska":
        write += ["-fflags", "+bitexact"]  # else every file has a random number of its own
    else:
        write += ["-movflags", MOVFLAGS[recipe.muxing]]
    output = ["-an", "-vf", _filters(recipe), *write, "-f", kind.form, "-threads", _THREADS, "-flush_packets", "1"]
    return [binary(), *QUIET, *device, *read, *output, named(target)]


def _filters(recipe: Recipe) -> str:
    """From pictures to what the encoder takes. Colours are told by the frames themselves: options such as -color_trc
    lose against them (seen in ffmpeg 9), hence setparams."""
    kind, place = FORMATS[recipe.codec], box(recipe.size, recipe.source, recipe.fit)
    resize = f"scale={place.width}:{place.height}:flags=lanczos+accurate_rnd+full_chroma_int"
    if kind.full:
        colours, told = "", f"range=full:{_TAGS}"
    else:
        colours = ":in_range=full:out_range=limited:out_color_matrix=bt709"
        told = f"range=limited:colorspace=bt709:{_TAGS}"
    upload = "" if recipe.encoder == "software" else CHIPS[recipe.encoder].upload
    format_ = f"format={pixels(recipe.codec, recipe.encoder)}"
    return f"{resize}{colours},{format_}{_framed(recipe.size, place)},setparams={told}{upload}"


def _framed(size: Size, place: Box) -> str:
    """The filters that put the scaled picture into its frame; none where it fills it."""
    (high, wide), left, top = size, place.left, place.top
    crop = f",crop={min(wide, place.width)}:{min(high, place.height)}:{max(-left, 0)}:{max(-top, 0)}"
    pad = f",pad={wide}:{high}:{max(left, 0)}:{max(top, 0)}:black"
    return (crop if left < 0 or top < 0 else "") + (pad if left > 0 or top > 0 else "")


def muxing(codec: Codec, encoder: Encoder = "software") -> Muxing:
    """How the ffmpeg here writes such films; asked once, before anything is rendered, by making one of two frames.

    Raises EncoderFailed where it makes none: with what it said, and which version is needed.
    """
    return _tried(binary(), codec, encoder)


def chosen(codec: Codec, encoder: Encoder | Literal["auto"]) -> Encoder:
    """The encoder that writes such films here: the one that is named, or for `auto` the first of the machine's own that
    really makes one, else the software's. Raises EncoderFailed where a named one makes none, with what it said."""
    if encoder == "auto":
        able = (chip for chip in CHIPS if codec in CHIPS[chip].encoders)
        return next((chip for chip in able if _works(codec, chip)), "software")
    if encoder != "software" and codec not in CHIPS[encoder].encoders:
        raise EncoderFailed(f"{encoder} makes no {codec} films: leave film.encoder out")
    muxing(codec, encoder)
    return encoder


def _works(codec: Codec, encoder: Encoder) -> bool:
    try:
        muxing(codec, encoder)
    except EncoderFailed:
        return False
    return True


def index_first(film: Path, hurry: Event | None = None) -> None:
    """Put an .mp4's index before its pictures, so that it plays while it is being fetched: the same pictures, copied.

    Where that fails, for want of space say, or is not done when `hurry` is set, the film stays as it is, and plays.
    """
    side = film.with_name(f".{film.name}{PARTIAL}")
    copy = ["-i", named(film), "-map", "0", "-c", "copy", *WHOLE, "-f", "mp4"]
    try:
        nothing = subprocess.DEVNULL
        run = subprocess.Popen([binary(), *QUIET, *copy, named(side)], stdin=nothing, stdout=nothing, stderr=nothing)
        if _ended(run, hurry or Event()) == 0:
            side.replace(film)
    except OSError:
        pass
    finally:
        side.unlink(missing_ok=True)


def _ended(process: subprocess.Popen[bytes], hurry: Event) -> int:
    """A process's status when it has ended, killed where `hurry` is set before."""
    while not hurry.is_set():
        with suppress(subprocess.TimeoutExpired):
            return process.wait(0.1)
    process.kill()
    return process.wait()


def plays(film: Path) -> bool:
    """Whether anything of a film whose encoder ended early can be seen: it begins with a fragment or a cluster."""
    try:
        with film.open("rb") as file:
            begin = file.read(65536)
    except OSError:
        return False
    return b"moof" in begin or b"\x1f\x43\xb6\x75" in begin


@functools.cache
def _tried(ffmpeg: str, codec: Codec, encoder: Encoder) -> Muxing:
    words = ""
    with tempfile.TemporaryDirectory() as folder:
        for way in MOVFLAGS:
            words = _trial(ffmpeg, codec, encoder, way, Path(folder, "trial"))
            if not words:
                return way
    what = f"{codec} films" if encoder == "software" else f"{codec} films with {encoder}"
    remedy = f"give ffmpeg 4.2 or newer with {FORMATS[codec].wanted}: {_REMEDY}"
    remedy = remedy if encoder == "software" else "leave film.encoder out, which takes the software's"
    raise EncoderFailed(f"{ffmpeg} ({_version(ffmpeg)}) makes no {what}: {words}; {remedy}")


def _trial(ffmpeg: str, codec: Codec, encoder: Encoder, way: Muxing, target: Path) -> str:
    """What it says against a film of two frames, "" where it makes one."""
    side = 64 if encoder == "software" else 256  # some chips take no smaller ones
    recipe = Recipe(codec, 24.0, (side, side), (side, side), muxing=way, encoder=encoder)
    arguments, frames = [ffmpeg, *command(recipe, target)[1:]], bytes(2 * side * side * 3)
    try:
        run = subprocess.run(
            arguments, input=frames, capture_output=True, check=False, timeout=PATIENCE, env=os.environ | ENVIRONMENT
        )
    except subprocess.TimeoutExpired:
        return f"it did not end within {PATIENCE:g} s"
    except OSError as error:
        return str(error.strerror or error)
    if run.returncode == 0:
        return ""
    return " | ".join(run.stderr.decode(errors="replace").split("\n")[:3]).strip(" |") or "it said nothing"


def _version(ffmpeg: str) -> str:
    try:
        run = subprocess.run([ffmpeg, "-version"], capture_output=True, check=False, timeout=PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return "of no version"
    first = run.stdout.decode(errors="replace").partition("\n")[0]
    return first.partition(" Copyright")[0] or "of no version"
