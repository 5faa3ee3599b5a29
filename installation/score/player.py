"""A score in a show: it sets the desk's parameters as they are due, and gives way to hands.

::

    player = Player(score, desk, preset, scene, fault)
    player.heard(tick)      # of every tick, on any thread: the score begins with the first
    player.play(now)        # as often as can be, on one thread; seconds of the show's clock

Whoever touches a parameter has it until the score's next cue on it. A panic stops the score; `score.play` lets it go
on.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from threading import Lock

import numpy as np

from installation.backstage import ScoreStatus, ShownScene
from installation.control.controls import WALK_JUMP, PromptControls, RiftControls
from installation.control.desk import Change, Desk, Trigger
from installation.control.parameter import Value, rows
from installation.control.parameters import PANIC, SCORE_PLAY
from installation.ipc.messages import Tick
from installation.score.events import Crossings
from installation.score.reading import GOAL
from installation.score.tracks import Cue, Score, Timeline
from latentworld import walks
from latentworld.errors import ControlError, GeometryError, PresetError
from latentworld.plane import Norm, Plane
from latentworld.preset import Preset

SOURCE = "score"
_OURS = frozenset({SOURCE, "show"})  # what the show finds out is nobody's hand
FADE, TURN = rows(PromptControls)["fade"], rows(RiftControls)["fade"]  # of the prompt's texts, and of the walk's goal
Step = tuple[float, float, bool]


class Player:
    """scene: what is shown now; fault: takes a line about a cue that could not be played."""

    def __init__(
        self, score: Score, desk: Desk, preset: Preset, scene: Callable[[], ShownScene], fault: Callable[[str], None]
    ) -> None:
        self._score, self._desk, self._preset, self._scene, self._fault = score, desk, preset, scene, fault
        self._lock = Lock()
        self._steps: deque[Step] = deque()
        self._touched: set[str] = set()
        self._panicked = self._begun = False
        self._crossings, self._fired = Crossings(), dict[int, float]()
        self._timeline = Timeline(score)
        self._time: float | None = None  # of the score; None: it has not begun
        self._last: float | None = None  # when it was played last; None: it waits
        self._cues: dict[str, int] = {}  # that each parameter follows
        self._set: dict[str, Value | None] = {}
        desk.listen(self._noticed)

    def heard(self, tick: Tick) -> None:
        """The renderer made pictures."""
        if not tick.place:  # the pre-rendered loop is nowhere
            return
        with self._lock:
            self._begun = True
            for rate, step in zip(tick.rate, tick.step):
                if rate is not None and step is not None and rate > 0:
                    self._steps.append((rate, step / rate, False))

    def play(self, now: float) -> None:
        """Set what is due at a moment of the show's clock."""
        with self._lock:
            steps, begun, panicked = list(self._steps), self._begun, self._panicked
            self._steps.clear()
            self._panicked = False
        if panicked:
            self._desk.set(SCORE_PLAY.name, False, SOURCE)
        if not begun or not self._desk.value(SCORE_PLAY.name):
            self._last = None
            return
        since = 0.0 if self._last is None else max(now - self._last, 0.0)
        self._time, self._last = (0.0 if self._time is None else self._time + since), now
        self._count(steps, self._time)
        self._follow(self._time)

    def status(self) -> ScoreStatus:
        """Where the score is. Any thread may ask."""
        timeline, label = self._timeline, self._score.label
        t = -1.0 if self._time is None else self._time
        begun, ahead = timeline.begun(-1.0, t), timeline.next_start(t)
        after = [] if ahead is None else timeline.begun(t, ahead)
        return ScoreStatus(
            time=max(t, 0.0),
            playing=self._last is not None,
            cue=label(begun[-1].number) if begun else "",
            next=label(after[0].number) if after else "",
            ahead=None if ahead is None else ahead - max(t, 0.0),
            waiting=tuple(label(cue.number) for cue in self._score.events if cue.number not in self._fired),
            touched=tuple(sorted(self._touched)),
        )

    # ---- within

    def _noticed(self, news: Change | Trigger) -> None:
        if isinstance(news, Trigger):
            self._panicked |= news.name == PANIC.name
        elif news.source not in _OURS and news.name in self._score.tracks:
            self._touched.add(news.name)

    def _count(self, steps: list[Step], now: float) -> None:
        """Let events come that the walk has come to."""
        self._crossings = self._crossings.after(sum(way for _, way, _ in steps), steps)
        before = len(self._fired)
        for cue in self._score.events:
            if cue.number not in self._fired and self._came(cue):
                self._fired[cue.number] = now
        if len(self._fired) > before:
            self._timeline = Timeline(self._score, dict(self._fired))

    def _came(self, cue: Cue) -> bool:
        if cue.moment.unit == "rift":
            return self._crossings.rifts >= cue.moment.number
        length = lap(self._preset, self._scene())
        return length is not None and self._crossings.travelled >= cue.moment.number * length

    def _follow(self, now: float) -> None:
        """Set every parameter that is not in somebody's hand."""
        due: dict[str, Value | None] = {}
        jump, texts = False, dict[str, tuple[str, float]]()
        for name, track in self._score.tracks.items():
            number = self._timeline.cue(name, now)
            if number is None or name in self._score.cues[number].implied:  # the desk does that itself
                continue
            new = self._cues.get(name) != number
            if new:
                self._cues[name] = number
                self._touched.discard(name)
                self._set.pop(name, None)
            if name in self._touched:
                continue
            if name == WALK_JUMP.name:
                jump |= new
            elif track.words:
                if new:
                    begin, end = self._timeline.fade(name, number)
                    texts[name] = (str(self._score.cues[number].goals[name]), end - begin)
            else:
                self._aim(name, number, now, due)
        self._put(due, texts, jump)

    def _aim(self, name: str, number: int, now: float, due: dict[str, Value | None]) -> None:
        try:
            value = self._timeline.value(name, now)
        except (PresetError, ControlError) as error:
            self._touched.add(name)  # until its next cue
            self._fault(f"the score's cue {self._score.label(number)}: {name}: {error}")
            return
        if name not in self._set or self._set[name] != value:
            due[name] = self._set[name] = value

    def _put(self, due: dict[str, Value | None], texts: dict[str, tuple[str, float]], jump: bool) -> None:
        for name, (text, fade) in texts.items():
            row = TURN if name == GOAL else FADE
            due |= {row.name: min(fade, row.high), name: text}
        try:
            if due:
                self._desk.recall(due, 0.0, SOURCE)
        except ControlError:  # of many one was refused, and with it all: each alone
            for name, value in due.items():
                self._alone(name, value)
        if jump:
            self._desk.press(WALK_JUMP.name, source=SOURCE)

    def _alone(self, name: str, value: Value | None) -> None:
        try:
            self._desk.recall({name: value}, 0.0, SOURCE)
        except ControlError as error:
            self._touched.add(name)
            self._fault(f"the score's cue {self._score.label(self._cues[name])}: {error}")


def lap(preset: Preset, scene: ShownScene) -> float | None:
    """Latent arc of one lap or way of the preset's walk on the plane that is shown; None while nobody knows."""
    plane = scene.plane
    if plane is None or plane.corners is None or plane.shape is None:
        return None
    norm: Norm = "sphere" if plane.norm is None else plane.norm  # type: ignore[assignment]
    flat = Plane(np.array(plane.corners).reshape(3, 3, 1, 1), norm)  # the span is isometric to R3
    scale = math.sqrt(math.prod(plane.shape) / 3.0) if norm == "global" else 1.0
    try:
        length = walks.build(preset.walk, flat).length
    except GeometryError:
        return None
    return None if length is None else length * scale
