"""The real port: who is heard, what comes back, floods, stopping; with the real `oscsend` among the clients."""

from __future__ import annotations

import select
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import until
from pythonosc.osc_message import OscMessage
from standins.osc import Stagehand, tick

from installation.control.desk import Trigger
from installation.network import outward
from installation.ports.osc import Server, codec
from installation.ports.osc.advertise import OSC, QUERY, advertise, services
from installation.venue import Doors
from latentworld.errors import PortError


@pytest.fixture
def backstage() -> Stagehand:
    return Stagehand(clock=time.monotonic)


@pytest.fixture
def server(backstage: Stagehand) -> Iterator[Server]:
    server = Server(backstage, Doors(osc=0))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(server: Server) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", server.port))
        client.settimeout(20)
        yield client


def hear(client: socket.socket) -> tuple[Any, ...]:
    message = OscMessage(client.recv(9000))
    return (message.address, *message)


def test_a_message_is_set_and_a_question_answered(backstage: Stagehand, client: socket.socket) -> None:
    client.send(codec.pack("/lw/view/zoom/raw", (4.0,)))
    client.send(codec.pack("/lw/ping", ("x",)))
    assert hear(client)[:2] == ("/lw/pong", "x")
    assert backstage.desk.value("view.zoom") == 4.0


def test_subscribers_hear_changes_and_ticks(backstage: Stagehand, client: socket.socket) -> None:
    client.send(codec.pack("/lw/subscribe"))
    assert hear(client)[0] == "/lw/subscribed"
    backstage.desk.set("view.zoom", 8.0, "deck:1")
    while hear(client) != ("/lw/view/zoom", 1.0):
        pass
    backstage.tick(tick(index=7, rate=0.5))
    while hear(client) != ("/lw/rift/value", 0.5, 7):
        pass


def test_of_a_flood_the_last_value_stands_and_no_press_is_lost(
    backstage: Stagehand, server: Server, client: socket.socket
) -> None:
    for i in range(2000):
        client.send(codec.pack("/lw/out/master", (i / 2000,)))
        if i % 20 == 0:
            client.send(codec.pack("/lw/snapshot/next", (1.0,)))
            client.send(codec.pack("/lw/snapshot/next", (0.0,)))
            time.sleep(0.001)
    client.send(codec.pack("/lw/out/master", (0.123,)))
    client.send(codec.pack("/lw/ping"))
    assert hear(client)[0] == "/lw/pong"
    assert backstage.desk.value("out.master") == pytest.approx(0.123)
    assert backstage.desk.collect("desk") == [Trigger("snapshot.next")] * 100
    counts = server.counts()
    assert counts["received"] + counts["overtaken"] == 2202
    assert counts["applied"] < 1500


def test_oscsend_is_understood(backstage: Stagehand, server: Server) -> None:
    oscsend = shutil.which("oscsend")
    if oscsend is None:
        pytest.skip("oscsend (liblo-tools) is not installed")
    for words in (["/lw/prompt/a", "s", "a quiet sea"], ["/lw/walk/position", "ff", "0.5", "-1.5"],
                  ["/lw/out/freeze", "T"], ["/lw/model/steps", "i", "12"], ["/lw/panic"]):  # fmt: skip
        subprocess.run([oscsend, "localhost", str(server.port), *words], check=True, timeout=20)
    assert until(lambda: server.counts()["pressed"] == 1)
    names = ("prompt.a", "walk.position", "out.freeze", "model.steps")
    assert [backstage.desk.value(name) for name in names] == ["a quiet sea", (0.5, -1.5), True, 12]


def test_the_patch_for_pure_data_plays_and_is_told(backstage: Stagehand, tmp_path: Path) -> None:
    """Where the machine has an address in a network, as from another machine: with a key."""
    pd, host = shutil.which("pd"), outward()
    if pd is None:
        pytest.skip("pd (puredata) is not installed")
    server = Server(backstage, Doors(osc=0, open=True, allow=(host,)))
    server.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        free = probe.getsockname()[1]
    patch = Path(__file__).parents[1] / "docs" / "layouts" / "latentworld.pd"
    mine, spy = tmp_path / "patch.pd", tmp_path / "spy.pd"
    mine.write_text(patch.read_text().replace("localhost 9000", f"{host} {server.port}").replace("9001", str(free)))
    spy.write_text(
        "#N canvas 0 0 300 200 12;\n#X obj 20 20 r lw-frozen;\n#X obj 20 60 print frozen;\n#X connect 0 0 1 0;\n"
    )
    sent = ("lw-steps 20", "lw-freeze 1", "lw-prompt a quiet sea", "lw-panic bang")
    said = [part for line in sent for part in ("-send", line)]
    command = [pd, "-nogui", "-noaudio", "-nomidi", "-stderr", "-open", str(spy), "-open", str(mine), *said]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        try:
            assert running.stderr
            assert until(lambda: server.counts()["pressed"] and server.counts()["subscribers"])
            assert [backstage.desk.value(name) for name in ("model.steps", "out.freeze", "prompt.a")] == [
                20, True, "a quiet sea",
            ]  # fmt: skip
            assert running.stderr.readline() == "frozen: 1\n"
            backstage.desk.set("out.freeze", False, "deck:1")
            assert running.stderr.readline() == "frozen: 0\n"
        finally:
            running.terminate()
            server.stop()


def test_nothing_bad_ends_the_port(backstage: Stagehand, server: Server, client: socket.socket) -> None:
    for packet in (b"", b"\0" * 60_000, b"#bundle\0" + b"\xff" * 5000, b"/lw/walk/speed\0\0,f\0\0\x7f\xc0\0\0"):
        client.send(packet)
    client.send(codec.pack("/lw/ping"))
    heard = [hear(client), hear(client)]
    assert {message[0] for message in heard} == {"/lw/error", "/lw/pong"}
    assert server.counts()["damaged"] == 3


def test_a_fault_of_ours_ends_neither_port_nor_packet(
    backstage: Stagehand, server: Server, client: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = backstage.desk.set

    def faulty(name: str, value: object, source: str = "") -> object:
        if name == "view.zoom":
            raise RuntimeError("ours")
        return kept(name, value, source)

    monkeypatch.setattr(backstage.desk, "set", faulty)
    client.send(codec.pack("/lw/{view/zoom,out/gamma}", (0.5,)))
    client.send(codec.pack("/lw/*/{zoom,gamma}", (0.5,)))
    client.send(codec.pack("/lw/ping"))
    assert {hear(client)[0], hear(client)[0]} == {"/lw/error", "/lw/pong"}
    assert (server.counts()["errors"], backstage.desk.value("out.gamma")) == (1, pytest.approx(1.45))


def test_the_port_is_loopbacks_alone_until_the_doors_open(backstage: Stagehand, server: Server) -> None:
    assert server._socket is not None
    assert server._socket.getsockname()[0] == "127.0.0.1"
    opened = Server(backstage, Doors(osc=0, open=True, allow=("10.1.0.0/16",)))
    opened.start()
    try:
        assert opened._socket is not None
        assert opened._socket.getsockname()[0] == "0.0.0.0"
    finally:
        opened.stop()


def test_only_the_allowed_are_heard() -> None:
    gate = Server(Stagehand(), Doors(open=True, allow=("192.168.1.0/24", "10.0.0.7")))._gate
    heard = ["127.0.0.1", "192.168.1.200", "10.0.0.7"]
    assert [host for host in [*heard, "192.168.2.1", "10.0.0.8", "8.8.8.8"] if gate.lets(host)] == heard
    shut = Server(Stagehand(), Doors(allow=("192.168.1.0/24",)))
    assert not shut._gate.lets("192.168.1.200")
    with pytest.raises(PortError, match=r"doors\.allow: 'the phone' is no address"):
        Server(Stagehand(), Doors(open=True, allow=("the phone",)))


def test_strangers_are_dropped_and_counted(backstage: Stagehand, server: Server, client: socket.socket) -> None:
    server._gate.lets = lambda host: False  # type: ignore[method-assign]
    client.send(codec.pack("/lw/view/zoom/raw", (4.0,)))
    assert until(lambda: server.counts()["dropped"] == 1)
    assert backstage.desk.value("view.zoom") == 1.0
    assert select.select([client], [], [], 0.05)[0] == []


def test_a_port_in_use_is_told_with_its_remedy(backstage: Stagehand, server: Server) -> None:
    with pytest.raises(PortError, match=r"set doors\.osc to another port"):
        Server(backstage, Doors(osc=server.port)).start()


def test_stopping_leaves_nothing(backstage: Stagehand) -> None:
    before = threading.active_count()
    server = Server(backstage, Doors(osc=0))
    server.start()
    server.stop()
    server.stop()
    assert (threading.active_count(), backstage.listeners) == (before, [])
    absent = Server(backstage, Doors(osc=None))
    absent.start()
    assert (absent.port, absent.counts()) == (None, {})
    absent.stop()


def test_a_show_does_not_subscribe_to_itself(server: Server, client: socket.socket) -> None:
    client.send(codec.pack("/lw/subscribe", (server.port,)))
    assert hear(client)[0] == "/lw/error"


def test_the_network_is_told_where_the_show_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's own records, without the network: who hears an answer on a port that all share is chance."""
    import zeroconf

    told: list[Any] = []

    class Net:
        def __init__(self, interfaces: Any, ip_version: Any) -> None:
            told.append(interfaces)

        def register_service(self, info: zeroconf.ServiceInfo, allow_name_change: bool) -> None:
            told.append((info.type, info.port, info.parsed_addresses(), info.name.endswith(info.type)))

        def close(self) -> None:
            told.append("closed")

    monkeypatch.setattr(zeroconf, "Zeroconf", Net)
    advertise(Doors(advertise=True), 9123, 8123)()
    local = ["127.0.0.1"]
    assert told == [local, (OSC, 9123, local, True), (QUERY, 8123, local, True), "closed"]


def test_a_network_that_cannot_be_told_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import zeroconf

    def fail(**asked: Any) -> None:
        raise OSError("no such device")

    monkeypatch.setattr(zeroconf, "Zeroconf", fail)
    with pytest.raises(PortError, match=r"leave doors\.advertise out"):
        advertise(Doors(advertise=True), 9123, 8123)


def test_nothing_is_told_unless_asked() -> None:
    before = threading.active_count()
    advertise(Doors(), 9000, 8080)()
    advertise(Doors(advertise=True), None, None)()
    assert threading.active_count() == before
    assert services(9000, None) == {OSC: 9000}
