"""The command line. Each group of commands is a module; what they need is imported when they are run."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

import typer

from installation.cli import (
    atlas,
    bridge,
    doctor,
    film,
    harvest,
    osc,
    plan,
    presets,
    prospect,
    score,
    show,
    still,
    vertices,
    worlds,
)
from installation.cli.added import WithAdded
from installation.terminal import one_line, speak_plainly
from latentworld import __version__
from latentworld.errors import LatentWorldError
from latentworld.registry import blamed

app = typer.Typer(
    name="latentworld",
    cls=WithAdded,
    help="Walk the latent plane of a diffusion model, feel where its meaning breaks, and film it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a fault of ours keeps its plain traceback
)
# every command there is, in the order of the help; those of other packages follow (added.py)
COMMANDS: dict[str, Callable[..., None] | typer.Typer] = {
    "film": film.app, "plan": plan.plan, "score": score.app, "still": still.still, "show": show.show,
    "vertices": vertices.app, "bridge": bridge.bridge, "doctor": doctor.doctor, "atlas": atlas.app,
    "harvest": harvest.harvest, "prospect": prospect.prospect, "worlds": worlds.app,
    "presets": presets.app, "osc": osc.app,
}  # fmt: skip
for _name, _command in COMMANDS.items():
    if isinstance(_command, typer.Typer):
        app.add_typer(_command, name=_name)
    else:
        app.command(_name)(_command)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


def say_everything() -> None:
    """No character ends a command: what a terminal's or a file's encoding lacks is written as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def main() -> None:
    """Run a command; what latentworld refuses becomes one line on stderr and exit code 1, what typer refuses 2."""
    say_everything()
    speak_plainly()
    try:
        sys.exit(app(standalone_mode=False))  # the code of a typer.Exit, else None
    except LatentWorldError as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        sys.exit(1)
    except typer.TyperException as error:
        if words := one_line(error.format_message()).rstrip("."):  # none where the help was printed instead
            print(f"error: {words}; see `latentworld --help` and `latentworld COMMAND --help`", file=sys.stderr)
        sys.exit(error.exit_code)
    except Exception as error:  # of another package's part it is one line; what is ours keeps its traceback
        if (line := blamed(error)) is None:
            raise
        print(f"error: {one_line(line)}", file=sys.stderr)
        sys.exit(1)
