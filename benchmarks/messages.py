"""What a typed message costs at sixty a second: frozen dataclasses with a decoder of our own, pydantic, and msgspec,
beside the untyped dictionary that they replace.

python benchmarks/messages.py

A renderer's tick (four frames, and all that another renderer needs to go on), what goes from the desk to the renderer
after a fader was moved, and a stage's report: encoded to a line of JSON, decoded and checked. Each way has the same
types, among which the reader chooses by `kind`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import timeit
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import pydantic
from common import show

Value = bool | int | float | str | tuple[float, float] | None
Place = tuple[float, float, float, float]
ROUNDS, REPEATS = 2000, 5

TICK: dict[str, Any] = {
    "kind": "tick", "index": [240, 241, 242, 243], "time": [24.0 + 0.1 * i for i in range(4)],
    "place": [[math.cos(0.01 * i), math.sin(0.01 * i), 0.0, 1.0] for i in range(4)],
    "alpha": [0.123456789 * i for i in range(4)], "beta": [0.987654321 / (i + 1) for i in range(4)],
    "front": [True] * 4,
    "rate": [None, 0.5234, 0.6123, 0.7345], "step": [None, 0.01, 0.02, 0.03], "sum": ["0123456789abcdef"] * 4,
    "scene": 3, "stamp": 1234.5678, "period": 0.0912345, "seconds": 0.3456,
    "resume": {
        "index": 243, "time": 24.3, "period": 0.0912345,
        "walk": {"free": [0.1, 0.2, 0.97], "heading": [0.3, 0.4, 0.5], "arc": 12.5, "bend": 0.1, "radius": 1.0},
        "pilot": {"rate": 0.5, "speed": 2.0, "frames": 3, "attraction": 0.5, "wish": 0.1},
        "controls": {f"word.{i}.weight": 0.1 * i for i in range(6)} | {"prompt.a": "a planet", "walk.auto": True},
    },
}  # fmt: skip
CONTROLS = {"kind": "controls", "values": {"walk.speed": 2.5, "walk.position": [0.25, 0.5], "prompt.a": "a cat"},
            "triggers": [["walk.jump", None]], "stamp": 1234.5678}  # fmt: skip
STAGE = {"kind": "stage", "presented": 123456, "missed": 12, "counts": list(range(24)), "latency": [0.1234] * 30,
         "fresh": 0.05, "light": 0.4, "monitor": "HDMI-1", "size": [1080, 1920]}  # fmt: skip


# ---- plain frozen dataclasses, and a decoder from their annotations


@dataclasses.dataclass(frozen=True)
class TickData:
    kind: ClassVar[str] = "tick"
    index: tuple[int, ...]
    time: tuple[float, ...]
    place: tuple[Place, ...]
    alpha: tuple[float | None, ...]
    beta: tuple[float | None, ...]
    front: tuple[bool, ...]
    rate: tuple[float | None, ...]
    step: tuple[float | None, ...]
    sum: tuple[str, ...]
    scene: int
    stamp: float
    period: float
    seconds: float
    resume: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class ControlsData:
    kind: ClassVar[str] = "controls"
    values: Mapping[str, Value]
    triggers: tuple[tuple[str, Value], ...]
    stamp: float


@dataclasses.dataclass(frozen=True)
class StageData:
    kind: ClassVar[str] = "stage"
    presented: int
    missed: int
    counts: tuple[int, ...]
    latency: tuple[float, ...]
    fresh: float | None
    light: float
    monitor: str
    size: tuple[int, int]


DATA: dict[str, type[Any]] = {"tick": TickData, "controls": ControlsData, "stage": StageData}
FIELDS = {name: typing.get_type_hints(kind) for name, kind in DATA.items()}


def _read(value: Any, wanted: Any) -> Any:
    """A JSON value as an annotation wants it. Raises TypeError."""
    if wanted is Any or wanted is None or wanted is type(None):
        return value
    origin, parts = typing.get_origin(wanted), typing.get_args(wanted)
    if origin is types.UnionType or origin is typing.Union:
        for part in parts:
            try:
                return None if part is type(None) and value is None else _read(value, part)
            except TypeError:
                continue
        raise TypeError
    if origin is tuple:
        if not isinstance(value, list):
            raise TypeError
        if parts[-1] is Ellipsis:
            return tuple([_read(part, parts[0]) for part in value])
        if len(value) != len(parts):
            raise TypeError
        return tuple([_read(part, kind) for part, kind in zip(value, parts)])
    if origin is not None:
        return {key: _read(part, parts[1]) for key, part in value.items()}
    if wanted is float:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise TypeError
        return float(value)
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        raise TypeError
    return value


def _data_read(line: bytes) -> Any:
    table = json.loads(line)
    kind = DATA[table["kind"]]
    return kind(
        **{name: _read(table[name], wanted) for name, wanted in FIELDS[table["kind"]].items() if name != "kind"}
    )


def _data_write(message: Any) -> bytes:
    table = {"kind": message.kind} | {field.name: getattr(message, field.name) for field in dataclasses.fields(message)}
    return json.dumps(table, allow_nan=False, separators=(",", ":")).encode()


# ---- pydantic: a discriminated union of frozen models


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)


class TickModel(Model):
    kind: Literal["tick"] = "tick"
    index: tuple[int, ...]
    time: tuple[float, ...]
    place: tuple[Place, ...]
    alpha: tuple[float | None, ...]
    beta: tuple[float | None, ...]
    front: tuple[bool, ...]
    rate: tuple[float | None, ...]
    step: tuple[float | None, ...]
    sum: tuple[str, ...]
    scene: int
    stamp: float
    period: float
    seconds: float
    resume: dict[str, Any]


class ControlsModel(Model):
    kind: Literal["controls"] = "controls"
    values: dict[str, Value]
    triggers: tuple[tuple[str, Value], ...]
    stamp: float


class StageModel(Model):
    kind: Literal["stage"] = "stage"
    presented: int
    missed: int
    counts: tuple[int, ...]
    latency: tuple[float, ...]
    fresh: float | None
    light: float
    monitor: str
    size: tuple[int, int]


Models = TickModel | ControlsModel | StageModel
PYDANTIC: pydantic.TypeAdapter[Models] = pydantic.TypeAdapter(Annotated[Models, pydantic.Field(discriminator="kind")])


# ---- msgspec: tagged frozen structs


class Struct(msgspec.Struct, frozen=True, tag_field="kind"):
    pass


class TickStruct(Struct, frozen=True, tag="tick"):
    index: tuple[int, ...]
    time: tuple[float, ...]
    place: tuple[Place, ...]
    alpha: tuple[float | None, ...]
    beta: tuple[float | None, ...]
    front: tuple[bool, ...]
    rate: tuple[float | None, ...]
    step: tuple[float | None, ...]
    sum: tuple[str, ...]
    scene: int
    stamp: float
    period: float
    seconds: float
    resume: dict[str, Any]


class ControlsStruct(Struct, frozen=True, tag="controls"):
    values: dict[str, Value]
    triggers: tuple[tuple[str, Value], ...]
    stamp: float


class StageStruct(Struct, frozen=True, tag="stage"):
    presented: int
    missed: int
    counts: tuple[int, ...]
    latency: tuple[float, ...]
    fresh: float | None
    light: float
    monitor: str
    size: tuple[int, int]


MSGSPEC = msgspec.json.Decoder(TickStruct | ControlsStruct | StageStruct)
ENCODER = msgspec.json.Encoder()


# ---- what stood there: a dictionary, made fit for JSON value by value


def plain(value: Any) -> Any:
    """What is not finite becomes None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return value


WAYS: dict[str, tuple[Callable[[bytes], Any], Callable[[Any], bytes]]] = {
    "a dictionary, unchecked (as it was)": (
        json.loads,
        lambda message: json.dumps(plain(message), allow_nan=False, separators=(",", ":")).encode(),
    ),
    "frozen dataclasses, our own decoder": (_data_read, _data_write),
    "pydantic, discriminated models": (PYDANTIC.validate_json, PYDANTIC.dump_json),
    "msgspec, tagged structs": (MSGSPEC.decode, ENCODER.encode),
}


def microseconds(act: Callable[[], object]) -> float:
    """Of one call, the least of some rounds."""
    return 1e6 * min(timeit.repeat(act, number=ROUNDS, repeat=REPEATS)) / ROUNDS


def main() -> None:
    """Print the table."""
    rows, lines = [], [json.dumps(message).encode() for message in (TICK, CONTROLS, STAGE)]
    for name, (read, write) in WAYS.items():
        cells, spent = [], 0.0
        for line in lines:
            message = read(line)
            assert read(write(message)) == message, name
            there, back = microseconds(lambda: write(message)), microseconds(lambda: read(line))  # noqa: B023
            cells.append(f"{there:.1f} / {back:.1f}")
            spent += 60 * (there + back)
        rows.append((name, *cells, f"{spent / 1e4:.3f} %"))
    sizes = ", ".join(f"{len(line)}" for line in lines)
    show(
        f"Microseconds to encode / decode a message ({sizes} bytes)",
        ("", "tick", "controls", "stage", "of a core, 60 of each a second"),
        rows,
    )


if __name__ == "__main__":
    main()
