"""Commands of other packages: named by their entry points, imported when they are run, and one line when broken."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Collection
from typing import TYPE_CHECKING

import typer
from typer.core import TyperCommand

from installation.cli.commands import COMMANDS, command, listed
from installation.cli.help import Group
from latentworld.registry import Registry

if TYPE_CHECKING:
    from typer._click import Command, Context  # typer's own, which it has no public name for


def checked(name: str, found: object) -> Command:
    """What typer runs, of a function as `typer.Typer.command` takes it or of a `typer.Typer`. Raises TypeError, and
    what typer raises for parameters that it cannot read."""
    if isinstance(found, typer.Typer):
        command = typer.main.get_command(found)
    elif callable(found) and not inspect.isclass(found):
        single = typer.Typer(add_completion=False)
        single.command(name)(found)
        command = typer.main.get_command(single)
    else:
        raise TypeError(f"{found!r:.80} is neither a typer.Typer nor a function with typer's parameters")
    command.name = name
    return command


def registry(built_in: Collection[str]) -> Registry[Command]:
    """The commands of other packages; built_in: names that they cannot take."""
    return Registry("latentworld.commands", "command", {}, checked, reserved=built_in)


class WithAdded(Group):
    """The commands that come along, then those of other packages."""

    def __init__(self, *arguments: object, **settings: object) -> None:
        super().__init__(*arguments, **settings)  # type: ignore[arg-type]
        self.commands = {name: listed(name) for name in COMMANDS}
        self.added = registry(tuple(COMMANDS))

    def list_commands(self, ctx: Context) -> list[str]:
        """All names; what is known to be broken without an import goes to stderr, a line each."""
        names = self.added.names()
        for broken in self.added.broken():
            print(f"warning: {broken}", file=sys.stderr)
        return [*super().list_commands(ctx), *names]

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """For listings: one that only says what it does, or which package it is from. Nothing is imported."""
        if (ours := super().get_command(ctx, cmd_name)) is not None:
            return ours
        found = {part.name: part.source for part in self.added.added()}
        return TyperCommand(cmd_name, help=f"Of {found[cmd_name]}.") if cmd_name in found else None

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """The command that is to be run, imported now. Raises PluginError where it is broken."""
        name, found, rest = super().resolve_command(ctx, args)
        if name is not None and found is not None:
            found = command(name) if name in COMMANDS else self.added.get(name)
        return name, found, rest
