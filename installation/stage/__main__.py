"""`python -m installation.stage --ring NAME --wall JSON`: the wall, until standard input closes.

Speaks the messages of docs/messages.md on standard input and output. Ends with 3 and one line where no display is
to be had.
"""

from __future__ import annotations

import argparse

from pydantic import ValidationError

from installation.ipc import child
from installation.ipc.ring import Ring
from installation.ipc.wire import Wire
from installation.stage.process import Surface, perform
from installation.venue import Wall
from latentworld.errors import LatentWorldError, StageError

NO_DISPLAY = 3


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="installation.stage")
    parser.add_argument("--ring", required=True)
    parser.add_argument("--wall", default="{}")
    options = parser.parse_args()
    wire = child.standard()
    try:
        _present(options.ring, Wall.model_validate_json(options.wall), wire)
    except ValidationError as error:
        return child.refused(f"--wall: {error.errors()[0]['msg']}: mend the venue's [wall]", 2)
    except StageError as error:
        return child.refused(str(error), NO_DISPLAY)
    except LatentWorldError as error:
        return child.refused(str(error))
    finally:
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


if __name__ == "__main__":
    child.run(main)
