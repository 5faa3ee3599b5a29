"""Reading a take that people may have edited: every line is checked, and what cannot be used is named by its number."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn, TypeVar, get_args

import numpy as np

from installation.control import parameters
from installation.ipc.fields import read_fields
from installation.ipc.jsonable import Json
from installation.ipc.messages import Place
from installation.ipc.scene import SceneDescription, SteeredBy, WalkScene
from installation.takes.composed import WORDS, Blend
from installation.takes.records import (
    FORMAT,
    KINDS,
    EndLine,
    FrameLine,
    HeaderLine,
    Mixed,
    Moment,
    PressLine,
    PromptLine,
    SceneLine,
    SetLine,
    TextLine,
)
from installation.takes.take import Event, Header, Shots, Take, prompt_of
from latentworld import __version__, disk, texts
from latentworld import preset as presets
from latentworld.errors import PresetError, TakeError
from latentworld.explain import nearest
from latentworld.prompts import LONGEST, Mixture, Prompt, readable

LARGEST = 1 << 30  # bytes of a take: days
WIDEST = 1 << 20  # characters of a line
MOST_UNKNOWN = 5  # names of controls that are warned of
_PARAMETERS = frozenset(parameters.table())
NEARLY = 1e-6  # how far from 1 the squared length of a place's direction may be: what a plane takes
FORGIVEN = ("by", "sum", "rate", "step", "period", "values")  # what nobody needs: read as if it were not there
T = TypeVar("T")
_NUMBER, _WHOLE = (
    "wants a finite number as {key!r}, not {value!r:.30}",
    "wants a whole number of at least 0 as {key!r}, not {value!r:.30}",
)
_PART = "is a scene whose {key!r} is missing or no object {{...}} of its kind"
_PLAYED = "sets or presses {value!r:.40}: a name and a plain value are wanted"
_STEERED: Mapping[str, SteeredBy] = {
    **{who: who for who in get_args(SteeredBy)}, "goal": "place", "take": "replay",  # as two of them were called before
}  # fmt: skip
_WANTED = {
    "at": _NUMBER,
    "time": _NUMBER,
    "index": _WHOLE,
    "scene": _WHOLE,
    "text": _WHOLE,
    "place": "is a frame whose place is not [x, y, z, radius] in finite numbers",
    "cut": "says {value!r:.30} of a cut: true or false is wanted",
    "marked": "says {value!r:.30} of a mark: true or false is wanted",
    "made": f"is made as {{value!r:.30}}: one of {', '.join(WORDS)} is wanted",
    "toward": "goes toward a place that is not [x, y, z, radius] in finite numbers",
    "share": "has a share of {value!r:.30}: a number from 0 to 1 is wanted",
    "is": f'wants its words as "is" or in its prompt, at most {LONGEST} characters and none for control',
    "set": _PLAYED,
    "to": _PLAYED,
    "press": _PLAYED,
    "value": _PLAYED,
    "plane": _PART,
    "decoder": _PART,
    "world": _PART,
    "walk": _PART,
    "prompt": 'is a scene whose prompt is neither a text nor {{"mix": [[text, weight], ...], "not": ...}}',
    "mix": "mixes {value!r:.60} into its prompt: [text, weight] is wanted",
    "not": "mixes {value!r:.60} into its prompt: [text, weight] is wanted",
    "size": "has a size that is not [height, width]",
}
"""What is wrong with a line, by the key whose value cannot be read."""
_LACKS = "lacks {key!r}, or it is of another kind; take it over from another take of the show"


@dataclass(frozen=True)
class _Frame:
    """A row of `Shots`."""

    at: float
    index: int
    time: float
    place: Place
    rate: float
    step: float
    digest: str
    scene: int
    jump: int
    marked: bool
    blend: Blend | None


def read(path: str | Path) -> Take:
    """A take from its file. Blank lines and lines that begin with # are passed over; a last line cut short is left out.

    Raises TakeError, with the line's number and what to do, for a file that is no take or a newer one's, JSON that
    cannot be read, scenes or texts that were not told before they are used, and frames whose place is not finite or
    whose number or time does not rise.
    """
    path = Path(path)
    try:
        data = disk.read(path, LARGEST)
        text = texts.decode(data, cut=True)
    except OSError as error:
        raise TakeError(f"no take can be read at {path} ({error.strerror}): check the path") from None
    except ValueError as error:
        raise TakeError(f"{path} is no take as it is: {error}") from None
    reading = _Reading(path)
    for line in io.StringIO(text, newline=None):  # \r\n and \r end lines too, what else breaks them is in a text
        reading.line(line)
    return reading.take(data)


@dataclass
class _Reading:
    """The lines read so far; lives for one call of `read`."""

    path: Path
    number: int = 0
    header: Header | None = None
    texts: dict[int, str] = field(default_factory=dict)
    scenes: list[SceneDescription] = field(default_factory=list)
    numbers: dict[int, int] = field(default_factory=dict)  # a scene's number to its place in `scenes`
    frames: list[_Frame] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    ended: bool = False
    warnings: list[str] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)  # names of controls

    def line(self, text: str) -> None:
        self.number += 1
        if len(text) > WIDEST:
            self._refuse(f"is longer than {WIDEST} characters: it is no line of a take")
        stripped = text.removeprefix("\ufeff").strip()
        if not stripped or stripped.startswith("#"):
            return
        content = self._json(stripped, whole=text.endswith("\n"))
        if content is None:
            return
        if self.header is None:
            self.header = self._header(content)
            return
        kinds = [key for key in KINDS if key in content and not (key == "scene" and "index" in content)]
        if len(kinds) != 1:
            self._refuse(f"is none of {', '.join(KINDS)}; {self._remedy}")
        self._take_in(self._read(KINDS[kinds[0]], content))

    def take(self, text: bytes) -> Take:
        """All of it. Raises TakeError where there is no take, or none of its frames."""
        if self.header is None:
            empty = "is empty" if not text.strip() else "holds no whole line"
            raise TakeError(f"{self.path} {empty}: give a file that a show recorded, or a plan")
        if not self.frames:
            raise TakeError(f"{self.path} holds no frame: it ended before the first picture; record another")
        if not self.ended:
            what = "plan" if self.header.planned else "show"
            self.warnings.append(f"{self.path.name} has no end: the {what} was cut short; its frames so far are used")
        frames, places = self.frames, np.array([frame.place for frame in self.frames])
        shots = Shots(
            at=np.array([frame.at for frame in frames]),
            index=np.array([frame.index for frame in frames], np.int64),
            time=np.array([frame.time for frame in frames]),
            unit=places[:, :3].copy(),
            radius=places[:, 3].copy(),
            rate=np.array([frame.rate for frame in frames]),
            step=np.array([frame.step for frame in frames]),
            sum=tuple(frame.digest for frame in frames),
            scene=np.array([frame.scene for frame in frames], np.int64),
            jump=np.array([frame.jump for frame in frames], np.int8),
            marked=np.array([frame.marked for frame in frames], np.bool_),
            blends={row: frame.blend for row, frame in enumerate(frames) if frame.blend is not None},
        )
        events, warnings = tuple(self.events), tuple(self.warnings)
        return Take(self.path, text, self.header, tuple(self.scenes), shots, events, self.ended, warnings)

    @property
    def _remedy(self) -> str:
        """Of a line that cannot be read; without its first line a file is no take."""
        return "mend it" if self.header is None else "mend it, or put # before it"

    def _json(self, text: str, whole: bool) -> dict[str, Json] | None:
        try:
            content = json.loads(text, parse_constant=_refused)
        except (ValueError, RecursionError) as error:
            if not whole:
                self.warnings.append(f"{self.path.name}, line {self.number} was cut short: it is left out")
                return None
            self._refuse(f"is no JSON ({error}); {self._remedy}")
        if not isinstance(content, dict):
            self._refuse(f"is no JSON object {{...}}; {self._remedy}")
        return content

    def _read(self, kind: type[T], content: Mapping[str, object]) -> T:
        """A record, or a part of one; what cannot be read is named."""
        found = read_fields(kind, content)
        for key, value in found.refused.items():
            if key == "prompt" and isinstance(value, dict):
                self._read(PromptLine, value)  # says what is wrong within
            if found.value is None or key not in FORGIVEN:
                self._refuse(_WANTED.get(key, _LACKS).format(key=key, value=value))
        assert found.value is not None  # else something was refused
        return found.value

    def _header(self, content: Mapping[str, object]) -> Header:
        version = content.get("take")
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise TakeError(f'{self.path} is no take: its first line should begin with {{"take": {FORMAT}')
        if version > FORMAT:
            release = content.get("latentworld")
            named = isinstance(release, str) and release != __version__
            wanted = f"latentworld {release} or later" if named else f"a later latentworld than {__version__}"
            raise TakeError(f"{self.path} is a take of format {version}, this reads {FORMAT}: use {wanted}")
        head = self._read(HeaderLine, content)
        try:
            preset = presets.parse(dict(head.preset))
        except PresetError as error:
            self._refuse(f"has a preset that cannot be used: {error}")
        profile, values = MappingProxyType(dict(head.profile)), MappingProxyType(dict(head.values))
        return Header(
            head.latentworld, head.started, preset, head.world, head.seer, profile, head.size, head.period, values,
            head.planned is True,
        )  # fmt: skip

    def _take_in(self, record: Moment) -> None:
        match record:
            case SetLine():
                self._meet(record.set)
                self.events.append(Event(record.at, record.set, record.to, record.by, press=False))
            case PressLine():
                self._meet(record.press)
                self.events.append(Event(record.at, record.press, record.value, record.by, press=True))
            case TextLine(text=number, words=words):
                self.texts[number] = self._read_text(words)
            case SceneLine():
                self._scene(record)
            case FrameLine():
                self._frame(record)
            case EndLine():
                self.ended = True

    def _meet(self, name: str) -> None:
        """Warn of the first few names that nothing here is called by."""
        if name in _PARAMETERS or name in self.unknown or len(self.unknown) >= MOST_UNKNOWN:
            return
        self.unknown.add(name)
        near = nearest(name, _PARAMETERS).partition("use one of")[0] or "nothing here has that name"
        self.warnings.append(f"{self.path.name}, line {self.number} plays {name!r:.60}: {near}; it is passed over")

    def _scene(self, record: SceneLine) -> None:
        spec = {key: value for key, value in record.walk.items() if key != "mode"}
        walk = WalkScene(_STEERED.get(str(record.walk.get("mode")), "autopilot"), spec)
        prompt = self._prompt(record.prompt)
        self.numbers[record.scene] = len(self.scenes)
        self.scenes.append(SceneDescription(record.plane, prompt, record.decoder, record.world, walk))

    def _prompt(self, prompt: str | PromptLine) -> Prompt:
        """A prompt: a text, or mixtures of texts that are written out or said by number."""
        if isinstance(prompt, str):
            return Prompt(self._read_text(prompt))
        try:
            return prompt_of(self._mixture(prompt.mix), self._mixture(prompt.against))
        except PresetError as error:
            self._refuse(f"is a scene whose prompt cannot be used: {error}")

    def _mixture(self, mix: str | int | Mixed) -> Mixture:
        pairs = mix if isinstance(mix, tuple) else ((mix, 1.0),)
        if not pairs:
            self._refuse("is a scene whose prompt mixes nothing: name a text, perhaps an empty one")
        return tuple((self._said(text), weight) for text, weight in pairs)

    def _said(self, text: str | int) -> str:
        if isinstance(text, str):
            return self._read_text(text)
        if text not in self.texts:
            self._refuse(f"speaks of text {text!r:.20}, which no line before it told; tell it, or write it out")
        return self.texts[text]

    def _read_text(self, text: str) -> str:
        if not readable(text):
            self._refuse(_WANTED["is"])
        return text

    def _frame(self, record: FrameLine) -> None:
        index, time = record.index, record.time
        self._check(record.place)
        if self.frames and index <= self.frames[-1].index:
            self._refuse(f"goes back to frame {index} from {self.frames[-1].index}: frames must rise")
        if self.frames and time <= self.frames[-1].time:
            self._refuse(f"goes back to {time:g} s from {self.frames[-1].time:g} s: shift the times so that they rise")
        if record.scene not in self.numbers:
            self._refuse(f"lies in scene {record.scene}, which no line before it told; tell it, or name another")
        rate, step = (math.nan if value is None else value for value in (record.rate, record.step))
        jump = 0 if not isinstance(record.cut, bool) else 1 if record.cut else -1
        scene = self.numbers[record.scene]
        place, digest, marked = record.place, record.digest, record.marked is True
        blend = self._blend(record)
        self.frames.append(_Frame(record.at, index, time, place, rate, step, digest, scene, jump, marked, blend))

    def _check(self, place: Place) -> None:
        x, y, z, radius = place
        if abs(x * x + y * y + z * z - 1.0) > NEARLY or not 0.0 < radius <= 3.0:
            self._refuse("is a frame whose x, y, z have not length 1, or whose radius is not above 0 and at most 3")

    def _blend(self, record: FrameLine) -> Blend | None:
        if not isinstance(record.made, str):
            return None
        other = record.place if not isinstance(record.toward, tuple) else record.toward
        if other is record.place and record.made != "held":
            self._refuse(f"is a frame that is made as {record.made!r}, but lacks the place that it goes toward")
        self._check(other)
        share = record.share if isinstance(record.share, float | int) else 0.0
        return Blend(record.made, np.array(other[:3]), other[3], float(share))

    def _refuse(self, what: str) -> NoReturn:
        raise TakeError(f"{self.path}, line {self.number} {what}")


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")
