"""A film's sound: what ffmpeg is told to put it beside the pictures, and what is heard in it beforehand."""

from __future__ import annotations

import hashlib
import re
import subprocess
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from installation.film.ffmpeg import QUIET, binary, named
from installation.sound import follow
from installation.sound.analysis import Hints, analyse
from installation.sound.reading import unreadable
from installation.sound.sound import Sound, fitted
from latentworld.arrays import Array
from latentworld.disk import PARTIAL, writing
from latentworld.errors import EncoderFailed, Notice, PresetError
from latentworld.preset import Preset

CODECS = {".mp4": ("aac", "-b:a", "256k"), ".mkv": ("flac",), ".mov": ("pcm_s24le",), ".wav": ("pcm_s24le",)}
"""What sound is written as: lossless where the pictures may be, and where an editor takes it."""


@dataclass(frozen=True)
class SoundTrack:
    """A file of sound that goes with a film of so many seconds. fit: see `SoundSpec`."""

    path: Path
    fit: Literal["trim", "loop"]
    seconds: float

    @property
    def source(self) -> list[str]:
        """The file, as ffmpeg reads it."""
        return [*(["-stream_loop", "-1"] if self.fit == "loop" else []), "-i", named(self.path)]

    def written(self, suffix: str) -> list[str]:
        """How it is encoded into a file of that suffix: as long as the film, silence where it ends before."""
        length = f"{self.seconds:.9f}"
        return ["-c:a", *CODECS[suffix], "-af", f"atrim=end={length},apad=whole_dur={length}"]

    def save(self, target: Path) -> None:
        """Write it alone, for a film of stills. Raises EncoderFailed, DiskFull."""
        side = target.with_name(f".{target.stem}{PARTIAL}{target.suffix}")
        with writing(target):
            try:
                form = ["-map", "0:a:0", *self.written(target.suffix), "-rf64", "auto", "-bitexact", named(side)]
                run = subprocess.run(
                    [binary(), *QUIET, *self.source, *form], capture_output=True, check=False, stdin=subprocess.DEVNULL
                )
                if run.returncode:
                    raise EncoderFailed(f"ffmpeg did not write {target}: {run.stderr.decode(errors='replace')[-200:]}")
                side.replace(target)
            finally:
                side.unlink(missing_ok=True)


def soundtrack(preset: Preset) -> SoundTrack | None:
    """The sound of a preset's film, None where it has none."""
    spec, film = preset.sound, preset.film
    return None if spec.file is None else SoundTrack(Path(spec.file).absolute(), spec.fit, film.frames / film.fps)


def check(preset: Preset) -> None:
    """Asked before anything is rendered: a sound that is shorter than the film is told, one that cannot be read or
    followed is refused with PresetError."""
    spec, film = preset.sound, preset.film
    follow.check(spec.follow)
    if spec.file is None:
        if spec.follow:
            raise PresetError("sound.follow needs a sound: set sound.file")
        return
    path, seconds = Path(spec.file), film.frames / film.fps
    lasts = _lasts(path)
    if spec.fit == "trim" and lasts < seconds - 0.5:
        told = f"{path.name} lasts {lasts:.1f} s and the film {seconds:.1f} s: silence follows"
        warnings.warn(f'{told}; sound.fit = "loop" begins it again', Notice, stacklevel=2)


def _lasts(path: Path) -> float:
    """How long a file of sound is, in seconds. Raises PresetError for what is none."""
    if not path.is_file():
        raise PresetError(f"sound.file = {str(path)!r}: no such file; check the path")
    begin = [binary(), "-nostdin", "-hide_banner", "-t", "1", "-i", named(path), "-map", "0:a:0", "-f", "null", "-"]
    run = subprocess.run(begin, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    said = run.stderr.decode(errors="replace")
    found = re.search(r"Duration: (\d+):(\d+):([\d.]+)", said)
    if run.returncode or found is None:
        raise unreadable(path, "ffmpeg finds no sound in it")
    hours, minutes, rest = found.groups()
    return 3600.0 * int(hours) + 60.0 * int(minutes) + float(rest)


def digest(preset: Preset) -> str | None:
    """SHA-256 of the sound's file, None where there is none."""
    if preset.sound.file is None:
        return None
    with Path(preset.sound.file).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def heard(preset: Preset) -> Sound | None:
    """The sound of a preset's film, analysed, as long as the film. Raises PresetError, ShowError without librosa."""
    spec = preset.sound
    if spec.file is None:
        return None
    sound = analyse(Path(spec.file), Hints(spec.bpm, spec.bar, spec.first_beat), binary)
    return fitted(sound, preset.film.frames / preset.film.fps, spec.fit)


def chosen_beats(preset: Preset) -> Array:
    """When rifts may be crossed, in seconds: pacing.beats of the sound. Raises PresetError where there are none."""
    sound, which = heard(preset), preset.pacing.beats
    if sound is None:
        raise PresetError('pacing.kind = "beat" needs a sound: set sound.file')
    if sound.silent:
        raise PresetError('pacing.kind = "beat", but sound.file is silent: give another, or pacing.kind = "clip"')
    marks = {"beat": sound.beats, "bar": sound.bars, "onset": sound.onsets}
    times: Array = sound.beats[::which] if isinstance(which, int) else marks[which]
    if not np.any(times * preset.film.fps >= 1.0):
        remedy = 'say sound.bpm and sound.first_beat, or pacing.kind = "clip"'
        raise PresetError(f'pacing.kind = "beat", but no {which} is heard in sound.file: {remedy}')
    return times
