"""What the rooms of the show hand to each other. Ports (OSC, MIDI, deck) see a `Backstage` and nothing behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from installation.control.desk import Desk
from installation.control.desk.shelf import Shelf
from installation.control.desk.snapshots import Snapshots
from installation.ipc.messages import Tick
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
from installation.ipc.scene import DecoderScene, PlaneScene, WalkScene, WorldScene
from latentworld.decoding.profile import Profile
from latentworld.prompts import Prompt

RendererState = Literal["loading", "running", "hung", "restarting", "safe", "loop"]
ShelfKind = Literal["snapshots", "takes"]
SpareState = Literal["off", "none", "loading", "waiting"]
RENDERER_STATES: tuple[RendererState, ...] = get_args(RendererState)
Question = WordsQuestion | DiffusionQuestion | FindQuestion | PictureQuestion
AnswerContent = WordsAnswer | DiffusionAnswer | FindAnswer | PictureAnswer


@dataclass(frozen=True)
class LogLine:
    """A line of the show's log. time: ISO 8601 with its zone; level: info, warning, error; text: what happened."""

    time: str
    level: str
    text: str


@dataclass(frozen=True)
class ShownScene:
    """What the renderer last said of what it shows; None: it has not said so yet.

    number: of the scene; size: height, width of its pictures; seer: digest of the eye's weights.
    """

    number: int = 0
    size: tuple[int, int] | None = None
    profile: Profile | None = None
    seer: str = ""
    plane: PlaneScene | None = None
    prompt: Prompt | None = None
    decoder: DecoderScene | None = None
    world: WorldScene | None = None
    walk: WalkScene | None = None


@dataclass(frozen=True)
class ScoreStatus:
    """Where the preset's score is. time: seconds since it began; playing: whether they go on; cue, next: the newest one
    and the one after, as they are called, "" for none; ahead: seconds until that, None where nobody knows; waiting:
    cues that the walk decides and has not come to; touched: parameters in somebody's hand until their next cue."""

    time: float
    playing: bool
    cue: str
    next: str
    ahead: float | None
    waiting: tuple[str, ...]
    touched: tuple[str, ...]


@dataclass(frozen=True)
class Status:
    """How the show is, taken at one moment; what `/health`, the deck, OSC feedback and the log read.

    seconds are those of the monotonic clock; rates per second; memory in bytes. renderer: `loading`, `running`,
    `hung`, `restarting`, `safe` (the known-good preset) or `loop` (the pre-rendered loop).
    """

    uptime: float
    renderer: RendererState
    restarts: int
    frame: int  # number of the newest frame that was made; -1 before the first
    rate: float  # new pictures per second
    period: float  # seconds between them, smoothed
    alpha: float
    beta: float
    front: bool  # whether alpha, beta are this side of the globe, or the antipode's
    unit: tuple[float, float, float]
    radius: float
    lipschitz: float  # feature per latent; NaN before the second frame
    step: float  # feature distance from the frame before
    presented: float  # presentations per second on the wall
    presentations: int  # since the start
    missed: int  # as many were late, by a period or more each
    latency: tuple[float, float]  # control to picture, seconds, p50 and p99 of the last minutes; NaN before any
    fresh: float  # seconds since a new, finite, non-constant frame was presented; infinite before the first is made
    held: bool  # the wall is still on purpose: somebody wants it, and the stage says that it obeys
    pulse: float  # seconds since the show last looked after its children
    memory: Mapping[str, int]  # resident bytes of each process
    temperature: float | None  # degrees Celsius, where a sensor tells
    scene: ShownScene
    faults: tuple[str, ...]  # the last few, newest last
    score: ScoreStatus | None = None  # of the preset's score; None where it has none
    spare: SpareState | None = None  # of the second renderer, None where none is kept; `off`: it failed too often


class Backstage(Protocol):
    """What a port may do. Every method may be called from any thread and returns at once."""

    @property
    def desk(self) -> Desk:
        """Where controls are set and presses made."""

    @property
    def snapshots(self) -> Snapshots:
        """How the desk stood, by name."""

    def status(self) -> Status:
        """The show as it is now."""

    def ask(self, question: Question) -> Future[AnswerContent]:
        """A question to the renderer (see installation/ipc/questions.py).

        The future fails with ShowError when the renderer dies or does not answer in time.
        """

    def give(self, vertex: int, picture: bytes) -> Future[AnswerContent]:
        """Make a picture, a file's bytes, the vertex 0, 1 or 2 of the plane; fails as `ask`, and for no picture."""

    def picture(self) -> tuple[int, bytes] | None:
        """The newest frame's number and its JPEG; None before the first."""

    def watch(self, listener: Callable[[Tick], None]) -> Callable[[], None]:
        """Be told of every tick the renderer made; returns what ends it. Called on a thread of the show: return at
        once."""

    def atlas(self) -> Mapping[str, object] | None:
        """The atlas underneath, as plain values for the deck: places, rates, labels; None without one."""

    def takes(self) -> list[str]:
        """Names of recorded takes, newest first."""

    def shelf(self, kind: ShelfKind) -> Shelf:
        """The files of snapshots or takes, to be deleted, renamed and taken home; it waits for the disk."""

    def log(self, count: int) -> list[LogLine]:
        """So many of the log's newest lines, oldest first; it waits for the disk."""

    def restart(self) -> None:
        """End the renderer, so that another one begins and goes on where it was."""
