"""Controllers at work on a desk: learning, soft takeover, 14 bits, buttons, lamps, and floods."""

from __future__ import annotations

import pytest
from standins.clock import Clock

from installation.control.desk import Change, Desk, Trigger
from installation.control.parameters import table
from installation.ports.midi.inbox import QUEUE
from installation.ports.midi.links import Control, Link, Turns
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
    assert bench.desk.collect("loop") == [Trigger("walk.jump")], "to jump twice before anybody looks is to jump"
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
    bench = Bench(Link(Control(PORT, "cc", 1, 41), "snapshot.next"))
    for value in (127, 0, 127, 127, 0, 127):
        bench.surface.hear(PORT, control_change(1, 41, value), bench.clock.now)
    bench.work()
    assert len(bench.desk.collect("desk")) == 3


@pytest.mark.parametrize(
    ("messages", "wanted"),
    [
        ([control_change(1, 7, v) for v in (3, 4, 5)], Control(PORT, "cc", 1, 7)),
        (
            [m for v in (3, 4, 5) for m in (control_change(1, 7, v), control_change(1, 39, v))],
            Control(PORT, "cc14", 1, 7),
        ),
        (
            [m for v in (9, 40, 70) for m in (control_change(1, 7, 1), control_change(1, 39, v))],
            Control(PORT, "cc14", 1, 7),
        ),
        ([note(1, 104, 127), *(pitch(1, v) for v in (300, 900))], Control(PORT, "pitch", 1, 0)),
        ([control_change(1, 9, 1), *(control_change(1, 8, v) for v in (5, 6, 7))], Control(PORT, "cc", 1, 8)),
    ],
)
def test_a_fader_is_learned_from_its_movement(messages: list[bytes], wanted: Control) -> None:
    bench = Bench()
    bench.surface.learn("walk.speed")
    assert bench.status == "walk.speed: move a fader or knob, an endless one slowly up"
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
    bench.turn(9, 14)
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
    bench = Bench(Link(FADER, "out.master", pickup=False), Link(PAD, "snapshot.next"))
    changes: list[object] = []
    bench.desk.listen(lambda news: changes.append(news) if isinstance(news, Change) else None)
    for i in range(20_000):
        bench.surface.hear(PORT, control_change(1, 0, i % 127), bench.clock.now)
        bench.surface.hear(PORT, control_change(i % 16 + 1, i % 128, 3), bench.clock.now)
    for _ in range(QUEUE + 10):
        bench.surface.hear(PORT, note(1, 36, 127), bench.clock.now)
    bench.work()
    assert (len(changes), bench.surface.dropped) == (1, 10)
    assert len(bench.desk.collect("desk")) == QUEUE


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


KNOB = Control(PORT, "cc", 1, 7)
ENCODERS = {  # what two steps up and one down look like
    "two's complement": ([1, 1, 1, 1], [1, 1, 127], "relative"),
    "two's complement, down": ([127, 127, 126, 127], [2, 127], "relative"),
    "sign and magnitude": ([1, 1, 65, 65, 1], [1, 1, 65], "relative"),
    "binary offset": ([65, 65, 65, 66], [65, 65, 63], "offset"),
    "binary offset, both ways": ([65, 65, 63, 63], [66, 63], "offset"),
}


@pytest.mark.parametrize(("learned", "turned", "turns"), ENCODERS.values(), ids=ENCODERS)
def test_an_endless_encoder_is_learned_and_goes_on_from_what_is_set(
    learned: list[int], turned: list[int], turns: Turns
) -> None:
    bench = Bench(lamps=False)
    bench.surface.learn("out.master")
    bench.turn(*learned, number=7)
    bench.work(0.5)
    assert bench.surface.links == (Link(KNOB, "out.master", turns=turns),)
    bench.desk.set("out.master", 0.5, "deck:1")
    bench.turn(*turned, number=7)
    assert bench.desk.value("out.master") == pytest.approx(0.5 + 1 / 127), "at once, for it has no place to pass"
    for code in turned:
        bench.surface.hear(PORT, control_change(1, 7, code), bench.clock.now)
    bench.work()
    assert bench.desk.value("out.master") == pytest.approx(0.5 + 2 / 127), "and no step is lost to the next"


@pytest.mark.parametrize("name", ["model.steps", "seed.vertex.0"])
def test_an_encoder_steps_whole_numbers_one_by_one_and_stays_within(name: str) -> None:
    bench = Bench(Link(KNOB, name, turns="relative"))
    bench.desk.set(name, 3, "deck:1")
    bench.turn(2, number=7)
    assert bench.desk.value(name) == 5
    bench.turn(97, 127, number=7)
    assert bench.desk.value(name) == TABLE[name].low


def nrpn(number: int, *halves: int) -> list[bytes]:
    """A value of 7 or 14 bits, as controllers send it."""
    return [
        control_change(1, 99, number >> 7),
        control_change(1, 98, number & 127),
        *(control_change(1, at, half) for at, half in zip((6, 38), halves)),
    ]


def test_knobs_that_speak_nrpn_are_told_apart_and_reach_both_ends() -> None:
    bench = Bench(lamps=False)
    for number, name in ((300, "out.master"), (301, "prompt.mix")):
        bench.surface.learn(name)
        for high in (10, 20, 30):
            for data in nrpn(number, high, 5):
                bench.surface.hear(PORT, data, bench.clock.now)
            bench.work(0.01)
        bench.work(0.5)
    assert [(str(link.control), link.name) for link in bench.surface.links] == [
        ("K2 nrpn 1/300", "out.master"), ("K2 nrpn 1/301", "prompt.mix"),
    ]  # fmt: skip
    for data in nrpn(301, 0, 0):  # where it is set: in hand from then on
        bench.surface.hear(PORT, data, bench.clock.now)
    bench.work()
    for data in (*nrpn(300, 127, 127), *nrpn(301, 64, 0)):
        bench.surface.hear(PORT, data, bench.clock.now)
    bench.work()
    assert bench.fader("out.master") == 1.0
    assert bench.fader("prompt.mix") == pytest.approx(8192 / 16383)


def test_nrpn_of_seven_bits_reaches_the_upper_end_and_its_motor_is_told() -> None:
    bench = Bench(Link(Control(PORT, "nrpn", 1, 300), "out.master", pickup=False))
    for data in nrpn(300, 127):
        bench.surface.hear(PORT, data, bench.clock.now)
    bench.work(0.02)
    bench.work(1.0)
    assert bench.desk.value("out.master") == 1.0
    bench.desk.set("out.master", 0.0, "deck:1")
    assert [data for _, data in bench.work(1.0)] == nrpn(300, 0, 0)


def test_a_mapped_controller_of_a_number_that_nrpn_uses_is_itself() -> None:
    bench = Bench(Link(Control(PORT, "cc", 1, 6), "out.master", pickup=False))
    for data in nrpn(300, 127):
        bench.surface.hear(PORT, data, bench.clock.now)
    bench.work()
    assert bench.desk.value("out.master") == 1.0


BUTTONS = {
    "127, 0": ([127], [0, 127, 0, 127, 0], 127),
    "127 alone": ([127], [127, 127], 127),
    "1, 0": ([1, 0], [1, 0, 1, 0], 1),
    "1 and 0 in turn": ([1], [0, 1, 0, 1], 1),
    "100, 0": ([100, 0], [100, 0, 100, 0], 127),
}


@pytest.mark.parametrize(("learned", "pressed", "full"), BUTTONS.values(), ids=BUTTONS)
def test_a_controller_as_a_button_is_learned_and_presses_each_time(
    learned: list[int], pressed: list[int], full: int
) -> None:
    bench = Bench()
    bench.surface.learn("snapshot.next")
    bench.turn(*learned, number=7)
    bench.work(0.5)
    assert bench.surface.links == (Link(KNOB, "snapshot.next", full=full),)
    bench.turn(*pressed, number=7)
    assert len(bench.desk.collect("desk")) == 2


def test_a_pot_that_flickers_beside_the_one_that_is_moved_is_not_learned() -> None:
    bench = Bench()
    bench.surface.learn("out.master")
    for i in range(40):  # longer than is watched, before the hand comes
        bench.turn(63 + i % 2, number=3)
    for i in range(5):
        bench.turn(63 + i % 2, 64 - i % 2, 63, number=3)
        bench.turn(20 + 2 * i, number=7)
    bench.turn(63, number=39)  # 32 above the one that is moved, once
    bench.work(0.5)
    assert [link.control for link in bench.surface.links] == [KNOB]
    bench.surface.learn("walk.jump")
    for i in range(20):
        bench.turn(100 + i % 2, number=3)
    bench.turn(127, number=8)
    assert bench.surface.links[-1].control == Control(PORT, "cc", 1, 8)
