"""The same survey on many machines: Ray workers render blocks, this process alone writes them.

Slots are fixed by the store, so the order in which blocks arrive leaves no trace.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from latentworld.arrays import Array
from latentworld.atlas import survey as alone
from latentworld.atlas.progress import ProgressPicture
from latentworld.atlas.settings import differences, profile_of
from latentworld.atlas.store import Store
from latentworld.atlas.survey import OnBlock
from latentworld.atlas.types import Rendered
from latentworld.cluster.crew import Means, hired
from latentworld.errors import AtlasMismatch

Factory = Callable[[], Callable[..., object]]
"""Builds a worker's decoder and eye as a `Render`, in the worker; picklable. A `crew.Vouched` one has its settings
compared."""


@dataclass(eq=False)
class _Blocks:
    """A store's blocks as jobs."""

    store: Store
    on_block: OnBlock | None
    preview: ProgressPicture | None
    noun = "block"

    def arguments(self, job: int) -> tuple[Array, Array]:
        """The places of a block."""
        return alone.block_places(self.store, job)

    def check(self, machine: str, settings: Mapping[str, object]) -> None:
        """Raises AtlasMismatch where a worker's pictures would be others."""
        known = {name: self.store.settings[name] for name in settings if name in self.store.settings}
        found = differences(known, {name: settings[name] for name in known})
        if found:
            raise AtlasMismatch(
                f"the worker on {machine} would make other pictures: {'; '.join(found)}; set it up alike"
            )

    def take(self, job: int, result: Rendered, last: bool) -> None:
        """Write a block."""
        alone.commit(self.store, job, result)
        if self.preview is not None:
            self.preview(self.store, job, last=last)
        if self.on_block is not None:
            self.on_block(self.store.done, self.store.total, job)


def survey(
    store: Store,
    factory: Factory,
    means: Means | None = None,
    on_block: OnBlock | None = None,
    preview: ProgressPicture | None = None,
    say: Callable[[str], None] | None = None,
) -> None:
    """Survey until complete, as `survey.run`, with every block rendered by a Ray worker.

    say: for one line that says what was started. Raises as `crew.hired`, AtlasMismatch when a worker would make other
    pictures. The store then holds every block that arrived; Ctrl-C stops the workers and does the same.
    """
    if store.complete:
        store.finish()
        return
    with hired(_Blocks(store, on_block, preview), factory, means or Means(), profile_of(store.settings), say) as work:
        more = True
        while more:
            work(alone.pending(store))
            more = alone.advance(store)
