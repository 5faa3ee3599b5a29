"""One good recipe a format: which encoder, at what quality, how pixels and colours are told, and what holds them.

Every recipe writes the same bytes again (one thread where they depend on threads), its pieces join by copy (closed
groups, one a second; one set of parameters), and its file plays as far as it goes while it is being written. A hardware
encoder keeps the last two promises only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Codec = Literal["h264", "h265", "av1", "prores", "ffv1"]
Effort = Literal["medium", "veryfast"]
Hardware = Literal["nvenc", "videotoolbox", "qsv", "vaapi", "amf"]
Encoder = Literal["software", "nvenc", "videotoolbox", "qsv", "vaapi", "amf"]


@dataclass(frozen=True)
class Format:
    """How films of a codec are written. suffix: of the file; form: ffmpeg's name of the container; pixels: ffmpeg's
    name of a pixel; crf: the quality it has by itself, None where there is nothing to choose; full: colours in the full
    range, as the pictures have them, else in video's; wanted: what an ffmpeg must have been built with; least: pixels
    of a side, fewer of which the encoder takes for a fault."""

    suffix: str
    form: str
    pixels: str
    wanted: str
    crf: int | None = None
    full: bool = False
    least: int = 2


FORMATS: Mapping[Codec, Format] = {
    "h264": Format(".mp4", "mp4", "yuv420p", "libx264", crf=17),
    "h265": Format(".mp4", "mp4", "yuv420p10le", "libx265", crf=17, least=16),
    "av1": Format(".mp4", "mp4", "yuv420p10le", "libsvtav1", crf=20, least=16),
    "prores": Format(".mov", "mov", "yuv422p10le", "prores_ks"),
    "ffv1": Format(".mkv", "matroska", "bgr0", "ffv1", full=True),
}
SUFFIX: Mapping[Codec, str] = {codec: each.suffix for codec, each in FORMATS.items()}
# without info x265 writes no line about itself into the film; repeated headers would differ from piece to piece
_X265 = "pools=none:frame-threads=1:open-gop=0:info=0:log-level=error"
# one thread's worth; key frames that nothing reaches across; for the eye: it keeps four times the detail of tune 1
_SVT = "lp=1:irefresh-type=2:tune=0"


def software(codec: Codec, crf: int | None, grain: bool, effort: Effort, group: int) -> list[str]:
    """What tells ffmpeg how to encode. crf: None for the format's own; grain: keep the picture's own grain; group:
    frames from key frame to key frame."""
    quality = ["-crf", str(FORMATS[codec].crf if crf is None else crf)]
    grained = ["-tune", "grain"] if grain else []
    every = ["-g", str(group)]
    match codec:
        case "h264":
            return ["-c:v", "libx264", "-preset", effort, "-profile:v", "high", *quality, *grained, *every]
        case "h265":
            written = ["-c:v", "libx265", "-preset", effort, "-profile:v", "main10", "-tag:v", "hvc1"]
            return [*written, *quality, *grained, *every, "-x265-params", _X265]
        case "av1":
            synthesised = ":film-grain=8" if grain else ""  # what it took for grain is drawn anew when it is played
            return ["-c:v", "libsvtav1", "-preset", "8", *quality, *every, "-svtav1-params", _SVT + synthesised]
        case "prores":
            return ["-c:v", "prores_ks", "-profile:v", "hq", "-vendor", "apl0"]
        case "ffv1":
            return ["-c:v", "ffv1", "-level", "3", "-g", "1", "-slices", "4", "-slicecrc", "1"]


@dataclass(frozen=True)
class Chip:
    """How a machine's encoder is used. encoders: ffmpeg's name by codec; quality: options, {crf} stands for the number;
    pixels: those of 8 bits and of more; device: options before the input; upload: a filter that hands frames over."""

    encoders: Mapping[Codec, str]
    quality: tuple[str, ...]
    pixels: tuple[str, str] = ("nv12", "p010le")
    device: tuple[str, ...] = field(default=())
    upload: str = ""


_THREE: tuple[Codec, ...] = ("h264", "h265", "av1")
CHIPS: Mapping[Hardware, Chip] = {
    "nvenc": Chip(
        dict(zip(_THREE, ("h264_nvenc", "hevc_nvenc", "av1_nvenc"))),
        ("-preset", "p6", "-tune", "hq", "-rc", "vbr", "-cq", "{crf}", "-b:v", "0"), ("yuv420p", "p010le"),
    ),
    "videotoolbox": Chip(
        {"h264": "h264_videotoolbox", "h265": "hevc_videotoolbox", "prores": "prores_videotoolbox"},
        ("-q:v", "{percent}"),
    ),
    "qsv": Chip(
        dict(zip(_THREE, ("h264_qsv", "hevc_qsv", "av1_qsv"))), ("-preset", "slow", "-global_quality", "{crf}")
    ),
    "vaapi": Chip(
        dict(zip(_THREE, ("h264_vaapi", "hevc_vaapi", "av1_vaapi"))), ("-rc_mode", "CQP", "-global_quality", "{crf}"),
        device=("-vaapi_device", "/dev/dri/renderD128"), upload=",hwupload",
    ),
    "amf": Chip(
        dict(zip(_THREE, ("h264_amf", "hevc_amf", "av1_amf"))),
        ("-quality", "quality", "-rc", "cqp", "-qp_i", "{crf}", "-qp_p", "{crf}"),
    ),
}  # fmt: skip


def hardware(chip: Hardware, codec: Codec, crf: int | None, group: int) -> list[str]:
    """`software` for a machine's encoder that knows the codec. Frames are stored in the order they are shown in, so
    that nothing reaches across a key frame."""
    own = FORMATS[codec].crf if crf is None else crf
    number = 0 if own is None else own
    tag = ["-tag:v", "hvc1"] if codec == "h265" else []
    profile = {"h264": ["-profile:v", "high"], "h265": ["-profile:v", "main10"], "prores": ["-profile:v", "hq"]}
    quality = [] if own is None else [
        part.format(crf=number, percent=round(100 - 100 * number / 63)) for part in CHIPS[chip].quality
    ]  # fmt: skip
    order = [] if codec == "prores" else ["-g", str(group), "-bf", "0"]
    return ["-c:v", CHIPS[chip].encoders[codec], *profile.get(codec, []), *tag, *quality, *order]


def pixels(codec: Codec, encoder: Encoder) -> str:
    """ffmpeg's name of the pixels that an encoder of that codec takes."""
    if encoder == "software":
        return FORMATS[codec].pixels
    if codec == "prores":
        return "p210le"
    return CHIPS[encoder].pixels[codec != "h264"]
