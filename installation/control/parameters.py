"""The address table: everything that can be played, said once.

OSC, OSCQuery, the layouts for tablets, MIDI, the deck, snapshots, saved states and the tables in the docs are all read
from here. What the loop and the stage are played by is declared in `controls`, field by field; what the desk itself has
stands here. Whoever needs one of these by name takes it from its constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from installation.control.controls import (
    MODEL_DECODER,
    MODEL_WORLD,
    WALK_NORM,
    StageControls,
    loop_rows,
)
from installation.control.parameter import Parameter, played, rows

P = Parameter
LFOS = 4
SHAPES = ("sine", "triangle", "saw", "square", "random")
NOTHING = "none"
"""The target of what moves nothing."""

PANIC = P("panic", "trigger", "fade to the safe preset, stop all modulation", where="desk", access="w", press="urgent",
          page="wall")  # fmt: skip
SNAPSHOT_RECALL = P("snapshot.recall", "trigger", "recall a snapshot: its name [and seconds of fade]", where="desk",
                    access="w", argument="name and seconds", page="wall")  # fmt: skip
SNAPSHOT_SAVE = P("snapshot.save", "trigger", "save a snapshot under a name", where="desk", access="w",
                  argument="name", page="wall")  # fmt: skip
SNAPSHOT_NEXT = P("snapshot.next", "trigger", "recall the snapshot after the last one", where="desk", access="w",
                  press="counted", page="wall")  # fmt: skip
GOTO = P("goto", "trigger", "go to where the atlas shows what words say", where="desk", access="w", argument="words",
         page="walk", label="go to")  # fmt: skip
FOUND = P("found", "text", "where goto found its words: the words, alpha, beta, score", "", "desk", access="r",
          page="walk")  # fmt: skip
RECORD_VIDEO = P("record.video", "bool", "record what the wall shows", False, "desk", scope="session", page="wall")
RECORD_TAKE = P("record.take", "bool", "record the performance", False, "desk", scope="session", page="wall")
REPLAY = P("replay", "trigger", "replay a take by its name; without a name: stop", where="desk", access="w",
           argument="name or nothing", page="wall")  # fmt: skip
SCORE_PLAY = P("score.play", "bool", "the preset's score plays; off: it waits where it is", True, "desk",
               scope="session", page="wall", label="the score plays")  # fmt: skip
AUDIO_LEVEL = P("audio.level", "float", "level of the audio input", 0.0, "desk", access="r", page="sound")
AUDIO_ONSET = P("audio.onset", "float", "1 when the sound strikes, falling after it", 0.0, "desk", access="r",
                page="sound")  # fmt: skip
MIDI_LEARN = P("midi.learn", "trigger", "map the next MIDI control that moves to this name", where="desk", access="w",
               argument="parameter", page="sound")  # fmt: skip
MIDI_FORGET = P("midi.forget", "trigger", "forget what MIDI controls are mapped to this name", where="desk",
                access="w", argument="parameter", page="sound")  # fmt: skip
MIDI_STATUS = P("midi.status", "text", "what MIDI waits for or did last", "", "desk", access="r", page="sound")
TEMPO = P("tempo", "float", "tempo, as the MIDI clock has it", 120.0, "desk", 20.0, 300.0, unit="bpm", page="sound")


@dataclass(frozen=True)
class LfoControls:
    """An oscillator. rate: Hz; beats: its period, where that is above 0; depth: of the target's way; phase: turns."""

    target: str = played(P("lfo.{i}.target", "choice", "what LFO {i} moves", NOTHING, "desk", page="motion"))
    shape: str = played(P("lfo.{i}.shape", "choice", "its form", "sine", "desk", choices=SHAPES, page="motion"))
    rate: float = played(P("lfo.{i}.rate", "float", "its rate", 0.1, "desk", 0.005, 10.0, curve="log", unit="Hz",
                           page="motion"))  # fmt: skip
    beats: float = played(P("lfo.{i}.beats", "float", "its period in beats; 0: use the rate", 0.0, "desk", high=64.0,
                            page="motion"))  # fmt: skip
    depth: float = played(P("lfo.{i}.depth", "float", "how far it moves, of the fader's way", 0.0, "desk",
                            page="motion"))  # fmt: skip
    phase: float = played(P("lfo.{i}.phase", "float", "where it begins, in turns", 0.0, "desk", page="motion"))


@dataclass(frozen=True)
class AudioControls:
    """What the sound in the room moves, how far, of the target's way, and by what of it."""

    target: str = played(P("audio.target", "choice", "what the sound moves", NOTHING, "desk", page="sound"))
    depth: float = played(P("audio.depth", "float", "how far it moves", 0.0, "desk", page="sound"))
    source: str = played(P("audio.source", "choice", "what of the sound moves it", "level", "desk",
                           choices=("level", "onset"), page="sound"))  # fmt: skip


def table(worlds: Sequence[str] = ("embedded",)) -> dict[str, Parameter]:
    """Every parameter by name, in the order in which people should meet them; `worlds` may be chosen by name."""
    chosen = _choices(worlds)
    found = [*loop_rows(), *rows(StageControls).values(), *_desk()]
    found = [replace(row, choices=chosen.get(row.name, row.choices)) for row in found]
    found += [_slew(row) for row in found if row.smooth]
    return {row.name: row for row in found}


def loop_table() -> dict[str, Parameter]:
    """The loop's parameters as its own process checks them: which worlds there are, the show knows and has asked."""
    found = {name: row for name, row in table().items() if row.where == "loop"}
    return found | {MODEL_WORLD.name: replace(MODEL_WORLD, kind="text")}


def modulators() -> frozenset[str]:
    """Names of what says how parameters are moved by LFOs and sound."""
    lfos = chain(*(rows(LfoControls, i).values() for i in range(1, LFOS + 1)))
    return frozenset(row.name for row in (*lfos, *rows(AudioControls).values()))


def depths() -> tuple[str, ...]:
    """Names of how far LFOs and sound move what they move."""
    return (*(rows(LfoControls, i)["depth"].name for i in range(1, LFOS + 1)), rows(AudioControls)["depth"].name)


def slew(name: str) -> str:
    """The name of how long a parameter takes to follow."""
    return f"slew.{name}"


def slewed(name: str) -> str | None:
    """Of which parameter this says how long it takes to follow; None where it says something else."""
    return name.removeprefix("slew.") if name.startswith("slew.") else None


def _choices(worlds: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Of parameters whose choices are the core's own, or what this machine has."""
    from typing import get_args

    from installation.control.controls import RiftControls, WalkControls
    from latentworld import walks
    from latentworld.pilot import Mode
    from latentworld.plane import Norm
    from latentworld.sections import ShowSpec

    smooth = tuple(row.name for row in (*loop_rows(), *rows(StageControls).values()) if row.smooth)
    targets = {name: (NOTHING, *smooth) for name in modulators() if name.endswith(".target")}
    decoders = get_args(ShowSpec.model_fields["decoder"].annotation)
    return {
        rows(WalkControls)["kind"].name: walks.kinds(),
        rows(RiftControls)["mode"].name: get_args(Mode),
        WALK_NORM.name: get_args(Norm),
        MODEL_WORLD.name: tuple(worlds),
        MODEL_DECODER.name: tuple(kind for kind in decoders if kind != "auto"),
        **targets,
    }


def _desk() -> list[Parameter]:
    lfos = chain(*(rows(LfoControls, i).values() for i in range(1, LFOS + 1)))
    return [
        GOTO, FOUND,
        PANIC, SNAPSHOT_RECALL, SNAPSHOT_SAVE, SNAPSHOT_NEXT, RECORD_VIDEO, RECORD_TAKE, REPLAY, SCORE_PLAY,
        *rows(AudioControls).values(), AUDIO_LEVEL, AUDIO_ONSET, MIDI_LEARN, MIDI_FORGET, MIDI_STATUS, TEMPO, *lfos,
    ]  # fmt: skip


def _slew(row: Parameter) -> Parameter:
    return Parameter(slew(row.name), "float", f"time that {row.name} takes to follow", 0.0, "desk", 0.0, 60.0,
                     unit="s", page="slew")  # fmt: skip
