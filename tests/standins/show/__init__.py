"""What stands in for the show's children in tests, and how a show of them is put on."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from installation.ipc.questions import WordsAnswer, WordsQuestion
from installation.show.children import Programs
from installation.show.fallback import Patience
from installation.show.opening import open_show
from installation.show.premises import Runtime
from installation.show.show import Show
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
    return parse({"title": "the real thing", "description": str(mood or "")} | more)


class Said(list[str]):
    """What a show announced, and whether it spoke of something."""

    def of(self, words: str) -> bool:
        return any(words in line for line in self)


@contextlib.contextmanager
def put_on(
    folder: Path,
    mood: Path | None = None,
    *,
    performed: Preset | None = None,
    place: Venue | None = None,
    fresh: bool = False,
    **runtime: Any,
) -> Iterator[tuple[Show, Said]]:
    """A show of stand-ins, and what it announces."""
    said = Said()
    stood_on = Runtime(**{"patience": HASTY, "programs": STANDINS, "environment": {}, **runtime})
    opened = open_show(performed or preset(mood), place or venue(folder), said.append, fresh=fresh, runtime=stood_on)
    with opened as show:
        yield show, said


def heard_by(show: Show) -> dict[str, Any]:
    """What the stand-in of a renderer has heard: `values` by name, and the `title` of its preset."""
    answer = show.ask(WordsQuestion(("values",))).result(30)
    assert isinstance(answer, WordsAnswer)
    return dict(json.loads(answer.texts[0]))
