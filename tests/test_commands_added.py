"""Commands of other packages: listed without an import, run by name, one line when broken."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import pytest
import typer
from plugins import entries, module, package

from installation.cli import added
from installation.cli.plugins import report
from latentworld import registry


def greet(name: Annotated[str, typer.Argument()] = "world") -> None:
    """Greets."""
    print(f"hello {name}")


class Plain:
    """No command: it would be made, and nothing run."""


def several() -> typer.Typer:
    app = typer.Typer()
    app.command("one")(lambda: print("one"))
    app.command("two")(lambda: print("two"))
    return app


@pytest.fixture
def others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with two sound commands, three broken ones and one whose name is taken."""
    module(monkeypatch, "commands_of_others", greet=greet, several=several(), number=3, plain=Plain)
    named = {name: f"commands_of_others:{name}" for name in ("greet", "several", "number", "plain")}
    named |= {"gone": "no_such_module:main", "lazy": "pyclbr:main", "film": "commands_of_others:greet"}
    made = package(tmp_path, "others", "0.1", "latentworld.commands", named)
    monkeypatch.setattr(registry, "_installed", entries(made))


@pytest.mark.usefixtures("others")
def test_commands_are_listed_by_name_and_imported_when_run(run) -> None:  # type: ignore[no-untyped-def]
    code, out, err = run("--help")
    assert code == 0
    assert all(name in out for name in ("film", "greet", "several", "Of others 0.1."))
    assert err.splitlines() == [
        "warning: the command 'film' of others 0.1 (commands_of_others:greet) cannot be used: latentworld has a command"
        " of that name: one of the two needs another"
    ]
    assert "pyclbr" not in sys.modules
    assert run("greet", "there")[:2] == (0, "hello there\n")
    assert run("several", "two")[:2] == (0, "two\n")


@pytest.mark.usefixtures("others")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gone", "No module named 'no_such_module'"),
        ("number", "3 is neither a typer.Typer nor a function"),
        ("plain", "Plain'> is neither a typer.Typer nor a function"),
    ],
)
def test_a_broken_command_is_a_line_and_the_others_work(run, name: str, reason: str) -> None:  # type: ignore[no-untyped-def]
    code, out, err = run(name)
    assert (code, out) == (1, "")
    assert err.startswith(f"error: the command '{name}' of others 0.1")
    assert reason in err
    assert err.count("\n") == 1
    assert run("greet")[:2] == (0, "hello world\n")
    assert run("presets", "show", "void")[0] == 0


@pytest.mark.usefixtures("others")
def test_the_doctor_knows_what_is_there_and_what_is_broken() -> None:
    told = report([added.registry(("film",))])
    assert told["plugins"] == ["command greet of others 0.1", "command several of others 0.1"]
    assert [line.split("'")[1] for line in told["broken_plugins"]] == ["film", "gone", "lazy", "number", "plain"]


@pytest.mark.usefixtures("others")
def test_the_doctor_says_each_of_them_on_a_line(run) -> None:  # type: ignore[no-untyped-def]
    lines = run("doctor")[1].splitlines()
    assert "plugins: command greet of others 0.1" in lines
    assert [line for line in lines if "number" in line] == [
        "broken plugins: the command 'number' of others 0.1 (commands_of_others:number) cannot be used: 3 is neither a"
        " typer.Typer nor a function with typer's parameters"
    ]
