"""What the room sounds like: its level, and when something strikes.

`listen` is a pure function from block to block; `Input` feeds it from a sound card and tells the desk.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import numpy as np

from installation.control.desk.desk import Desk
from installation.control.parameters import AUDIO_LEVEL, AUDIO_ONSET
from latentworld.arrays import Array
from latentworld.extras import need

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Hearing:
    """How the room is listened to.

    rate: samples a second; block: samples between two looks (10 to 20 ms); window: samples of a spectrum. quiet, loud:
    RMS level in dB of full scale that count as 0 and 1. attack, release: seconds in which the level goes 63% of its
    way up, down. gap: seconds between two onsets at the least; fall: seconds in which an onset fades to 37%.
    rise: how far the flux must be above 1.5 times its median of the last `memory` seconds (of steady noise it reaches
    1.25 times); mask: seconds after a peak in which another must be 0.4 times as high, so that what rattles on after a
    strike is not one.
    """

    rate: float = 44100.0
    block: int = 512
    window: int = 1024
    quiet: float = -50.0
    loud: float = -10.0
    attack: float = 0.01
    release: float = 0.3
    gap: float = 0.08
    fall: float = 0.2
    rise: float = 0.03
    mask: float = 0.2
    memory: float = 1.0


@dataclass(frozen=True, eq=False)
class Heard:
    """What was heard so far: `level` and `onset` (1 when something struck, falling) are 0..1; the rest is memory."""

    level: float = 0.0
    onset: float = 0.0
    strikes: int = 0
    tail: Array = field(default_factory=lambda: np.zeros(0))
    spectrum: Array = field(default_factory=lambda: np.zeros(0))
    fluxes: tuple[float, ...] = ()
    since: float = math.inf


def loudness(block: Array, hearing: Hearing = Hearing()) -> float:
    """The RMS level of samples [n] (full scale: 1) between quiet (0) and loud (1)."""
    power = float(np.mean(np.square(block))) if len(block) else 0.0
    decibels = 10 * math.log10(power) if power > 0 else -math.inf
    return min(max((decibels - hearing.quiet) / (hearing.loud - hearing.quiet), 0.0), 1.0)


def spectrum(samples: Array) -> Array:
    """Magnitudes under a Hann window, a full-scale sine 1, compressed as log(1 + 100 |X|) (Böck et al. 2012): a quiet
    voice counts beside a loud one."""
    window = np.hanning(len(samples))
    return np.asarray(np.log1p(100 * np.abs(np.fft.rfft(samples * window)) * 2 / window.sum()))


def listen(heard: Heard, block: Array, hearing: Hearing = Hearing()) -> Heard:
    """What is heard after one more block: float [n] or [n, channels]; what is not finite counts as silence.

    An onset is a peak of spectral flux (mean rise of the compressed spectrum, Dixon 2006) above what is usual here.
    """
    samples = np.nan_to_num(np.asarray(block, float), nan=0.0, posinf=0.0, neginf=0.0)
    samples = samples.mean(axis=1) if samples.ndim == 2 else samples
    seconds = len(samples) / hearing.rate
    target = loudness(samples, hearing)
    pace = hearing.attack if target > heard.level else hearing.release
    level = target + (heard.level - target) * math.exp(-seconds / pace)
    tail = np.concatenate([heard.tail, samples])[-hearing.window :]
    if len(tail) < hearing.window:
        return replace(heard, level=level, tail=tail)
    now = spectrum(tail)
    flux = float(np.maximum(now - heard.spectrum, 0).mean()) if len(heard.spectrum) else 0.0
    struck = flux > _threshold(heard.fluxes, hearing) and heard.since >= hearing.gap
    return Heard(
        level,
        1.0 if struck else heard.onset * math.exp(-seconds / hearing.fall),
        heard.strikes + struck,
        tail,
        now,
        (*heard.fluxes, flux)[-max(int(hearing.memory * hearing.rate / hearing.block), 1) :],
        seconds if struck else heard.since + seconds,
    )


def _threshold(fluxes: tuple[float, ...], hearing: Hearing) -> float:
    if not fluxes:
        return hearing.rise
    masking = fluxes[-max(int(hearing.mask * hearing.rate / hearing.block), 1) :]
    return max(1.5 * sorted(fluxes)[len(fluxes) // 2] + hearing.rise, 0.4 * max(masking))


class Input:
    """A sound card's input, heard on a thread of its own and told to the desk as `audio.level` and `audio.onset`.

    device: as sounddevice has it, absent the default. A device that is gone is said in one line and looked for every
    `retry` seconds. library: sounddevice, or what stands for it.
    """

    def __init__(
        self,
        desk: Desk,
        device: str | int | None = None,
        retry: float = 3.0,
        silence: float = 2.0,
        library: Any = None,
    ) -> None:
        self._desk, self._device, self._retry, self._silence = desk, device, retry, silence
        self._library: ModuleType | Any = library
        self._blocks: deque[Array] = deque(maxlen=64)  # under a second: what is older is not the room any more
        self._news = threading.Condition()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._reported = ""

    def start(self) -> None:
        """Begin; returns at once. Raises ShowError when the extra is missing."""
        if self._library is None:
            self._library = need("sounddevice")
        self._thread = threading.Thread(target=self._run, name="audio", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End, and wait until the device is closed."""
        self._stop.set()
        with self._news:
            self._news.notify()
        if self._thread is not None:
            self._thread.join(5.0)

    def _run(self) -> None:
        again = False
        while not self._stop.is_set():
            try:
                if again:  # PortAudio lists devices when it is initialised, and never again
                    self._library._terminate()
                    self._library._initialize()
                self._hear()
            except Exception as error:  # a driver may raise anything, and the show goes on without sound
                self._say(f"no audio input ({error!s:.120}): looking again every {self._retry:g} s")
            again = True
            self._quiet()
            self._stop.wait(self._retry)

    def _hear(self) -> None:
        """Listen until the device is gone or the end."""
        self._blocks.clear()
        with self._library.InputStream(device=self._device, blocksize=Hearing.block, callback=self._block) as stream:
            hearing = Hearing(rate=float(stream.samplerate))
            self._say(f"audio input at {hearing.rate:g} Hz")
            heard = Heard()
            while not self._stop.is_set():
                blocks = self._take()
                if not blocks and not self._stop.is_set():
                    raise OSError("the device went silent; is it plugged in?")
                for block in blocks:
                    heard = listen(heard, block, hearing)
                self._tell(heard)

    def _block(self, samples: Any, frames: int, moment: Any, status: Any) -> None:
        """On PortAudio's thread: keep a copy, and nothing else."""
        with self._news:
            self._blocks.append(np.array(samples, float))
            self._news.notify()

    def _take(self) -> list[Array]:
        with self._news:
            if not self._blocks and not self._stop.is_set():
                self._news.wait(self._silence)
            found = list(self._blocks)
            self._blocks.clear()
            return found

    def _tell(self, heard: Heard) -> None:
        self._desk.tell(AUDIO_LEVEL.name, round(heard.level, 3))
        self._desk.tell(AUDIO_ONSET.name, round(heard.onset, 3))

    def _quiet(self) -> None:
        self._tell(Heard())

    def _say(self, line: str) -> None:
        if line != self._reported:
            self._reported = line
            _log.warning("%s", line)
