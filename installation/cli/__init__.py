"""The command line. Each group of commands is a module; what they need is imported when they are run."""

from __future__ import annotations

import sys

import typer

from installation.cli import atlas, doctor, film, osc, presets, show, still, worlds
from latentworld import __version__
from latentworld.errors import LatentWorldError

app = typer.Typer(
    name="latentworld",
    help="Walk the latent plane of a diffusion model, feel where its meaning breaks, and film it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a fault of ours keeps its plain traceback
)
app.command("film")(film.film)
app.command("still")(still.still)
app.command("show")(show.show)
app.command("doctor")(doctor.doctor)
app.add_typer(atlas.app, name="atlas")
app.add_typer(worlds.app, name="worlds")
app.add_typer(presets.app, name="presets")
app.add_typer(osc.app, name="osc")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


def main() -> None:
    """Run a command; what latentworld refuses becomes one line on stderr and exit code 1, what typer refuses 2."""
    try:
        sys.exit(app(standalone_mode=False))  # the code of a typer.Exit, else None
    except LatentWorldError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(1)
    except typer.TyperException as error:
        if words := " ".join(error.format_message().split()).rstrip("."):  # none where the help was printed instead
            print(f"error: {words}; see `latentworld --help` and `latentworld COMMAND --help`", file=sys.stderr)
        sys.exit(error.exit_code)
