"""The command line. Each group of commands is a module, imported when it is run (commands.py)."""

from __future__ import annotations

import errno
import sys

import typer

from installation.cli.added import WithAdded
from installation.cli.consoles import hush
from installation.cli.help import HELP, Group
from installation.terminal import one_line, open_streams, speak_plainly
from latentworld.errors import LatentWorldError
from latentworld.registry import blamed

PROGRAM = "latentworld"  # whatever it is run through, such as `python -m installation`
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # of a file that is printed to; ours are asked for by name
app = typer.Typer(
    name=PROGRAM,
    cls=WithAdded,
    help="Walk the latent plane of a diffusion model, feel where its meaning breaks, and film it.",
    invoke_without_command=True,
    context_settings={"help_option_names": list(HELP)},
    pretty_exceptions_enable=False,  # a fault of ours keeps its plain traceback
)


def _version(asked: bool) -> None:
    if asked:
        from latentworld import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Walk the latent plane of a diffusion model, feel where its meaning breaks, and film it."""
    if context.invoked_subcommand is None:
        from installation.cli.greeting import greeting

        typer.echo(greeting(), nl=False)


def _help(error: Exception) -> str | None:
    """What a group says that was named without a command."""
    from typer._click.exceptions import NoArgsIsHelpError  # typer's own, which it has no public name for

    return error.format_message() if isinstance(error, NoArgsIsHelpError) else None


def _path(error: Exception) -> str:
    """The command that was misused."""
    from typer._click.exceptions import UsageError  # typer's own, which it has no public name for

    context = error.ctx if isinstance(error, UsageError) else None
    above = None if context is None else context.parent
    if context is None:
        return PROGRAM
    is_own = above is not None and isinstance(above.command, Group) and above.command.own == context.info_name
    return above.command_path if is_own and above else context.command_path  # `film render` is typed `film`


def main() -> None:
    """Run a command; what latentworld refuses becomes one line on stderr and exit code 1, what typer refuses 2."""
    open_streams()
    speak_plainly()
    try:
        code = app(standalone_mode=False, prog_name=PROGRAM)  # of a typer.Exit, else None
        sys.stdout.flush()
        sys.exit(code)
    except LatentWorldError as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        sys.exit(1)
    except typer.TyperException as error:
        if (shown := _help(error)) is not None:
            print(shown, file=sys.stderr)
        elif words := one_line(error.format_message()).rstrip("."):
            words += " See" if words.endswith("?") else "; see"
            print(f"error: {words} `{_path(error)} --help`", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.filename is not None or error.errno not in FULL:
            raise
        hush(sys.stdout)
        print(f"error: what this says cannot be written ({error.strerror}): send it elsewhere", file=sys.stderr)
        sys.exit(1)
    except Exception as error:  # of another package's part it is one line; what is ours keeps its traceback
        if (line := blamed(error)) is None:
            raise
        print(f"error: {one_line(line)}", file=sys.stderr)
        sys.exit(1)
