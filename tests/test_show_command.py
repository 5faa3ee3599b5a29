"""`latentworld show` as people type it: what is refused is one line, what is said goes before the venue."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from rich.console import Console
from standins.osc import Stagehand

from installation.cli import show as command
from installation.show import state
from installation.show.ports import Ports
from installation.venue import Doors, Venue, Wall
from latentworld.errors import DiskFull, ShowError

REFUSED = {
    "unknown preset": ["show", "frist-light"],
    "unknown key": ["show", "analytic", "--set", "film.fsp=3"],
    "no venue": ["show", "analytic", "--venue", "OUT/nowhere.toml"],
    "unknown safe preset": ["show", "analytic", "--safe", "sfae", "--folder", "OUT"],
    "no address": [
        "show",
        "analytic",
        "--headless",
        "--open",
        "--allow",
        "foo",
        "--osc",
        "0",
        "--deck",
        "0",
        "--folder",
        "OUT/show",
    ],
    "unwritable folder": ["show", "analytic", "--headless", "--folder", "/proc/nowhere"],
}
MISUSED = {
    "two walls": ["show", "analytic", "--window", "--headless"],
    "no size": ["show", "analytic", "--size", "720p"],
    "a size of nothing": ["show", "analytic", "--size", "0x100"],
    "a port too far": ["show", "analytic", "--osc", "70000"],
}


CASES = {name: (arguments, 1) for name, arguments in REFUSED.items()}
CASES |= {name: (arguments, 2) for name, arguments in MISUSED.items()}


@pytest.mark.parametrize(("arguments", "code"), CASES.values(), ids=CASES.keys())
def test_what_is_refused_is_one_line(arguments: list[str], code: int, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    found, out, err = run(*(argument.replace("OUT", str(tmp_path)) for argument in arguments))
    assert (found, out) == (code, ""), err
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_a_port_that_another_has_is_refused_on_a_first_start_and_said_later(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Whoever types wants to know; a show that ran here yesterday goes on with what is left."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        found, _, err = run("show", "analytic", "--headless", "--osc", "0", "--deck", port, "--folder", tmp_path)
        assert (found, err.count("\n")) == (1, 1)
        assert f"error: the deck cannot have port {port}" in err
        said: list[str] = []
        ports = Ports(Stagehand(), Venue(midi=False, doors=Doors(osc=0, deck=port)), said.append, logging.getLogger())
        ports.start()
        ports.stop()
    assert [line.partition(":")[0] for line in said] == ["osc", "no deck"]
    assert list(tmp_path.iterdir()) == []  # nothing is kept of what did not begin


VENUES = {
    "[dors]\nosc = 1": "unknown section or key 'dors': did you mean 'doors'?",
    '[wall]\nkind = "windw"': "wall.kind = \"windw\": did you mean 'window'?",
    "[[walls]]\nmonitr = 1": "did you mean 'monitor'?",
    '[doors]\nallow = ["x"]': "doors.allow: 'x' is no address or network",
    '[doors]\nproxies = ["nginx"]': "doors.proxies: 'nginx' is no address or network",
}


@pytest.mark.parametrize(("text", "words"), VENUES.items())
def test_a_venue_is_checked_as_a_preset_is(text: str, words: str, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "venue.toml").write_text(text)
    given = ("show", "analytic", "--venue", tmp_path / "venue.toml", "--headless", "--osc", "0", "--deck", "0")
    found, _, err = run(*given, "--folder", tmp_path / "show")
    assert (found, err.count("\n")) == (1, 1)
    assert words in err
    assert not (tmp_path / "show").exists()


def test_the_journal_is_not_told_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / "journal").open("w+") as journal:
        monkeypatch.setattr("sys.stderr", journal)
        status = os.fstat(journal.fileno())
        for read in (f"{status.st_dev}:{status.st_ino}", "1:1"):
            monkeypatch.setenv("JOURNAL_STREAM", read)
            command._line(Console(file=journal))("deck: http://10.0.0.2:8080/?token=abc-DEF_1")
        journal.seek(0)
        assert journal.read().splitlines() == [
            "deck: http://10.0.0.2:8080/ (its code is on the test card)",
            "deck: http://10.0.0.2:8080/?token=abc-DEF_1",
        ]


def test_a_venue_with_an_unknown_key_names_it(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "v.toml").write_text("[wall]\nrotaton = 90\n")
    code, _, err = run("show", "analytic", "--venue", tmp_path / "v.toml")
    assert code == 1
    assert "wall.rotaton" in err


def test_a_part_of_nothing_is_refused_in_a_line(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "v.toml").write_text("[[walls]]\npart = [0.9, 0.0, 0.1, 1.0]\n")
    code, _, err = run("show", "analytic", "--venue", tmp_path / "v.toml")
    assert code == 1
    assert "walls[0].part]: a part goes from left, top to right, bottom" in err


def test_ndi_is_refused_while_the_doors_are_shut(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "v.toml").write_text('[outputs]\nndi = "wall"\n')
    code, _, err = run("show", "analytic", "--venue", tmp_path / "v.toml")
    assert code == 1
    assert "open the doors" in err


def test_what_is_typed_goes_before_the_venue_and_the_rest_stays() -> None:
    place = Venue(
        folder="here", safe="void", wall=Wall(rotation=90), walls=(Wall(monitor=2),), doors=Doors(osc=7000, deck=7001)
    )
    wall, doors = {"kind": "headless", "monitor": None, "size": (64, 96)}, {"osc": 0, "deck": None, "open": None}
    made = command._changed(place, {"folder": None, "safe": "neutral"}, wall, doors, {"deck"})
    assert made.wall == Wall(kind="headless", rotation=90, size=(64, 96))
    assert made.walls == (Wall(kind="headless", monitor=2),)
    assert (made.doors.osc, made.doors.deck, made.doors.open) == (0, None, False)
    assert (made.folder, made.safe) == ("here", "neutral")
    assert command._changed(place, {}, {}, {}, set()) == place
    with pytest.raises(ShowError, match="folder = 3"):
        command._changed(place, {"folder": 3}, {}, {}, set())
    with pytest.raises(ShowError, match=r'wall\.kind = "ceiling": use one of'):
        command._changed(place, {}, {"kind": "ceiling"}, {}, set())
    with pytest.raises(ShowError, match=r"unknown key 'doors\.oscc': did you mean 'osc'"):
        command._changed(place, {}, {}, {"oscc": 3}, set())
    assert (command._monitor("2"), command._monitor("HDMI-1"), command._size("720x1280")) == (2, "HDMI-1", (720, 1280))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_the_unit_is_shut_as_far_as_does_no_harm() -> None:
    unit = Path(__file__).parent.parent / "contrib" / "latentworld.service"
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=70", str(unit)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-200:] + done.stderr


def test_a_full_disk_keeps_no_show_from_starting_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state.write_if_changed(tmp_path / "preset.toml", "a = 1\n")

    def full(*_: object) -> None:
        raise DiskFull("full")

    monkeypatch.setattr(state.disk, "save", full)
    state.write_if_changed(tmp_path / "preset.toml", "a = 1\n")
    with pytest.raises(DiskFull):
        state.write_if_changed(tmp_path / "preset.toml", "a = 2\n")
