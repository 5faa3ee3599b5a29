"""What is started next when a renderer fails, and when a child counts as hung: decided without a process or a clock."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator

import pytest
from standins.clock import Clock
from standins.messages import tick

from installation.ipc.messages import Answer, Beat, Fault, Message, Ready
from installation.show.awake import AwakeClock
from installation.show.fallback import Fallbacks, Patience
from installation.show.supervised import Life, Role, SupervisedChild
from latentworld.errors import ShowError

READY, TICK = Ready(None, "w", "s", "", (64, 64)), tick(1)
P = Patience(silence=5, still=60, loading=600, settle=5, longest=60, retry=180, tries=3)


def fallbacks() -> Fallbacks:
    return Fallbacks(("preset", "safe", "loop"), P)


def test_one_death_after_progress_is_answered_at_once_and_for_ever() -> None:
    steps = fallbacks()
    assert [steps.failed(10.0 * i, True) - 10.0 * i for i in range(20)] == [0.0] * 20
    assert steps.rung == "preset"


def test_three_failures_lead_to_the_safe_preset_and_three_more_to_the_loop() -> None:
    steps, rungs = fallbacks(), []
    for i in range(6):
        steps.failed(float(i), False)
        rungs.append(steps.rung)
    assert rungs == ["preset", "preset", "safe", "safe", "safe", "loop"]


def test_without_anything_lower_the_pauses_grow_to_their_limit() -> None:
    steps = Fallbacks(("preset",), P)
    pauses = [steps.failed(0.0, False) for _ in range(10)]
    assert pauses == [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    steps.settled()
    assert steps.failed(0.0, False) == 0


def fallen(now: float = 0.0) -> Fallbacks:
    steps = fallbacks()
    for _ in range(3):
        steps.failed(now, False)
    return steps


def test_the_real_thing_is_tried_again_and_one_failure_brings_the_safe_preset_back() -> None:
    steps = fallen()
    assert not steps.trial(179.0)
    assert steps.trial(180.0)
    assert steps.rung == "preset"
    assert not steps.trial(1000.0)  # it is being tried
    steps.failed(200.0, False)
    assert steps.rung == "safe"
    assert not steps.trial(200.0 + 359.0)  # twice as long now
    assert steps.trial(200.0 + 360.0)


def test_a_trial_that_succeeds_is_the_show_again() -> None:
    steps = fallen()
    assert steps.trial(180.0)
    steps.settled()
    assert not steps.trial(1e9)
    assert [steps.failed(1000.0, False), steps.rung] == [1000.0, "preset"]


def test_the_waits_between_trials_are_bounded() -> None:
    steps, now, waits = fallen(), 0.0, []
    for _ in range(6):
        before = now
        while not steps.trial(now):
            now += 1.0
        waits.append(now - before)
        steps.failed(now, False)
    assert waits == [180, 360, 720, 1440, 1440, 1440]


class Child:
    """Stands for a process."""

    def __init__(self) -> None:
        self.alive, self.code, self.killed, self.refusal = True, None, False, ""

    def why(self) -> str:
        return "ended"

    def kill(self) -> None:
        self.alive, self.killed = False, True

    def wait(self, patience: float) -> bool:
        return True


class Listening:
    """An observer that keeps what it hears, and forgives what `bad` says."""

    def __init__(self) -> None:
        self.said, self.heard = list[str](), list[Message]()
        self.bad: Iterator[bool] = iter(())

    def message(self, life: Life, message: Message) -> None:
        self.heard.append(message)

    def incident(self, line: str) -> None:
        self.said.append(line)

    def gone(self) -> None:
        pass

    def forgives(self, life: Life) -> bool:
        return next(self.bad, False)


class Stage:
    """A supervised child whose clock and processes are ours. start: raises where no process can be had."""

    def __init__(self, patience: Patience = P, strict: bool = True) -> None:
        self.children, self.rungs = list[Child](), list[str]()
        self.fault: Exception | None = None
        self.make: Callable[[], Child] = Child
        self.clock, self.observer = Clock(0.0), Listening()
        self.crowd = 0.0
        role = Role("renderer", self.start, ("preset", "safe"), strict)
        self.supervised = SupervisedChild(role, self.observer, patience, self.clock, crowd=lambda: self.crowd)

    def start(self, rung: str, receive: object) -> Child:
        if self.fault is not None:
            raise self.fault
        self.rungs.append(rung)
        self.children.append(self.make())
        return self.children[-1]

    def at(self, now: float, *messages: Message) -> SupervisedChild:
        self.clock.now = now
        for message in messages:
            self.supervised.receive(self.children[-1], message)
        self.supervised.tend(now)
        return self.supervised


def test_a_renderer_that_falls_silent_is_killed_and_replaced() -> None:
    scene = Stage()
    assert scene.at(0).state == "loading"
    assert scene.at(1, READY, TICK).state == "running"
    assert scene.at(5.9).state == "hung"
    assert len(scene.children) == 1
    scene.at(6.1)
    assert scene.children[0].killed
    assert "hung" in scene.observer.said[0]
    assert scene.at(6.2).state == "restarting"
    assert len(scene.children) == 2


def test_somebody_may_have_it_started_again_which_is_no_failure() -> None:
    """As often as they like, on the same rung, and each wish is of the child that was there."""
    scene = Stage()
    for turn in range(5):
        scene.at(10.0 * turn, READY, TICK) if scene.children else scene.at(0)
        scene.supervised.replace()
        scene.at(10.0 * turn + 1)
        scene.at(10.0 * turn + 1.1)
        assert len(scene.children) == turn + 2
        assert scene.children[turn].killed
    assert not scene.children[-1].killed
    assert set(scene.rungs) == {"preset"}
    assert all("as somebody asked" in line for line in scene.observer.said)


@pytest.mark.parametrize(("crowd", "borne"), [(1.2, 5), (3.0, 10), (100.0, 20)])
def test_on_a_crowded_machine_slow_is_not_hung(crowd: float, borne: float) -> None:
    scene = Stage()
    scene.crowd = crowd
    scene.at(0)
    scene.at(1, TICK)
    scene.at(1 + borne - 0.1)
    assert not scene.children[0].killed
    scene.at(1 + borne + 0.1)
    assert scene.children[0].killed


def test_loading_may_be_silent_for_longer_and_beats_keep_it_alive_but_not_for_ever() -> None:
    scene = Stage()
    scene.at(0)
    scene.at(59, Beat())
    for now in range(60, 590, 10):
        scene.at(now, Beat())
    assert len(scene.children) == 1
    scene.at(601, Beat())
    assert scene.children[0].killed
    silent = Stage()
    silent.at(0)
    silent.at(61)
    assert silent.children[0].killed


def test_a_loop_that_beats_without_making_pictures_is_hung_in_the_end() -> None:
    scene = Stage()
    scene.at(0)
    scene.at(1, TICK)
    for now in range(2, 600, 4):
        scene.at(now, Beat())
    assert not scene.children[0].killed
    for now in range(600, 610, 4):
        scene.at(now, Beat())
    assert scene.children[0].killed


def test_answers_are_no_sign_that_the_loop_runs() -> None:
    scene = Stage()
    scene.at(0)
    for now in range(1, 5):
        scene.at(now, TICK)
    for now in range(5, 11):
        scene.at(now, Answer(1))
    assert scene.children[0].killed


def test_what_a_replaced_child_still_says_is_not_heard() -> None:
    scene = Stage()
    scene.at(0)
    scene.at(1, TICK)
    scene.children[0].alive = False
    scene.at(2)
    scene.at(3)
    scene.supervised.receive(scene.children[0], TICK)
    assert len(scene.observer.heard) == 1
    assert scene.supervised.state == "restarting"


def test_crashes_without_progress_climb_down_and_the_trial_goes_up_again() -> None:
    scene = Stage()
    now = 0.0
    while scene.supervised.fallbacks.rung == "preset":
        now += 1
        scene.at(now)
        if scene.children[-1].alive:
            scene.children[-1].alive = False
    scene.at(now + 1)
    assert scene.rungs == ["preset"] * 3 + ["safe"]
    for step in range(1, 200):
        scene.at(now + step, TICK)
    assert scene.rungs == ["preset"] * 3 + ["safe", "preset"]
    assert scene.children[3].killed
    assert scene.supervised.state == "running"


def test_a_death_that_is_forgiven_costs_no_chance_and_is_answered_at_once() -> None:
    scene = Stage(strict=False)
    # each second life began without what may have killed the first
    scene.observer.bad = iter((True, False, True, False, True, False))
    now = 0.0
    while scene.supervised.fallbacks.rung == "preset":
        now += 1.0
        scene.at(now)
        scene.children[-1].alive = False
    scene.at(now + 1)
    assert scene.rungs == ["preset"] * 6 + ["safe"]
    assert sum("starts again without" in line for line in scene.observer.said) == 3


def test_a_life_that_made_pictures_is_not_asked_about() -> None:
    scene = Stage()
    scene.observer.bad = iter((True,))
    scene.at(0)
    scene.at(1, READY, TICK)
    scene.children[-1].alive = False
    scene.at(2)
    assert next(scene.observer.bad)
    assert scene.supervised.fallbacks.rung == "preset"


def test_only_the_very_first_child_may_refuse() -> None:
    for first in (True, False):
        scene = Stage()
        scene.at(0)
        if not first:
            scene.at(1, TICK)
        scene.supervised.receive(scene.children[0], Fault("no world"))
        scene.children[0].alive, scene.children[0].code = False, 1
        assert scene.at(2).refusal == ("no world" if first else None)
        scene.at(100)
        assert len(scene.children) == (1 if first else 2)


@pytest.mark.parametrize("fault", [ShowError("no memory"), OSError(errno.EMFILE, "Too many open files")], ids=str)
def test_a_process_that_cannot_be_had_is_no_failure_of_what_it_was_to_do(fault: Exception) -> None:
    scene = Stage()
    scene.fault = fault
    for step in range(3000):
        scene.at(0.1 * step)
    assert 5 < len(scene.observer.said) < 20  # told, and tried ever more seldom
    assert all(line.startswith("the renderer cannot be started: ") for line in scene.observer.said)
    scene.fault = None
    scene.at(400)
    assert scene.supervised.child is scene.children[0]
    assert scene.rungs == ["preset"]


class Held(Child):
    """One that a driver holds: it does not die."""

    def kill(self) -> None:
        self.killed = True


def test_a_killed_child_that_a_driver_holds_is_not_waited_for_and_nobody_is_started_beside_it() -> None:
    scene = Stage()
    scene.make = Held
    scene.at(0)
    scene.at(1, READY, TICK)
    scene.at(7)
    assert scene.children[0].killed
    scene.at(8)
    assert (len(scene.children), scene.observer.said) == (1, [])
    scene.children[0].alive = False
    scene.at(8.1)
    assert "hung" in scene.observer.said[0]
    scene.at(8.2)
    assert len(scene.children) == 2
    scene.at(9, READY, TICK)
    for now in (15, 18, 19):
        scene.at(now)
    assert len(scene.children) == 3  # it never died: let it be


def test_what_the_show_slept_through_is_no_silence() -> None:
    clock = Clock(0.0)
    awake = AwakeClock(clock)
    for _ in range(300):
        clock.sleep(1 / 60)
        awake()
    assert awake() == pytest.approx(5.0)
    clock.sleep(20.0)  # a machine that was paused
    assert awake() == pytest.approx(5.0)
    clock.sleep(0.9)
    assert awake() == pytest.approx(5.9)
