"""What the show says to the renderer: read on a thread of its own, checked, and left where the loop finds it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from installation.control.controls import Mailbox
from installation.control.parameters import Parameter, Value, table
from installation.ipc.wire import Message, Wire
from installation.render.questions import Questions
from latentworld.errors import ControlError, LatentWorldError


class MessageReader:
    """Reads a wire until the show closes it or says `stop`; then calls `ended`.

    follow, unfollow: called with a take's file, and without. asks: set once the model is there; before, questions are
    refused. Whatever a message holds, the thread lives on.
    """

    def __init__(
        self, wire: Wire, mailbox: Mailbox, fault: Callable[[str], None], ended: Callable[[], None],
        follow: Callable[[str], None], unfollow: Callable[[], None],
    ) -> None:  # fmt: skip
        self._wire, self._mailbox, self._fault, self._ended = wire, mailbox, fault, ended
        self._follow, self._unfollow = follow, unfollow
        self._rows = parameters()
        self.asks: Questions | None = None
        threading.Thread(target=self._read, name="post", daemon=True).start()

    def _read(self) -> None:
        for message in self._wire.read():
            if message["kind"] == "stop":
                break
            try:
                self._take(message)
            except LatentWorldError as error:
                self._fault(str(error))
            except Exception as error:
                self._fault(f"a {message['kind']!r:.40} message means nothing: {error}".splitlines()[0][:300])
        self._ended()

    def _take(self, message: Message) -> None:
        match message["kind"]:
            case "controls":
                self.controls(message)
            case "ask" if self.asks is not None:
                self.asks.ask(message)
            case "ask":
                self._wire.send("answer", id=message.get("id"), fault="the world is still loading: ask again")
            case "cancel" if self.asks is not None:
                self.asks.cancel(message)
            case "follow":
                self._follow(str(message.get("file") or message.get("path") or message.get("take") or ""))
            case "unfollow":
                self._unfollow()

    def controls(self, message: Mapping[str, Any]) -> None:
        """Set values and press triggers; what means nothing is told and left out, the rest is taken."""
        values = checked(self._rows, dict(message.get("values") or {}), self._fault)
        if "walk.position" in values and values["walk.position"] is not None:
            values.setdefault("walk.auto", False)  # taken over; a later walk.auto gives back
        stamp = message.get("stamp")
        self._mailbox.set(values, float(stamp) if isinstance(stamp, (int, float)) else 0.0)
        for pressed in list(message.get("triggers") or []):
            name, argument = (pressed, None) if isinstance(pressed, str) else (pressed[0], (*pressed, None)[1])
            row = self._rows.get(str(name))
            if row is not None and row.kind == "trigger":
                self._mailbox.press(row.name, _argument(argument))


def parameters() -> dict[str, Parameter]:
    """The address table as the renderer needs it: which worlds there are the show knows, and has asked."""
    rows = {name: row for name, row in table().items() if row.where == "loop"}
    rows["model.world"] = replace(rows["model.world"], kind="text", choices=())
    return rows


def checked(rows: Mapping[str, Parameter], values: Mapping[str, Any], fault: Callable[[str], None]) -> dict[str, Any]:
    """Those of the values that their parameters take, as they keep them; None gives one back to the preset.

    What is of another version or not for the loop is passed over, what means nothing is told.
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        row = rows.get(name)
        if row is None or row.kind == "trigger" or row.access == "r":
            continue
        try:
            found[name] = None if value is None else row.check(value)
        except ControlError as error:
            fault(str(error))
    return found


def _argument(value: object) -> Value | None:
    if isinstance(value, list) and len(value) == 2:
        return (float(value[0]), float(value[1]))
    return value if isinstance(value, (int, float, str)) else None
