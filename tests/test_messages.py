"""Messages: every type goes over a wire and comes back the same; what is none is a line in the log and no more."""

from __future__ import annotations

import io
import json
import logging
import math
import os
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from installation.ipc import reference, wire
from installation.ipc.encoding import decoded, encoded
from installation.ipc.jsonable import jsonable, line, page
from installation.ipc.messages import ALL, Beat, ControlChanges, Fault, LoopValues, Message, Ready, StageReport, Tick
from installation.ipc.scene import DecoderScene
from installation.ipc.wire import Wire
from installation.ports.deck import reference as deck_reference
from latentworld.decoding.profile import Profile, Versions
from latentworld.prompts import Prompt

ROOT = Path(__file__).parent.parent
STATIC = ROOT / "installation" / "ports" / "deck" / "static"
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(), int: st.integers(-(2**53), 2**53), str: st.text(), types.NoneType: st.none(),
    float: st.floats(allow_nan=False, allow_infinity=False), object: st.integers() | st.text() | st.none(),
    Prompt: st.builds(Prompt, st.text(), st.text()),
}  # fmt: skip


def any_of(hint: Any) -> st.SearchStrategy[Any]:
    """Values of an annotation."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if hint in PLAIN:
        return PLAIN[hint]
    if origin in (types.UnionType, typing.Union):
        # of int and float, and of tuples and what JSON writes alike, the reader keeps what was written
        return st.one_of([any_of(part) for part in parts])
    if origin is typing.Literal:
        return st.sampled_from(parts)
    if origin is tuple and parts[-1] is Ellipsis:
        return st.lists(any_of(parts[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(any_of, parts))
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(st.text(), any_of(parts[1]), max_size=3)
    hints = typing.get_type_hints(hint)
    return st.fixed_dictionaries({name: any_of(part) for name, part in hints.items()}).map(
        lambda values: hint(**values)
    )


@st.composite
def ticks(draw: st.DrawFn) -> Tick:
    n = draw(st.integers(1, 3))
    hints = typing.get_type_hints(Tick)
    columns = {
        name: draw(st.tuples(*[any_of(typing.get_args(hint)[0])] * n))
        for name, hint in hints.items()
        if typing.get_origin(hint) is tuple
    }
    rest = {name: draw(any_of(hint)) for name, hint in hints.items() if name not in columns}
    return Tick(**columns, **rest)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
@given(st.data())
@settings(max_examples=40, deadline=None)
def test_every_message_comes_back_the_same(kind: type[Message], data: st.DataObject) -> None:
    message = data.draw(ticks() if kind is Tick else any_of(kind))
    text = encoded(message)
    assert text.count(b"\n") == 1
    assert decoded(text) == message
    assert type(decoded(text)) is kind


def test_floats_come_back_to_the_last_bit() -> None:
    numbers = (0.1 + 0.2, 1 / 3, 1e-300, -0.0, 5e-324, 1.7976931348623157e308, 2.0**53 + 2)
    back = decoded(encoded(StageReport(1, 0, latency=numbers)))
    assert isinstance(back, StageReport)
    assert [number.hex() for number in back.latency] == [number.hex() for number in numbers]


def test_what_is_not_finite_is_null_and_fits_only_where_null_does() -> None:
    assert decoded(encoded(StageReport(1, 0, fresh=math.nan))) == StageReport(1, 0, fresh=None)
    with pytest.raises(ValueError, match=r"`\$\.light`"):
        decoded(encoded(StageReport(1, 0, light=math.inf)))


def test_a_version_of_torch_and_read_only_mappings_are_taken() -> None:
    class Version(str):
        pass

    profile = Profile("scout", "w", "cpu", "float32", 1, 4, 1.0, "eager", versions=Versions(Version("2.13.0+cpu")))
    ready = Ready(profile, "w", "s", "", (32, 32))
    assert decoded(encoded(ready)) == ready
    values = types.MappingProxyType({"walk.speed": 1.0})
    assert decoded(encoded(LoopValues(values))) == LoopValues(dict(values))


BAD = (b"", b"[]", b"null", b"{", b"\xff", b'{"kind": "dance"}', b'{"kind": 3}', b'{"text": "no kind"}',
       b"[" * 100_000, b'{"kind": "fault"}', b'{"kind": "fault", "text": 3}',
       b'{"kind": "controls", "values": {"a": {}}}',
       b'{"kind": "cancel", "id": 1.5}', b'{"kind": "cancel", "id": NaN}',
       b'{"kind": "tick", "index": [1], "time": []}',
       b'{"kind": "scene", "number": 1, "scene": {"plane": {}, "prompt": {"mixture": [["a", -1]]}, "decoder": {}, '
       b'"world": {}, "walk": {"steering": "autopilot", "spec": {}}}}')  # fmt: skip


@pytest.mark.parametrize("text", BAD, ids=lambda text: text[:40].decode(errors="replace"))
def test_what_is_no_message_is_named_in_a_line(text: bytes) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        decoded(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_fields_that_a_later_version_adds_are_passed_over() -> None:
    assert decoded(b'{"kind": "fault", "text": "x", "severity": 3}') == Fault("x")


def test_a_reader_goes_on_after_nonsense_and_says_so_a_line_each(caplog: pytest.LogCaptureFixture) -> None:
    lines = b"\n".join([encoded(Beat())[:-1], b"{nonsense", b'{"kind": "dance"}', b"  ", encoded(Fault("here"))])
    with caplog.at_level(logging.WARNING, logger="installation.ipc.wire"):
        here = Wire(io.BytesIO(lines), io.BytesIO(), peer="the stage")
        assert list(here.read()) == [Beat(), Fault("here")]
    here.close()
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "a message of the stage could not be read"
    ] * 2  # fmt: skip


def test_a_peer_that_says_nothing_else_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="installation.ipc.wire"):
        here = Wire(io.BytesIO(b"nonsense\n" * 1000), io.BytesIO())
        assert list(here.read()) == []
    here.close()
    assert len(caplog.records) == wire.UNREAD
    assert here.unread == 1000


def test_a_peer_that_does_not_read_costs_droppable_messages_first() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as theirs:
        here = Wire(io.BytesIO(), os.fdopen(writing, "wb"), capacity=4)
        long = "x" * 100_000  # more than a pipe holds: the writer waits in the first of them
        here.send(Fault(long))
        here.send(Fault(long))
        for i in range(6):
            here.send(ControlChanges({"walk.speed": float(i)}), droppable=True)
        here.send(Fault("last"))
        assert here.dropped >= 3
        assert here.open
        ended = [False]

        def read() -> list[Message]:
            found = []
            for message in Wire(theirs, io.BytesIO()).read():
                found.append(message)
                if message == Fault("last"):
                    ended[0] = True
                    break
            return found

        found = read()
        assert found[:2] == [Fault(long)] * 2
        speeds = [message.values["walk.speed"] for message in found if isinstance(message, ControlChanges)]
        assert speeds == sorted(speeds)  # type: ignore[type-var]
        assert speeds[-1] == 5.0  # the newest is never the one that goes
        assert ended[0]
        here.close()


# ---- text for people and browsers


def test_values_as_json_takes_them() -> None:
    told = jsonable({"a": (1.0, math.nan), 3: [math.inf, True, None, "x", 7], "d": DecoderScene("scout", 4)})
    assert told == {"a": [1.0, None], "3": [None, True, None, "x", 7], "d": told["d"]}  # type: ignore[index,call-overload]
    assert told["d"]["kind"] == "scout"  # type: ignore[index,call-overload]
    assert jsonable([1.23456789, 0.1 + 0.2], 3) == [1.23, 0.3]
    assert line({"a": "größer", "b": [1, 2.5]}) == '{"a": "größer", "b": [1, 2.5]}'
    assert line({"a": [1, 2]}, compact=True) == '{"a":[1,2]}'
    assert json.loads(page({"a": math.nan, "b": "ü"}), parse_constant=pytest.fail) == {"a": None, "b": "ü"}
    with pytest.raises(TypeError):
        jsonable({"a": object()})


# ---- what is made from the types


def test_the_page_of_messages_is_up_to_date() -> None:
    page = (ROOT / "docs" / "messages.md").read_text(encoding="utf-8")
    assert page == reference.reference(), "run: python -m installation.ipc.reference > docs/messages.md"


def test_the_decks_constants_are_up_to_date_and_its_scripts_speak_them() -> None:
    made = deck_reference.constants()
    command = "python -m installation.ports.deck.reference > installation/ports/deck/static/constants.js"
    assert (STATIC / "constants.js").read_text(encoding="utf-8") == made, f"run: {command}"
    names = set(re.findall(r"export const (\w+)", made))
    scripts = {path.name: path.read_text(encoding="utf-8") for path in STATIC.glob("*.js")}
    used = set()
    for name, text in scripts.items():
        for listed in re.findall(r"import \{([^}]*)\} from '/static/constants\.js'", text):
            used |= {part.strip() for part in listed.split(",")}
            assert used <= names, name
    assert used == names  # a constant that no script needs is none
    said = set(re.findall(r"(?:this|link)\.say\('(\w+)'", "".join(scripts.values())))
    said |= set(re.findall(r"\['(set|fade)', \{", scripts["link.js"]))
    assert said == set(re.findall(r"^  (\w+): \[", made.split("COMMANDS = ")[1].split("};")[0], re.M)) - {"cancel"}
