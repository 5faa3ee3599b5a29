"""MIDI's bytes, its clock, and the file of what is mapped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.control.parameters import table
from installation.ports.midi import messages
from installation.ports.midi.clock import PATIENCE, Clock, Conductor, Moment
from installation.ports.midi.driver import named
from installation.ports.midi.links import Control, Link, load, plays, save
from installation.ports.midi.messages import Event, decode
from installation.ports.midi.page import filled
from latentworld.errors import ControlError, PortError

TABLE = table()


@pytest.mark.parametrize(
    ("kind", "settings", "wanted"),
    [
        ("control_change", {"channel": 0, "control": 7, "value": 100}, Event("cc", 1, 7, 100)),
        ("note_on", {"channel": 9, "note": 36, "velocity": 1}, Event("note", 10, 36, 1)),
        ("note_on", {"channel": 9, "note": 36, "velocity": 0}, Event("note", 10, 36, 0)),
        ("note_off", {"channel": 15, "note": 127, "velocity": 64}, Event("note", 16, 127, 0)),
        ("program_change", {"channel": 2, "program": 5}, Event("program", 3, 5, 127)),
        ("pitchwheel", {"channel": 1, "pitch": 8191}, Event("pitch", 2, 0, 16383)),
        ("pitchwheel", {"channel": 1, "pitch": -8192}, Event("pitch", 2, 0, 0)),
        ("songpos", {"pos": 300}, Event("position", 0, 0, 300)),
        ("clock", {}, Event("clock")),
        ("start", {}, Event("start")),
        ("continue", {}, Event("continue")),
        ("stop", {}, Event("stop")),
        ("sysex", {"data": (1, 2, 3)}, None),
        ("aftertouch", {"value": 3}, None),
        ("active_sensing", {}, None),
    ],
)
def test_messages_are_read_as_another_library_writes_them(
    kind: str, settings: dict[str, int], wanted: Event | None
) -> None:
    mido = pytest.importorskip("mido")
    assert decode(mido.Message(kind, **settings).bytes()) == wanted


@given(st.lists(st.integers(-1, 300), max_size=6))
def test_no_bytes_do_harm(data: list[int]) -> None:
    event = decode(data)
    if event is not None:
        assert 0 <= event.channel <= 16
        assert 0 <= event.number <= 127
        assert 0 <= event.value <= 16383


@given(st.integers(1, 16), st.integers(0, 127), st.integers(0, 127), st.integers(0, 16383))
def test_what_is_sent_is_what_is_read(channel: int, number: int, value: int, wide: int) -> None:
    assert decode(messages.control_change(channel, number, value)) == Event("cc", channel, number, value)
    assert decode(messages.note(channel, number, value)) == Event("note", channel, number, value)
    assert decode(messages.pitch(channel, wide)) == Event("pitch", channel, 0, wide)


def ticks(tempo: float, count: int, begin: float = 0.0, jitter: float = 0.0, seed: int = 0) -> list[float]:
    """Arrivals of a clock's ticks, late by a random while."""
    late = np.random.default_rng(seed).uniform(0, jitter, count)
    return [float(t) for t in begin + np.arange(count) * 60 / tempo / 24 + late]


def follow(clock: Clock, arrivals: list[float]) -> list[Moment | None]:
    return [clock.tick(at) for at in arrivals]


@pytest.mark.parametrize("tempo", [21.0, 90.0, 120.0, 174.0, 299.0])
def test_a_clock_is_followed_exactly_where_it_is_even(tempo: float) -> None:
    clock = Clock()
    clock.start()
    found = follow(clock, ticks(tempo, 97))
    assert found[:11] == [None] * 11
    last = found[-1]
    assert last is not None
    assert (last.tempo, last.beat) == (pytest.approx(tempo), pytest.approx(4.0))


@pytest.mark.parametrize("seed", range(5))
def test_jitter_of_four_milliseconds_moves_tempo_and_phase_little(seed: int) -> None:
    clock = Clock()
    clock.start()
    found = [one for one in follow(clock, ticks(120.0, 480, jitter=0.004, seed=seed))[48:] if one]
    tempi = np.array([one.tempo for one in found])
    assert np.abs(tempi - 120).max() < 0.5
    true = np.array([one.at for one in found]) * 2
    phases = np.array([one.beat for one in found]) - true
    assert np.abs(phases).max() < 0.008, "of a beat: 4 ms at 120"


def test_another_tempo_is_followed_within_a_beat() -> None:
    clock = Clock()
    clock.start()
    first = ticks(120.0, 96)
    second = ticks(80.0, 25, first[-1] + 60 / 80 / 24)
    found = follow(clock, first + second)[-1]
    assert found is not None
    assert found.tempo == pytest.approx(80.0, abs=0.5)
    assert found.beat == pytest.approx(120 / 24, abs=0.05)


def test_ticks_that_arrive_in_bundles_are_still_a_steady_beat() -> None:
    clock = Clock()
    clock.start()
    even = ticks(120.0, 480)
    bundled = [even[min(i // 4 * 4 + 3, 479)] + 1e-4 * (i % 4) for i in range(480)]
    found = [one for one in follow(clock, bundled)[96:] if one]
    assert len(found) == 480 - 96
    assert max(abs(one.tempo - 120) for one in found) < 2.0
    assert max(abs(one.beat - one.at * 2 + 1.5 / 24) for one in found) < 0.05


def test_lost_ticks_lose_no_beats() -> None:
    clock = Clock()
    clock.start()
    arrivals = [at for i, at in enumerate(ticks(120.0, 97, jitter=0.002)) if i not in (50, 70, 71, 72)]
    found = follow(clock, arrivals)[-1]
    assert found is not None
    assert (found.beat, found.tempo) == (pytest.approx(4.0, abs=0.01), pytest.approx(120.0, abs=0.5))


def test_stop_lets_the_beat_go_on_and_continue_takes_it_up() -> None:
    clock = Clock()
    clock.start()
    follow(clock, ticks(120.0, 49))
    clock.stop()
    going = clock.tick(1.0 + 1 / 48)
    assert going is not None
    assert going.beat == pytest.approx(2 + 1 / 24)
    clock.resume()
    on = clock.tick(1.0 + 2 / 48)
    assert on is not None
    assert on.beat == pytest.approx(2 + 1 / 24), "the tick after the one at which it was stopped"
    clock.stop()
    clock.put(64)
    clock.resume()
    put = clock.tick(1.0 + 3 / 48)
    assert put is not None
    assert put.beat == pytest.approx(16.0)
    clock.start()
    again = clock.tick(1.0 + 4 / 48)
    assert again is not None
    assert again.beat == pytest.approx(0.0)


def test_a_pause_begins_anew_and_nonsense_does_no_harm() -> None:
    clock = Clock()
    follow(clock, ticks(120.0, 48))
    assert clock.tick(60.0) is None
    at_once = follow(clock, [60.0] * 300)
    assert all(one is None or one.tempo == pytest.approx(300.0) for one in at_once), "no faster than music is"
    assert clock.tick(10.0) is None, "backwards"


def test_one_port_gives_the_beat_until_it_is_silent() -> None:
    conductor = Conductor()
    for at in ticks(120.0, 20):
        conductor.hear("a", Event("clock"), at)
    assert conductor.hear("b", Event("start"), 0.41) is None
    assert conductor.hear("a", Event("clock"), 20 / 48) is not None
    late = [conductor.hear("b", Event("clock"), at) for at in ticks(90.0, 20, 0.5 + PATIENCE)]
    assert late[-1] is not None
    assert late[-1].tempo == pytest.approx(90.0)


def test_names_outlive_a_replug_and_equal_devices_are_told_apart() -> None:
    system = ["Midi Through:Midi Through Port-0 14:0", "K2:K2 MIDI 1 20:0", "K2:K2 MIDI 1 24:0", "RtMidiIn Client:x"]
    assert named(system) == {"K2:K2 MIDI 1": "K2:K2 MIDI 1 20:0", "K2:K2 MIDI 1 #2": "K2:K2 MIDI 1 24:0"}
    assert list(named(["K2:K2 MIDI 1 28:0"])) == ["K2:K2 MIDI 1"]


LINKS = [
    Link(Control("K2", "cc", 1, 0), "walk.speed"),
    Link(Control("K2", "cc14", 1, 1), "prompt.mix", pickup=False),
    Link(Control("K2", "note", 10, 36), "out.blackout", mode="hold"),
    Link(Control("K2", "program", 1, 5), "snapshot.recall", "dusk|8"),
    Link(Control("X", "pitch", 2, 0), "out.master"),
    Link(Control("X", "note", 1, 1), "walk.kind", "wander"),
    Link(Control("X", "nrpn", 1, 16382), "model.steps", turns="absolute"),
    Link(Control("X", "cc", 1, 9), "out.gamma", turns="offset"),
    Link(Control("X", "cc", 1, 10), "panic", full=1),
]


def test_links_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "venue" / "midi.json"
    assert load(file, TABLE) == ([], [])
    save(file, LINKS)
    assert load(file, TABLE) == (LINKS, [])


@pytest.mark.parametrize(
    "news",
    [
        {"name": "walk.wobble"},
        {"name": "rift.value"},
        {"name": "walk.position"},
        {"name": "prompt.a"},
        {"name": "walk.kind", "argument": "crawl"},
        {"name": "model.steps", "argument": "many"},
        {"channel": 0},
        {"channel": True},
        {"number": 128},
        {"kind": "cc14", "number": 32},
        {"kind": "sysex"},
        {"port": 3},
        {"mode": "wild"},
        {"turns": "round"},
        {"full": 0},
        {"kind": "nrpn", "number": 16383},
        {"pickup": 1},
        {"argument": None},
        {"surprise": 1},
    ],
)
def test_a_link_that_does_not_fit_is_left_out_with_a_line(tmp_path: Path, news: dict[str, object]) -> None:
    file = tmp_path / "midi.json"
    save(file, LINKS[:2])
    content = json.loads(file.read_text())
    content["links"][0] |= news
    content["links"].append(7)
    file.write_text(json.dumps(content))
    links, left = load(file, TABLE)
    assert links == LINKS[1:2]
    assert len(left) == 2
    assert all("left out" in line for line in left)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "latentworld midi"}', "[" * 100_000])
def test_a_damaged_file_is_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "midi.json"
    file.write_text(text)
    with pytest.raises(PortError, match="mend or delete"):
        load(file, TABLE)


def test_every_parameter_is_played_by_one_kind_of_control_or_says_why_not() -> None:
    kinds: dict[str, str] = {}
    for row in TABLE.values():
        try:
            kinds[row.name] = plays(row)
        except ControlError as error:
            kinds[row.name] = str(error)
    assert kinds["walk.speed"] == kinds["model.steps"] == "fader"
    assert kinds["panic"] == kinds["out.freeze"] == kinds["walk.kind"] == "button"
    assert plays(TABLE["prompt.a"], "a forest") == "button"
    assert "only be read" in kinds["rift.value"]
    assert "walk.heading" in kinds["walk.position"]
    assert "button" in kinds["prompt.a"]


def test_the_table_in_the_docs_is_of_this_address_table() -> None:
    text = (Path(__file__).parents[1] / "docs" / "playing.md").read_text()
    assert filled(text, TABLE) == text, "make it anew: installation.ports.midi.page.filled"
    assert text.count("| fader |") + text.count("| button |") > 40
