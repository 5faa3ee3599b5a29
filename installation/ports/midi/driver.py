"""The system's MIDI, behind a few methods, so that the show can be played where there is none.

python-rtmidi is used without mido: mido makes two sequencer clients each time names are asked for (ALSA has few, and
crashed after 32 of them: mido #330), takes a client's name for a wish for a virtual port, and its messages cost more
than reading three bytes. One client asks for names as long as the show runs.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from latentworld.extras import need

CLIENT = "latentworld"
Hear = Callable[[list[int]], None]
_SEQUENCER = Path("/dev/snd/seq")
_ALSA = re.compile(r" \d+:\d+$")  # the client's number, which is another after a replug
_OWN = (CLIENT, "RtMidi", "Midi Through")  # what we are ourselves, and what would bring back what we send


class Sender(Protocol):
    """An open output."""

    def send(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class Receiver(Protocol):
    """An open input; it calls back on a thread of its own."""

    def close(self) -> None: ...


class Driver(Protocol):
    """The ports there are by the system's names, and what opens them. All but `close` raise OSError."""

    def inputs(self) -> list[str]: ...

    def outputs(self) -> list[str]: ...

    def listen(self, name: str, hear: Hear) -> Receiver: ...

    def speak(self, name: str) -> Sender: ...

    def close(self) -> None: ...


def named(names: list[str]) -> dict[str, str]:
    """The system's names by names that outlive a replug; the second of two equal devices is "NAME #2"."""
    found: dict[str, str] = {}
    for name in names:
        if name.startswith(_OWN):
            continue
        plain = _ALSA.sub("", name)
        count, unique = 1, plain
        while unique in found:
            count += 1
            unique = f"{plain} #{count}"
        found[unique] = name
    return found


class System:
    """The system's MIDI by python-rtmidi. Raises ShowError when the extra is missing."""

    def __init__(self) -> None:
        self._rtmidi: Any = need("rtmidi")
        self._ears: Any = None
        self._mouth: Any = None

    def inputs(self) -> list[str]:
        """Names of controllers that can be heard."""
        if self._ears is None and self.there():
            self._ears = self._rtmidi.MidiIn(name=CLIENT)
        return [] if self._ears is None else list(self._ears.get_ports())

    def outputs(self) -> list[str]:
        """Names of controllers that show something."""
        if self._mouth is None and self.there():
            self._mouth = self._rtmidi.MidiOut(name=CLIENT)
        return [] if self._mouth is None else list(self._mouth.get_ports())

    def listen(self, name: str, hear: Hear) -> Receiver:
        """Open an input; `hear` gets each message's bytes."""
        port = _Open(self._rtmidi.MidiIn(name=CLIENT), name)
        port.rt.ignore_types(sysex=True, timing=False, active_sense=True)
        port.rt.set_callback(lambda message, data: hear(message[0]))
        return port

    def speak(self, name: str) -> Sender:
        """Open an output."""
        return _Open(self._rtmidi.MidiOut(name=CLIENT), name)

    def close(self) -> None:
        """Leave the system's MIDI."""
        for client in (self._ears, self._mouth):
            if client is not None:
                client.delete()
        self._ears = self._mouth = None

    @staticmethod
    def there() -> bool:
        """Whether there is a sequencer to be a client of: asked for one in vain, ALSA writes to stderr each time."""
        return not sys.platform.startswith("linux") or _SEQUENCER.exists()


class _Open:
    def __init__(self, rt: Any, name: str) -> None:
        self.rt = rt
        try:
            names = rt.get_ports()
            if name not in names:  # gone since it was listed
                raise OSError(f"{name} is gone")
            rt.open_port(names.index(name), name=CLIENT)
        except BaseException:
            rt.delete()
            raise

    def send(self, data: bytes) -> None:
        self.rt.send_message(data)

    def close(self) -> None:
        self.rt.close_port()
        self.rt.delete()
