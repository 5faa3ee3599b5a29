"""A studio of a tiny random world, opened once."""

from __future__ import annotations

import functools

from installation.render.live_preset import performed
from installation.rig import open_studio
from installation.studio import Studio
from latentworld import preset
from standins import tiny_world

JOURNEY = preset.parse(
    {
        "world": {"name": str(tiny_world.folder())},
        "decoder": {"engine": "eager", "device": "cpu", "steps": 3, "guidance": 4.0},
        "prompt": {"positive": "a cat", "negative": "fog"},
        "show": {"batch": 1},
        "pilot": {"mode": "off"},
    }
)
PATIENCE = 60.0


@functools.cache
def studio() -> Studio:
    return open_studio(performed(JOURNEY))
