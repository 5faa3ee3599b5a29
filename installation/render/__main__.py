"""`python -m installation.render --ring NAME --preset FILE.toml [--resume] [--safe] [--spare]`: messages on stdin and
stdout, the log on stderr; with --resume the first of them says what it goes on from; with --spare one says later that
it takes over."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from installation.ipc import child
from installation.terminal import speak_plainly


def main() -> int:
    """Run; 0 when the show ended it, 1 with one line on stderr after a fault."""
    parser = argparse.ArgumentParser(prog="installation.render", description=__doc__)
    parser.add_argument("--ring", required=True)
    parser.add_argument("--preset", required=True, type=Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--safe", action="store_true")
    parser.add_argument("--spare", action="store_true")
    arguments = parser.parse_args()
    speak_plainly()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(name)s: %(message)s")
    from installation.render.process import Arguments, serve
    from latentworld.errors import LatentWorldError

    wire = child.standard()
    try:
        serve(Arguments(arguments.ring, arguments.preset, arguments.resume, arguments.safe, arguments.spare), wire)
    except LatentWorldError as error:
        return child.refused(str(error))
    finally:
        wire.close()
    return 0


if __name__ == "__main__":
    child.run(main)
