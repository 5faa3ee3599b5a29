"""`python -m installation.stage --ring NAME --wall JSON`: the wall, until standard input closes.

Speaks the messages of docs/architecture.md on standard input and output. Ends with 3 and one line where no display is
to be had.
"""

from __future__ import annotations

import argparse
import os
import sys

from pydantic import ValidationError

from installation.live.ring import Ring
from installation.live.venue import Wall
from installation.live.wire import Wire
from installation.stage.perform import Surface, perform
from latentworld.errors import LatentWorldError, StageError

NO_DISPLAY = 3


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="installation.stage")
    parser.add_argument("--ring", required=True)
    parser.add_argument("--wall", default="{}")
    options = parser.parse_args()
    words = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not be taken for a message
    wire = Wire(sys.stdin.buffer, words)
    try:
        _present(options.ring, Wall.model_validate_json(options.wall), wire)
    except ValidationError as error:
        return _refused(wire, f"--wall: {error.errors()[0]['msg']}: mend the venue's [wall]", 2)
    except StageError as error:
        return _refused(wire, str(error), NO_DISPLAY)
    except LatentWorldError as error:
        return _refused(wire, str(error), 1)
    wire.close()
    return 0


def _present(name: str, wall: Wall, wire: Wire) -> None:
    ring = Ring.attach(name)
    try:
        surface = _surface(ring, wall)
        try:
            perform(surface, wire)
        finally:
            surface.close()
    finally:
        ring.close()


def _surface(ring: Ring, wall: Wall) -> Surface:
    if wall.kind == "headless":
        from installation.stage.headless import Headless

        return Headless(ring, wall)
    from installation.stage.window import Window

    return Window(ring, wall)


def _refused(wire: Wire, text: str, status: int) -> int:
    wire.send("fault", text=text)
    wire.close()
    print(f"error: {text}", file=sys.stderr)
    return status


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)  # the thread that reads may still hold standard input, over which an ordinary end would stumble
