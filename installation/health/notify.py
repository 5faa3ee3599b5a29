"""What systemd is told, by its notify protocol (sd_notify(3)): datagrams to the socket that NOTIFY_SOCKET names."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Mapping


class Notifier:
    """Silent where systemd did not ask. interval: seconds between two signs of life that the unit's watchdog
    expects at most, None without a watchdog."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # @ is how an abstract socket is written; any other first character is no address (sd_notify(3))
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.asked = address[:1] in ("@", "/") and sys.platform != "win32"
        usec = environment.get("WATCHDOG_USEC", "")
        self.interval = int(usec) / 1e6 if self.asked and usec.isdigit() and int(usec) else None

    def send(self, *lines: str) -> None:
        """Such as `READY=1`, `STATUS=...`, `WATCHDOG=1`, `STOPPING=1`; a manager that is gone is no fault of ours."""
        if self.asked:
            # not AF_UNIX by name alone: the constant is absent on Windows, where `asked` is False
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.setblocking(False)
                out.sendto("\n".join(line.replace("\n", " ") for line in lines).encode(), self._address)
