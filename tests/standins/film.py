"""The smallest things that keep the contracts, for the loop and the sinks; no model, no weights."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path as File
from typing import NoReturn

import cv2
import numpy as np
import torch
from torch import Tensor

from installation.clock import CountedClock
from installation.control.controls import LoopControls
from installation.control.mailbox import Mailbox
from installation.film.sinks import Sink, Sinks
from installation.frames import Frames
from installation.loop import Scene, fixed, run
from latentworld import walks
from latentworld.decoding import DecoderSettings, Profile, Watch
from latentworld.decoding.batches import check_pictures
from latentworld.errors import WorldMismatch
from latentworld.lipschitz import Rates
from latentworld.plane import Path, Plane
from latentworld.prompts import Prompt
from latentworld.vertices import from_seeds
from latentworld.walks import Steering

PLANE = Plane(from_seeds((0, 123, 200), (4, 2, 2)))
SIZE = (16, 24)
SETTINGS = DecoderSettings("faithful", 1, batch=4, size=SIZE)


@dataclass
class Decoder:
    """Paints a latent's first numbers; raises `fault` at call number `at`."""

    fault: BaseException | None = None
    at: int = 2
    calls: int = 0
    shape: tuple[int, int, int] = (4, 2, 2)
    size: tuple[int, int] = SIZE
    settings: DecoderSettings = SETTINGS
    rows: int = 1
    warm: bool = True
    texts: None = None

    @property
    def profile(self) -> Profile:
        s = self.settings
        return Profile(s.kind, "none", "cpu", "float32", s.batch, s.steps, s.guidance, s.engine, size=s.size)

    def variant(self, settings: DecoderSettings) -> Decoder:
        return replace(self, settings=settings)

    def on(self, plane: Plane) -> Decoder:
        return self

    def has(self, settings: DecoderSettings) -> bool:
        return True

    def fits(self, prompt: Prompt) -> bool:
        return True

    def fit(self, prompt: Prompt) -> None:
        return None

    def __call__(self, latents: Tensor, prompt: Prompt, watch: Watch | None = None, *, stay: bool = False) -> Tensor:
        self.calls += 1
        if self.fault is not None and self.calls == self.at:
            raise self.fault
        colours = latents.flatten(1)[:, :3].sigmoid()
        ramp = torch.linspace(0, 1, SIZE[1])
        pictures = (colours[:, :, None, None] * ramp).expand(-1, 3, *SIZE).contiguous()
        check_pictures(pictures, "the stand-in", "give finite latents")
        return pictures


class Eye:
    """The mean colour."""

    dimension = 3

    def batched(self, batch: int) -> Eye:
        return self

    def texts(self, words: Sequence[str]) -> NoReturn:
        raise WorldMismatch("it knows no words")

    def labels(self, words: Sequence[str]) -> NoReturn:
        raise WorldMismatch("it knows no words")

    def __call__(self, pictures: Tensor) -> Tensor:
        return pictures.mean(dim=(2, 3))


@dataclass
class Pilot:
    """Straight on at a constant stride; remembers what it was told."""

    stride: float = 0.05
    told: list[tuple[Rates | None, LoopControls, int]] = field(default_factory=list)

    def __call__(self, walk: walks.Walk, rates: Rates | None, controls: LoopControls, n: int) -> Steering:
        self.told.append((rates, controls, n))
        strides = self.stride * (controls.speed or 1.0) * np.arange(1, n + 1)
        return Steering(0.0, strides, np.zeros(n, dtype=np.bool_))


def roll(
    sinks: Sequence[Sink], frames: int = 12, batch: int = 4, decoder: Decoder | None = None, pilot: Pilot | None = None,
    mailbox: Mailbox | None = None,
) -> walks.Walk:  # fmt: skip
    """The loop over stand-ins."""
    clock, walk = CountedClock(frames, 24.0, batch), walks.build(walks.Orbit(), PLANE)
    scene = Scene(PLANE, decoder or Decoder(), Eye(), Prompt())
    with Sinks(sinks) as outlet:
        return run(clock, mailbox or Mailbox(), walk, fixed(scene), pilot or Pilot(), outlet)[0]


def batch_of(n: int, start: int = 0, size: tuple[int, int] = SIZE) -> Frames:
    """`n` frames of soft noise from number `start`, every one different, the third of each ten marked."""
    index = np.arange(start, start + n)
    unit = PLANE.unit(0.2 + 0.01 * index, 0.3 + 0.005 * index)
    pictures = np.stack([np.random.default_rng(i).integers(0, 256, (*size, 3), dtype=np.uint8) for i in index])
    rates = Rates(*(np.where(index == 0, np.nan, value + 0.01 * (index % 7)) for value in (0.03, 0.1, 0.3)))
    return Frames(Path(index, index / 24.0, unit, np.ones(n)), pictures, rates, index % 10 == 3)


def decoded(path: object) -> np.ndarray:
    """All frames of a video, uint8[n, height, width, 3], read back by OpenCV."""
    reader, frames = cv2.VideoCapture(str(path)), []
    while (read := reader.read())[0]:
        frames.append(read[1][:, :, ::-1])
    reader.release()
    return np.array(frames)


def boxes(film: File) -> list[str]:
    """How an .mp4 is put together: its index (`moov`), fragments (`moof`) and pictures (`mdat`), in order."""
    data, found, at = film.read_bytes(), [], 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        found.append(kind.decode())
        at += size or len(data)  # 0: to the end
    return [kind for kind in found if kind in ("moov", "moof", "mdat")]
