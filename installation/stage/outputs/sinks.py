"""Which sink a target names. The only place that knows them all."""

from __future__ import annotations

from pathlib import Path

from installation.stage.outputs.camera import Camera
from installation.stage.outputs.ndi import Ndi
from installation.stage.outputs.output import Sink
from installation.stage.outputs.textures import Spout, Syphon
from installation.stage.outputs.video import Video
from latentworld.errors import ShowError


def sink(target: str, rate: float, reserve: int) -> Sink:
    """The sink of `video:FILE.mp4`, `ndi:NAME`, `camera`, `camera:/dev/video2`, `spout:NAME` or `syphon:NAME`.

    rate: pictures a second; reserve: bytes of the disk that a recording leaves. Raises ShowError for anything else.
    """
    kind, _, name = target.partition(":")
    if kind == "camera":
        return Camera(name, rate)
    if kind == "video" and name.lower().endswith(".mp4"):
        return Video(Path(name), rate, reserve)
    if kind == "ndi" and name:
        return Ndi(name, rate)
    if kind == "spout" and name:
        return Spout(name)
    if kind == "syphon" and name:
        return Syphon(name)
    raise ShowError(
        f"no output {target!r:.80}: use video:FILE.mp4, ndi:NAME, camera, camera:DEVICE, spout:NAME or syphon:NAME"
    )
