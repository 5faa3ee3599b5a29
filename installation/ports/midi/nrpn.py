"""NRPN: controllers 99 and 98 say which parameter is meant, 6 and 38 are its value's halves."""

from __future__ import annotations

from dataclasses import dataclass, replace

from installation.ports.midi.links import Control

_ADDRESS = {99: "high", 98: "low"}
_VALUE = {6: True, 38: False}  # whether it is the high half
_OTHER = (100, 101)  # RPN: what follows is not for us
_NOTHING = 127 << 7 | 127


@dataclass(frozen=True)
class _Address:
    high: int | None = None
    low: int | None = None


class Nrpn:
    """What the value's halves on each channel are of."""

    def __init__(self) -> None:
        self._addresses: dict[tuple[str, int], _Address] = {}

    def half(self, control: Control, value: int) -> tuple[Control, bool] | None:
        """Of which parameter a controller (`cc`) sends the value, and whether its high half; None where it does not."""
        line = control.port, control.channel
        known = self._addresses.get(line, _Address())
        if part := _ADDRESS.get(control.number):
            self._addresses[line] = replace(known, high=value) if part == "high" else replace(known, low=value)
        elif control.number in _OTHER:
            self._addresses[line] = _Address()
        elif control.number in _VALUE and known.high is not None and known.low is not None:
            number = known.high << 7 | known.low
            if number != _NOTHING:
                return Control(control.port, "nrpn", control.channel, number), _VALUE[control.number]
        return None
