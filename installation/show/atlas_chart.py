"""The atlas underneath a show, as the deck draws it: read once, on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from installation.atlas import chart
from installation.show.announcer import Announcer


class AtlasChart:
    """path: of the preset's atlas; None: there is none."""

    def __init__(self, path: str | None, announcer: Announcer) -> None:
        self._path, self._announcer = path, announcer
        self._chart: Mapping[str, object] | None = None

    @property
    def chart(self) -> Mapping[str, object] | None:
        """See `charts.chart`; None without one, or while it is read."""
        return self._chart

    def start(self) -> None:
        """Begin to read it."""
        threading.Thread(target=self._read, name="atlas", daemon=True).start()

    def _read(self) -> None:
        if self._path is None:
            return
        try:
            self._chart = chart.chart(self._path)
        except Exception as error:  # a map that is missing leaves a show without a map
            self._announcer.fault(f"no atlas underneath: {error}")
