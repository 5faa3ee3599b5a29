"""Many OSC messages a second to a port, and what hearing them costs a show. See `show.py --flood`."""

from __future__ import annotations

import contextlib
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

PYTHON, OSCSEND = 4990, 10  # messages a second of each kind of sender


@contextlib.contextmanager
def flood(port: int) -> Iterator[list[int]]:
    """Messages to a port, 5,000 a second, from processes of their own; how many were sent, when it is over."""
    sent: list[int] = []
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(port), str(PYTHON)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    ended = threading.Event()
    strays = threading.Thread(target=lambda: sent.append(_oscsend(port, ended)))
    strays.start()
    try:
        yield sent
    finally:
        ended.set()
        strays.join()
        out, _ = client.communicate("end\n")
        sent.append(int(out))


CLIENT = """
import socket, sys, threading, time
from pythonosc.osc_message_builder import OscMessageBuilder
port, rate = int(sys.argv[1]), int(sys.argv[2])
def packet(address, value):
    builder = OscMessageBuilder(address)
    builder.add_arg(value)
    return builder.build().dgram
names = ("/lw/walk/radius", "/lw/rift/attraction", "/lw/walk/speed", "/lw/out/gamma")
packets = [packet(name, 0.5 + 0.0001 * i) for i in range(64) for name in names]
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), ended.set()), daemon=True).start()
begun, sent = time.monotonic(), 0
while not ended.wait(0.005):
    while sent < (time.monotonic() - begun) * rate:
        try:
            out.sendto(packets[sent % len(packets)], ("127.0.0.1", port))
        except OSError:
            pass
        sent += 1
print(sent)
"""


def _oscsend(port: int, ended: threading.Event) -> int:
    program, sent = shutil.which("oscsend"), 0
    while not ended.wait(1 / OSCSEND) and program:
        value = f"{0.4 + 0.2 * (sent % 7) / 7:.3f}"
        subprocess.run([program, "127.0.0.1", str(port), "/lw/rift/attraction", "f", value], check=False)
        sent += 1
    return sent


def cost(measure: Callable[[float], Any], port: int, count: int, seconds: float) -> list[str]:
    """What a flood of a show's port costs, as lines: `count` pairs of turns, flood elsewhere and flood here, in
    changing order. measure: what happens in so many seconds from now, with `pictures`, `seconds`, `cpu` by process."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        ports = {"elsewhere": nobody.getsockname()[1], "here": port}
        with flood(ports["here"]):
            time.sleep(2.0)  # what is set stays set: all turns are played with the flood's values
        turns: dict[str, list[Any]] = {name: [] for name in ports}
        sent: list[float] = []
        for number in range(count):
            for name in sorted(ports, reverse=bool(number % 2)):
                with flood(ports[name]) as counted:
                    time.sleep(1.0)
                    window = measure(seconds)
                turns[name].append(window)
                sent.append(sum(counted) / (window.seconds + 1.0))
    rates = {
        name: np.array([window.pictures / window.seconds for window in windows]) for name, windows in turns.items()
    }
    lost = 1 - rates["here"] / rates["elsewhere"]
    error = lost.std(ddof=1) / np.sqrt(len(lost)) if len(lost) > 1 else np.nan
    lines = [
        f"flood of {statistics.median(sent):.0f} messages a second, {count} pairs of {seconds:.0f} s:",
        f"  pictures a second: elsewhere {rates['elsewhere'].mean():.2f}, here {rates['here'].mean():.2f}",
        f"  hearing it costs {lost.mean():+.1%} ± {error:.1%} (mean, one standard error; aim < 5%)",
    ]
    for who in turns["here"][0].cpu:
        shares = (f"{name} {statistics.mean(window.cpu[who] for window in turns[name]):.1%}" for name in ports)
        lines.append(f"  {who}, of a core: {', '.join(shares)}")
    return lines
