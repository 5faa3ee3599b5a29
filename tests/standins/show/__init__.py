"""What stands in for the show's children in tests, and how a show of them is put on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from installation.ipc.questions import WordsAnswer, WordsQuestion
from installation.show.children import Programs
from installation.show.fallback import Patience
from installation.show.supervisor import Show
from installation.venue import Doors, Venue, Wall
from latentworld.preset import Preset, parse

HERE = Path(__file__).parent
RENDERER, STAGE = str(HERE / "standin_renderer.py"), str(HERE / "standin_stage.py")
STANDINS = Programs(RENDERER, STAGE, STAGE, RENDERER)
HASTY = Patience(silence=1.5, still=30.0, loading=60.0, settle=0.3, longest=0.2, retry=0.5)
SHUT = Doors(osc=None, deck=None)


def venue(folder: Path, doors: Doors = SHUT, **more: Any) -> Venue:
    """A wall nobody sees, doors nobody finds."""
    return Venue(folder=str(folder), wall=Wall(kind="headless"), doors=doors, midi=False, **more)


def preset(mood: Path | None = None, **more: Any) -> Preset:
    """A preset whose stand-in behaves as the file `mood` says."""
    return parse({"title": "the real thing", "description": str(mood or ""), **more})


class Said(list[str]):
    """What a show told, and whether it told of something."""

    def of(self, words: str) -> bool:
        return any(words in line for line in self)


def put_on(folder: Path, mood: Path | None = None, **more: Any) -> tuple[Show, Said]:
    """A show of stand-ins, not started."""
    said = Said()
    told = {"patience": HASTY, "programs": STANDINS, "environment": {}, **more}
    place = told.pop("venue", None) or venue(folder)
    return Show(told.pop("preset", None) or preset(mood), place, said.append, **told), said


def heard_by(show: Show) -> dict[str, Any]:
    """What the stand-in of a renderer has heard: `values` by name, and the `title` of its preset."""
    answer = show.ask(WordsQuestion(("values",))).result(30)
    assert isinstance(answer, WordsAnswer)
    return dict(json.loads(answer.texts[0]))
