"""`latentworld atlas survey`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from installation.cli import completion
from installation.cli.atlas.options import DEFAULT, Decoding, Dpi, Interval, Labels, Option, Out, pair, spans
from installation.cli.atlas.report import counting, stopped, table, tell
from installation.cli.consoles import on_stderr
from installation.cli.groups import grouped
from installation.cli.interrupt import ending
from installation.cli.presets import Override, heard
from installation.cli.progress import Speaker
from installation.cli.tables import AsJson, give_json

if TYPE_CHECKING:
    from latentworld.atlas.sampling import Adaptive, Globe, Window


@dataclass(frozen=True)
class Area:
    """Which places: a window, what is steep of it, or the globe."""

    alpha: Interval = "0:1"
    beta: Interval = "0:1"
    size: Annotated[str, Option(help="Rows along alpha by columns along beta.")] = "50x50"
    globe: Annotated[int | None, Option(help="The whole globe instead: 12 n^2 equal-area places of HEALPix.")] = None
    adaptive: Annotated[bool, Option("--adaptive", help="Refine `size` where the field is steep.")] = False
    coarse: Annotated[int, Option(help="Stride of the first, coarse grid of --adaptive.")] = 8
    budget: Annotated[float, Option(help="Share of all nodes that --adaptive may decode.")] = 0.2

    @property
    def sampling(self) -> Window | Adaptive | Globe:
        """As the atlas knows it. Raises AtlasError."""
        from latentworld.atlas.places import sampling_from

        if self.globe is not None:
            return sampling_from({"kind": "globe", "nside": self.globe})
        rows, columns = pair(self.size, "x", int, "--size", "50x50")
        table: dict[str, object] = {"kind": "window", "rows": rows, "columns": columns, **spans(self.alpha, self.beta)}
        if self.adaptive:
            table |= {"kind": "adaptive", "coarse": self.coarse, "budget": self.budget}
        return sampling_from(table)


@dataclass(frozen=True)
class Cluster:
    """Where places are decoded: in this process, or by workers."""

    block: Annotated[int | None, Option(min=1, help="Places kept at once; default: the decoder's batch.")] = None
    ray: Annotated[str | None, Option(help="Decode on Ray: auto, local or an address.")] = None
    workers: Annotated[int | None, Option(help="Ray workers; default: what the cluster has room for.")] = None


@dataclass(frozen=True)
class Drawing:
    """What is drawn of it."""

    plots: Annotated[bool, Option(help="Draw the pictures and the page when it is done.")] = True
    dpi: Dpi = 150
    surprise: Annotated[
        bool, Option("--surprise", help="Measure how unlikely each picture is, also of a survey that is there.")
    ] = False


@grouped
def survey(
    preset: Annotated[
        str, typer.Argument(autocompletion=completion.preset, help="What decodes: world, prompt, plane, decoder.")
    ] = DEFAULT,
    *,
    output: Out,
    area: Area,
    decoding: Decoding,
    labels: Labels,
    drawing: Drawing,
    cluster: Cluster,
    set_: Override = None,
    as_json: AsJson = False,
) -> None:
    """Decode a window, the globe, or what is steep of a window; keep features, rates, phases and thumbnails."""
    from latentworld import preset as presets
    from latentworld.extras import need

    need("zarr")
    sampling = area.sampling
    chosen = labels.chosen
    journey = heard(presets.load(preset, overrides := decoding.overrides(set_)), overrides)
    console, thumb, scout = on_stderr(), decoding.thumb, decoding.scout
    with ending(lambda: stopped(output)), Speaker(console, "loading the world") as speaker:
        from installation import rig
        from installation.atlas import findings, rendering, surveys
        from installation.atlas.drawing import draw
        from installation.atlas.survey_folder import SurveyFolder
        from latentworld.atlas.settings import foresee

        out = SurveyFolder.at(output)
        known = {"sampling": sampling.model_dump(mode="json"), "radius": decoding.radius, "thumb": thumb}
        foresee(out.store, known | {"seeds": list(journey.plane.seeds)})
        studio = rig.open_studio(journey)
        # words that cannot be used are refused before the work
        label = findings.labeller(studio, chosen, labels.phases)
        begun = surveys.begin(
            studio, out, sampling, radius=decoding.radius, thumb=thumb, block=cluster.block, scout=scout
        )
        with begun as store:
            kept = counting(speaker, journey.title, store)
            under_way = surveys.Survey(studio, out, store, thumb, scout)
            if cluster.ray is None:
                under_way.run(kept)
            else:
                under_way.run_on_ray(kept, cluster.ray, cluster.workers, console.print)
            if drawing.surprise:
                surveys.surprised(studio, store, scout, counting(speaker, "how unlikely each is", store))
        speaker.part("field, floor, phases")
        render = rendering.renderer(studio, rendering.chosen(studio, scout), thumb)
        found = findings.conclude(out, render, label)
        if drawing.plots:
            speaker.part("drawing")
            draw(out, found, journey.title, drawing.dpi)
    made = out.page if drawing.plots else out.store
    if as_json:
        give_json({"made": str(made), **table(found)})
        return
    tell(found)
    print(made)
