"""`latentworld show`: a preset, live."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from installation.cli.consoles import on_stderr
from installation.cli.groups import grouped
from installation.cli.presets import Override, PresetName
from installation.terminal import ending_signals

if TYPE_CHECKING:
    from rich.console import Console

    from installation.show.ending import Ending
    from installation.show.show import Show
    from installation.venue import Venue

Option = typer.Option
BOUND = 40.0  # seconds; systemd is told 45
Port = Annotated[int | None, Option(min=0, max=65535, help="UDP port for OSC; 0: any free one.")]


@dataclass(frozen=True)
class WallOptions:
    """What shows the pictures, in place of the venue's wall."""

    window: Annotated[bool, Option("--window", help="In a window.")] = False
    fullscreen: Annotated[bool, Option("--fullscreen", help="On the whole monitor, as without a venue.")] = False
    headless: Annotated[bool, Option("--headless", help="Without a display.")] = False
    monitor: Annotated[str | None, Option(help="Its name or number; default: the primary one.")] = None
    size: Annotated[str | None, Option(help="Height x width of a window, or headless, as 720x1280.")] = None

    @property
    def keys(self) -> dict[str, object]:
        """Of a wall; None: as the venue has it. Raises typer.BadParameter."""
        kinds = {"window": self.window, "fullscreen": self.fullscreen, "headless": self.headless}
        chosen = [kind for kind, given in kinds.items() if given]
        if len(chosen) > 1:
            raise typer.BadParameter(f"--{chosen[0]} and --{chosen[1]}: choose one", param_hint=f"--{chosen[1]}")
        return {"kind": chosen[0] if chosen else None, "monitor": _monitor(self.monitor), "size": _size(self.size)}


@dataclass(frozen=True)
class DoorOptions:
    """Who may play, in place of the venue's doors."""

    osc: Port = None
    no_osc: Annotated[bool, Option("--no-osc", help="No OSC.")] = False
    deck: Annotated[int | None, Option(min=0, max=65535, help="TCP port of the deck; 0: any free one.")] = None
    no_deck: Annotated[bool, Option("--no-deck", help="No deck.")] = False
    open_: Annotated[bool, Option("--open", help="Open the doors to the network: the deck asks for a token.")] = False
    allow: Annotated[list[str] | None, Option(help="Sender or network that OSC hears when open; repeatable.")] = None

    @property
    def keys(self) -> dict[str, object]:
        """Of doors; None: as the venue has them."""
        allow = self.allow and tuple(self.allow)
        return {"osc": self.osc, "deck": self.deck, "open": self.open_ or None, "allow": allow}

    @property
    def shut(self) -> set[str]:
        """Those that stay shut, whatever the venue says."""
        return {name for name, given in (("osc", self.no_osc), ("deck", self.no_deck)) if given}


@dataclass(frozen=True)
class PlaceOptions:
    """What else the venue says, in its place."""

    folder: Annotated[Path | None, Option(help="Where state, snapshots, takes, videos and the log are kept.")] = None
    safe: Annotated[str | None, Option(help="Preset to fall back to.")] = None

    @property
    def keys(self) -> dict[str, object]:
        """Of a venue; None: as it is."""
        return {"folder": None if self.folder is None else str(self.folder), "safe": self.safe}


@grouped
def show(
    preset: PresetName,
    venue: Annotated[Path | None, Option(help="A .toml file that describes the place: wall, ports, folders.")] = None,
    set_: Override = None,
    *,
    wall: WallOptions,
    doors: DoorOptions,
    place: PlaceOptions,
    fresh: Annotated[bool, Option("--fresh", help="Forget where the walk was, and what stood on the desk.")] = False,
    seconds: Annotated[float | None, Option(min=0.0, help="End after so long.")] = None,
) -> None:
    """Perform a preset live: on a wall, played by OSC, MIDI and a deck. Ends with Ctrl-C; goes on where it was."""
    from installation import venue as venues
    from installation.health.line_writer import LineWriter
    from installation.show.ending import Ending
    from installation.show.opening import open_show
    from installation.stage.outputs import catalogue as outputs
    from latentworld import preset as presets

    wall_keys = wall.keys  # misuse of the command line is refused first
    journey = presets.load(preset, set_ or [])
    console = on_stderr(highlight=False)
    there = _changed(venues.load(venue), place.keys, wall_keys, doors.keys, doors.shut)
    outputs.check(there.outputs, there.doors.open, there.reserve)
    ending, lines = Ending(), LineWriter(_line(console))
    try:
        code = _until_ended(open_show(journey, there, lines.put, fresh=fresh, ending=ending), ending, seconds)
    finally:
        lines.close()
    console.print(f"the show has ended; its state is kept in {Path(there.folder)}", style="dim", soft_wrap=True)
    raise typer.Exit(code)


def _until_ended(show: AbstractContextManager[Show], ending: Ending, seconds: float | None) -> int:
    """Open a show until a signal: 130 after Ctrl-C, 0 after SIGTERM (systemd's way to end it), a closed terminal or
    `seconds`.

    A show that has not ended within BOUND seconds of it, or has not even begun, ends at once; its children die with it.
    """
    signals: list[int] = []
    overdue = threading.Timer(BOUND, os._exit, (3,))
    overdue.daemon = True

    def handle(number: int, frame: object) -> None:
        if signals:  # a second one: end without good order, the state of half a minute ago is on disk
            raise KeyboardInterrupt
        signals.append(number)
        overdue.start()
        ending.end()

    before = {number: signal.signal(number, handle) for number in ending_signals()}
    try:
        with show:
            ending.wait(seconds)
    except KeyboardInterrupt:
        return 130
    finally:
        overdue.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)
    return 130 if signal.SIGINT in signals else 0


def _line(console: Console) -> Callable[[str], None]:
    """One readable line for each event, with the time of day. The deck's token is not for the system's journal."""
    journal = _journaled(sys.stderr)

    def tell(line: str) -> None:
        line = re.sub(r"\?token=[\w-]+", " (its code is on the test card)", line) if journal else line
        console.log(line, markup=False, _stack_offset=2) if console.is_terminal else print(line, file=sys.stderr)

    return tell


def _journaled(stream: TextIO) -> bool:
    """Whether systemd writes down what a stream says: it names the stream that it reads (systemd.exec(5))."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _changed(
    venue: Venue, place: Mapping[str, object], wall: Mapping[str, object], doors: Mapping[str, object], shut: set[str]
) -> Venue:
    """The venue with what the command line says in its place. Raises ShowError for what no venue can be."""
    said = {key: value for key, value in wall.items() if value is not None}
    kind = {key: value for key, value in said.items() if key == "kind"}  # to try a place of many displays on one's desk
    given = {key: value for key, value in doors.items() if value is not None} | dict.fromkeys(shut)
    walls = [{**dict(other), **kind} for other in venue.walls]
    there = {key: value for key, value in place.items() if value is not None}
    return venue.changed(wall=said, walls=walls, doors=given, **there)


def _monitor(text: str | None) -> str | int | None:
    return int(text) if text is not None and text.isdecimal() else text


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    try:
        height, width = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise typer.BadParameter(f"{text!r}: write height x width, as 720x1280", param_hint="--size") from None
    if not (16 <= height <= 16384 and 16 <= width <= 16384):
        raise typer.BadParameter(f"{text!r}: either is 16 to 16384 pixels", param_hint="--size")
    return height, width
