"""What the desk costs: a look at what is sent, a change, a MIDI message, a block of sound.

python benchmarks/desk.py
"""

from __future__ import annotations

import timeit
from collections.abc import Callable

import numpy as np

from installation.control.desk import Desk
from installation.control.desk.audio import Heard, listen
from installation.control.parameters import LFOS, table
from installation.ports.midi.clock import Clock
from installation.ports.midi.links import Control, Link
from installation.ports.midi.messages import control_change
from installation.ports.midi.surface import Surface


def busy(desk: Desk) -> None:
    """Everything at once: all smooth parameters on their way, every LFO and the sound at work."""
    smooth = [row for row in desk.table.values() if row.smooth]
    for row in smooth:
        desk.set(f"slew.{row.name}", 60.0)
        desk.set(row.name, row.real(0.2))
        desk.set(row.name, row.real(0.8))
    for i in range(1, LFOS + 1):
        desk.set(f"lfo.{i}.target", smooth[i].name)
        desk.set(f"lfo.{i}.shape", "random")
        desk.set(f"lfo.{i}.depth", 0.5)
    desk.set("audio.target", smooth[0].name)
    desk.set("audio.depth", 0.5)


def cost(name: str, act: Callable[[], object], number: int = 5000) -> None:
    """Print microseconds of one call: the best of five runs, what the machine can do, and their median."""
    runs = sorted(timeit.repeat(act, number=number, repeat=5))
    print(f"{name:48s} {runs[0] / number * 1e6:8.1f} us, median {runs[2] / number * 1e6:.1f}")


def main() -> None:
    """Print the table."""
    rows = table()
    rest, moving = Desk(rows), Desk(rows)
    busy(moving)
    now = moving.stamp + 0.1
    print(f"{len(rows)} parameters")
    cost("effective(loop), at rest", lambda: rest.effective("loop", now))
    cost("effective(loop), everything moving", lambda: moving.effective("loop", now))
    cost("effective(stage), everything moving", lambda: moving.effective("stage", now))
    cost("set", lambda: rest.set("walk.speed", 3.0))
    surface = Surface(rest, [Link(Control("K", "cc", 1, 7), "out.master", pickup=False)])
    cost("MIDI controller heard", lambda: surface.hear("K", control_change(1, 7, 64), now))
    clock, times = Clock(), iter(np.arange(10**6) / 48)
    cost("MIDI clock tick", lambda: clock.tick(next(times)), 1000)
    heard = Heard()
    for block in (noise := np.random.default_rng(0).standard_normal((200, 512)) * 0.1):
        heard = listen(heard, block)
    cost("block of sound, 512 samples (11.6 ms)", lambda: listen(heard, noise[0]), 500)


if __name__ == "__main__":
    main()
