"""Everything that the processes of a show say to each other, each message a frozen type.

Moments are seconds of `time.monotonic()`, which all processes of one machine share. docs/messages.md is made from here
(`python -m installation.ipc.reference`). A kind or field that is added breaks nobody: what a reader does not know it
passes over.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from installation.ipc.questions import (
    DiffusionAnswer,
    DiffusionQuestion,
    FindAnswer,
    FindQuestion,
    PictureAnswer,
    PictureQuestion,
    WordsAnswer,
    WordsQuestion,
)
from installation.ipc.scene import SceneDescription
from latentworld.decoding.profile import Profile

Value = bool | int | float | str | tuple[float, float]
"""A control's value in real units."""
Place = tuple[float, float, float, float]
"""x, y, z of a unit vector, and the radius as a factor of the shell."""
Numbers = tuple[float | None, ...]
"""A number for each frame; None where it is not finite, or not known."""


class Message(msgspec.Struct, frozen=True, tag_field="kind"):
    """One line of JSON on a wire; `kind` says which."""


# ---- from the show


class ResumeFrom(Message, frozen=True, tag="resume"):
    """What a renderer that was started with `--resume` goes on from, before anything else is said to it: other users of
    the machine read arguments, and it holds the prompts. state: as a tick had it."""

    state: str


class TakeOver(Message, frozen=True, tag="take_over"):
    """The spare renderer is the show's from now on. state: what it goes on from, as a tick had it, None: from the
    beginning."""

    state: str | None = None


class ControlChanges(Message, frozen=True, tag="controls"):
    """What changed on the desk, slewed and modulated: to the renderer what the loop acts on, to stage and outputs what
    the wall does. values: by name, None gives one back to the preset; triggers: presses, each a name and an argument;
    stamp: when the newest of them was asked for, 0 for never: what latency is measured from."""

    values: Mapping[str, Value | None] = {}
    triggers: tuple[tuple[str, Value | None], ...] = ()
    stamp: float = 0.0


class Ask(Message, frozen=True, tag="ask"):
    """A question; it is answered under the same id."""

    id: int
    question: WordsQuestion | DiffusionQuestion | FindQuestion | PictureQuestion


class Cancel(Message, frozen=True, tag="cancel"):
    """A question is taken back."""

    id: int


class Follow(Message, frozen=True, tag="follow"):
    """Replay a take. file: chosen by the show from its own list."""

    file: str


class Unfollow(Message, frozen=True, tag="unfollow"):
    """Replay no more: the walk goes on from where it is."""


class Stop(Message, frozen=True, tag="stop"):
    """End in good order."""


class Card(Message, frozen=True, tag="card"):
    """What the test card shows. deck: the deck's address; token: what lets a telephone in, None where the doors are
    shut."""

    deck: str
    token: str | None = None


class SaveScreenshot(Message, frozen=True, tag="screenshot"):
    """Write what is presented as PNG: for people who set up a wall from afar, and for tests."""

    file: str


# ---- from the renderer


class Ready(Message, frozen=True, tag="ready"):
    """The world is loaded and warm. profile: what pictures' bytes depend on, None of the pre-rendered loop; world,
    seer: digests of the weights; preset: resolved, as TOML; size: height and width of a picture; film: the file that is
    played, where this is the pre-rendered loop."""

    profile: Profile | None
    world: str
    seer: str
    preset: str
    size: tuple[int, int]
    film: str | None = None


class Waiting(Message, frozen=True, tag="waiting"):
    """The spare renderer is loaded and warm, and waits to take over."""


class SceneChange(Message, frozen=True, tag="scene"):
    """What the frames of ticks that name this number are made with; told before the first of them."""

    number: int
    scene: SceneDescription


class Tick(Message, frozen=True, tag="tick"):
    """Frames that were made, a column for each fact. index: their numbers; time: when they were due; place: where they
    lie, empty for the pre-rendered loop, which is nowhere; alpha, beta, front: the same on the chart, front False where
    they are the antipode's; rate, step: Lipschitz value and feature distance; digest: of the pictures. scene: its
    number; stamp: of the controls they were made with; period: smoothed seconds a picture; seconds: of work; resume:
    what another renderer needs to go on."""

    index: tuple[int, ...]
    time: tuple[float, ...]
    place: tuple[Place, ...] = ()
    alpha: Numbers = ()
    beta: Numbers = ()
    front: tuple[bool, ...] = ()
    rate: Numbers = ()
    step: Numbers = ()
    digest: tuple[str, ...] = ()
    scene: int = 0
    stamp: float = 0.0
    period: float = 0.0
    seconds: float = 0.0
    resume: str | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for columns that are not of one length."""
        wanted = (0,) if not self.place else (len(self.index),)
        placed = (self.place, self.alpha, self.beta, self.front, self.rate, self.step, self.digest)
        if len(self.index) != len(self.time) or any(len(column) not in wanted for column in placed):
            raise ValueError("the columns of a tick are not of one length")


class LoopValues(Message, frozen=True, tag="values"):
    """Values that the loop itself changed: a plane that ended, a batch that did not fit."""

    values: Mapping[str, Value]


class Answer(Message, frozen=True, tag="answer"):
    """To a question; without content `fault` says why there is none."""

    id: int
    content: WordsAnswer | DiffusionAnswer | FindAnswer | PictureAnswer | None = None
    fault: str = ""


class Beat(Message, frozen=True, tag="beat"):
    """A sign of life while it loads, builds or decodes."""


class Fault(Message, frozen=True, tag="fault"):
    """What went wrong and was survived, in a line. Stage and outputs say it too."""

    text: str


# ---- from the stage and outputs


class Intervals(msgspec.Struct, frozen=True):
    """How long presentations lay apart, since the start: upper edges in milliseconds, and how many lay below each."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


class StageReport(Message, frozen=True, tag="stage"):
    """Twice a second. presented, missed: since the start; latency: seconds from stamp to presentation, since the last
    report; fresh: seconds since a new picture that shows something was presented, None before any; sequence: of the
    newest picture on the wall; light: the lowest mean light 0..1 of a presentation since the last report; black: the
    share of pixels that are black now; vsync: whether the display's own rate paces it; rate: presentations a second;
    size: of the wall, height and width; drawn: by which graphics card; held: whether the wall is still on purpose
    (frozen, black, the test card)."""

    presented: int
    missed: int
    latency: tuple[float, ...] = ()
    fresh: float | None = None
    sequence: int = 0
    light: float = 0.0
    black: float = 0.0
    vsync: bool = False
    rate: float = 0.0
    monitor: str = ""
    size: tuple[int, int] | None = None
    drawn: str = ""
    intervals: Intervals | None = None
    held: bool = False


class OutputReport(Message, frozen=True, tag="output"):
    """Twice a second. to: where pictures go; presented, missed: since the start; rate: pictures a second; size: height
    and width."""

    to: str
    presented: int
    missed: int
    rate: float
    size: tuple[int, int]


class WindowClosed(Message, frozen=True, tag="closed"):
    """A window was closed by hand: the show ends."""


TO_RENDERER: tuple[type[Message], ...] = (ResumeFrom, TakeOver, ControlChanges, Ask, Cancel, Follow, Unfollow, Stop)
FROM_RENDERER = (Ready, Waiting, SceneChange, Tick, LoopValues, Answer, Beat, Fault)
TO_STAGE = (ControlChanges, Card, SaveScreenshot, Stop)
FROM_STAGE = (StageReport, OutputReport, WindowClosed, Fault)
ALL = tuple(dict.fromkeys((*TO_RENDERER, *FROM_RENDERER, *TO_STAGE, *FROM_STAGE)))
