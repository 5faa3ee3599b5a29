"""Controllers at work on a desk: learning, soft takeover, 14 bits, buttons, lamps, and floods."""

from __future__ import annotations

import pytest
from standins.clock import Clock

from installation.control.desk import Change, Desk, Trigger
from installation.control.parameters import table
from installation.ports.midi.inbox import QUEUE
from installation.ports.midi.links import Control, Link
from installation.ports.midi.messages import Event, control_change, decode, note, pitch
from installation.ports.midi.surface import ECHO, REST, Surface
from latentworld.errors import ControlError

TABLE = table()
PORT = "K2"
FADER = Control(PORT, "cc", 1, 0)
PAD = Control(PORT, "note", 1, 36)


class Bench:
    """A desk and a controller on it, on a clock that goes by hand."""

    def __init__(self, *links: Link, lamps: bool = True) -> None:
        self.clock = Clock(100.0)
        self.desk = Desk(TABLE, self.clock)
        self.surface = Surface(self.desk, links)
        self.surface.outputs = frozenset((PORT,)) if lamps else frozenset()

    def turn(self, *values: int, number: int = 0) -> list[tuple[str, bytes]]:
        """Move a controller through values, worked off one by one."""
        sent = []
        for value in values:
            self.surface.hear(PORT, control_change(1, number, value), self.clock.now)
            sent += self.work()
        return sent

    def strike(self, number: int = 36, velocity: int = 127) -> list[tuple[str, bytes]]:
        self.surface.hear(PORT, note(1, number, velocity), self.clock.now)
        return self.work()

    def struck(self, number: int, velocity: int, name: str) -> object:
        """A parameter's value after a button."""
        self.strike(number, velocity)
        return self.desk.value(name)

    def work(self, after: float = 0.04) -> list[tuple[str, bytes]]:
        self.clock.now += after
        return self.surface.work(self.clock.now)

    def fader(self, name: str) -> float:
        value = self.desk.value(name)
        assert isinstance(value, (int, float))
        return TABLE[name].normal(value)

    @property
    def status(self) -> object:
        return self.desk.value("midi.status")


def test_a_fader_plays_its_parameter_on_the_faders_way() -> None:
    bench = Bench(Link(FADER, "walk.speed"))
    bench.turn(0, 64)
    assert bench.fader("walk.speed") == pytest.approx(64 / 127)
    assert bench.desk.changes(0)[1][-1].source == "midi:K2"
    bench.turn(127)
    assert bench.desk.value("walk.speed") == 24.0


def test_other_controllers_channels_and_numbers_play_nothing() -> None:
    bench = Bench(Link(FADER, "walk.speed"))
    for port, data in (
        ("X", control_change(1, 0, 9)),
        (PORT, control_change(2, 0, 9)),
        (PORT, control_change(1, 1, 9)),
    ):
        bench.surface.hear(port, data, bench.clock.now)
    bench.surface.hear(PORT, [], bench.clock.now)
    bench.surface.hear(PORT, [0xF0, 1, 2, 0xF7], bench.clock.now)
    bench.work()
    assert bench.desk.value("walk.speed") is None


def test_a_fader_waits_until_it_passes_what_another_set() -> None:
    bench = Bench(Link(FADER, "out.master"), lamps=False)
    bench.desk.set("out.master", 0.5, "deck:1")
    bench.turn(10, 30, 50)
    assert bench.desk.value("out.master") == 0.5
    assert bench.status == "out.master: turn K2 cc 1/0 up to it"
    bench.turn(80)
    assert bench.fader("out.master") == pytest.approx(80 / 127), "passed"
    bench.turn(20)
    assert bench.fader("out.master") == pytest.approx(20 / 127), "and in hand from then on"
    bench.desk.set("out.master", 0.9, "deck:1")
    bench.turn(21, 22)
    assert bench.desk.value("out.master") == 0.9, "until another sets it"
    bench.turn(114)
    assert bench.fader("out.master") == pytest.approx(114 / 127), "near enough"


def test_without_pickup_a_fader_jumps() -> None:
    bench = Bench(Link(FADER, "out.master", pickup=False))
    bench.turn(20)
    assert bench.fader("out.master") == pytest.approx(20 / 127)


def test_a_fader_whose_place_is_not_known_after_a_replug_does_not_pass() -> None:
    bench = Bench(Link(FADER, "out.master"), lamps=False)
    bench.turn(127, 100)
    bench.desk.set("out.master", 0.5, "deck:1")
    bench.surface.refresh(PORT)
    bench.turn(20)
    assert bench.desk.value("out.master") == 0.5


def test_fourteen_bits_come_together_whenever_they_are_worked_off() -> None:
    bench = Bench(Link(Control(PORT, "cc14", 1, 0), "prompt.mix", pickup=False))
    heard: list[object] = []
    bench.desk.listen(lambda news: heard.append(news.value))
    for value in (8191, 8192, 16383):
        bench.surface.hear(PORT, control_change(1, 0, value >> 7), bench.clock.now)
        bench.work(0.001)
        bench.surface.hear(PORT, control_change(1, 32, value & 127), bench.clock.now)
        bench.work(0.001)
    assert heard == [value / 16383 for value in (8191, 8192, 16383)], "never half a value"
    bench.surface.hear(PORT, control_change(1, 0, 64), bench.clock.now)
    bench.work(0.02)
    assert heard[-1] == 8192 / 16383, "a controller that sends no low half"


def test_a_pitch_wheel_is_a_fader_of_fourteen_bits() -> None:
    bench = Bench(Link(Control(PORT, "pitch", 2, 0), "out.master", pickup=False))
    bench.surface.hear(PORT, pitch(2, 4096), bench.clock.now)
    bench.work()
    assert bench.desk.value("out.master") == pytest.approx(4096 / 16383)
    bench.desk.set("out.master", 1.0)
    assert bench.work(1.0) == [(PORT, pitch(2, 16383))]


def test_buttons_press_switch_hold_choose_and_set() -> None:
    bench = Bench(
        Link(PAD, "walk.jump"),
        Link(Control(PORT, "note", 1, 37), "out.freeze"),
        Link(Control(PORT, "note", 1, 38), "out.blackout", mode="hold"),
        Link(Control(PORT, "note", 1, 39), "walk.kind"),
        Link(Control(PORT, "note", 1, 40), "prompt.a", "a forest"),
        Link(Control(PORT, "note", 1, 41), "model.steps", "7"),
        Link(Control(PORT, "note", 1, 42), "word.1.weight"),
        Link(Control(PORT, "program", 1, 5), "snapshot.recall", "dusk|8"),
    )
    for velocity in (100, 0, 100, 0):
        bench.strike(36, velocity)
    assert bench.desk.collect("loop") == [Trigger("walk.jump")] * 2
    assert [bench.struck(37, velocity, "out.freeze") for velocity in (9, 0, 9, 0)] == [True, True, False, False]
    assert [bench.struck(38, velocity, "out.blackout") for velocity in (9, 0)] == [True, False]
    bench.strike(39)
    bench.strike(39)
    assert bench.desk.value("walk.kind") == "wander", "the second choice"
    bench.strike(40)
    bench.strike(41)
    bench.strike(42, 127)
    values = bench.desk.values()
    assert (values["prompt.a"], values["model.steps"], values["word.1.weight"]) == ("a forest", 7, 1.0)
    bench.surface.hear(PORT, [0xC0, 5], bench.clock.now)
    bench.work()
    assert bench.desk.collect("desk") == [Trigger("snapshot.recall", "dusk|8")]


def test_a_controller_that_is_a_button_counts_each_press_however_fast() -> None:
    bench = Bench(Link(Control(PORT, "cc", 1, 41), "walk.jump"))
    for value in (127, 0, 127, 127, 0, 127):
        bench.surface.hear(PORT, control_change(1, 41, value), bench.clock.now)
    bench.work()
    assert len(bench.desk.collect("loop")) == 3


@pytest.mark.parametrize(
    ("messages", "wanted"),
    [
        ([control_change(1, 7, v) for v in (3, 4, 5)], Control(PORT, "cc", 1, 7)),
        ([m for v in (3, 4) for m in (control_change(1, 7, v), control_change(1, 39, v))], Control(PORT, "cc14", 1, 7)),
        ([note(1, 104, 127), *(pitch(1, v) for v in (300, 310))], Control(PORT, "pitch", 1, 0)),
        ([control_change(1, 9, 1), *(control_change(1, 8, v) for v in (5, 6, 7))], Control(PORT, "cc", 1, 8)),
    ],
)
def test_a_fader_is_learned_from_its_movement(messages: list[bytes], wanted: Control) -> None:
    bench = Bench()
    bench.surface.learn("walk.speed")
    assert bench.status == "walk.speed: move a fader or knob"
    for data in messages:
        bench.surface.hear(PORT, data, bench.clock.now)
        bench.work(0.01)
    assert bench.surface.links == ()
    bench.work(0.5)
    assert bench.surface.links == (Link(wanted, "walk.speed"),)
    assert bench.status == f"{wanted} plays walk.speed"
    assert bench.surface.dirty


def test_a_button_is_learned_at_once_and_does_not_act_yet() -> None:
    bench = Bench()
    bench.surface.learn("snapshot.recall|dusk|3")
    bench.strike(36)
    assert bench.surface.links == (Link(PAD, "snapshot.recall", "dusk|3"),)
    assert bench.desk.collect("desk") == []
    bench.strike(36)
    assert bench.desk.collect("desk") == [Trigger("snapshot.recall", "dusk|3")]
    bench.surface.learn("out.freeze")
    bench.turn(127, number=41)
    bench.turn(0, number=41)
    assert bench.surface.links[-1] == Link(Control(PORT, "cc", 1, 41), "out.freeze")


def test_learning_can_be_stopped_replaced_and_refused() -> None:
    bench = Bench(Link(FADER, "out.master", pickup=False))
    bench.surface.learn("walk.speed")
    bench.surface.learn(None)
    bench.turn(5)
    bench.work(1.0)
    assert [link.name for link in bench.surface.links] == ["out.master"]
    for bad in ("walk.wobble", "rift.value", "walk.position", "prompt.a", "walk.kind|crawl"):
        with pytest.raises(ControlError):
            bench.surface.learn(bad)
    bench.surface.learn("walk.speed")
    bench.turn(9)
    bench.work(1.0)
    assert [link.name for link in bench.surface.links] == ["walk.speed"], "a control plays one thing"
    bench.surface.forget("walk.speed")
    assert (bench.surface.links, bench.status) == ((), "walk.speed: 1 control forgotten")


def test_faders_and_lamps_show_what_others_set_once() -> None:
    bench = Bench(Link(FADER, "out.master"), Link(PAD, "out.freeze"), Link(Control(PORT, "cc14", 1, 1), "prompt.mix"))
    first = bench.work()
    assert (PORT, control_change(1, 0, 127)) in first
    assert len(first) == 4
    assert bench.work() == []
    bench.desk.set("out.master", 0.5, "deck:1")
    bench.desk.set("out.freeze", True, "deck:1")
    bench.desk.set("prompt.mix", 1.0, "deck:1")
    assert bench.work() == [
        (PORT, control_change(1, 0, 64)),
        (PORT, note(1, 36, 127)),
        (PORT, control_change(1, 1, 127)),
        (PORT, control_change(1, 33, 127)),
    ]


def test_nothing_is_sent_to_a_fader_while_a_hand_is_on_it() -> None:
    bench = Bench(Link(FADER, "out.master", pickup=False))
    bench.work()
    bench.desk.set("out.master", 0.1, "deck:1")
    sent = bench.turn(60, 61, 62)
    bench.desk.set("out.master", 0.1, "deck:1")
    sent += bench.work(REST / 2)
    assert sent == []
    assert bench.work(REST) == [(PORT, control_change(1, 0, 13))]


def test_its_own_movement_is_no_news_to_a_fader() -> None:
    bench = Bench(Link(FADER, "walk.speed", pickup=False))
    assert bench.turn(*range(0, 127, 5)) == []
    assert bench.work(1.0) == []


def test_what_comes_back_of_what_was_sent_changes_nothing() -> None:
    bench = Bench(Link(FADER, "out.master"))
    bench.desk.set("out.master", 0.5, "deck:1")
    assert bench.work() == [(PORT, control_change(1, 0, 64))]
    bench.turn(64)
    assert bench.desk.value("out.master") == 0.5, "64 / 127 is not quite a half"
    bench.work(ECHO)
    bench.turn(64)
    assert bench.desk.value("out.master") == 64 / 127, "a hand, that much later"


def test_a_lamp_is_lit_again_where_a_controller_darkens_it_by_itself() -> None:
    bench = Bench(Link(PAD, "out.freeze"))
    bench.work()
    assert bench.strike(36, 127) == [(PORT, note(1, 36, 127))]
    assert bench.strike(36, 0) == [(PORT, note(1, 36, 127))]


def test_after_a_replug_everything_is_shown_again() -> None:
    bench = Bench(Link(FADER, "out.master"), Link(PAD, "out.freeze"))
    before = bench.work()
    bench.surface.refresh(PORT)
    assert bench.work() == before


def test_a_fader_shows_what_the_preset_has() -> None:
    bench = Bench(Link(FADER, "walk.speed"))
    assert bench.work() == []
    bench.desk.tell_base("walk.speed", 24.0)
    assert bench.work() == [(PORT, control_change(1, 0, 127))]


def test_a_flood_costs_one_value_for_each_control_and_presses_are_bounded() -> None:
    bench = Bench(Link(FADER, "out.master", pickup=False), Link(PAD, "walk.jump"))
    changes: list[object] = []
    bench.desk.listen(lambda news: changes.append(news) if isinstance(news, Change) else None)
    for i in range(20_000):
        bench.surface.hear(PORT, control_change(1, 0, i % 127), bench.clock.now)
        bench.surface.hear(PORT, control_change(i % 16 + 1, i % 128, 3), bench.clock.now)
    for _ in range(QUEUE + 10):
        bench.surface.hear(PORT, note(1, 36, 127), bench.clock.now)
    bench.work()
    assert (len(changes), bench.surface.dropped) == (1, 10)
    assert len(bench.desk.collect("loop")) == QUEUE


def test_feedback_is_at_most_thirty_a_second() -> None:
    bench = Bench(Link(FADER, "out.master"))
    sent = 0
    for i in range(1000):
        bench.desk.set("out.master", i / 1000, "deck:1")
        sent += len(bench.work(0.001))
    assert 20 <= sent <= 31


def test_the_clock_drives_the_desk() -> None:
    bench = Bench()
    bench.surface.hear(PORT, [0xFA], bench.clock.now)
    for i in range(49):
        bench.surface.hear(PORT, [0xF8], 100.0 + i * 60 / 140 / 24)
    assert bench.desk.value("tempo") == 140.0
    assert bench.desk.beat(100.0 + 2 * 60 / 140) == pytest.approx(2.0)
    assert decode([0xF8]) == Event("clock")
