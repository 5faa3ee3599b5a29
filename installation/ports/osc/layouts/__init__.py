"""Layouts for tablets, generated from the parameters' table: TouchOSC (.tosc) and Open Stage Control (.json)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from installation.control.parameter import Parameter
from installation.ports.osc.layouts import stagecontrol, touchosc
from latentworld.disk import save
from latentworld.errors import ControlError

MAKERS = {".tosc": touchosc.layout, ".json": stagecontrol.session}


def write(table: Mapping[str, Parameter], path: Path) -> None:
    """Write a layout, which one by the file's ending. Raises ControlError for another ending, OutputError."""
    maker = MAKERS.get(path.suffix)
    if maker is None:
        raise ControlError(f"{path.name}: a layout ends in .tosc (TouchOSC) or .json (Open Stage Control)")
    save(path, maker(table))
