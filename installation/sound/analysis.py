"""A file of sound, analysed offline: deterministic, and kept, since librosa takes seconds to begin with.

::

    sound = analyse(Path("piece.flac"), Hints(), ffmpeg.binary)
    sound.tempo, sound.beats, sound.at(2.5)["low"]
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import astuple, dataclass
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from installation.sound.beats import downbeats, grid, on_attacks
from installation.sound.reading import RATE, Samples, mono
from installation.sound.sound import CURVES, Curve, Sound
from latentworld.arrays import Array
from latentworld.disk import cache_folder, put
from latentworld.extras import need

Bands = NDArray[np.float32]

METHOD = 1  # of what is kept: another number hears everything anew
HOP, WINDOW, MELS, AT_ONCE = 256, 2048, 128, 4096  # samples, samples, bands, windows
QUIET = 1e-4  # of full scale: a root mean square that is never above it is silence
RANGE = 50.0  # decibels below the loudest moment at which loudness is 0
LOW, HIGH = 200.0, 2000.0  # hertz: edges of the three bands
BANDS: tuple[Curve, ...] = ("low", "mid", "high")
PART = 120.0  # seconds of which the tempo is found at a time
STRIKE = 10  # windows (0.12 s) after a beat in which its strength is looked for
FULL = 99.0  # percentile of a curve that is 1


@dataclass(frozen=True)
class Hints:
    """What is known of the sound beforehand. bpm: its tempo; bar: beats of a bar; first_beat: when a downbeat is,
    seconds. With bpm and first_beat nothing is looked for: beats lie on that grid."""

    bpm: float | None = None
    bar: int = 4
    first_beat: float | None = None


def analyse(path: Path, hints: Hints, ffmpeg: Callable[[], str]) -> Sound:
    """Hear a file, or remember how it was heard. ffmpeg: finds the program that reads what soundfile does not.

    Raises PresetError for what cannot be read, ShowError without librosa.
    """
    librosa = need("librosa")
    place = cache_folder() / "sound" / f"{_key(path, hints, librosa.__version__)}.npz"
    with suppress(OSError, ValueError, KeyError):
        return _remembered(place.read_bytes())
    sound = heard(mono(path, ffmpeg), hints)
    with suppress(OSError):  # nothing is lost but time
        place.parent.mkdir(parents=True, exist_ok=True)
        put(place, _kept(sound))
    return sound


def heard(samples: Samples, hints: Hints = Hints()) -> Sound:
    """The analysis itself, of samples [n] at `RATE`."""
    duration, loud = len(samples) / RATE, _levels(samples)
    nothing, flat = np.zeros(0), dict[str, Array]((name, np.zeros(len(loud))) for name in CURVES)
    if float(loud.max()) < QUIET:
        return Sound(duration, 0.0, nothing, nothing, nothing, nothing, RATE / HOP, flat)
    mel = _mel(samples)
    strength = _onset_strength(mel)
    curves = _curves(mel, loud, strength)
    tempo, beats = _beats(samples, strength, hints)
    bars = downbeats(beats, _weights(beats, mel, curves), hints.bar, hints.first_beat)
    found = need("librosa").onset.onset_detect(onset_envelope=strength, sr=RATE, hop_length=HOP)
    onsets, first = np.unique(on_attacks(samples, found * HOP / RATE, together=False), return_index=True)
    return Sound(duration, tempo, beats, bars, onsets, curves["onset"][found[first]], RATE / HOP, curves)


def _levels(samples: Samples) -> Array:
    """Root mean square of each window, full scale 1."""
    parts = np.pad(samples, (0, HOP - len(samples) % HOP)).reshape(-1, HOP)
    squares = np.append(0.0, np.cumsum(np.einsum("ij,ij->i", parts, parts, dtype=np.float64)))
    here, half = np.arange(len(samples) // HOP + 1), WINDOW // HOP // 2
    first, end = np.maximum(here - half, 0), np.minimum(here + half, len(parts))
    return np.asarray(np.sqrt(np.maximum(squares[end] - squares[first], 0.0) / WINDOW))


def _mel(samples: Samples) -> Bands:
    """Power in `MELS` bands at each window, [MELS, n], some windows at a time: a spectrum of hours has no room."""
    librosa = need("librosa")
    padded = np.pad(samples, WINDOW // 2)
    parts = []
    for first in range(0, len(samples) // HOP + 1, AT_ONCE):
        part = padded[first * HOP : (first + AT_ONCE - 1) * HOP + WINDOW]
        parts.append(
            librosa.feature.melspectrogram(y=part, sr=RATE, n_fft=WINDOW, hop_length=HOP, n_mels=MELS, center=False)
        )
    return np.concatenate(parts, axis=1)


def _onset_strength(mel: Bands) -> Array:
    """How much begins at each window."""
    librosa = need("librosa")
    decibels = librosa.power_to_db(mel, ref=float(mel.max()))
    strength = librosa.onset.onset_strength(S=decibels, sr=RATE, hop_length=HOP, n_fft=WINDOW)
    return np.asarray(strength, np.float64)


def _curves(mel: Bands, loud: Array, strength: Array) -> dict[str, Array]:
    """Every curve, 0..1. Loudness is in decibels; the others are amplitudes, 1 at their 99th percentile."""
    librosa = need("librosa")
    hertz = librosa.mel_frequencies(n_mels=MELS + 2, fmax=RATE / 2)[1:-1]
    _, struck = librosa.decompose.hpss(np.sqrt(mel))
    parts = {"low": hertz < LOW, "mid": (hertz >= LOW) & (hertz < HIGH), "high": hertz >= HIGH}
    found: dict[str, Array] = {
        "loudness": np.clip(1.0 + 20.0 * np.log10(np.maximum(loud / loud.max(), 1e-9)) / RANGE, 0.0, 1.0)
    }
    for name in BANDS:
        found[name] = _full(np.sqrt(mel[parts[name]].sum(axis=0, dtype=np.float64)))
    found["onset"] = _full(strength)
    found["percussive"] = _full(np.sqrt(np.square(struck, dtype=np.float64).sum(axis=0)))
    return found


def _full(curve: Array) -> Array:
    """A curve from 0 to 1; one that is seldom above 0 reaches 1 at its highest."""
    top = float(np.percentile(curve, FULL)) or float(curve.max())
    return np.clip(curve / top, 0.0, 1.0) if top > 0.0 else curve


def _beats(samples: Samples, strength: Array, hints: Hints) -> tuple[float, Array]:
    """Tempo and beats."""
    if hints.bpm is not None and hints.first_beat is not None:
        return hints.bpm, grid(hints.bpm, hints.first_beat, len(samples) / RATE)
    librosa = need("librosa")
    bpm = _tempo(strength) if hints.bpm is None else hints.bpm
    _, found = librosa.beat.beat_track(
        onset_envelope=strength, sr=RATE, hop_length=HOP, bpm=bpm, trim=False, units="frames"
    )
    beats = on_attacks(samples, np.asarray(found) * HOP / RATE)
    tempo = 60.0 / float(np.median(np.diff(beats))) if len(beats) > 1 else 0.0
    return tempo, beats


def _tempo(strength: Array) -> Array:
    """Beats a minute: one number, or one a window where the sound is long and its tempo may change. A part at a time:
    librosa's tempogram of an hour takes 12 GB."""
    librosa = need("librosa")
    count = max(1, round(len(strength) * HOP / RATE / PART))
    found: list[Array] = []
    for part in np.array_split(strength, count):
        if part.any() or not found:
            now = librosa.feature.tempo(onset_envelope=part, sr=RATE, hop_length=HOP)[0]
        found.append(np.full(len(part) if count > 1 else 1, float(now)))  # through a pause the tempo goes on
    return np.concatenate(found)


def _weights(beats: Array, mel: Bands, curves: Mapping[str, Array]) -> Array:
    """How much begins with each beat: of low tones, of attack, and how far the harmony changes; no one counts more."""
    if len(beats) < 2:
        return np.zeros(len(beats))
    last = 2 * beats[-1] - beats[-2]  # where another beat would be
    edges = np.minimum(np.rint(np.append(beats, last) * RATE / HOP).astype(int), mel.shape[1] - 1)
    colours = np.stack([np.log(mel[:, a : max(b, a + 1)].mean(axis=1) + 1e-9) for a, b in pairwise(edges)])
    change = np.append(0.0, np.linalg.norm(np.diff(colours, axis=0), axis=1))
    strikes = [[curves[name][a : a + STRIKE].max() for a in edges[:-1]] for name in ("low", "onset")]
    return np.asarray(sum((part - part.mean()) / (part.std() + 1e-9) for part in (change, *map(np.array, strikes))))


def _key(path: Path, hints: Hints, library: str) -> str:
    """What an analysis depends on, as one digest."""
    digest = hashlib.sha256(repr((METHOD, library, astuple(hints))).encode())
    if path.is_file():
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _kept(sound: Sound) -> bytes:
    """An analysis as a file of arrays."""
    data = BytesIO()
    numbers = np.array([sound.duration, sound.tempo, sound.rate])
    curves = np.stack([sound.curves[name] for name in CURVES])
    np.savez_compressed(
        data, numbers=numbers, beats=sound.beats, bars=sound.bars, onsets=sound.onsets, strengths=sound.strengths,
        curves=curves,
    )  # fmt: skip
    return data.getvalue()


def _remembered(data: bytes) -> Sound:
    """The same from the file. Raises ValueError or KeyError for what is none."""
    try:
        with np.load(BytesIO(data), allow_pickle=False) as file:
            duration, tempo, rate = map(float, file["numbers"])
            beats, bars, onsets, strengths = (file[name] for name in ("beats", "bars", "onsets", "strengths"))
            curves = dict[str, Array](zip(CURVES, file["curves"], strict=True))
            return Sound(duration, tempo, beats, bars, onsets, strengths, rate, curves)
    except (BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(str(error)) from None
