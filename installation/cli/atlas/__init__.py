"""`latentworld atlas`: survey a world, draw its map, zoom into its rifts, plan journeys."""

from __future__ import annotations

import typer

from installation.cli.atlas.emergence import emergence
from installation.cli.atlas.find import find
from installation.cli.atlas.maps import export, import_, plot, show
from installation.cli.atlas.metric import metric
from installation.cli.atlas.survey import survey
from installation.cli.atlas.tour import tour
from installation.cli.atlas.zoom import zoom
from installation.cli.help import Group

app = typer.Typer(
    cls=Group,
    help="Survey a latent globe, find its rifts, zoom in, plan journeys, find by words.",
    no_args_is_help=True,
)
app.command()(survey)
app.command()(show)
app.command()(plot)
app.command()(metric)
app.command()(export)
app.command("import")(import_)
app.command()(zoom)
app.command()(tour)
app.command()(find)
app.command()(emergence)
