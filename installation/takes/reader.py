"""Reading a take that people may have edited: every line is checked, and what cannot be used is named by its number."""

from __future__ import annotations

import json
import math
from codecs import BOM_UTF8
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeGuard

import numpy as np

from installation.control.parameters import LONGEST, Value
from installation.takes.take import FORMAT, Event, Header, RecordedScene, Shots, Take, frozen, prompt_of
from latentworld import preset as presets
from latentworld.errors import PresetError, TakeError
from latentworld.prompts import Mixture, Prompt

WIDEST = 1 << 20  # bytes of a line
NEARLY = 1e-6  # how far from 1 the squared length of a place's direction may be: what a plane takes
KINDS = ("set", "press", "text", "scene", "index", "end")
_HEADER = {
    "latentworld": str, "started": str, "world": str, "seer": str, "profile": dict, "size": list, "preset": dict,
}  # fmt: skip


def read(path: str | Path) -> Take:
    """A take from its file. Blank lines and lines that begin with # are passed over; a last line cut short is left out.

    Raises TakeError, with the line's number and what to do, for a file that is no take or a newer one's, JSON that
    cannot be read, scenes or texts that were not told before they are used, and frames whose place is not finite or
    whose number or time does not rise.
    """
    path = Path(path)
    try:
        text = path.read_bytes()
    except OSError as error:
        raise TakeError(f"no take can be read at {path} ({error.strerror}): check the path") from None
    reading = _Reading(path)
    for line in text.splitlines(keepends=True):
        reading.line(line)
    return reading.take(text)


@dataclass
class _Reading:
    """The lines read so far; lives for one call of `read`."""

    path: Path
    number: int = 0
    header: Header | None = None
    texts: dict[int, str] = field(default_factory=dict)
    scenes: list[RecordedScene] = field(default_factory=list)
    numbers: dict[int, int] = field(default_factory=dict)  # a scene's number to its place in `scenes`
    frames: list[tuple[Any, ...]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    ended: bool = False
    warnings: list[str] = field(default_factory=list)

    def line(self, data: bytes) -> None:
        self.number += 1
        if len(data) > WIDEST:
            self._refuse(f"is longer than {WIDEST} bytes: it is no line of a take")
        stripped = data.removeprefix(BOM_UTF8).strip()
        if not stripped or stripped.startswith(b"#"):
            return
        content = self._json(stripped, whole=data.endswith(b"\n"))
        if content is None:
            return
        if self.header is None:
            self.header = self._header(content)
            return
        kinds = [kind for kind in KINDS if kind in content and not (kind == "scene" and "index" in content)]
        if len(kinds) != 1:
            self._refuse(f"is none of {', '.join(KINDS)}; mend it, or put # before it")
        at = self._number(content, "at")
        getattr(self, f"_{kinds[0]}")(content, at)

    def take(self, text: bytes) -> Take:
        """All of it. Raises TakeError where there is no take, or none of its frames."""
        if self.header is None:
            raise TakeError(f"{self.path} is empty: give a file that a show recorded")
        if not self.frames:
            raise TakeError(f"{self.path} holds no frame: it ended before the first picture; record another")
        if not self.ended:
            self.warnings.append(f"{self.path.name} has no end: the show was cut short; its frames so far are used")
        at, index, time, place, rate, step, sums, scene, jump = zip(*self.frames)
        places = np.array(place)
        shots = Shots(
            np.array(at), np.array(index, np.int64), np.array(time), places[:, :3].copy(), places[:, 3].copy(),
            np.array(rate), np.array(step), sums, np.array(scene, np.int64), np.array(jump, np.int8),
        )  # fmt: skip
        events, warnings = tuple(self.events), tuple(self.warnings)
        return Take(self.path, text, self.header, tuple(self.scenes), shots, events, self.ended, warnings)

    def _json(self, text: bytes, whole: bool) -> dict[str, Any] | None:
        try:
            content = json.loads(text.decode(), parse_constant=_refused)
        except (ValueError, RecursionError) as error:
            if not whole:
                self.warnings.append(f"{self.path.name}, line {self.number} was cut short: it is left out")
                return None
            self._refuse(f"is no JSON ({error}); mend it, or put # before it")
        if not isinstance(content, dict):
            self._refuse("is no JSON object {...}; mend it, or put # before it")
        return content

    def _header(self, content: Mapping[str, Any]) -> Header:
        version = content.get("take")
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise TakeError(f'{self.path} is no take: its first line should begin with {{"take": {FORMAT}')
        if version > FORMAT:
            told = content.get("latentworld")
            wanted = f"latentworld {told} or later" if isinstance(told, str) else "a later latentworld"
            raise TakeError(f"{self.path} is a take of format {version}, this reads {FORMAT}: use {wanted}")
        for key, kind in _HEADER.items():
            if not isinstance(content.get(key), kind):
                self._refuse(f"lacks {key!r}, or it is no {kind.__name__}; take it over from another take of the show")
        try:
            preset = presets.parse(content["preset"])
        except PresetError as error:
            self._refuse(f"has a preset that cannot be used: {error}")
        size = content["size"]
        if len(size) != 2 or not all(isinstance(side, int) and side > 0 for side in size):
            self._refuse("has a size that is not [height, width]")
        values = content.get("values") or {}
        period = self._number(content, "period") if "period" in content else 0.0
        return Header(
            content["latentworld"], content["started"], preset, content["world"], content["seer"],
            frozen(content["profile"]), (size[0], size[1]), period, frozen(values),
        )  # fmt: skip

    def _set(self, content: Mapping[str, Any], at: float) -> None:
        self._event(content, at, "set", "to")

    def _press(self, content: Mapping[str, Any], at: float) -> None:
        self._event(content, at, "press", "value")

    def _event(self, content: Mapping[str, Any], at: float, kind: str, key: str) -> None:
        name, value = content[kind], content.get(key)
        if not isinstance(name, str) or not isinstance(value, (int, float, str, list, type(None))):
            self._refuse(f"sets {name!r:.40} to {value!r:.40}: a name and a plain value are wanted")
        kept: Value | None = tuple(value) if isinstance(value, list) else value  # type: ignore[assignment]
        self.events.append(Event(at, name, kept, str(content.get("by", "")), kind == "press"))

    def _text(self, content: Mapping[str, Any], at: float) -> None:
        text = content.get("is")
        if not isinstance(text, str) or len(text) > LONGEST or not text.isprintable():
            self._refuse(f'wants its words as "is", at most {LONGEST} printable characters')
        self.texts[self._whole(content, "text")] = text

    def _scene(self, content: Mapping[str, Any], at: float) -> None:
        tables = []
        for key in ("plane", "decoder", "world", "walk"):
            if not isinstance(content.get(key), dict):
                self._refuse(f"is a scene whose {key!r} is missing or no object {{...}}")
            tables.append(frozen(content[key]))
        self.numbers[self._whole(content, "scene")] = len(self.scenes)
        self.scenes.append(RecordedScene(self._prompt(content.get("prompt")), *tables))

    def _prompt(self, prompt: Any) -> Prompt:
        """A prompt: a text, or mixtures of texts that are written out or said by number."""
        if isinstance(prompt, str):
            return Prompt(prompt)
        if not isinstance(prompt, dict):
            self._refuse('is a scene whose prompt is neither a text nor {"mix": [[text, weight], ...], "not": ...}')
        try:
            return prompt_of(self._mixture(prompt.get("mix")), self._mixture(prompt.get("not", "")))
        except PresetError as error:
            self._refuse(f"is a scene whose prompt cannot be used: {error}")

    def _mixture(self, mix: Any) -> Mixture:
        pairs = mix if isinstance(mix, list) else [[mix, 1.0]]
        for pair in pairs:
            if not isinstance(pair, list) or len(pair) != 2 or not _finite(pair[1]):
                self._refuse(f"mixes {pair!r:.60} into its prompt: [text, weight] is wanted")
        if not pairs:
            self._refuse("is a scene whose prompt mixes nothing: name a text, perhaps an empty one")
        return tuple((self._said(text), float(weight)) for text, weight in pairs)

    def _said(self, text: Any) -> str:
        if isinstance(text, str):
            return text
        if not isinstance(text, int) or text not in self.texts:
            self._refuse(f"speaks of text {text!r:.20}, which no line before it told; tell it, or write it out")
        return self.texts[text]

    def _index(self, content: Mapping[str, Any], at: float) -> None:
        index, time, place = self._whole(content, "index"), self._number(content, "time"), content.get("place")
        if not isinstance(place, list) or len(place) != 4 or not all(map(_finite, place)):
            self._refuse("is a frame whose place is not [x, y, z, radius] in finite numbers")
        x, y, z, radius = map(float, place)
        if abs(x * x + y * y + z * z - 1.0) > NEARLY or not 0.0 < radius <= 3.0:
            self._refuse("is a frame whose x, y, z have not length 1, or whose radius is not above 0 and at most 3")
        if self.frames and index <= self.frames[-1][1]:
            self._refuse(f"goes back to frame {index} from {self.frames[-1][1]}: frames must rise")
        if self.frames and time <= self.frames[-1][2]:
            self._refuse(f"goes back to {time} s from {self.frames[-1][2]} s: shift the times so that they rise")
        scene, cut = self._whole(content, "scene"), content.get("cut")
        if scene not in self.numbers:
            self._refuse(f"lies in scene {scene}, which no line before it told; tell it, or name another")
        told = [float(value) if _finite(value := content.get(key)) else math.nan for key in ("rate", "step")]
        jump = 0 if cut is None else 1 if cut else -1
        row = (at, index, time, (x, y, z, radius), *told, str(content.get("sum") or ""), self.numbers[scene], jump)
        self.frames.append(row)

    def _end(self, content: Mapping[str, Any], at: float) -> None:
        self.ended = True

    def _whole(self, content: Mapping[str, Any], key: str) -> int:
        value = content.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
            self._refuse(f"wants a whole number of at least 0 as {key!r}, not {value!r:.30}")
        return value

    def _number(self, content: Mapping[str, Any], key: str) -> float:
        value = content.get(key)
        if not _finite(value):
            self._refuse(f"wants a finite number as {key!r}, not {value!r:.30}")
        return float(value)

    def _refuse(self, what: str) -> NoReturn:
        raise TakeError(f"{self.path}, line {self.number} {what}")


def _finite(value: Any) -> TypeGuard[int | float]:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number too large for a float
        return False


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")
