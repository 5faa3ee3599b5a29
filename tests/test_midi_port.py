"""The MIDI port under stand-in devices that are plugged and unplugged, and, where there is one, the system's own."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from standins.clock import Clock

from installation.backstage import Backstage
from installation.control.desk import Change, Desk
from installation.control.parameters import table
from installation.disk_worker import DiskWorker
from installation.ports.midi import Port
from installation.ports.midi.driver import Hear, Receiver, Sender, System
from installation.ports.midi.links import Control, Link
from installation.ports.midi.messages import control_change, note
from latentworld.errors import ShowError


class Plug:
    """An open port of a stand-in device."""

    def __init__(self, devices: Devices, name: str) -> None:
        self.devices, self.name, self.open = devices, name, True

    def send(self, data: bytes) -> None:
        if self.name not in self.devices.names:
            raise OSError("device gone")
        self.devices.sent.append((self.name, data))

    def close(self) -> None:
        self.open = False


class Devices:
    """A system whose controllers are plugged by hand."""

    def __init__(self, *names: str) -> None:
        self.names = list(names)
        self.busy: set[str] = set()
        self.ears: dict[str, Hear] = {}
        self.plugs: list[Plug] = []
        self.sent: list[tuple[str, bytes]] = []
        self.closed = False

    def inputs(self) -> list[str]:
        return list(self.names)

    def outputs(self) -> list[str]:
        return list(self.names)

    def listen(self, name: str, hear: Hear) -> Receiver:
        if name in self.busy:
            raise OSError("in use")
        self.ears[name] = hear
        return self._plug(name)

    def speak(self, name: str) -> Sender:
        return self._plug(name)

    def close(self) -> None:
        self.closed = True

    def _plug(self, name: str) -> Plug:
        self.plugs.append(Plug(self, name))
        return self.plugs[-1]


@dataclass
class Stage:
    desk: Desk


def port_of(desk: Desk, devices: Any, **settings: Any) -> Port:
    """A port that is worked by hand."""
    return Port(cast(Backstage, Stage(desk)), driver=devices, **settings)


@pytest.fixture
def desk() -> Desk:
    return Desk(table())


class Hand:
    """A port on a clock that goes by hand, begun without its thread."""

    def __init__(
        self, desk: Desk, devices: Devices, file: Path | None = None, worker: DiskWorker | None = None
    ) -> None:
        self.clock = Clock(10.0)
        self.port = port_of(desk, devices, file=file, clock=self.clock, worker=worker)
        self.port.begin()

    def step(self, after: float = 0.05) -> None:
        self.clock.now += after
        self.port.step(self.clock.now)


def test_a_replugged_controller_plays_on_under_another_number(desk: Desk, tmp_path: Path) -> None:
    devices = Devices("K2:K2 MIDI 1 20:0")
    hand = Hand(desk, devices, tmp_path / "midi.json")
    desk.press("midi.learn", "walk.speed")
    hand.step()
    for value in (3, 4, 5):
        devices.ears["K2:K2 MIDI 1 20:0"](list(control_change(1, 7, value)))
        hand.step()
    hand.step(0.5)
    assert [link.name for link in hand.port.links] == ["walk.speed"]
    devices.ears["K2:K2 MIDI 1 20:0"](list(control_change(1, 7, 64)))
    hand.step()
    before = desk.value("walk.speed")
    assert before == pytest.approx(table()["walk.speed"].real(64 / 127))
    devices.names.clear()
    hand.step(1.0)
    assert (hand.port.controllers, [plug.open for plug in devices.plugs]) == ((), [False, False])
    assert desk.value("walk.speed") == before
    devices.names.append("K2:K2 MIDI 1 28:0")
    devices.sent.clear()
    hand.step(1.0)
    assert hand.port.controllers == ("K2:K2 MIDI 1",)
    assert devices.sent == [("K2:K2 MIDI 1 28:0", control_change(1, 7, 64))], "the fader is told where it stands"
    hand.step(1.0)
    devices.ears["K2:K2 MIDI 1 28:0"](list(control_change(1, 7, 65)))
    hand.step()
    assert desk.value("walk.speed") == pytest.approx(table()["walk.speed"].real(65 / 127))


def test_what_was_learned_is_there_the_next_day(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "venue" / "midi.json"
    devices = Devices("K2 20:0")
    hand = Hand(desk, devices, file)
    hand.step()
    desk.press("midi.learn", "snapshot.recall|dusk")
    devices.ears["K2 20:0"](list(note(1, 36, 127)))
    hand.step()
    wanted = (Link(Control("K2", "note", 1, 36), "snapshot.recall", "dusk"),)
    assert Hand(Desk(table()), Devices(), file).port.links == wanted
    desk.press("midi.forget", "snapshot.recall")
    hand.step()
    assert Hand(Desk(table()), Devices(), file).port.links == ()


def test_a_wish_that_means_nothing_is_told_on_the_desk(desk: Desk) -> None:
    hand = Hand(desk, Devices())
    desk.press("midi.learn", "walk.wobble")
    assert "walk.wobble" in str(desk.value("midi.status"))
    desk.press("midi.learn")
    hand.step()
    assert desk.value("midi.status") == ""


def test_only_chosen_controllers_are_heard(desk: Desk) -> None:
    devices = Devices("A 20:0", "B 24:0")
    port = port_of(desk, devices, chosen=("B",))
    port.begin()
    port.step(0.0)
    assert (port.controllers, list(devices.ears)) == (("B",), ["B 24:0"])


def test_a_busy_or_dying_controller_is_a_line_and_is_tried_again(
    desk: Desk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    devices = Devices("K2 20:0", "X 24:0")
    devices.busy.add("K2 20:0")
    file = tmp_path / "midi.json"
    links = [{"port": "X", "kind": "cc", "channel": 1, "number": 0, "name": "out.master"}]
    file.write_text(json.dumps({"format": "latentworld midi", "version": 1, "links": links}))
    hand = Hand(desk, devices, file)
    for _ in range(5):
        hand.step(1.0)
    assert hand.port.controllers == ("X",)
    assert caplog.text.count("K2 cannot be opened (in use)") == 1
    devices.busy.clear()
    hand.step(1.0)
    assert set(hand.port.controllers) == {"K2", "X"}
    devices.names.remove("X 24:0")
    desk.set("out.master", 0.2)
    hand.step(0.1)
    assert "X takes nothing any more (device gone)" in caplog.text
    devices.names.append("X 24:0")
    devices.sent.clear()
    hand.step(1.0)
    assert devices.sent == [("X 24:0", control_change(1, 0, 25))]


def test_a_damaged_map_is_put_aside(desk: Desk, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "midi.json"
    file.write_text("{")
    hand = Hand(desk, Devices(), file)
    assert (hand.port.links, file.exists()) == ((), False)
    assert (tmp_path / "midi.damaged.json").read_text() == "{"
    assert "midi.damaged.json" in caplog.text


def test_a_full_disk_is_a_line_and_the_map_lives_on(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    devices = Devices("K2 20:0")
    hand = Hand(desk, devices, tmp_path / "midi.json")
    hand.step()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    hand.port.learn("walk.jump")
    devices.ears["K2 20:0"](list(note(1, 36, 127)))
    hand.step()
    assert "full" in caplog.text
    assert len(hand.port.links) == 1


def test_a_disk_that_does_not_answer_holds_no_control_up_and_gets_the_last_map(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    devices, file, worker = Devices("K2 20:0"), tmp_path / "midi.json", DiskWorker(time.monotonic)
    answers, ours, fsync = threading.Event(), threading.get_ident(), os.fsync

    def slow(descriptor: int) -> None:
        assert threading.get_ident() != ours
        answers.wait()
        fsync(descriptor)

    monkeypatch.setattr("os.fsync", slow)
    worker.start()
    hand = Hand(desk, devices, file, worker)
    hand.step()
    for number, name in enumerate(("out.freeze", "out.blackout", "walk.auto")):
        hand.port.learn(name)
        devices.ears["K2 20:0"](list(note(1, 36 + number, 127)))
        hand.step()
        hand.step(1.0)
    devices.ears["K2 20:0"](list(note(1, 36, 127)))
    hand.step()
    assert desk.value("out.freeze") is True
    answers.set()
    assert worker.stop(30.0)
    assert Hand(Desk(table()), Devices(), file).port.links == hand.port.links
    assert len(hand.port.links) == 3
    hand.port.forget("walk.auto")
    hand.step()  # the worker has ended
    assert "this was left out" in caplog.text


def test_on_its_thread_it_plays_and_ends(desk: Desk) -> None:
    devices = Devices("K2 20:0")
    port = port_of(desk, devices)
    heard, frozen = threading.Event(), threading.Event()
    known: list[str] = []

    def note_status(news: object) -> None:
        if isinstance(news, Change) and news.name == "midi.status":
            known.append(str(news.value))
            if "plays" in str(news.value):
                heard.set()
        if isinstance(news, Change) and news.name == "out.freeze":
            frozen.set()

    desk.listen(note_status)
    port.start()
    port.learn("out.freeze")
    while not devices.ears:
        threading.Event().wait(0.01)
    devices.ears["K2 20:0"](list(note(1, 36, 127)))
    assert heard.wait(20.0)
    devices.ears["K2 20:0"](list(note(1, 36, 0)))
    devices.ears["K2 20:0"](list(note(1, 36, 127)))
    assert frozen.wait(20.0)
    port.stop()
    assert (devices.closed, port.controllers) == (True, ())
    assert not any(plug.open for plug in devices.plugs)
    assert not [thread for thread in threading.enumerate() if thread.name == "midi"]


def test_a_driver_that_raises_anything_ends_nothing(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Devices):
        def inputs(self) -> list[str]:
            raise ZeroDivisionError("driver")

    port = port_of(desk, Broken())
    told = threading.Event()
    handler = logging.Handler()
    handler.emit = lambda record: told.set()  # type: ignore[method-assign]
    logging.getLogger("installation.ports.midi.port").addHandler(handler)
    port.start()
    assert told.wait(20.0)
    port.stop()
    logging.getLogger("installation.ports.midi.port").removeHandler(handler)
    assert "goes on" in caplog.text


def test_without_its_library_it_says_which_extra(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rtmidi", None)
    with pytest.raises(ShowError, match=r"rtmidi is missing: .*\[midi\]"):
        Port(cast(Backstage, Stage(desk))).start()


def test_without_a_sequencer_there_are_no_controllers_and_no_noise(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rtmidi")
    monkeypatch.setattr(System, "there", staticmethod(lambda: False))
    system = System()
    assert (system.inputs(), system.outputs()) == ([], [])
    system.close()
    assert capfd.readouterr() == ("", "")


def test_the_systems_own_virtual_ports(desk: Desk) -> None:
    rtmidi = pytest.importorskip("rtmidi")
    if not System.there():
        pytest.skip("this system has no ALSA sequencer")
    device = rtmidi.MidiOut(name="pretended")
    device.open_virtual_port("fader")
    port = Port(cast(Backstage, Stage(desk)))
    learned = threading.Event()
    desk.listen(lambda news: learned.set() if "plays walk.speed" in str(getattr(news, "value", "")) else None)
    try:
        port.start()
        port.learn("walk.speed")
        for value in range(100):
            device.send_message(control_change(1, 7, value))
            if learned.wait(0.05):
                break
        assert learned.is_set()
    finally:
        port.stop()
        device.close_port()
        device.delete()


class Rt:
    """What python-rtmidi has of a client, with two ports there; counts those that are not given back."""

    alive = 0

    def __init__(self, name: str) -> None:
        Rt.alive += 1
        self.client, self.sent, self.opened = name, cast(list[bytes], []), -1

    def get_ports(self) -> list[str]:
        return ["Midi Through:Midi Through Port-0 14:0", "K2:K2 MIDI 1 20:0"]

    def open_port(self, port: int = 0, name: str = "") -> None:
        self.opened = port

    def ignore_types(self, sysex: bool = True, timing: bool = True, active_sense: bool = True) -> None:
        self.ignored = (sysex, timing, active_sense)

    def set_callback(self, heard: Any, data: Any = None) -> None:
        self.heard = heard

    def send_message(self, data: bytes) -> None:
        self.sent.append(data)

    def close_port(self) -> None:
        self.opened = -1

    def delete(self) -> None:
        Rt.alive -= 1


def test_the_system_opens_by_name_hears_the_clock_and_gives_every_client_back(monkeypatch: pytest.MonkeyPatch) -> None:
    library = SimpleNamespace(MidiIn=Rt, MidiOut=Rt)
    monkeypatch.setitem(sys.modules, "rtmidi", library)
    monkeypatch.setattr(System, "there", staticmethod(lambda: True))
    monkeypatch.setattr(Rt, "alive", 0)
    system, heard = System(), cast(list[list[int]], [])
    for _ in range(100):
        assert system.inputs() == system.outputs() == Rt("x").get_ports()
        Rt.alive -= 1
    assert Rt.alive == 2, "however often it is asked for names"
    ear = cast(Any, system.listen("K2:K2 MIDI 1 20:0", heard.append))
    mouth = cast(Any, system.speak("K2:K2 MIDI 1 20:0"))
    assert (ear.rt.opened, mouth.rt.opened, ear.rt.ignored) == (1, 1, (True, False, True))
    ear.rt.heard(([0xF8], 0.02), None)
    mouth.send(control_change(1, 7, 64))
    assert (heard, mouth.rt.sent) == ([[0xF8]], [control_change(1, 7, 64)])
    with pytest.raises(OSError, match="gone"):
        system.listen("X 24:0", heard.append)
    ear.close()
    mouth.close()
    system.close()
    assert Rt.alive == 0
