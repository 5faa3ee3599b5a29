"""Options that belong together reach a command as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer

from installation.cli.groups import grouped


@dataclass(frozen=True)
class Size:
    height: Annotated[int, typer.Option(min=1, help="How high.")] = 3
    wide: Annotated[bool, typer.Option("--wide", help="Twice.")] = False


@dataclass(frozen=True)
class Place:
    at: str = "here"


def test_the_options_of_a_group_are_those_of_its_fields() -> None:
    heard: list[object] = []

    @grouped
    def draw(name: Annotated[str, typer.Argument()], *, size: Size, place: Place, fast: bool = False) -> None:
        """Draws."""
        heard.append((name, size, place, fast))

    app = typer.Typer()
    app.command()(draw)
    app(["a", "--height", "5", "--wide", "--at", "there"], standalone_mode=False)
    app(["b", "--fast"], standalone_mode=False)
    assert heard == [("a", Size(5, True), Place("there"), False), ("b", Size(), Place(), True)]
    with pytest.raises(typer.TyperException, match="greater than or equal to 1"):
        app(["c", "--height", "0"], standalone_mode=False)
    assert draw.__doc__ == "Draws."


def test_two_options_of_one_name_are_refused() -> None:
    with pytest.raises(TypeError, match="two options named at"):

        @grouped
        def draw(place: Place, at: str = "") -> None: ...
