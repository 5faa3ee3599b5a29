"""Making the gallery: each entry is filmed as any film is, into a folder that is thrown away, and drawn as a strip."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from installation.film import make as films
from installation.film import telemetry
from installation.film.sinks import Memory
from installation.gallery import ENDING, strip
from installation.gallery.entries import STEERED, Entry
from installation.rig import open_studio
from latentworld import walks
from latentworld.disk import save, writing
from latentworld.errors import OutputExists
from latentworld.plane import Plane
from latentworld.preset import Preset

QUALITY = 80  # of WebP: a strip is 15 to 20 kB
LARGEST = 60_000  # bytes of a strip: they are kept with the code, in every version
Tell = Callable[[Entry, int, int], None]


@dataclass(frozen=True)
class Made:
    """What was made for an entry: its picture's size in bytes, 0 where there is none."""

    entry: Entry
    size: int


def make(entries: Sequence[Entry], target: Path, overwrite: bool = False, tell: Tell = lambda *_: None) -> list[Made]:
    """Film entries and write their strips into the folder. tell: which is begun, its number, how many there are.

    Raises OutputExists for a picture that is there and may not be replaced, and what films raise.
    """
    shown = [entry for entry in entries if not entry.missing]
    there = [entry.file for entry in shown if (target / f"{entry.file}{ENDING}").exists()]
    if there and not overwrite:
        raise OutputExists(f"{target} holds {there[0]}{ENDING} already: give --overwrite, or another folder")
    with writing(target):
        target.mkdir(parents=True, exist_ok=True)
    made = []
    for number, entry in enumerate(shown, 1):
        tell(entry, number, len(shown))
        data = encoded(drawn(entry))
        save(target / f"{entry.file}{ENDING}", data)
        made.append(Made(entry, len(data)))
    return made


def drawn(entry: Entry) -> Image.Image:
    """The strip of an entry: its film is made, looked at and thrown away."""
    with TemporaryDirectory() as folder:
        clicks = _clicks(Path(folder) / "clicks.wav") if entry.name == "beat" else None
        preset, seen = entry.preset(clicks), Memory()
        plane = open_studio(preset).plane
        if entry.group == "walk":
            preset = lapped(preset, plane)
        film = films.film(preset, Path(folder) / "film", sinks=[seen])
        record = telemetry.read(film.folder.telemetry)
    pictures = np.concatenate([frames.pictures for frames in seen.batches])
    return strip.draw(pictures, record, plane, dotted=entry.group == "pacing")


def lapped(preset: Preset, plane: Plane) -> Preset:
    """At the pace that walks all of a curve in the film's time, and a free walk far enough to show its way."""
    length = walks.build(preset.walk, plane).length or STEERED
    speed = length / preset.film.seconds
    return preset.changed(pacing={"speed": speed, "ceiling": 2 * speed, "floor": speed / 2})


def encoded(image: Image.Image) -> bytes:
    """A strip as WebP, small enough."""
    for quality in range(QUALITY, 20, -10):
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", quality=quality, method=6)
        if buffer.tell() <= LARGEST:
            break
    return buffer.getvalue()


def _clicks(target: Path, seconds: float = 12.0, rate: int = 22050) -> Path:
    """A click every half second: beats to pace by."""
    at = np.arange(round(seconds * rate)) / rate
    sound = np.sin(2 * np.pi * 1000 * at) * np.exp(-60 * (at % 0.5))
    with wave.open(str(target), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((sound * 20000).astype("<i2").tobytes())
    return target
