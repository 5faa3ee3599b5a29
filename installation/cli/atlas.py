"""`latentworld atlas`: survey a world, draw its map, zoom into its rifts, plan journeys."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.console import Console

from installation.cli.interrupt import again, ending
from installation.cli.presets import Override
from latentworld.errors import AtlasError

if TYPE_CHECKING:
    from installation.atlas.surveys import Findings
    from latentworld.atlas.sampling import Adaptive, Globe, Window
    from latentworld.atlas.store import Store

Number = TypeVar("Number", int, float)
Option = typer.Option
app = typer.Typer(help="Survey a latent globe, find its rifts, zoom into them, plan journeys.", no_args_is_help=True)
Out = Annotated[Path, Option("-o", "--output", help="Folder of the atlas; a survey that is there goes on.")]
Where = Annotated[Path, typer.Argument(help="Folder of an atlas, or the .zarr store in it.")]
Words = Annotated[str | None, Option(help="Phases by these words, as 'a cat,mountains'; without, by clusters.")]
Count = Annotated[int | None, Option(help="How many clusters; without, as many as fit.")]
Interval = Annotated[str, Option(help="An interval, both ends included, as 0.4:0.6.")]
Dpi = Annotated[int, Option(min=20, max=1200, help="Of the PNGs; 300 for print.")]
Thumb = Annotated[int, Option(min=4, max=1024, help="Longest edge of the thumbnails, in pixels.")]
DEFAULT = "neutral"


@app.command()
def survey(
    preset: Annotated[str, typer.Argument(help="What decodes: world, prompt, plane, decoder.")] = DEFAULT,
    *,
    output: Out,
    alpha: Interval = "0:1",
    beta: Interval = "0:1",
    size: Annotated[str, Option(help="Rows along alpha by columns along beta.")] = "50x50",
    globe: Annotated[int | None, Option(help="The whole globe instead: 12 n^2 equal-area places of HEALPix.")] = None,
    adaptive: Annotated[bool, Option("--adaptive", help="Refine `size` where the field is steep.")] = False,
    coarse: Annotated[int, Option(help="Stride of the first, coarse grid of --adaptive.")] = 8,
    budget: Annotated[float, Option(help="Share of all nodes that --adaptive may decode.")] = 0.2,
    radius: Annotated[float, Option(help="Factor of the shell.")] = 1.0,
    scout: Annotated[bool, Option("--scout", help="Decode with the few-step scout.")] = False,
    thumb: Thumb = 64,
    block: Annotated[int | None, Option(min=1, help="Places kept at once; default: the decoder's batch.")] = None,
    words: Words = None,
    phases: Count = None,
    plots: Annotated[bool, Option(help="Draw the pictures and the page when it is done.")] = True,
    dpi: Dpi = 150,
    ray: Annotated[str | None, Option(help="Decode on Ray: auto, local or an address.")] = None,
    workers: Annotated[int | None, Option(help="Ray workers; default: what the cluster has room for.")] = None,
    set_: Override = None,
) -> None:
    """Decode a window, the globe, or what is steep of a window; keep features, rates, phases and thumbnails."""
    from latentworld import preset as presets
    from latentworld.atlas.extras import need

    need("zarr")
    sampling = _sampling(alpha, beta, size, globe, coarse if adaptive else None, budget)
    chosen = _words(words)
    journey = presets.load(preset, set_ or [])
    console = Console(stderr=True)
    with ending(lambda: _stopped(output)):
        with console.status("loading the world"):
            from installation import rig
            from installation.atlas import rendering, surveys

            studio = rig.open_studio(journey)
        out = surveys.folder(output)
        label = surveys.labeller(studio, chosen, phases)  # words that cannot be used are refused before the work
        begun = surveys.begin(studio, out, sampling, radius=radius, thumb=thumb, block=block, scout=scout)
        with begun as kept, _Bar(journey.title, kept, console) as bar:
            if ray is None:
                surveys.run(studio, out, kept, thumb, scout, bar)
            else:
                surveys.on_ray(studio, out, kept, thumb, scout, bar, ray, workers, console.print)
        with console.status("field, floor, phases"):
            render = rendering.renderer(studio, rendering.chosen(studio, scout), thumb)
            found = surveys.conclude(out, render, label)
        if plots:
            with console.status("drawing"):
                surveys.draw(out, found, journey.title, dpi)
    _tell(found)
    print(out.page if plots else out.store)


@app.command()
def show(atlas: Where, count: Annotated[int, Option(min=0, help="How many rifts to list.")] = 12) -> None:
    """What an atlas holds: its figures, phases, rift lines and strongest rifts."""
    from installation.atlas import surveys

    _tell(surveys.findings(surveys.folder(atlas)), count)


@app.command()
def plot(
    atlas: Where,
    words: Words = None,
    phases: Count = None,
    dpi: Dpi = 150,
    light: Annotated[bool, Option("--light", help="On light paper.")] = False,
    title: Annotated[str | None, Option(help="Above every picture; default: the preset's.")] = None,
) -> None:
    """Draw an atlas again: grid, field, overlay, phases, globe as PNG and SVG, and the page."""
    from installation.atlas import surveys
    from latentworld.atlas import plots as drawing

    out = surveys.folder(atlas)
    with Console(stderr=True).status("drawing"):
        found = surveys.findings(out)
        if words is not None or phases is not None:
            found = surveys.relabelled(out, found, _words(words), phases)
        paper = drawing.LIGHT if light else drawing.DARK
        made = surveys.draw(out, found, surveys.title_of(out) if title is None else title, dpi, paper)
    for path in made:
        print(path)


@app.command()
def export(
    atlas: Where,
    output: Annotated[Path, Option("-o", "--output", help="A new or empty folder.")],
    full: Annotated[bool, Option(help="Decode again at full size where thumbnails are smaller.")] = True,
) -> None:
    """Write a window as the write-up's folder: a000_b000.png, ... and metadata.json."""
    from installation.atlas import surveys

    with Console(stderr=True).status("writing pictures"):
        made = surveys.export(surveys.folder(atlas), output, full)
    print(made)


@app.command("import")
def import_(
    pictures: Annotated[Path, typer.Argument(help="A folder with PNGs and metadata.json.")],
    output: Out,
    clip: Annotated[str | None, Option(help="The eye: a CLIPModel folder or hub name; default: embedded.")] = None,
    preset: Annotated[str | None, Option(help="The preset that made them: its plane gives true distances.")] = None,
    thumb: Thumb = 64,
    words: Words = None,
    phases: Count = None,
    dpi: Dpi = 150,
) -> None:
    """Read the write-up's folder, made here or elsewhere, into an atlas: features, field, phases, pictures."""
    from installation.atlas import surveys

    out, console = surveys.folder(output), Console(stderr=True)
    with ending(lambda: _stopped(output)):
        with console.status("looking at the pictures"):
            found = surveys.imported(pictures, out, clip, preset, thumb, _words(words), phases)
        with console.status("drawing"):
            surveys.draw(out, found, pictures.resolve().name, dpi)
    _tell(found)
    print(out.page)


@app.command()
def zoom(
    preset: Annotated[str | None, typer.Argument(help="What decodes; default: what the atlas did, or neutral.")] = None,
    *,
    output: Annotated[Path, Option("-o", "--output", help="Folder for the series, the growth and the film.")],
    overwrite: Annotated[bool, Option("--overwrite", help="Replace a zoom that is there already.")] = False,
    atlas: Annotated[Path | None, Option(help="Begin at the strongest rift of this atlas.")] = None,
    rift: Annotated[int, Option(help="Which of its rifts, 1 the strongest.")] = 1,
    at: Annotated[str | None, Option(help="Fall into this place, as 0.25,0.5, instead of the steepest.")] = None,
    alpha: Interval = "0:1",
    beta: Interval = "0:1",
    size: Annotated[str, Option(help="Rows along alpha by columns along beta of every level.")] = "24x24",
    factor: Annotated[float, Option(help="How much smaller every window is.")] = 10.0,
    levels: Annotated[int | None, Option(help="How many; without, until pictures stop changing.")] = None,
    radius: Annotated[float, Option(help="Factor of the shell.")] = 1.0,
    scout: Annotated[bool, Option("--scout", help="Decode with the few-step scout.")] = False,
    thumb: Thumb = 64,
    film: Annotated[bool, Option(help="Film the fall.")] = True,
    seconds: Annotated[float, Option(help="How long the film takes for a level.")] = 3.0,
    dpi: Dpi = 150,
    set_: Override = None,
) -> None:
    """Fall into a rift, window by window, until pictures stop changing."""
    from latentworld import preset as presets
    from latentworld.atlas.extras import need

    need("matplotlib")
    rows, columns = _pair(size, "x", int, "--size", "24x24")
    follow = None if at is None else _pair(at, ",", float, "--at", "0.25,0.5")
    spans, console = _spans(alpha, beta), Console(stderr=True)
    with ending(lambda: f"interrupted, no zoom was kept: to begin anew, {again()}"):
        with console.status("loading the world"):
            from installation import rig
            from installation.atlas import rendering, surveys, zooms

            where = None if atlas is None else surveys.folder(atlas)
            if preset is None and where is not None:
                journey = surveys.preset_of(where, set_ or [])
            else:
                journey = presets.load(preset or DEFAULT, set_ or [])
            zooms.prepare(output, seconds, overwrite)
            start = surveys.start_of_zoom(where, rift, spans, rows, columns, factor)
            studio = rig.open_studio(journey)
            if where is not None:
                surveys.same_plane(where, studio.plane)
        render = rendering.renderer(studio, rendering.chosen(studio, scout), thumb)
        with console.status("the first window") as status:
            found, whole = zooms.run(
                render, studio.plane, start, factor, levels, radius, follow,
                lambda level: status.update(f"level {level.index + 1}: a width of {level.width:.1g} is done"),
            )  # fmt: skip
            status.update("drawing")
            made = zooms.make(output, found, journey.title, seconds, film, dpi)
    for line in zooms.table(found):
        print(line)
    print(made.film or made.series)
    if not whole:
        count = f"interrupted after {len(found.levels)} levels, which are drawn"
        print(f"{count}: to fall to the ground, {again('--overwrite')}", file=sys.stderr)
        raise typer.Exit(130)


@app.command()
def tour(
    atlas: Where,
    mode: Annotated[str, typer.Argument(help="seek, follow, avoid, visit or shortest.")] = "seek",
    *,
    output: Annotated[Path, Option("-o", "--output", help="The preset to write, a .toml file; replaces one there.")],
    point: Annotated[list[str] | None, Option(help="A place to pass, as 0.25,0.5; repeatable.")] = None,
    label: Annotated[list[str] | None, Option(help="A phase to visit, by its name; repeatable.")] = None,
    line: Annotated[list[int] | None, Option(help="A rift line to follow, 1 the strongest; repeatable.")] = None,
    stops: Annotated[int, Option(min=2, help="How many places seek and avoid choose.")] = 8,
    ordered: Annotated[bool, Option("--ordered", help="Keep the order of points and labels.")] = False,
    closed: Annotated[bool | None, Option("--closed/--open", help="Come back to the start, or not.")] = None,
    weave: Annotated[float | None, Option(help="Cells by which seek and follow cross a rift to and fro.")] = None,
    speed: Annotated[float | None, Option(help="Latent arc length a second; default: the preset's.")] = None,
) -> None:
    """Plan a journey over an atlas and write it as a preset that `latentworld film` renders."""
    from installation.atlas import surveys

    points = [_pair(text, ",", float, "--point", "0.25,0.5") for text in point or ()]
    chosen = surveys.TourOptions(
        stops=stops, ordered=ordered, closed=closed, weave=weave, labels=label or [], follow=line or [1]
    )
    with Console(stderr=True).status("planning"):
        made = surveys.tour(surveys.folder(atlas), mode, points, output, speed, chosen)
    shape = "a loop" if made.closed else "a way"
    print(f"{shape} of {len(made.unit)} waypoints, {made.length:.1f} latent units long")
    print(f"it strays {made.strays:.2f} cells at most from what was planned on the map")
    print(output)


def _sampling(
    alpha: str, beta: str, size: str, globe: int | None, coarse: int | None, budget: float
) -> Window | Adaptive | Globe:
    from latentworld.atlas.places import sampling_from

    if globe is not None:
        return sampling_from({"kind": "globe", "nside": globe})
    rows, columns = _pair(size, "x", int, "--size", "50x50")
    table: dict[str, object] = {"kind": "window", "rows": rows, "columns": columns}
    table |= _spans(alpha, beta)
    if coarse is not None:
        table |= {"kind": "adaptive", "coarse": coarse, "budget": budget}
    return sampling_from(table)


def _spans(alpha: str, beta: str) -> dict[str, tuple[float, float]]:
    return {"alpha": _pair(alpha, ":", float, "--alpha", "0:1"), "beta": _pair(beta, ":", float, "--beta", "0:1")}


def _pair(text: str, between: str, kind: Callable[[str], Number], option: str, like: str) -> tuple[Number, Number]:
    try:
        first, second = (kind(part) for part in text.split(between))
    except ValueError:
        raise AtlasError(f"{option} {json.dumps(text)}: write two numbers, as {like}") from None
    return first, second


def _words(text: str | None) -> list[str] | None:
    return None if text is None else text.split(",")


def _stopped(output: Path) -> str:
    """How far a survey came that was interrupted."""
    from installation.atlas import surveys
    from latentworld.atlas import store

    try:
        kept = store.Store(surveys.folder(output).store)
        words = f"interrupted with {kept.done} of {kept.total} places kept"
    except AtlasError:
        words = "interrupted before the first place"
    return f"{words}; the same command goes on: {again()}"


def _tell(found: Findings, count: int = 5) -> None:
    """The figures of a survey, its strongest rift lines and its strongest rifts."""
    from installation.atlas import surveys

    atlas = found.atlas
    for name, value in surveys.summary(found).items():
        print(f"{name:<30} {value:.6g}")
    if atlas.floor is not None:
        print(f"{'noise floor, feature distance':<30} {atlas.floor.jitter:.3g}")
    total = max(1, len(found.phases.label))
    for index, name in enumerate(found.phases.names):
        print(f"{name:<30} {100 * (found.phases.label == index).sum() / total:.0f}%")
    if not atlas.complete:
        print("the survey is not complete: run it again and it goes on")
    names = found.phases.names
    for number, line in enumerate(found.lines[:count], 1):
        (a, b), (c, d) = line.line[0], line.line[-1]
        ends = f"closed, by {a:.4g},{b:.4g}" if line.closed else f"{a:.4g},{b:.4g} to {c:.4g},{d:.4g}"
        between = " | ".join(names[side] for side in line.between)
        print(f"line {number:>2}  mean rate {line.strength:.4g}  {between}  {ends}")
    for number, site in enumerate(found.sites[:count], 1):
        sides = " | ".join(names[found.phases.label[side]] for side in site.sides)
        place = surveys.still_options(site, atlas.radius)
        print(f"rift {number:>2}  rate {site.rate:.4g}, {site.contrast:.1f} times the median  {sides}  {place}")


class _Bar:
    """Places done, places a second of this run, time left."""

    def __init__(self, title: str, kept: Store, console: Console) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        rate = TextColumn("{task.fields[rate]}")
        self._progress = Progress(
            TextColumn("[bold]{task.description}"), BarColumn(bar_width=None), MofNCompleteColumn(), rate,
            TextColumn("eta"), TimeRemainingColumn(), console=console, refresh_per_second=4,
        )  # fmt: skip
        self._task = self._progress.add_task(title or "survey", total=kept.total, completed=kept.done, rate="")

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self._progress.stop()

    def __call__(self, done: int, total: int, block: int) -> None:
        """A block was kept."""
        speed = self._progress.tasks[0].speed or math.nan
        rate = "" if math.isnan(speed) else f"{speed:.1f}/s"
        self._progress.update(self._task, completed=done, total=total, rate=rate)
