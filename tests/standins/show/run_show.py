"""A show of stand-ins as a process of its own: run_show.py FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from installation.cli.show import _until_ended
from installation.show import supervisor
from standins.show import HASTY, STANDINS, preset, venue


def main() -> None:
    supervisor.SAVED = 0.5
    tell = lambda line: print(line, file=sys.stderr, flush=True)  # noqa: E731
    show = supervisor.Show(preset(), venue(Path(sys.argv[1])), tell, patience=HASTY, programs=STANDINS)
    sys.exit(_until_ended(show, None))


if __name__ == "__main__":
    main()
