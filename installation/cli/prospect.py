"""`latentworld prospect`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from installation.cli.atlas.options import DEFAULT, Option
from installation.cli.consoles import on_stderr
from installation.cli.groups import grouped
from installation.cli.interrupt import again, ending
from installation.cli.presets import Override, heard, prompted
from installation.cli.progress import Speaker
from latentworld.errors import AtlasError


@dataclass(frozen=True)
class Among:
    """What is prospected."""

    count: Annotated[int, Option("-n", "--count", min=2, max=100_000, help="How many triples of seeds.")] = 200
    seed: Annotated[int, Option(min=0, help="Of the seeds that are drawn.")] = 0
    prompt: Annotated[str | None, Option(help="What the pictures are of; default: the preset's.")] = None
    prompts: Annotated[Path | None, Option(help="A file of prompts, one a line, on the preset's triple.")] = None


@dataclass(frozen=True)
class Looks:
    """How closely each is looked at."""

    globe: Annotated[int, Option(min=1, max=64, help="12 n^2 places of each globe.")] = 4
    faithful: Annotated[bool, Option("--faithful", help="Decode faithfully, not with the few-step scout.")] = False
    words: Annotated[str | None, Option(help="Phases by these words, as 'a cat,mountains'; without, by clusters.")] = (
        None
    )
    by: Annotated[str | None, Option(help="What counts, as length=1,phases=2,emergence=0.5.")] = None
    top: Annotated[int, Option(min=0, max=1000, help="How many of the best become presets.")] = 12
    ray: Annotated[str | None, Option(help="Decode on Ray: auto, local or an address.")] = None
    workers: Annotated[int | None, Option(help="Ray workers; default: what the cluster has room for.")] = None


@grouped
def prospect(
    preset: Annotated[str, typer.Argument(help="World, decoder, prompt; with --prompts the triple too.")] = DEFAULT,
    *,
    output: Annotated[Path, Option("-o", "--output", help="A folder; a prospect that is there goes on.")],
    among: Among,
    looks: Looks,
    set_: Override = None,
) -> None:
    """Rank triples of seeds, or prompts, by the rifts of their globes. A sheet of small globes, the best as presets."""
    from latentworld import preset as presets
    from latentworld.extras import need

    need("scipy.spatial")
    if among.prompts is not None and among.prompt is not None:
        raise AtlasError("--prompt and --prompts contradict each other: give one")
    overrides = prompted(among.prompt, None, set_)
    console = on_stderr()
    with (
        ending(lambda: f"interrupted; what was surveyed is kept, and the same command goes on: {again()}"),
        Speaker(console, "loading the world") as speaker,
    ):
        from installation.atlas import prospects, scouting, weights
        from latentworld.atlas.prospect import WEIGHTS
        from latentworld.cluster.crew import Means

        by = weights.read(looks.by, WEIGHTS)
        journey = heard(presets.load(preset, overrides), overrides)
        if among.prompts is not None:
            candidates = scouting.prompts(among.prompts, journey)
        else:
            candidates = scouting.triples(among.count, among.seed)
        means = None if looks.ray is None else Means(looks.ray, looks.workers)
        words = None if looks.words is None else looks.words.split(",")
        made = prospects.make(
            journey, candidates, output, by, words, looks.globe, looks.top, looks.faithful,
            partial(speaker, "prospecting"), means, console.print,
        )  # fmt: skip
    for one in made.ranking[: max(looks.top, 1)]:
        what = "seeds " + " ".join(map(str, one.seeds)) if one.prompt is None else f"{one.prompt:.50}"
        print(f"{one.rank:3}  {what:<28} rifts {one.length:.0f} latents, rate {one.steepness:.3f}, "
              f"{one.phases:.1f} phases  {one.preset}")  # fmt: skip
    print(f"{len(made.ranking)} ranked, {made.made} surveyed now")
    print(made.folder / "sheet.png")
