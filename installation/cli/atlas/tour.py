"""`latentworld atlas tour`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from installation.cli.atlas.options import Option, Where, pair
from installation.cli.consoles import on_stderr
from installation.cli.groups import grouped
from installation.cli.progress import Speaker
from latentworld.errors import AtlasError

if TYPE_CHECKING:
    from installation.atlas.tours import TourOptions


@dataclass(frozen=True)
class Route:
    """What a tour passes, and how."""

    point: Annotated[list[str] | None, Option(help="A place to pass, as 0.25,0.5; repeatable.")] = None
    label: Annotated[list[str] | None, Option(help="A phase to visit, by its name; repeatable.")] = None
    line: Annotated[list[int] | None, Option(help="A rift line to follow, 1 the strongest; repeatable.")] = None
    stops: Annotated[int, Option(min=2, help="How many places seek and avoid choose.")] = 8
    ordered: Annotated[bool, Option("--ordered", help="Keep the order of points and labels.")] = False
    closed: Annotated[bool | None, Option("--closed/--open", help="Come back to the start, or not.")] = None
    weave: Annotated[float | None, Option(help="Cells by which seek and follow cross a rift to and fro.")] = None
    by: Annotated[str, Option(help="What a geodesic goes by: meaning, metric (log Z's) or density.")] = "meaning"
    strength: Annotated[
        float, Option(help="How much a geodesic by density shuns the unlikely; negative: seeks it. -50 to 50.")
    ] = 1.0
    refine: Annotated[int, Option(min=0, max=3, help="Survey a geodesic's corridor finer, up to so many rounds.")] = 0

    def check(self, mode: str) -> None:
        """Raises AtlasError for what a tour of that mode does not heed."""
        given, own = asdict(self), asdict(Route())
        elsewhere = ("by", "strength", "refine") if mode != "geodesic" else ("closed", "label", "line", "weave")
        for name in elsewhere:
            if given[name] != own[name]:
                raise AtlasError(f"--{name} is nothing to a tour {mode}: leave it out")
        if self.by != "density" and given["strength"] != own["strength"]:
            raise AtlasError(f"--strength is of ways by density, not by {self.by}: leave it out, or say --by density")

    @property
    def points(self) -> list[tuple[float, float]]:
        """The places as numbers. Raises AtlasError."""
        return [pair(text, ",", float, "--point", "0.25,0.5") for text in self.point or ()]

    @property
    def options(self) -> TourOptions:
        """All else, as the atlas knows it."""
        from installation.atlas.geodesics import GeodesicOptions
        from installation.atlas.tours import TourOptions

        return TourOptions(
            geodesic=GeodesicOptions(self.by, self.strength, self.refine),
            stops=self.stops, ordered=self.ordered, closed=self.closed, weave=self.weave, labels=self.label or [],
            follow=self.line or [1],
        )  # fmt: skip


@grouped
def tour(
    atlas: Where,
    mode: Annotated[str, typer.Argument(help="seek, follow, avoid, visit, shortest or geodesic.")] = "seek",
    *,
    output: Annotated[Path, Option("-o", "--output", help="The preset to write, a .toml file; replaces one there.")],
    route: Route,
    speed: Annotated[float | None, Option(help="Latent arc length a second; default: the preset's.")] = None,
) -> None:
    """Plan a journey over an atlas and write it as a preset that `latentworld film` renders."""
    from installation.atlas import tours
    from installation.atlas.survey_folder import SurveyFolder

    route.check(mode)
    points, options = route.points, route.options
    console = on_stderr()
    with Speaker(console, "planning"):
        made = tours.write(SurveyFolder.at(atlas), mode, points, output, speed, options, console.print)
    shape = "a loop" if made.closed else "a way"
    print(f"{shape} of {len(made.unit)} waypoints, {made.length:.1f} latent units long")
    print(f"it strays {made.strays:.2f} cells at most from what was planned on the map")
    print(output)
