"""Takes: a performance as text, written as it happens, read back, replayed and rendered anew.

::

    recorder = Recorder(path, header(ready, desk.values(), started))   # .scene, .tick, .change, .press, .close
    take = read(path)                                                  # frozen; TakeError names the line
    way = follow(take, staging)                                        # .walk, .direct, .pilot for the loop
"""

from installation.takes.parts import Follow, Parts, SceneMaker, TakeClock, counted, follow, recorded
from installation.takes.reader import read
from installation.takes.recorder import Recorder, header
from installation.takes.take import SUFFIX, Event, Header, Shots, Take
from installation.takes.track import Recorded, Track

__all__ = [
    "SUFFIX",
    "Event",
    "Follow",
    "Header",
    "Parts",
    "Recorded",
    "Recorder",
    "SceneMaker",
    "Shots",
    "Take",
    "TakeClock",
    "Track",
    "counted",
    "follow",
    "header",
    "read",
    "recorded",
]
