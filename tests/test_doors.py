"""A real show's doors: what listens, and what happens to those who knock wrongly. Shut (as usual) and opened."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from patience import until
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from installation.network import outward

Packet = tuple[str, list[object]]
TOO_LONG = "x" * 65
PATHS = ["../evil", "..", "/etc/passwd", "a/b", "a\\b", ".hidden", "evil.json", TOO_LONG, "", "~root", "CON:"]


class Show:
    """`latentworld show` as a process, and where it can be reached."""

    def __init__(self, folder: Path, *options: str) -> None:
        command = [sys.executable, "-m", "installation", "show", "analytic", "--headless", "--size", "48x64"]
        command += ["--osc", "0", "--deck", "0", "--folder", str(folder), *options]
        self.folder, self.said = folder, list[str]()
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "300"}
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        self._reader = threading.Thread(target=self._listen)
        self._reader.start()

    def _listen(self) -> None:
        assert self.process.stderr
        with self.process.stderr as said:
            self.said.extend(iter(said.readline, ""))

    def found(self, pattern: str) -> re.Match[str]:
        """Wait until it says so."""

        def look() -> re.Match[str] | None:
            assert self.process.poll() is None, self.said
            return next((match for line in [*self.said] if (match := re.search(pattern, line))), None)

        made = until(look)
        assert isinstance(made, re.Match)
        return made

    @property
    def osc(self) -> int:
        return int(self.found(r"osc: udp port (\d+)")[1])

    @property
    def deck(self) -> int:
        return int(self.found(r"deck: http://[\d.]+:(\d+)/")[1])

    @property
    def token(self) -> str:
        return self.found(r"/\?token=([\w-]{16,})")[1]

    def family(self) -> list[psutil.Process]:
        """It and its children, the stage and the renderer among them."""
        family = lambda: [(me := psutil.Process(self.process.pid)), *me.children(recursive=True)]  # noqa: E731
        until(lambda: len(family()) >= 3)
        return family()

    def listening(self) -> set[tuple[str, str, int]]:
        """Everything of all its processes that waits for somebody: kind, address, port."""
        found = set()
        for process in self.family():
            for each in process.net_connections("inet"):
                if each.status == psutil.CONN_LISTEN or each.type == socket.SOCK_DGRAM:
                    kind = "udp" if each.type == socket.SOCK_DGRAM else "tcp"
                    found.add((kind, each.laddr.ip, each.laddr.port))
        return found

    def end(self) -> int:
        """As systemd ends it."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()
            self._reader.join()


@pytest.fixture(scope="module")
def shows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Show, Show]]:
    """One with its doors shut and one with open doors, side by side, for each takes a while to begin."""
    folder = tmp_path_factory.mktemp("shows")
    both = Show(folder / "shut"), Show(folder / "open", "--open", "--allow", "198.51.100.0/24")
    yield both
    for show in both:
        show.end()


@pytest.fixture
def shut(shows: tuple[Show, Show]) -> Show:
    return shows[0]


@pytest.fixture
def opened(shows: tuple[Show, Show]) -> Show:
    return shows[1]


class Osc:
    """An OSC client at an address of this machine."""

    def __init__(self, show: Show, host: str = "127.0.0.1") -> None:
        self._to = (host, show.osc)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self._socket.settimeout(0.5)

    def __enter__(self) -> Osc:
        return self

    def __exit__(self, *rest: object) -> None:
        self._socket.close()

    def send(self, address: str, *arguments: object) -> None:
        builder = OscMessageBuilder(address)
        for argument in arguments:
            builder.add_arg(argument)  # type: ignore[arg-type]
        self._socket.sendto(builder.build().dgram, self._to)

    def answers(self, tries: int = 1) -> list[Packet]:
        """What comes until nothing comes for half a second; it is waited for `tries` times."""
        found: list[Packet] = []
        while tries:
            try:
                message = OscMessage(self._socket.recv(65536))
                found.append((message.address, list(message)))
            except (TimeoutError, ConnectionRefusedError):
                tries = 0 if found else tries - 1
        return found

    def ping(self, tries: int = 1) -> bool:
        self.send("/lw/ping", "there?")
        return any(address == "/lw/pong" and said[0] == "there?" for address, said in self.answers(tries))


def own_address() -> str:
    """This machine's address in the network."""
    host = outward()
    if host.startswith("127."):
        pytest.skip("this machine is in no network")
    return host


def socket_of(show: Show, path: str = "/ws", host: str = "127.0.0.1", **more: object) -> ClientConnection:
    return connect(f"ws://{host}:{show.deck}{path}", proxy=None, **more)  # type: ignore[arg-type]


def told(connection: ClientConnection, kind: str) -> dict[str, object]:
    """The next message of a kind."""
    while True:
        message = json.loads(connection.recv(timeout=30))
        if message["kind"] == kind:
            return dict(message)


# ---- what listens


def test_a_show_listens_on_loopback_alone_and_at_two_doors(shut: Show) -> None:
    shut.found("renderer ready")
    assert shut.listening() == {("udp", "127.0.0.1", shut.osc), ("tcp", "127.0.0.1", shut.deck)}


def test_an_open_show_has_the_same_two_doors(opened: Show) -> None:
    opened.found("renderer ready")
    assert opened.listening() == {("udp", "0.0.0.0", opened.osc), ("tcp", "0.0.0.0", opened.deck)}


def test_nobody_reaches_a_shut_show_from_the_network(shut: Show) -> None:
    host = own_address()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{host}:{shut.deck}/health", trust_env=False)
    with Osc(shut, host) as client:
        assert not client.ping()
    with Osc(shut) as client:
        assert client.ping(tries=10), "else this test could not fail"


# ---- the shut deck


def get(show: Show, path: str = "/", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.get(f"http://127.0.0.1:{show.deck}{path}", headers=named, trust_env=False)


def test_the_deck_answers_to_its_own_names(shut: Show) -> None:
    port = shut.deck
    for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
        assert get(shut, Host=host, Accept="text/html").status_code == 200
    for host in ("evil.example", f"evil.example:{port}", "", "127.0.0.1.evil.example", f"[::1]evil:{port}"):
        assert get(shut, Host=host).status_code == 400, host


def test_the_deck_is_not_for_other_pages(shut: Show) -> None:
    host = f"127.0.0.1:{shut.deck}"
    assert get(shut, Origin=f"http://{host}").status_code == 200
    for origin in ("http://evil.example", f"http://localhost:{shut.deck}", "null", "file://", f"http://{host}.evil"):
        assert get(shut, Origin=origin).status_code == 403, origin
        with pytest.raises(InvalidStatus, match="403"):
            socket_of(shut, origin=origin)
    with pytest.raises(InvalidStatus, match="400"):
        socket_of(shut, additional_headers={"Host": "evil.example"})
    with socket_of(shut, origin=f"http://{host}") as connection:
        assert told(connection, "hello")


def raw(show: Show, line: str, body: bytes = b"") -> str:
    """The status line that a request gets which no client would send."""
    with socket.create_connection(("127.0.0.1", show.deck), timeout=30) as out:
        out.sendall(f"{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode() + body)
        return out.makefile("rb").readline().decode()


@pytest.mark.parametrize("up", ["..", "%2e%2e", "..%2f..", "%2e%2e%2f%2e%2e", "..\\..", "%5c..%5c.."])
def test_no_file_but_the_decks_own_is_served(up: str, shut: Show) -> None:
    for path in (f"/static/{up}/auth.py", f"/static/{up}/{up}/{up}/pyproject.toml", f"/{up}/{up}/etc/passwd"):
        assert re.search(r" 40[04] ", raw(shut, f"GET {path}")), path
    assert " 404 " in raw(shut, f"GET /static//etc/passwd?{up}")


def test_the_deck_takes_nothing_by_http(shut: Show) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        found = httpx.request(method, f"http://127.0.0.1:{shut.deck}/", content=b"x" * 100, trust_env=False)
        assert found.status_code in (404, 405)


def test_nonsense_and_masses_close_one_socket_and_no_more(shut: Show) -> None:
    with socket_of(shut) as connection:
        for nonsense in (
            "",
            "[]",
            "{",
            '{"do":"eval","x":"1"}',
            "[" * 10_000,
            '{"do":"set","name":"walk.speed","value":NaN}',
        ):
            connection.send(nonsense)
            assert told(connection, "refused")["text"]
        connection.send('{"do":"set","name":"walk.speed","value":3.5}')
        told(connection, "news")
    with socket_of(shut) as connection:
        connection.send("x" * 2_000_000)
        with pytest.raises(ConnectionClosed):
            told(connection, "refused")
    assert get(shut, "/health").json()["frame"] >= -1


# ---- names, not paths


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_no_path_is_taken_for_a_name(shut: Show) -> None:
    before = files(shut.folder.parent)
    with Osc(shut) as client, socket_of(shut) as connection:
        for path in PATHS:
            for trigger in ("snapshot.save", "snapshot.recall", "replay"):
                client.send(f"/lw/{trigger.replace('.', '/')}", path)
                connection.send(json.dumps({"do": "press", "name": trigger, "value": path}))
        connection.send(json.dumps({"do": "press", "name": "snapshot.save", "value": "a\0b"}))  # OSC's texts end at 0
        client.send("/lw/snapshot/save", "a good name")
        until(lambda: (shut.folder / "snapshots" / "a good name.json").is_file())
        connection.send(json.dumps({"do": "press", "name": "snapshot.save", "value": "another"}))
        until(lambda: (shut.folder / "snapshots" / "another.json").is_file())
    made = {name for name in files(shut.folder.parent) - before if "/snapshots/" in name or "/takes/" in name}
    assert {name for name in made if "/." not in name} == {
        "shut/snapshots/a good name.json",
        "shut/snapshots/another.json",
    }
    assert not [name for name in files(shut.folder.parent) if "evil" in name or "hidden" in name]
    assert shut.process.poll() is None


def test_a_take_is_replayed_by_its_name_alone(shut: Show, tmp_path: Path) -> None:
    outside = tmp_path / "outside.take"
    outside.write_text("{}")
    (shut.folder / "takes").mkdir(exist_ok=True)
    with Osc(shut) as client:
        for name in (str(outside), f"../../{outside.name}", "outside"):
            client.send("/lw/replay", name)
        refused = shut.found(r"there is no take 'outside'")
    assert refused
    assert not any("replaying" in line for line in shut.said)


# ---- open doors


def test_an_open_deck_wants_the_token(opened: Show) -> None:
    for path in ("/", "/metrics", "/atlas", "/lw", "/lw/walk/speed", "/?HOST_INFO", "/static/index.html", "/nowhere"):
        found = get(opened, path)
        assert (found.status_code, opened.token in found.text) == (401, False), path
    assert get(opened, "/?token=wrong").status_code == 401
    assert get(opened, Authorization="Bearer wrong").status_code == 401
    assert get(opened, Authorization=f"Bearer {opened.token}", Accept="text/html").status_code == 200
    assert get(opened, "/health").json().keys() == {"ok"}, "a stranger may know whether it is well, and no more"


def test_the_link_gives_a_cookie_that_opens(opened: Show) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{opened.deck}", trust_env=False) as browser:
        welcome = browser.get("/", params={"token": opened.token})
        assert welcome.status_code == 200
        assert {"HttpOnly", "SameSite=Strict"} <= set(welcome.headers["set-cookie"].split("; "))
        assert browser.get("/metrics").status_code == 200
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    with socket_of(opened, additional_headers={"Cookie": cookie}) as connection:
        assert opened.token not in json.dumps(told(connection, "hello"))
    for wrong in ({}, {"Cookie": cookie[:-1]}, {"Authorization": "Bearer x"}):
        with pytest.raises(InvalidStatus, match="403"):
            socket_of(opened, additional_headers=wrong)
    with pytest.raises(InvalidStatus, match="403"):
        socket_of(opened, path="/preview")


def test_the_token_opens_no_other_name(opened: Show) -> None:
    bearer = {"Authorization": f"Bearer {opened.token}"}
    assert get(opened, Host="evil.example", **bearer).status_code == 400
    assert get(opened, Origin="http://evil.example", **bearer).status_code == 403


def test_an_open_show_is_reached_by_its_address(opened: Show) -> None:
    host = own_address()
    bearer = {"Authorization": f"Bearer {opened.token}"}
    assert httpx.get(f"http://{host}:{opened.deck}/metrics", trust_env=False).status_code == 401
    assert httpx.get(f"http://{host}:{opened.deck}/metrics", headers=bearer, trust_env=False).status_code == 200


def test_open_osc_hears_this_machine_and_the_list_alone(opened: Show) -> None:
    with Osc(opened, own_address()) as stranger:
        assert not stranger.ping()
        stranger.send("/lw/snapshot/save", "stranger")
    with Osc(opened) as client:
        assert client.ping(tries=10)
        client.send("/lw/snapshot/save", "friend")
    until(lambda: (opened.folder / "snapshots" / "friend.json").is_file())
    assert not (opened.folder / "snapshots" / "stranger.json").exists()


def test_the_token_is_in_no_file(opened: Show) -> None:
    for name in files(opened.folder):
        assert opened.token not in (opened.folder / name).read_text(errors="replace"), name


# ---- and afterwards


def test_both_end_in_good_order_and_leave_nothing(shows: tuple[Show, Show]) -> None:
    for show in shows:
        family, pid = show.family(), show.process.pid
        assert show.end() == 0, show.said
        assert not [each for each in family if each.is_running()]
        assert not [*Path("/dev/shm").glob(f"lw-{pid}-*")]
        assert not [line for line in show.said if "Traceback" in line]
        errors = [json.loads(line) for line in (show.folder / "log.jsonl").read_text().splitlines()]
        assert not [each for each in errors if each.get("level") in ("error", "critical")]
