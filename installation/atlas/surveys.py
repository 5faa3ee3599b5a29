"""From a preset to an atlas, and from an atlas to what is drawn, planned and said of it: behind `latentworld atlas`.

::

    out/                    a survey's folder; every command takes it, or the store in it
      atlas.zarr            the store: features, thumbnails, rates, labels
      preset.toml           what decoded it, every setting spelt out
      preview.png           the survey so far
      atlas.html            the page that shows it
      pictures/             grid, field, overlay, phases, globe: PNG and SVG
"""

from __future__ import annotations

import datetime
import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from installation import rig
from installation.atlas import rendering
from installation.film.output import write_text
from installation.studio import Studio
from latentworld.arrays import Array, Indices, Pictures
from latentworld.atlas import field, mesh, page, phases, plots, reader, rifts, settings, store, survey
from latentworld.atlas import folder as folders
from latentworld.atlas import tour as tours
from latentworld.atlas.places import sampling_from
from latentworld.atlas.progress import ProgressPicture
from latentworld.atlas.sampling import Adaptive, Globe, Window
from latentworld.atlas.types import Atlas, Line, Mesh, Phases, Render, Site
from latentworld.decoding import Decoder, Profile
from latentworld.disk import writing
from latentworld.errors import AtlasError, AtlasMismatch, OutputError
from latentworld.plane import Plane
from latentworld.preset import Preset, dump, load

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Folder:
    """Where an atlas and what is made of it lie."""

    path: Path

    @property
    def store(self) -> Path:
        """The Zarr store of its places, features and thumbnails."""
        return self.path / "atlas.zarr"

    @property
    def preset(self) -> Path:
        """What decoded it."""
        return self.path / "preset.toml"

    @property
    def preview(self) -> Path:
        """The survey so far."""
        return self.path / "preview.png"

    @property
    def page(self) -> Path:
        """The page that shows it."""
        return self.path / "atlas.html"

    @property
    def pictures(self) -> Path:
        """The folder of its plots."""
        return self.path / "pictures"


@dataclass(frozen=True, eq=False)
class Findings:
    """An atlas with everything that follows from it."""

    atlas: Atlas
    mesh: Mesh
    rates: Array
    phases: Phases
    lines: list[Line]
    sites: list[Site]


def folder(path: str | Path) -> Folder:
    """A survey's folder by its own path or that of the store in it."""
    path = Path(path)
    return Folder(path.parent if path.suffix == ".zarr" else path)


def begin(
    studio: Studio,
    out: Folder,
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
    with writing(out.path):
        out.path.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    opened = store.resume_or_create(out.store, begun_with, studio.plane, settings.provenance(now))
    try:
        write_text(out.preset, dump(studio.preset))
    except BaseException:
        opened.close()
        raise
    return opened


def conclude(out: Folder, render: Render | None, phased: Callable[[Atlas], Phases]) -> Findings:
    """Field, noise floor (where there is a `render`), phases and rifts of a survey, kept in its store."""
    with store.open_for_writing(out.store) as kept:
        atlas, net = _charted(kept)
        rates = field.rates(atlas, net)
        kept.write_rates(rates)
        if render is not None and atlas.floor is None:
            kept.write_floor(field.measure_floor(render, atlas, rates))
        found = phased(atlas)
        kept.write_labels(found)
        atlas = kept.atlas()
    return _findings(atlas, net, rates, found)


def findings(out: Folder) -> Findings:
    """What was concluded of a survey; rates and clusters anew where places were added since."""
    kept = reader.Reader(out.store)
    atlas, net = _charted(kept)
    rates = kept.read_rates()
    rates = field.rates(atlas, net) if rates is None else rates
    return _findings(atlas, net, rates, kept.read_labels() or phases.by_clusters(atlas))


def _charted(kept: reader.Reader) -> tuple[Atlas, Mesh]:
    atlas = kept.atlas()
    if len(atlas) < 3:
        raise AtlasError(f"{kept.path} has {len(atlas)} places so far, too few for a field: survey on")
    return atlas, mesh.mesh(atlas)


def _findings(atlas: Atlas, net: Mesh, rates: Array, found: Phases) -> Findings:
    lines, sites = phases.lines(atlas, net, found, rates), rifts.strongest(atlas, net, rates)
    return Findings(atlas, net, rates, found, lines, sites)


def preset_of(out: Folder, overrides: Sequence[str] = ()) -> Preset:
    """What decoded an atlas. Raises AtlasError where that is not kept with it."""
    if not out.preset.is_file():
        reader.Reader(out.store)  # no atlas at all is the greater fault
        raise AtlasError(f"{out.path} has no preset.toml, so what made its pictures is not known: put one there")
    return load(out.preset, list(overrides))


def labeller(studio: Studio, words: Sequence[str] | None, count: int | None) -> Callable[[Atlas], Phases]:
    """Phases by words, through the eye, or by clusters of the features: `count` of them, or as many as fit."""
    if words is None:
        return lambda atlas: phases.by_clusters(atlas, count)
    chosen = phases.checked(words)
    classify = studio.eye.labels(chosen)
    return lambda atlas: phases.by_words(atlas, classify, chosen)


def draw(
    out: Folder, found: Findings, title: str = "", dpi: float = 150, paper: plots.Paper = plots.DARK
) -> list[Path]:
    """Every picture that this kind of survey has, as PNG and SVG, and the page."""
    atlas, rates = found.atlas, found.rates
    with writing(out.pictures):
        out.pictures.mkdir(parents=True, exist_ok=True)
    made: dict[str, Figure] = {}
    if isinstance(atlas.sampling, Globe):
        made["globe"] = plots.globe(atlas, rates, title=title, paper=paper)
        made["globe-phases"] = plots.globe(atlas, rates, found.phases, title=title, paper=paper)
    else:
        made["grid"] = plots.grid(atlas, title, paper)
        made["field"] = plots.field(atlas, rates, title, paper)
        made["overlay"] = plots.overlay(atlas, rates, title, paper)
        made["phases"] = plots.phases(atlas, found.phases, found.lines, found.sites, title, paper)
        made["globe"] = plots.globe(atlas, rates, title=title, paper=paper)
    files = [path for name, figure in made.items() for path in plots.save(figure, out.pictures / name, dpi)]
    page.write(atlas, rates, out.page, found.phases, found.lines, found.sites, title)
    return [*files, out.page]


@dataclass(frozen=True, eq=False)
class Survey:
    """A survey that was begun: what decodes (scout: through the few-step decoder), the folder and the store it goes
    into, and the longest edge of its thumbnails in pixels."""

    studio: Studio
    out: Folder
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

        factory = functools.partial(rendering.remote_renderer, dump(self.studio.preset), self.thumb, self.scout)
        preview = ProgressPicture(self.out.preview, time.monotonic)
        cluster.survey(self.into, factory, address, workers, on_block=on_block, preview=preview, say=say)


def relabelled(out: Folder, found: Findings, words: Sequence[str] | None, count: int | None) -> Findings:
    """The same survey with other phases, kept in its store; words need the world's eye, clusters do not."""
    if words is None:
        label: Callable[[Atlas], Phases] = functools.partial(phases.by_clusters, count=count)
    else:
        label = labeller(rig.open_studio(preset_of(out)), phases.checked(words), count)
    with store.open_for_writing(out.store) as kept:
        kept.write_labels(label(found.atlas))
    return findings(out)


def export(out: Folder, target: Path, full: bool) -> Path:
    """The write-up's folder; thumbnails smaller than the pictures are decoded again where `full`, by the very decoder
    that was surveyed with. metadata.json says how. Raises AtlasMismatch where the preset has no such decoder."""
    atlas = reader.read(out.store)
    folders.check(atlas, target)  # before a world is loaded
    profile = settings.profile_of(atlas.settings)  # none: imported, so that the pictures are elsewhere
    again = _decoded_again(out, atlas, profile) if full and profile and out.preset.is_file() else None
    if again is None:
        folders.export(atlas, target)
    else:
        folders.export(atlas, target, *again)
    return target


def _decoded_again(
    out: Folder, atlas: Atlas, profile: Profile
) -> tuple[Callable[[Indices], Pictures], dict[str, object]] | None:
    """Full-size pictures of places, and what metadata.json says of them; None where the thumbnails are as large."""
    longest = max(atlas.thumbs.shape[1:3])
    if 0 < max(profile.size) <= longest:
        return None
    studio = rig.open_studio(preset_of(out))
    decoder = _decoder_of(studio, profile, out)
    if longest >= max(decoder.size):
        return None
    render = rendering.renderer(studio, decoder, max(decoder.size))

    def pictures(places: Indices) -> Pictures:
        return render(atlas.unit[places], np.full(len(places), atlas.radius)).thumbs

    differences = profile.differences(decoder.profile)
    if not differences:
        return pictures, {"pictures": "decoded again, as they were surveyed"}
    by = {"decoded_by": decoder.profile.record(), "differences": differences}
    return pictures, {"pictures": "decoded again, otherwise", **by}


def _decoder_of(studio: Studio, profile: Profile, out: Folder) -> Decoder:
    """The decoder that a survey's profile tells of. Raises AtlasMismatch where the studio has none of its kind."""
    own = next((own for kind, own in studio.own.items() if kind == profile.kind), None)
    if own is None:
        raise AtlasMismatch(f"{out.preset} has no {profile.kind} decoder, which made {out.store}: put its own there")
    return studio.decoder.variant(profile.settings(own))


def imported(
    pictures: Path,
    out: Folder,
    clip: str | None,
    preset: str | None,
    thumb: int,
    words: Sequence[str] | None,
    count: int | None,
) -> Findings:
    """An atlas of pictures made elsewhere."""
    from latentworld.vision.clip import ClipEye

    chosen = None if words is None else phases.checked(words)
    eye = ClipEye(clip or "embedded")
    studio = None if preset is None else rig.open_studio(load(preset))
    plane = None if studio is None else studio.plane
    with writing(out.path):
        out.path.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    folders.import_into(out.store, pictures, eye, settings.provenance(now), plane, thumb, clip=clip or "embedded")
    if studio is not None:
        write_text(out.preset, dump(studio.preset))

    def label(seen: Atlas) -> Phases:
        return phases.by_clusters(seen, count) if chosen is None else phases.by_words(seen, eye.labels(chosen), chosen)

    return conclude(out, None, label)


def start_of_zoom(
    where: Folder | None, rift: int, spans: dict[str, tuple[float, float]], rows: int, columns: int, factor: float
) -> Window:
    """The first window of a zoom: `spans`, or one `factor` times smaller than an atlas, about one of its rifts."""
    table: dict[str, object] = {"kind": "window", **spans, "rows": rows, "columns": columns}
    if where is not None:
        found = findings(where)
        if not 1 <= rift <= len(found.sites):
            raise AtlasError(f"no rift {rift}: this atlas has {len(found.sites)}, counted from 1")
        site, sampling = found.sites[rift - 1], found.atlas.sampling
        if not site.front:
            raise AtlasError(f"rift {rift} lies on the far side of the globe, where no window is: choose another")
        width = 1.0 if isinstance(sampling, Globe) else min(b - a for a, b in (sampling.alpha, sampling.beta))
        half = width / factor / 2
        table |= {"alpha": (site.alpha - half, site.alpha + half), "beta": (site.beta - half, site.beta + half)}
    made = sampling_from(table)
    assert isinstance(made, Window)
    return made


def title_of(out: Folder) -> str:
    """What pictures of an atlas are headed by: its preset's title, else the folder's name."""
    return (load(out.preset).title if out.preset.is_file() else "") or out.path.resolve().name


def same_plane(where: Folder, plane: Plane) -> None:
    """Raises AtlasMismatch where an atlas is of another plane, so that its places lie elsewhere."""
    surveyed = reader.Reader(where.store).settings
    here = settings.plane_settings(plane)
    if surveyed.get("latent_distances", "measured") == "measured" and surveyed["plane"] != here:
        raise AtlasMismatch(f"{where.path} is of another plane than the preset's: zoom with its own, {where.preset}")


@dataclass(frozen=True)
class TourOptions:
    """What a tour passes and how, as in `latentworld.atlas.tour.plan`."""

    labels: Sequence[str] = ()
    follow: Sequence[int] = (1,)
    stops: int = 8
    ordered: bool = False
    closed: bool | None = None
    weave: float | None = None


def tour(
    out: Folder,
    mode: str,
    points: Sequence[tuple[float, float]],
    target: Path,
    speed: float | None,
    chosen: TourOptions,
) -> tours.Tour:
    """Plan a tour over an atlas and write the preset that films it. Raises OutputError where it is no .toml."""
    if target.suffix != ".toml" or target.resolve() == out.preset.resolve():
        raise OutputError(f"a tour is a preset of its own: {target} should end in .toml, and not be the atlas's")
    base = preset_of(out, [] if speed is None else [f"pacing.speed={speed!r}"])
    found = findings(out)
    plane = found.atlas.plane
    units = [plane.unit(alpha, beta) for alpha, beta in points]
    made = tours.plan(
        found.atlas,
        found.mesh,
        found.rates,
        tours.mode_of(mode),
        points=units,
        phases=found.phases,
        lines=found.lines,
        labels=chosen.labels,
        follow=chosen.follow,
        stops=chosen.stops,
        ordered=chosen.ordered,
        closed=chosen.closed,
        weave=chosen.weave,
    )
    with writing(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target, dump(made.preset(base)))
    return made


def still_options(site: Site, radius: float) -> str:
    """Where a rift lies, as options of `latentworld still`; radius: of the survey. See `Plane.place`."""
    signed = radius if site.front else -radius
    place = f"--alpha {site.alpha:.10g} --beta {site.beta:.10g}"
    return place if signed == 1.0 else f"{place} --radius {signed:.10g}"


def summary(found: Findings) -> dict[str, float]:
    """The figures that sum a survey up."""
    rates = found.rates[np.isfinite(found.rates)]
    median = float(np.median(rates))
    return {
        "places": float(len(found.atlas)),
        "median rate": median,
        "99th percentile over median": float(np.quantile(rates, 0.99)) / median,
        "largest over median": float(rates.max()) / median,
    }
