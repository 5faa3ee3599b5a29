"""Snapshots and takes deleted, renamed and downloaded by the deck, the log's end, the renderer started again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from standins.deck import Stagehand, serving

from installation.control.desk.shelf import Shelf
from installation.health.log_tail import last
from installation.ports.deck import Server
from installation.venue import Doors
from latentworld.errors import ControlError


@pytest.fixture
def hand(tmp_path: Path) -> Stagehand:
    made = Stagehand(tmp_path)
    (tmp_path / "takes").mkdir()
    for name in ("evening", "recording"):
        (tmp_path / "takes" / f"{name}.take").write_bytes(f"take {name}".encode())
    made.snapshots.save("dusk")
    made.snapshots.save("cue 2")
    (tmp_path / "secret.json").write_text("{}")
    return made


@pytest.fixture
def deck(hand: Stagehand) -> Iterator[Server]:
    with serving(hand) as server:
        yield server


def asked(server: Server, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
    content = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    url = f"http://127.0.0.1:{server.port}{path}"
    with httpx.Client(trust_env=False) as client:
        return client.request(method, url, content=content, headers=headers)


def test_a_snapshot_is_renamed_taken_home_and_deleted(deck: Server, hand: Stagehand) -> None:
    before = (hand.folder / "cue 2.json").read_bytes()
    told = asked(deck, "GET", "/snapshots/cue%202")
    assert (told.status_code, told.content) == (200, before)
    assert told.headers["content-disposition"] == "attachment; filename*=UTF-8''cue%202.json"
    assert asked(deck, "POST", "/snapshots/cue%202", {"name": "cue 3"}).status_code == 200
    assert hand.snapshots.names() == ["cue 3", "dusk"]
    assert asked(deck, "DELETE", "/snapshots/cue%203").status_code == 200
    assert hand.snapshots.names() == ["dusk"]


def test_a_take_likewise_but_not_the_one_that_is_recorded(deck: Server, hand: Stagehand) -> None:
    assert asked(deck, "GET", "/takes/evening").content == b"take evening"
    assert asked(deck, "POST", "/takes/evening", {"name": "first night"}).status_code == 200
    assert hand.takes() == ["first night", "recording"]
    for method, body in (("DELETE", None), ("POST", {"name": "b"})):
        answer = asked(deck, method, "/takes/recording", body)
        assert answer.status_code == 422
        assert "is being recorded: end that first" in answer.json()["fault"]
    assert (hand.folder.parent / "takes" / "recording.take").exists()


NAMES = [
    "..%2Fsecret",
    "%2e%2e%2f",
    "%2e%2e%2fsecret",
    "a%2Fb",
    ".hidden",
    "a.json",
    "no such",
    "x" * 65,
    "a%00b",
    "%C3%A4",
    "-a",
]


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
@pytest.mark.parametrize("name", NAMES)
def test_no_name_leads_out_of_the_folder(name: str, method: str, deck: Server, hand: Stagehand) -> None:
    before = sorted(path.name for path in hand.folder.parent.rglob("*"))
    answer = asked(deck, method, f"/snapshots/{name}", {"name": "other"} if method == "POST" else None)
    assert answer.status_code in (307, 404, 405, 422)  # 307: the same without a slash
    assert sorted(path.name for path in hand.folder.parent.rglob("*")) == before


@pytest.mark.parametrize(
    "body",
    [{"name": "../out"}, {"name": ""}, {"name": 3}, {}, [], b"{", b"\xff", {"name": "a" * 2000}, {"name": "cue 2"}],
)
def test_no_snapshot_is_called_what_is_no_name_or_is_taken(body: Any, deck: Server, hand: Stagehand) -> None:
    answer = asked(deck, "POST", "/snapshots/dusk", body)
    assert answer.status_code == 422
    assert answer.json()["fault"]
    assert hand.snapshots.names() == ["cue 2", "dusk"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("mine")
    (tmp_path / "a.json").symlink_to(tmp_path / "secret")
    with pytest.raises(ControlError, match="there is no snapshot 'a'"):
        Shelf(tmp_path, ".json", "snapshot").read("a")


def test_other_pages_and_those_without_the_token_do_nothing(hand: Stagehand, deck: Server) -> None:
    elsewhere = {"Origin": "http://evil.example"}
    assert asked(deck, "DELETE", "/snapshots/dusk", **elsewhere).status_code == 403
    with serving(hand, Doors(deck=0, open=True)) as open_door:
        assert open_door.token is not None
        for method, path in (("DELETE", "/snapshots/dusk"), ("GET", "/log"), ("POST", "/renderer/restart")):
            assert asked(open_door, method, path).status_code == 401
        assert asked(open_door, "GET", "/technician").status_code == 401
        key = {"Authorization": f"Bearer {open_door.token}"}
        assert asked(open_door, "POST", "/renderer/restart", **key).status_code == 202
    assert hand.restarted == 1
    assert "dusk" in hand.snapshots.names()


def test_the_logs_last_lines(deck: Server, hand: Stagehand) -> None:
    assert asked(deck, "GET", "/log").json() == {"lines": []}
    lines = [json.dumps({"time": "2026-01-01T00:00:00+00:00", "level": "info", "text": f"line {k}"}) for k in range(90)]
    (hand.folder.parent / "log.jsonl").write_text("\n".join([*lines[:50], "no json", "3", *lines[50:]]) + "\n")
    told = asked(deck, "GET", "/log").json()["lines"]
    assert (len(told), told[-1]["text"]) == (60, "line 89")
    assert set(told[0]) == {"time", "level", "text"}


def test_a_log_may_be_large_or_cut(tmp_path: Path) -> None:
    line = json.dumps({"time": "t", "level": "info", "text": "x" * 5000})
    (tmp_path / "log").write_text((line + "\n") * 200 + line[:100])
    found = last(tmp_path / "log", 10)
    assert len(found) == 10
    assert all(len(one.text) == 600 for one in found)
    assert last(tmp_path / "none", 10) == []
