"""A show of stand-ins as a process of its own: run_show.py FOLDER [--dead-disk].

--dead-disk: once the renderer is ready, whatever is written to the folder or listed in it waits for ever.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from installation.cli.show import _until_ended
from installation.control.desk.snapshots import Snapshots
from installation.health import log
from installation.show.ending import Ending
from installation.show.opening import open_show
from installation.show.premises import Runtime
from installation.show.recordings import Recordings
from latentworld import disk
from standins.show import HASTY, STANDINS, preset, venue


def main() -> None:
    def announce(line: str) -> None:
        print(line, file=sys.stderr, flush=True)
        if "--dead-disk" in sys.argv and "renderer ready" in line:
            waits = lambda *_: threading.Event().wait()  # noqa: E731
            disk.put = log.RotatingFile.write = Snapshots.names = Recordings.names = waits  # type: ignore[assignment,method-assign]

    runtime, ending = Runtime(patience=HASTY, programs=STANDINS, saving=0.5), Ending()
    show = open_show(preset(), venue(Path(sys.argv[1])), announce, ending=ending, runtime=runtime)
    sys.exit(_until_ended(show, ending, None))


if __name__ == "__main__":
    main()
