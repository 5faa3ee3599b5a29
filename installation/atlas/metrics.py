"""The metric of a survey: measured, kept in its store, and read again."""

from __future__ import annotations

import warnings

from installation.atlas.survey_folder import SurveyFolder
from latentworld.atlas import mesh, metric, posterior, store
from latentworld.atlas.metric import Metered
from latentworld.atlas.reader import Reader
from latentworld.atlas.sampling import Globe
from latentworld.errors import AtlasError, Notice

WIDE = 3  # a share of the places, one in so many, over which a posterior is a blur


def measure(
    out: SurveyFolder, kernel: str | None, sharpness: float = metric.SHARPNESS, atoms: int = metric.ATOMS
) -> Metered:
    """Measure the pull-back metric and, of a window, log Z; keep both in the store. kernel: None for `gauss`.

    Of an unfinished survey what is done is measured, and a Notice says how much that is. Raises AtlasError, also
    for a kernel on the globe, where no log Z is.
    """
    with store.open_for_writing(out.store) as kept:
        atlas = kept.atlas()
        posterior.check(atlas)
        if not atlas.complete:
            words = (
                f"{kept.done} of {kept.total} places are done and the metric is of these: survey on and measure again"
            )
            warnings.warn(words, Notice, stacklevel=2)
        net = mesh.mesh(atlas)
        if isinstance(atlas.sampling, Globe) and kernel is None:
            fitted = None
        else:
            fitted = metric.hessian(atlas, net, posterior.kernel_of(kernel or "gauss"), sharpness, atoms)
            if fitted.spread < posterior.NARROW:
                words = (
                    f"at sharpness {sharpness:g} half the posteriors are spread over {fitted.spread:.1f} places or "
                    "fewer, and the metric follows single places: give a smaller one, or survey more finely"
                )
                warnings.warn(words, Notice, stacklevel=2)
            elif fitted.spread > len(atlas) / WIDE:
                words = (
                    f"at sharpness {sharpness:g} half the posteriors are spread over {fitted.spread:.0f} "
                    f"of {len(atlas)} places or more, and the metric tells hardly one from another: give a larger one"
                )
                warnings.warn(words, Notice, stacklevel=2)
        kept.write_metric(metric.pulled_back(atlas, net), fitted)
    return read(out)


def read(out: SurveyFolder) -> Metered:
    """What was measured. Raises AtlasError where nothing was, or places were added since."""
    found = known(out)
    if found is None:
        raise AtlasError(f"{out.path} has no metric of its places: latentworld atlas metric {out.path}")
    return found


def known(out: SurveyFolder) -> Metered | None:
    """The same, None where there is none."""
    kept = Reader(out.store)
    pullback = kept.read_pullback()
    if pullback is None:
        return None
    return Metered(pullback, kept.read_metric(), kept.read_logz())
