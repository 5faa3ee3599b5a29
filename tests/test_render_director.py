"""The director on the analytic world: what controls say happens at a tick's beginning, and nothing they say ends it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import msgspec
import numpy as np
import pytest

from installation.clock import Tick
from installation.control.controls import LoopControls
from installation.control.notices import Notices
from installation.control.parameters import table
from installation.frames import digest
from installation.ipc import messages
from installation.ipc.encoding import decoded, encoded
from installation.ipc.messages import Message, SceneChange
from installation.ipc.scene import SceneDescription
from installation.loop import run
from installation.render import saved_state
from installation.render.builder import Builder, Built, Order, PromptEncoder, Workers
from installation.render.director import Journey, open_director
from installation.render.live_pilot import LivePilot
from installation.render.live_preset import performed
from installation.render.model_control import ModelControl
from installation.render.reporter import Reporter
from installation.render.saved_state import SavedState
from installation.render.tick_state import TickState
from installation.rig import open_studio
from latentworld import globe, preset
from latentworld.decoding import Decoder
from latentworld.decoding.decoder import Around
from latentworld.errors import DecodeError, NotFinite, OutOfMemory
from latentworld.prompts import Prompt
from latentworld.walks import Lifted

Told = TypeVar("Told", bound=Message)
JOURNEY = preset.load("analytic", ["decoder.height=16", "decoder.width=16", "decoder.steps=8", "pilot.mode=off"])
STUDIO = open_studio(performed(JOURNEY))


def raised(line: str) -> None:
    """What was saved here has no trouble."""
    raise AssertionError(line)


class Bench:
    """A builder whose work is done when the test says so."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.done: Built | None = None
        self._studio: Any = None

    def order(self, order: Order, studio: Any, prompt: Any) -> None:
        self.orders.append(order)
        self._studio = studio

    def finish(self, fault: str = "") -> None:
        order = self.orders[-1]
        self.done = Built(order, None if fault else self._studio.variant(order.settings), 0.01, fault)

    def finished(self) -> Built | None:
        done, self.done = self.done, None
        return done


class Shelf:
    """A stand-in for the ring."""

    def __init__(self) -> None:
        self.shots: list[tuple[np.ndarray, int, float]] = []

    def put(self, picture: np.ndarray, frame: int, made: float, period: float, stamp: float) -> None:
        self.shots.append((picture.copy(), frame, stamp))


@dataclass
class Metronome:
    """A live clock whose ticks fall due evenly, on numbers that floats can hold."""

    index: int = -1
    time: float = 0.0
    batch: int = 1
    rate: float = 0.0
    period: float = 0.125
    began: float = 0.0
    stopped: bool = False

    def __iter__(self) -> Iterator[Tick]:
        while True:
            steps = np.arange(1, self.batch + 1)
            tick = Tick(self.index + steps, self.time + self.period * steps)
            self.index, self.time = int(tick.index[-1]), float(tick.time[-1])
            yield tick


class Play:
    """A renderer without its process: `ticks` runs so many, under controls."""

    def __init__(
        self,
        resume: str | None = None,
        *,
        state: SavedState | None = None,
        journey: Any = JOURNEY,
        studio: Any = STUDIO,
        safe: bool = False,
        later: Callable[[Callable[[], None]], object] = lambda act: act(),
    ) -> None:
        saved = state or saved_state.read(resume, raised)
        self.now = 0.0
        self.clock = Metronome(saved.clock.index, saved.clock.time)
        self.faults: list[str] = []
        self.values: dict[str, Any] = {}
        self.messages: list[Message] = []
        self.bench, self.shelf = Bench(), Shelf()
        workers = Workers(self.bench, PromptEncoder(self.faults.append))  # type: ignore[arg-type]
        notices = Notices(self.faults.append, self.values.update)
        self.director = open_director(Journey(journey, studio), self.clock, workers, notices, saved=saved, safe=safe)  # type: ignore[arg-type]
        pilot = LivePilot(
            journey.pilot,
            journey.pacing,
            journey.show.step,
            self.director.course,
            lambda: self.clock.period,
            saved.pilot,
        )
        self.tick_state = TickState(self.director, pilot, self.clock)
        self.reporter = Reporter(
            self.shelf, self._send, self.clock, lambda: self.now, self.tick_state, self.faults.append, later
        )
        self.walk = self.director.begin(LoopControls.of(saved.controls), saved.walk)

    def _send(self, message: Message, droppable: bool = False) -> None:
        self.messages.append(decoded(encoded(message)))

    def ticks(self, count: int, values: Mapping[str, Any] | None = None, *presses: str) -> list[messages.Tick]:
        """What is told of so many more ticks."""
        before, left = len(self.told(messages.Tick)), [presses]

        class Inbox:
            def latest(self) -> LoopControls:
                return LoopControls.of(values or {}, left.pop() if left else (), 7.0)

        inbox, clock = self.tick_state.inbox(Inbox()), itertools.islice(self.clock, count)
        self.walk, _ = run(clock, inbox, self.walk, self.tick_state.direct, self.tick_state.pilot, self.reporter)
        return self.told(messages.Tick)[before:]

    @property
    def model(self) -> ModelControl:
        return self.director.scene_control.model

    def told(self, kind: type[Told]) -> list[Told]:
        return [message for message in self.messages if isinstance(message, kind)]

    def scenes(self) -> list[SceneDescription]:
        return [change.scene for change in self.told(SceneChange)]


def places(ticks: list[messages.Tick]) -> np.ndarray:
    return np.array([place for tick in ticks for place in tick.place])


@pytest.mark.parametrize("values", [{}, {"walk.kind": "orbit"}, {"walk.kind": "swath", "walk.radius": 1.3},
                                    {"walk.position": (0.7, 0.2), "walk.auto": False}, {"walk.kind": "wander"},
                                    {"seed.vertex.1": 5, "walk.direction": "reverse"}], ids=str)  # fmt: skip
def test_another_renderer_goes_on_to_the_last_bit(values: dict[str, Any]) -> None:
    one = Play()
    one.ticks(3)
    told = one.ticks(34, values)
    a, b = told[9:], Play(told[8].resume).ticks(25, values)
    np.testing.assert_array_equal(places(b), places(a))
    assert [tick.index for tick in b] == [tick.index for tick in a]
    assert [tick.digest for tick in b] == [tick.digest for tick in a]  # and the pictures


def test_what_is_told_later_is_as_it_stood_then() -> None:
    """Scenes, places and states of ticks, in their turn, though the loop has long gone on."""
    waiting: list[Callable[[], None]] = []
    at_once, late = Play(), Play(later=waiting.append)
    for values in ({}, {"model.steps": 3, "walk.radius": 1.2}, {"walk.kind": "orbit"}):
        at_once.ticks(3, values)
        assert late.ticks(3, values) == []
    assert [shot[1] for shot in late.shelf.shots] == list(range(9))  # pictures do not wait
    while waiting:
        waiting.pop(0)()
    assert late.messages == at_once.messages


def test_another_renderer_paces_on_but_for_the_one_step_nobody_measured() -> None:
    """The step over the seam has no rate: nobody has seen both its ends. All else is kept."""
    told = Play().ticks(34, {"rift.step": 0.3})
    resumed = Play(told[8].resume).ticks(25, {"rift.step": 0.3})
    speeds = [[saved_state.read(tick.resume, raised).pilot.speed for tick in ticks] for ticks in (told[9:], resumed)]
    assert speeds[0][0] == speeds[1][0]
    np.testing.assert_allclose(speeds[1][3:], speeds[0][3:], rtol=0.05)


def test_a_kind_that_cannot_be_walked_here_is_given_back_and_asked_for_once() -> None:
    play = Play()
    wanted = {"walk.norm": "raw", "walk.kind": "orbit"}
    play.ticks(2, {"walk.norm": "raw"})
    assert len(play.ticks(5, wanted)) == 5
    assert play.values == {"walk.kind": "rift"}
    assert len(play.faults) == 1
    assert play.faults[0].endswith("the walk is rift")
    play.ticks(2, {"walk.norm": "raw", "walk.kind": "rift"})
    play.ticks(2, wanted)
    assert len(play.faults) == 2, "asked for anew, it is tried anew"


def test_a_tick_says_what_was_made() -> None:
    play = Play()
    ticks = play.ticks(4)
    assert play.told(SceneChange)[0].number == ticks[0].scene == 1
    assert [tick.index for tick in ticks] == [(0,), (1,), (2,), (3,)]
    assert [frame for _, frame, _ in play.shelf.shots] == [0, 1, 2, 3]
    assert [digest(picture) for picture, _, _ in play.shelf.shots] == [tick.digest[0] for tick in ticks]
    assert {stamp for _, _, stamp in play.shelf.shots} == {7.0}
    x, y, z, _ = ticks[2].place[0]
    alpha, beta, front = STUDIO.plane.chart([x, y, z])
    assert (ticks[2].alpha, ticks[2].beta, ticks[2].front) == ((float(alpha),), (float(beta),), (bool(front),))
    assert ticks[2].rate[0] == pytest.approx(ticks[2].step[0] / (4.0 * ticks[1].period), rel=0.2)


def test_a_scene_is_told_before_its_first_tick_and_only_then() -> None:
    play = Play()
    play.ticks(3)
    play.ticks(3, {"seed.vertex.2": 9})
    kinds = [("scene", m.number) if isinstance(m, SceneChange) else ("tick", m.scene) for m in play.messages]
    assert kinds == [("scene", 1), *[("tick", 1)] * 3, ("scene", 2), *[("tick", 2)] * 3]
    one, two = play.scenes()
    assert two.plane.seeds == (0, 123, 9)
    assert one.plane.digest != two.plane.digest
    assert one.decoder == msgspec.structs.replace(two.decoder, profile=one.decoder.profile)


def test_another_vertex_keeps_the_walks_unit() -> None:
    play = Play()
    before = places(play.ticks(4))
    after = places(play.ticks(4, {"seed.vertex.0": 77}))
    steps = globe.angle(np.concatenate([before, after])[:-1, :3], np.concatenate([before, after])[1:, :3])
    np.testing.assert_allclose(steps, steps[0], rtol=0.05)


def test_vertices_that_span_no_plane_are_refused_once() -> None:
    play = Play()
    ticks = play.ticks(6, {"seed.vertex.1": 0})
    assert len(ticks) == 6
    assert len(play.faults) == 1
    assert "The plane stays as it was" in play.faults[0]
    assert play.scenes()[-1].plane.seeds == (0, 123, 200)


def test_a_raw_plane_gives_way_to_the_sphere_at_its_end() -> None:
    play = Play()
    ticks = play.ticks(150, {"walk.norm": "raw", "walk.speed": 8.0})
    assert len(ticks) == 150
    assert play.values == {"walk.norm": "sphere"}
    assert any("norm is sphere again" in fault for fault in play.faults)
    norms = [scene.plane.norm for scene in play.scenes()]
    assert norms[0] == "raw"
    assert norms[-1] == "sphere"
    assert play.ticks(1, {"walk.norm": "sphere"})
    assert (
        play.director.scene_control.planes.cache.wanted((None, None, None), "raw").norm == "raw"
    )  # asked for anew it may come again


def test_steps_are_changed_at_once() -> None:
    play = Play()
    play.ticks(2, {"model.steps": 5})
    assert play.model.studio.settings.steps == 5
    assert play.bench.orders == []


def test_what_cannot_be_built_leaves_the_show_as_it_was() -> None:
    play = Play()
    studio = play.model.studio
    wanted = Order(studio.preset.world.name, replace(studio.settings, steps=9, batch=2))
    play.model._order = wanted
    play.bench.orders, play.bench._studio = [wanted], studio
    play.bench.finish("no memory")
    play.ticks(2)
    assert play.model.studio is studio
    assert play.faults == ["no memory; the show goes on as it was"]


def test_a_raw_plane_ends_on_the_sphere_whatever_seeds_are_wanted() -> None:
    """Seeds that span no plane are refused, and must not keep the walk on a plane that ends."""
    play, values = Play(), {"walk.norm": "raw", "walk.speed": 20.0, "walk.auto": False, "walk.heading": 0.0}
    play.ticks(2, values)
    assert play.director.scene_control.planes.plane.norm == "raw"
    collinear = {f"seed.vertex.{number}": 3 for number in range(3)}
    assert len(play.ticks(200, values | collinear)) == 200
    assert play.director.scene_control.planes.plane.norm == "sphere"
    assert any("the raw plane ends here" in fault for fault in play.faults)


@pytest.mark.parametrize("seed", [*range(6), 72])
def test_nothing_that_people_do_ends_the_show(seed: int) -> None:
    """Random values of every parameter, at its ends and between, and every trigger, for hundreds of ticks."""
    random, rows = np.random.default_rng(seed), [row for row in table().values() if row.where == "loop"]
    play, values = Play(), {}
    for _ in range(60):
        row = rows[random.integers(len(rows))]
        presses = ["walk.jump"] if random.random() < 0.2 else []
        x = float(random.choice([0.0, 1.0, random.random()]))
        match row.kind:
            case "float" | "int":
                values[row.name] = row.check(row.real(x)) if "seed" not in row.name else int(random.integers(5))
            case "bool":
                values[row.name] = bool(random.random() < 0.5)
            case "choice":
                values[row.name] = str(random.choice(row.choices))
            case "text":
                values[row.name] = str(random.choice(["", "sea", "moon"]))
            case "point":
                values[row.name] = tuple(float(v) for v in random.choice([0.0, 1e-9, 0.5, -3.0, 100.0, -100.0], 2))
        if row.name == "model.batch":
            values.pop(row.name)
        assert len(play.ticks(5, values, *presses)) == 5
    assert not [fault for fault in play.faults if "Error" in fault]  # refusals, no bugs
    assert np.isfinite(places(play.told(messages.Tick))).all()
    assert (np.diff([tick.time[0] for tick in play.told(messages.Tick)]) > 0).all()


def test_bugs_do_not_get_past_the_director() -> None:
    play = Play()
    play.ticks(1)

    def broken(*unused: Any) -> Any:
        raise ZeroDivisionError("oh")

    play.director.walk._steered = broken  # type: ignore[method-assign]
    assert len(play.ticks(3)) == 3
    assert play.faults == ["ZeroDivisionError: oh"] * 3


class Flawed(Around):
    """A decoder with a picture that is none now and then, or one that has no memory for more than one."""

    def __init__(self, inner: Decoder, bad: set[int] = frozenset()) -> None:  # type: ignore[assignment]
        self.decoder, self.bad, self.calls = inner, bad, -1

    def around(self, decoder: Decoder) -> Flawed:
        return Flawed(decoder, self.bad)

    def __call__(self, latents: Any, prompt: Any, watch: Any = None, *, stay: bool = False) -> Any:
        self.calls += 1
        pictures = self.decoder(latents, prompt, watch)
        if self.calls in self.bad:
            raise NotFinite("no picture")
        return pictures


def test_a_picture_that_is_none_is_not_shown() -> None:
    play = Play()
    play.model.guard.decoder = Flawed(STUDIO.decoder, {2, 3})
    play.ticks(6)
    assert [frame for _, frame, _ in play.shelf.shots] == [0, 1, 4, 5]
    assert [tick.index for tick in play.told(messages.Tick)] == [(0,), (1,), (4,), (5,)]
    assert len([fault for fault in play.faults if "is not finite and was not shown" in fault]) == 2
    assert all(np.isfinite(tick.rate).all() for tick in play.told(messages.Tick)[1:])


def test_a_walk_lifted_by_hand_reaches_its_radius() -> None:
    play = Play()
    ticks = play.ticks(40, {"walk.radius": 1.5})
    assert ticks[-1].place[0][3] == pytest.approx(1.5, abs=1e-3)
    steps = [tick.step[0] / tick.rate[0] for tick in ticks[-3:]]
    assert steps == pytest.approx([4.0 * play.clock.period] * 3, rel=0.02)  # latents, whatever the radius
    assert isinstance(play.walk, Lifted)


def test_prompts_cross_fade_in_show_time() -> None:
    play = Play()
    play.ticks(2, {"prompt.a": "moon"})
    mixes = [scene.prompt.toward for scene in play.scenes()]
    play.ticks(30, {"prompt.a": "moon"})
    assert mixes[0] == (("", 1.0),)
    assert play.scenes()[-1].prompt == Prompt("moon")
    times = [tick.time[0] for tick in play.told(messages.Tick) if tick.scene == play.told(SceneChange)[-1].number]
    assert times[0] == pytest.approx(2.0, abs=0.4)


def test_safe_hears_neither_model_nor_seeds() -> None:
    play = Play(safe=True)
    play.ticks(3, {"model.steps": 3, "seed.vertex.0": 4, "walk.speed": 9.0})
    assert play.model.studio.settings.steps == 8
    assert play.scenes()[-1].plane.seeds == (0, 123, 200)
    assert play.tick_state.live_pilot.state.speed == 9.0


def test_an_empty_tick_is_nothing() -> None:
    play = Play()
    walk, scene = play.director(play.walk, LoopControls(), Tick(np.zeros(0, np.int64), np.zeros(0)))
    assert walk is not None
    assert scene.plane is STUDIO.plane


def test_the_workshop_builds_what_was_ordered_last_and_says_what_failed() -> None:
    def opened(journey: Any) -> Any:
        raise OutOfMemory("one picture does not fit: choose a smaller world")

    builder = Builder(performed(JOURNEY), lambda: 0.0, opened)
    same = Order(JOURNEY.world.name, replace(STUDIO.settings, steps=3, batch=2))
    builder.order(same, STUDIO, STUDIO.prompt)
    built = awaited(builder)
    assert built.studio is not None
    assert built.studio.settings == same.settings
    assert built.studio.plane is STUDIO.plane
    builder.order(Order("elsewhere", same.settings), STUDIO, STUDIO.prompt)
    assert "does not fit" in awaited(builder).fault
    builder.close()


def test_the_workshop_refuses_a_world_of_noughts() -> None:
    class Blind:
        dimension = 3

        def __call__(self, pictures: Any) -> Any:
            return pictures.mean(dim=(2, 3)) * float("nan")

    builder = Builder(performed(JOURNEY), lambda: 0.0)
    with pytest.raises(DecodeError, match="not finite"):
        builder.build(Order(JOURNEY.world.name, STUDIO.settings), replace(STUDIO, eye=Blind()), STUDIO.prompt)
    builder.close()


def awaited(builder: Builder) -> Built:
    """What is finished, when it is."""
    with builder._ready:
        builder._ready.wait_for(lambda: False, 0.01)
    while (built := builder.finished()) is None:
        builder._thread.join(0.01)
    return built
