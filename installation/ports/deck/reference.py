"""static/constants.js, made from the types that both ends of a deck's line must agree on:
`python -m installation.ports.deck.reference > installation/ports/deck/static/constants.js`."""

from __future__ import annotations

import json
import typing

import msgspec

from installation.backstage import RENDERER_STATES
from installation.control.desk.snapshots import NAME
from installation.ports.deck.commands import Command
from installation.ports.deck.letters import LETTERS, TrackRow
from latentworld.prompts import LONGEST

_HEAD = """// Made from the types by `python -m installation.ports.deck.reference`; a test keeps it in step.

// What a deck is told: the fields of a message by its kind.
export const LETTERS = {letters};

// What a deck says: the fields of a message by what it does.
export const COMMANDS = {commands};

// A row of the track: where a column is.
export const COLUMN = {columns};

// How the renderer may be.
export const STATES = {states};

export const LONGEST = {longest}; // characters of a text
export const NAME = /^{name}$/; // of a snapshot
"""


def constants() -> str:
    """The script."""
    letters = {_tag(kind): [field.name for field in msgspec.structs.fields(kind)] for kind in LETTERS}
    commands = {
        typing.get_args(kind.model_fields["do"].annotation)[0]: [name for name in kind.model_fields if name != "do"]
        for kind in typing.get_args(Command)
    }
    columns = {field.name: place for place, field in enumerate(msgspec.structs.fields(TrackRow))}
    return _HEAD.format(
        letters=_literal(letters),
        commands=_literal(commands),
        columns=_literal(columns),
        states=_literal(list(RENDERER_STATES)),
        longest=LONGEST,
        name=NAME.pattern,
    )


def _tag(kind: type[msgspec.Struct]) -> str:
    return str(kind.__struct_config__.tag)


def _literal(value: object) -> str:
    """As a script has it: one key a line where there are lists below it."""
    if isinstance(value, dict) and any(isinstance(part, list) for part in value.values()):
        rows = "".join(f"  {key}: {_literal(part)},\n" for key, part in value.items())
        return f"{{\n{rows}}}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {part}" for key, part in value.items()) + "}"
    return json.dumps(value).replace('"', "'")


if __name__ == "__main__":
    print(constants(), end="")
