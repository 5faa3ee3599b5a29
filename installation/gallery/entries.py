"""What the gallery shows: an entry is a short film of a preset with one thing changed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from latentworld import preset as presets
from latentworld import walks
from latentworld.pacing import PacingSpec
from latentworld.pilot import Mode, PilotSpec
from latentworld.preset import Preset

Group = Literal["walk", "pilot", "pacing", "preset"]
TITLES: dict[Group, str] = {"walk": "Walks", "pilot": "Pilot modes", "pacing": "Pacing", "preset": "Presets"}

FPS = 12  # of those films, but for presets
LENGTH = 8.0  # seconds of them
SHOWN = 12.0  # seconds of a preset's own film, at most
SLOWED = 4  # a preset is shown at a fraction of its frames, each as many times further on
STEERED = 110.0  # latent arc that a free walk covers: half way round the world
START = ("walk.kind=rift", "walk.start=centre", "walk.heading=20")
SCOUT = "decoder.kind=scout"


@dataclass(frozen=True)
class Entry:
    """One thing that is shown. key: how one chooses it, `walk.kind=orbit` or a preset's name; words: what it does;
    settings: what else is set for its film; missing: why there is no picture, "" where there is one."""

    group: Group
    name: str
    words: str
    key: str
    like: str = "neutral"
    settings: tuple[str, ...] = ()
    missing: str = ""

    @property
    def file(self) -> str:
        """The name of its picture, without the ending."""
        return f"{self.group}-{self.name}"

    def preset(self, sound: Path | None = None) -> Preset:
        """What is filmed. sound: clicks to pace by, for the entry that needs them. Raises PresetError."""
        chosen = () if self.group == "preset" else (self.key,)
        heard = () if sound is None or self.name != "beat" else (f"sound.file={sound}", "sound.bpm=120")
        return presets.load(self.like, [*self.settings, *chosen, *heard, "film.scale=1"])


def entries() -> list[Entry]:
    """All there is, other packages' walks and presets of the folder too."""
    return [*_walks(), *_pilots(), *_pacings(), *_presets()]


def _walks() -> list[Entry]:
    short = (SCOUT, "pilot.mode=off", "pacing.kind=latent", f"film.seconds={LENGTH}", f"film.fps={FPS}")
    made = []
    for kind, spec in walks.specs().items():
        words = _sentence(spec.__doc__ or "")
        steered = kind == "rift"
        settings = (*short[:1], "pilot.mode=ride", *short[2:]) if steered else short
        made.append(Entry("walk", kind, words, f"walk.kind={kind}", settings=settings))
    return made


def _pilots() -> list[Entry]:
    pace = STEERED / LENGTH
    even = ("pacing.kind=latent", f"pacing.speed={pace}", f"pacing.ceiling={2 * pace}")
    short = (SCOUT, *START, *even, f"film.seconds={LENGTH}", f"film.fps={FPS}")
    told, modes = _told(PilotSpec, "mode"), get_args(Mode)
    words = {"toward": ("pilot.words=a cat",)}
    return [Entry("pilot", mode, told[mode], f"pilot.mode={mode}", settings=(*short, *words.get(mode, ())))
            for mode in modes]  # fmt: skip


def _pacings() -> list[Entry]:
    short = (SCOUT, *START, "pilot.mode=cross", f"film.seconds={LENGTH}", f"film.fps={FPS}", "pacing.look=scout",
             "pacing.clip_step=0.06", "pacing.ceiling=60", "pacing.speed=12")  # fmt: skip
    told = _told(PacingSpec, "kind")
    return [Entry("pacing", kind, told[kind], f"pacing.kind={kind}", settings=short) for kind in told]


def _presets() -> list[Entry]:
    made = []
    for name in presets.names():
        found = presets.load(name)
        own = found.decoder.kind == "analytic" or found.world.name == "embedded"
        fewer = max(2, round(found.film.fps / SLOWED))
        step = found.pacing.clip_step * found.film.fps / fewer
        settings = [f"film.seconds={min(found.film.seconds, SHOWN)}", f"film.fps={fewer}",
                    f"pacing.clip_step={step}"]  # fmt: skip
        if found.decoder.kind == "faithful" and found.plane.vertices is None:
            settings.append(SCOUT)
        elif found.decoder.kind == "faithful":
            settings += ["decoder.steps=8", "film.fps=2", "pacing.clip_step=0.3"]  # held pictures need the real one
        missing = "" if own else f"wants {found.world.name} and a GPU"
        made.append(Entry("preset", name, found.description, name, name, tuple(settings), missing))
    return made


def _told(model: type[PilotSpec | PacingSpec], key: str) -> dict[str, str]:
    """What each choice of a key does, as the key itself explains: `name: words; name: words`."""
    text = model.model_fields[key].description or ""
    return dict(re.findall(r"(\w+): ([^;]+)", text))


def _sentence(words: str) -> str:
    return " ".join(words.split("\n\n")[0].split())
