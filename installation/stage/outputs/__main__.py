"""`python -m installation.stage.outputs --ring NAME --to TARGET [--wall JSON] [--reserve BYTES]`.

TARGET: `KIND` or `KIND:ARGUMENT`, as a venue's `outputs` has it: `ndi:latentworld`. Messages on stdin and stdout, the
log on stderr. --wall: a venue's `wall`, whose size, rate and fit count here.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from installation.ipc import child


def main() -> int:
    """Run; 0 when the show ended it, 1 with one line on stderr after a fault."""
    parser = argparse.ArgumentParser(prog="installation.stage.outputs", description=__doc__)
    parser.add_argument("--ring", required=True)
    parser.add_argument("--to", required=True)
    parser.add_argument("--wall", default="{}")
    parser.add_argument("--reserve", type=int, default=500_000_000)
    arguments = parser.parse_args()
    if sys.platform != "win32":
        os.nice(5)  # wall and renderer go first; a picture that is late is repeated
    wire = child.standard()
    from pydantic import ValidationError

    from installation.ipc.ring import Ring
    from installation.stage.outputs.catalogue import output
    from installation.stage.outputs.output import Settings
    from installation.stage.outputs.put_out import put_out
    from installation.venue import Wall
    from latentworld.errors import LatentWorldError

    try:
        wall = Wall.model_validate_json(arguments.wall)
        ring = Ring.attach(arguments.ring)
        opened = output(arguments.to, Settings(wall.pace, arguments.reserve))
        put_out(ring, wall, arguments.to, opened, wire, time.monotonic)
    except (LatentWorldError, ValidationError) as error:
        return child.refused(str(error))
    finally:
        wire.close()
    return 0


if __name__ == "__main__":
    child.run(main)
