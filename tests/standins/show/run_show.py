"""A show of stand-ins as a process of its own: run_show.py FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from installation.cli.show import _until_ended
from installation.show.ending import Ending
from installation.show.opening import open_show
from installation.show.premises import Runtime
from standins.show import HASTY, STANDINS, preset, venue


def main() -> None:
    announce = lambda line: print(line, file=sys.stderr, flush=True)  # noqa: E731
    runtime, ending = Runtime(patience=HASTY, programs=STANDINS, saving=0.5), Ending()
    show = open_show(preset(), venue(Path(sys.argv[1])), announce, ending=ending, runtime=runtime)
    sys.exit(_until_ended(show, ending, None))


if __name__ == "__main__":
    main()
