"""The address table: everything that can be played, said once.

OSC, OSCQuery, the layouts for tablets, MIDI, the deck, snapshots, takes and the tables in the docs are all read from
here. A name such as `walk.speed` is the address `/lw/walk/speed`. Floats and ints have two scales: 0..1 as faders send
(`real` and `normal` convert, along a linear or a logarithmic curve) and real units.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from latentworld import walks
from latentworld.errors import ControlError

Value = float | int | bool | str | tuple[float, float]
Kind = Literal["float", "int", "bool", "choice", "text", "point", "trigger"]
Where = Literal["loop", "stage", "desk"]

ROOT = "/lw"
LONGEST = 500  # characters of a text
WORDS, LFOS = 6, 4
SHAPES = ("sine", "triangle", "saw", "square", "random")


@dataclass(frozen=True)
class Parameter:
    """One thing that can be played.

    kind `point` is alpha and beta; `trigger` is a press with, perhaps, an argument (`about` names it). where: who acts
    on it. low, high: real units of floats and ints (of points: of either coordinate). curve `log` with low = 0 keeps
    0 at 0 and is logarithmic from `least` up. smooth: it may be slewed and modulated. default None: the preset's.
    """

    name: str
    kind: Kind
    about: str
    default: Value | None = None
    where: Where = "loop"
    low: float = 0.0
    high: float = 1.0
    least: float = 0.0
    curve: Literal["linear", "log"] = "linear"
    unit: str = ""
    choices: tuple[str, ...] = ()
    access: Literal["rw", "r", "w"] = "rw"
    smooth: bool = False

    @property
    def address(self) -> str:
        """Its OSC address."""
        return f"{ROOT}/{self.name.replace('.', '/')}"

    @property
    def numeric(self) -> bool:
        """Whether it has a fader's scale."""
        return self.kind in ("float", "int")

    def real(self, x: float) -> float | int:
        """A fader's place 0..1 (clamped) in real units. Raises ControlError when it is not finite or has no scale."""
        x = min(max(self._finite(x), 0.0), 1.0)
        if self.curve == "log":
            low = self.low or self.least
            value = 0.0 if self.low == 0 and x == 0 else low * (self.high / low) ** x
        else:
            value = self.low + x * (self.high - self.low)
        return round(value) if self.kind == "int" else value

    def normal(self, value: float) -> float:
        """Real units to a fader's place 0..1."""
        value = min(max(self._finite(value), self.low), self.high)
        if self.curve == "log":
            low = self.low or self.least
            return 0.0 if value <= low else math.log(value / low) / math.log(self.high / low)
        return (value - self.low) / (self.high - self.low)

    def check(self, value: object) -> Value:
        """A value in real units as this parameter keeps it: clamped, rounded, cut. Raises ControlError."""
        if self.kind in ("float", "int"):
            clamped = min(max(self._finite(value), self.low), self.high)
            return round(clamped) if self.kind == "int" else clamped
        if self.kind == "bool":
            return value if isinstance(value, bool) else self._finite(value) >= 0.5
        if self.kind == "point":
            return self._point(value)
        if not isinstance(value, str):
            raise ControlError(f"{self.name} takes a text, not {value!r:.60}")
        if len(value) > LONGEST or not value.isprintable():
            raise ControlError(f"{self.name}: a text of at most {LONGEST} printable characters is wanted")
        if self.kind == "choice" and value not in self.choices:
            raise ControlError(f"{self.name} = {value!r:.60}: use one of {', '.join(self.choices)}")
        return value

    def _point(self, value: object) -> tuple[float, float]:
        if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
            raise ControlError(f"{self.name} takes alpha and beta, not {value!r:.60}")
        a, b = (min(max(self._finite(part), self.low), self.high) for part in value)
        return a, b

    def _finite(self, value: object) -> float:
        try:
            number = float(value) if isinstance(value, (int, float)) else math.nan
        except OverflowError:  # an int that no float can hold
            number = math.inf
        if not math.isfinite(number):
            raise ControlError(f"{self.name} takes a finite number, not {value!r:.60}")
        return number


def table(worlds: Sequence[str] = ("embedded",)) -> dict[str, Parameter]:
    """Every parameter by name, in the order in which people should meet them; `worlds` may be chosen by name."""
    rows = [*_walk(), *_model(worlds), *_prompt(), *_view(), *_desk()]
    rows += [_slew(row) for row in rows if row.smooth]
    return {row.name: row for row in rows}


def _walk() -> list[Parameter]:
    P = Parameter
    return [
        P("walk.speed", "float", "pace", None, low=0.0, least=0.02, high=24.0, curve="log", unit="latent/s",
          smooth=True),
        P("walk.direction", "choice", "which way along the walk", "forward",
          choices=("forward", "reverse", "ping-pong")),
        P("walk.kind", "choice", "what kind of walk", None, choices=walks.kinds()),
        P("walk.heading", "float", "steering by hand: left above 0, right below", 0.0, low=-1.0, smooth=True),
        P("walk.position", "point", "steer for alpha, beta; the autopilot is off until walk.auto", None,
          low=-100.0, high=100.0),
        P("walk.jump", "trigger", "be at walk.position at once, cross-faded", access="w"),
        P("walk.auto", "bool", "the autopilot steers", True),
        P("walk.radius", "float", "distance from the centre: 1 is the hypersphere", None, low=0.0, least=0.05,
          high=2.0, unit="shells", smooth=True),
        P("walk.norm", "choice", "how lengths are set", None, choices=("sphere", "global", "raw")),
        P("rift.attraction", "float", "toward rifts above 0, away from them below", None, low=-1.0, smooth=True),
        P("rift.step", "float", "change of meaning per second that the pace aims at; 0: steady pace", None,
          low=0.0, least=0.01, high=4.0, curve="log", unit="feature/s", smooth=True),
        P("rift.value", "float", "the Lipschitz value here", 0.0, high=1000.0, unit="feature/latent", access="r"),
        *(P(f"seed.vertex.{i}", "int", f"the seed of z{i}", None, high=2**31 - 1) for i in range(3)),
    ]  # fmt: skip


def _model(worlds: Sequence[str]) -> list[Parameter]:
    P = Parameter
    return [
        P("model.world", "choice", "the world that is shown", None, choices=tuple(worlds)),
        P("model.decoder", "choice", "scout: fast; faithful: true", None, choices=("scout", "faithful")),
        P("model.guidance", "float", "how much the prompt is insisted on (faithful)", None, high=20.0),
        P("model.steps", "int", "denoising steps", None, low=1, high=100),
        P("model.batch", "int", "pictures made at a time", None, low=1, high=16),
    ]  # fmt: skip


def _prompt() -> list[Parameter]:
    P = Parameter
    words = [
        row for i in range(1, WORDS + 1) for row in (
            P(f"word.{i}.text", "text", f"concept {i} that is mixed into the prompt", ""),
            P(f"word.{i}.weight", "float", f"weight of concept {i}", 0.0, smooth=True),
        )
    ]  # fmt: skip
    return [
        P("prompt.a", "text", "what the picture should be", None),
        P("prompt.b", "text", "what it should be instead, as far as prompt.mix says", ""),
        P("prompt.mix", "float", "0: prompt.a, 1: prompt.b", 0.0, smooth=True),
        P("prompt.negative", "text", "what the picture should not be", None),
        P("prompt.fade", "float", "cross-fade when a text changes", 2.0, high=60.0, unit="s"),
        *words,
    ]


def _view() -> list[Parameter]:
    P = Parameter
    stage: Where = "stage"
    return [
        P("view.zoom", "float", "enlarge the middle of the picture", 1.0, stage, 1.0, 8.0, curve="log", smooth=True),
        P("out.freeze", "bool", "hold the picture on the wall", False, stage),
        P("out.blackout", "bool", "fade to black", False, stage),
        P("out.fade", "float", "how long fades to black and back take", 1.0, stage, 0.0, 30.0, unit="s"),
        P("out.master", "float", "brightness of the whole", 1.0, stage, smooth=True),
        P("out.testcard", "bool", "the test card", False, stage),
        P("out.gamma", "float", "gamma of the wall", 1.0, stage, 0.4, 2.5),
        P("out.black", "float", "black level of the wall", 0.0, stage, 0.0, 0.2),
    ]


def _desk() -> list[Parameter]:
    P = Parameter
    desk: Where = "desk"
    lfos = [
        row for i in range(1, LFOS + 1) for row in (
            P(f"lfo.{i}.target", "choice", f"what LFO {i} moves", "none", desk, choices=("none", *_targets())),
            P(f"lfo.{i}.shape", "choice", "its form", "sine", desk, choices=SHAPES),
            P(f"lfo.{i}.rate", "float", "its rate", 0.1, desk, 0.005, 10.0, curve="log", unit="Hz"),
            P(f"lfo.{i}.beats", "float", "its period in beats; 0: use the rate", 0.0, desk, high=64.0),
            P(f"lfo.{i}.depth", "float", "how far it moves, of the fader's way", 0.0, desk),
            P(f"lfo.{i}.phase", "float", "where it begins, in turns", 0.0, desk),
        )
    ]  # fmt: skip
    return [
        P("panic", "trigger", "fade to the safe preset, stop all modulation", where=desk, access="w"),
        P("snapshot.recall", "trigger", "recall a snapshot: its name [and seconds of fade]", where=desk, access="w"),
        P("snapshot.save", "trigger", "save a snapshot under a name", where=desk, access="w"),
        P("snapshot.next", "trigger", "recall the snapshot after the last one", where=desk, access="w"),
        P("record.video", "bool", "record what the wall shows", False, desk),
        P("record.take", "bool", "record the performance", False, desk),
        P("replay", "trigger", "replay a take by its name; without a name: stop", where=desk, access="w"),
        P("audio.target", "choice", "what the sound moves", "none", desk, choices=("none", *_targets())),
        P("audio.depth", "float", "how far it moves", 0.0, desk),
        P("audio.source", "choice", "what of the sound moves it", "level", desk, choices=("level", "onset")),
        P("audio.level", "float", "level of the audio input", 0.0, desk, access="r"),
        P("audio.onset", "float", "1 when the sound strikes, falling after it", 0.0, desk, access="r"),
        P("midi.learn", "trigger", "map the next MIDI control that moves to this name", where=desk, access="w"),
        P("midi.forget", "trigger", "forget what MIDI controls are mapped to this name", where=desk, access="w"),
        P("midi.status", "text", "what MIDI waits for or did last", "", desk, access="r"),
        P("tempo", "float", "tempo, as the MIDI clock has it", 120.0, desk, 20.0, 300.0, unit="bpm"),
        *lfos,
    ]


def _targets() -> tuple[str, ...]:
    return tuple(row.name for row in (*_walk(), *_prompt(), *_view()) if row.smooth)


def _slew(row: Parameter) -> Parameter:
    return Parameter(f"slew.{row.name}", "float", f"time that {row.name} takes to follow", 0.0, "desk", 0.0, 60.0,
                     unit="s")  # fmt: skip
