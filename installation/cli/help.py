"""The page that `-h` prints: usage, what it does, examples, arguments and options, in plain lines.

In a terminal lines end at its width; what goes to a file or another program is not wrapped. It is written without rich,
whose import alone would take half of the time that the page may take (benchmarks/help.py).
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from installation.cli.examples import EXAMPLES

if TYPE_CHECKING:
    from typer._click import Command as AnyCommand  # typer's own, which it has no public names for
    from typer._click import Context, HelpFormatter

WIDEST = 110  # columns, of however wide a terminal
BESIDE = 30  # columns: what is longer has its words on the line below
ENDLESS = 10_000  # columns of what is no terminal
HELP = ("-h", "--help")


class Command(TyperCommand):
    """A command with its examples."""

    def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:
        """As click has it."""
        formatter.write(page(self, ctx))


class Group(TyperGroup):
    """A group of commands with its examples. own: the command that is meant where none of them is named."""

    own = ""

    def spelt(self, args: list[str]) -> list[str]:
        """With the name of its own command, where that is left out."""
        return args if not self.own or (args and args[0] in self.commands) else [self.own, *args]

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """As typer's."""
        return super().parse_args(ctx, self.spelt(args))

    def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:
        """As click has it."""
        formatter.write(page(self, ctx))


def page(command: AnyCommand, ctx: Context) -> str:
    """All of the help of a command."""
    width = min(WIDEST, shutil.get_terminal_size().columns) if sys.stdout.isatty() else ENDLESS
    name = path(ctx)
    parts = [f"Usage: {usage(command, ctx)}", *_paragraphs(command.help or "", width)]
    if examples := EXAMPLES.get(name):
        parts.append("\n".join(["Examples:", *(f"  latentworld {line}" for line in examples)]))
    parts += [f"{title}:\n{_columns(rows, width)}" for title, rows in _sections(command, ctx) if rows]
    return "\n\n".join(parts) + "\n"


def path(ctx: Context) -> str:
    """What is typed after `latentworld` to reach a command: `atlas survey`; of `film render`, `film`."""
    names = []
    here: Context | None = ctx
    while here is not None and here.parent is not None:
        above = here.parent.command
        names.append("" if isinstance(above, Group) and above.own == here.info_name else here.info_name or "")
        here = here.parent
    return " ".join(filter(None, reversed(names)))


def usage(command: AnyCommand, ctx: Context) -> str:
    """The command with what it takes, in a line."""
    taken = [param for param in command.get_params(ctx) if isinstance(param, TyperArgument)]
    words = [_argument(param.display_name_raw.upper(), param.required, param.nargs != 1) for param in taken]
    inner = ["COMMAND ..."] if isinstance(command, TyperGroup) else []
    return " ".join(filter(None, ["latentworld", path(ctx), "[OPTIONS]", *words, *inner]))


def _argument(name: str, required: bool, several: bool) -> str:
    dots = " ..." if several else ""
    return f"{name}{dots}" if required else f"[{name}{dots}]"


def _sections(command: AnyCommand, ctx: Context) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Titles, and what is in them: names beside words."""
    records: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
    for param in command.get_params(ctx):
        if (record := param.get_help_record(ctx)) is not None:
            name = record[0].removesuffix(" <bool>") if _is_switch(param) else record[0]
            records[param.param_type_name].append((name, record[1]))
    yield "Arguments", records["argument"]
    yield "Options", [(name if name.startswith("-") and name[1] != "-" else f"    {name}", words)
                      for name, words in records["option"]]  # fmt: skip
    if isinstance(command, TyperGroup):
        found = [(name, command.get_command(ctx, name)) for name in command.list_commands(ctx)]
        yield "Commands", [(name, _first(part.help or "")) for name, part in found if part and not part.hidden]


def _is_switch(param: object) -> bool:
    return isinstance(param, TyperOption) and param.is_flag


def _first(text: str) -> str:
    """The first sentence."""
    line = " ".join(text.split("\n\n")[0].split())
    head, dot, _ = line.partition(". ")
    return f"{head}." if dot else line


def _paragraphs(text: str, width: int) -> list[str]:
    return [textwrap.fill(" ".join(part.split()), width, break_on_hyphens=False) for part in text.split("\n\n") if part]


def _columns(rows: Sequence[tuple[str, str]], width: int) -> str:
    """Names and words beside each other, the words below where a name is long."""
    wide = min(BESIDE, max(len(name) for name, _ in rows))
    lines = []
    for name, words in rows:
        first, *rest = textwrap.wrap(words, max(20, width - wide - 4), break_on_hyphens=False) or [""]
        below = len(name) > wide
        lines += [f"  {name}", f"  {'':{wide}}  {first}"] if below else [f"  {name:{wide}}  {first}".rstrip()]
        lines += [f"  {'':{wide}}  {line}" for line in rest]
    return "\n".join(lines)
