"""`latentworld atlas metric`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from installation.cli.atlas.options import Dpi, Option, Where
from installation.cli.progress import speaking

if TYPE_CHECKING:
    from latentworld.atlas.metric import Metered
    from latentworld.atlas.types import Atlas

LINES = 6  # between phases that are told


def metric(
    atlas: Where,
    kernel: Annotated[str | None, Option(help="Of the posteriors: gauss, or paper as the paper's code has it.")] = None,
    sharpness: Annotated[float, Option(help="Of the kernel: how small a feature distance tells places apart.")] = 20.0,
    atoms: Annotated[int, Option(min=4, max=4096, help="Of log Z.")] = 144,
    plots: Annotated[bool, Option(help="Draw its pictures, and the page again.")] = True,
    dpi: Dpi = 150,
) -> None:
    """Measure an atlas's metric: the pull-back of its features and, of a window, log Z with its phases."""
    with speaking("measuring the metric"):
        from installation.atlas import findings, metrics
        from installation.atlas.drawing import draw
        from installation.atlas.survey_folder import SurveyFolder, title_of

        out = SurveyFolder.at(atlas)
        metered = metrics.measure(out, kernel, sharpness, atoms)
        found = findings.read(out)
    tell(found.atlas, metered)
    if plots:
        with speaking("drawing"):
            draw(out, found, title_of(out), dpi)
    print(out.page if plots else out.store)


def tell(atlas: Atlas, metered: Metered) -> None:
    """The figures of a metric, and where its phases meet."""
    import numpy as np

    from latentworld.atlas import metric as measured

    for name, tensors in (("pull-back", metered.pullback), ("by log Z", metered.tensors)):
        if tensors is not None:
            root = np.sqrt(measured.trace(tensors[np.isfinite(tensors[:, 0])]))
            share = float(np.nanmedian(measured.anisotropy(tensors)))
            words = f"median {np.median(root):.4g}, 99th percentile {np.quantile(root, 0.99):.4g}"
            print(f"{'root of tr g, ' + name:<30} {words}; anisotropy {share:.2f}")
    if metered.logz is not None:
        _phases(atlas, metered)


def _phases(atlas: Atlas, metered: Metered) -> None:
    """Phases and lines of log Z."""
    import numpy as np

    from latentworld.atlas import power
    from latentworld.atlas.plots.metric import STRONG
    from latentworld.atlas.sampling import Globe

    window, found = atlas.sampling, metered.logz
    assert found is not None
    assert not isinstance(window, Globe)
    edges = power.diagram(found)
    if not len(edges.jump):
        print("one phase: log Z has one cell")
        return
    parts = power.phases(found, edges, STRONG * float(edges.jump.max()))
    for number, (share, order) in enumerate(zip(parts.share, parts.order), 1):
        if share >= 0.01:
            print(
                f"{f'phase {number} of log Z':<30} {100 * share:.0f}%, order parameter {order[0]:.3g}, {order[1]:.3g}"
            )
    low = np.array([window.alpha[0], window.beta[0]])
    wide = np.array([window.alpha[1], window.beta[1]]) - low
    for place in np.argsort(-edges.jump * edges.length, kind="stable")[:LINES]:
        (a, b), (c, d) = low + edges.ends[place] * wide
        print(f"line over which it jumps by {edges.jump[place]:.3g}: {a:.4g},{b:.4g} to {c:.4g},{d:.4g}")
