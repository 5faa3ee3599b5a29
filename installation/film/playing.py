"""What a film is played to: its score, its sound's beats and signals, and the parameters that follow the sound.

A parameter that follows is one more cue, at 0 s, whose expression is its own signal: a later cue on it takes over, and
films, plans and shows play it as they play every other.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from installation.film.soundtrack import heard
from installation.score import filmable, reading
from installation.score.performance import Stand
from installation.score.timing import Grid, Signals
from installation.score.tracks import Cue, Score
from installation.sound.follow import Followed, followed
from installation.sound.sound import Sound
from latentworld.errors import Notice, PresetError
from latentworld.preset import Preset
from latentworld.score import CueSpec


@dataclass(frozen=True, eq=False)
class Following:
    """A sound's signals, and under the names `follow_1` and so on what parameters make of them."""

    sound: Sound
    parameters: tuple[str, ...]
    values: Followed
    key: str = "sound.bpm and sound.first_beat"

    @property
    def names(self) -> frozenset[str]:
        """Of the sound, and of what follows it."""
        return self.sound.names | {_named(number) for number in range(len(self.parameters))}

    @property
    def beats(self) -> Grid | None:
        """None where there are too few to count by."""
        return self.sound.beats if len(self.sound.beats) > 1 else None

    @property
    def bars(self) -> Grid | None:
        """None where there are too few to count by."""
        return self.sound.bars if len(self.sound.bars) > 1 else None

    def at(self, t: float) -> Mapping[str, float]:
        """Every one at a moment."""
        values = self.values(t)
        followers = {_named(number): values[name] for number, name in enumerate(self.parameters)}
        return {**self.sound.at(t), **followers}


def _named(number: int) -> str:
    return f"follow_{number + 1}"


def led(preset: Preset) -> tuple[Preset, Signals | None]:
    """A preset whose score has what follows its sound, and what is heard; None where it has no sound.

    Raises PresetError for a sound that cannot be read or followed, or is followed by what a cue sets at the beginning,
    ShowError without librosa.
    """
    if preset.sound.file is None or not (preset.score or preset.sound.follow):
        return preset, None
    sound, specs = heard(preset), preset.sound.follow
    assert sound is not None  # it has a file
    names = tuple(spec.parameter for spec in specs)
    if both := sorted(reading.begun_with(preset.score) & set(names)):
        raise PresetError(
            f"{both[0]} follows the sound (sound.follow[{names.index(both[0])}]), and a cue at the beginning sets it: "
            f"leave one out, or let the cue come later"
        )
    cues = [CueSpec(at=0.0, set={name: _named(number)}) for number, name in enumerate(names)]
    signals = Following(sound, names, followed(sound, specs))
    return preset.changed(score=(*preset.score, *cues)), signals


def score_of(preset: Preset, fps: float | None = None) -> Score | None:
    """A preset's score, and what follows its sound; None where it has neither. fps: of frames as the score counts them,
    where a way is walked at another rate. Raises as `led` and `reading.read`."""
    return reading.read(*led(preset), fps)


def tell_of_waiting(preset: Preset, stand: Stand | None) -> None:
    """Tell of cues that waited for what never came, where a film was led by its score. stand: of the score at the end;
    None where it led nothing."""
    score = None if stand is None else score_of(preset)
    if score is None or stand is None:
        return
    came = {number for number, _ in stand.fired}
    never = [cue for cue in score.cues if cue.start is None and cue.number not in came]
    if never:
        warnings.warn(f"{_named_cues(preset, never)} never came: the film ended before", Notice, stacklevel=2)


def check(preset: Preset) -> None:
    """Refuse a score that a film cannot follow, before a world is loaded, and tell of cues that come after its end.
    Raises as `led` and `filmable.check`."""
    whole, signals = led(preset)
    filmable.check(whole, signals)
    score, seconds = reading.read(whole, signals), preset.film.frames / preset.film.fps
    cues = () if score is None else score.cues
    late = [cue for cue in cues if cue.start is not None and cue.start >= seconds]
    if late:
        come = "come" if len(late) > 1 else "comes"
        warnings.warn(f"{_named_cues(whole, late)} {come} after the film's end ({seconds:g} s)", Notice, stacklevel=2)


def _named_cues(preset: Preset, cues: Sequence[Cue]) -> str:
    """Some cues as messages name them: three, and how many more."""
    names = ", ".join(reading.where(cue.number, preset.score[cue.number].at) for cue in cues[:3])
    return names + (f" and {len(cues) - 3} more" if len(cues) > 3 else "")
