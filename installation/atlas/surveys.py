"""A survey in the making: from a preset to places, features and thumbnails in a store, here or on Ray."""

from __future__ import annotations

import datetime
import functools
import time
from collections.abc import Callable
from dataclasses import dataclass

from installation import rig
from installation.atlas import rendering
from installation.atlas.survey_folder import SurveyFolder
from installation.film.output import write_text
from installation.studio import Studio
from latentworld.atlas import settings, store, survey
from latentworld.atlas.progress import ProgressPicture
from latentworld.atlas.sampling import Adaptive, Globe, Window
from latentworld.preset import dump


def begin(
    studio: Studio,
    out: SurveyFolder,
    sampling: Window | Adaptive | Globe,
    *,
    radius: float = 1.0,
    thumb: int = 64,
    block: int | None = None,
    scout: bool = False,
) -> store.Store:
    """The store of a survey, begun or gone on with. Raises AtlasMismatch, AtlasBusy, AtlasDamaged."""
    decoder = rendering.chosen(studio, scout)
    here = studio.provenance(decoder).settings()
    begun_with = settings.settings_of(
        sampling,
        studio.plane,
        decoder.profile,
        block=decoder.settings.batch if block is None else block,
        radius=radius,
        **{key: here[key] for key in ("world", "eye", "prompt")},
        seeds=list(studio.preset.plane.seeds),
        layout=studio.preset.plane.layout,
        thumb=thumb,
    )
    out.claim()
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    opened = store.resume_or_create(out.store, begun_with, studio.plane, settings.provenance(now))
    try:
        write_text(out.preset, dump(studio.preset))
    except BaseException:
        opened.close()
        raise
    return opened


@dataclass(frozen=True, eq=False)
class Survey:
    """A survey that was begun: what decodes (scout: through the few-step decoder), the folder and the store it goes
    into, and the longest edge of its thumbnails in pixels."""

    studio: Studio
    out: SurveyFolder
    into: store.Store
    thumb: int
    scout: bool

    def run(self, on_block: survey.OnBlock) -> None:
        """Survey in this process, with a preview on disk every few seconds."""
        preview = ProgressPicture(self.out.preview, time.monotonic)
        render = rendering.renderer(self.studio, rendering.chosen(self.studio, self.scout), self.thumb)
        survey.run(self.into, render, on_block, preview)

    def run_on_ray(
        self, on_block: survey.OnBlock, address: str, workers: int | None, say: Callable[[str], None]
    ) -> None:
        """The same on Ray workers, each with a decoder of its own; `say` is called with which cluster it is."""
        from latentworld.atlas import cluster
        from latentworld.cluster.crew import Means

        factory = functools.partial(rendering.remote_renderer, dump(self.studio.preset), self.thumb, self.scout)
        preview = ProgressPicture(self.out.preview, time.monotonic)
        cluster.survey(self.into, factory, Means(address, workers), on_block, preview, say)


def surprised(studio: Studio, into: store.Store, scout: bool, on_block: survey.OnBlock) -> None:
    """Measure the surprise of every place that has none, block by block; a stopped one goes on.

    Raises AtlasError as `rig.surprise_of`.
    """
    measure, waiting = rig.surprise_of(studio, rendering.chosen(studio, scout)), into.unsurprised()
    done = into.blocks - len(waiting)
    for count, index in enumerate(waiting, 1):
        units, radii = survey.block_places(into, index)
        into.commit_surprise(index, measure(studio.plane.latents(units, radii), studio.prompt))
        on_block(min((done + count) * into.block, into.total), into.total, index)
