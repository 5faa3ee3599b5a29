"""Where a zoom begins: in a window, or about a rift of an atlas."""

from __future__ import annotations

from installation.atlas import findings
from installation.atlas.survey_folder import SurveyFolder
from latentworld.atlas import settings
from latentworld.atlas.places import sampling_from
from latentworld.atlas.reader import Reader
from latentworld.atlas.sampling import Globe, Window
from latentworld.errors import AtlasError, AtlasMismatch
from latentworld.plane import Plane


def window(
    where: SurveyFolder | None, rift: int, spans: dict[str, tuple[float, float]], rows: int, columns: int, factor: float
) -> Window:
    """The first window of a zoom: `spans`, or one `factor` times smaller than an atlas, about one of its rifts."""
    table: dict[str, object] = {"kind": "window", **spans, "rows": rows, "columns": columns}
    if where is not None:
        found = findings.read(where)
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


def same_plane(where: SurveyFolder, plane: Plane) -> None:
    """Raises AtlasMismatch where an atlas is of another plane, so that its places lie elsewhere."""
    surveyed = Reader(where.store).settings
    here = settings.plane_settings(plane)
    if surveyed.get("latent_distances", "measured") == "measured" and surveyed["plane"] != here:
        raise AtlasMismatch(f"{where.path} is of another plane than the preset's: zoom with its own, {where.preset}")
