"""The checker that jaxtyping's import hook puts round the core in tests: beartype, of arrays alone.

Everything else is checked by mypy, which reads no shapes; and beartype knows neither `Self` outside a class nor names
that are imported for type checkers alone.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from beartype import beartype
from jaxtyping import AbstractArray

Made = TypeVar("Made", bound=Callable[..., Any])


def checked(function: Made) -> Made:
    """The function, its arrays checked when it is called; itself where its annotations name none."""
    hints = {name: _arrays(hint) for name, hint in inspect.get_annotations(function).items()}
    if all(hint is Any for hint in hints.values()):
        return function
    function.__annotations__ = hints
    return beartype(function)


def _arrays(hint: Any) -> Any:
    """What the hint says of arrays: alone, in tuples and lists, or None instead; of everything else Any."""
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return hint
    origin, inner = get_origin(hint), tuple(part if part is Ellipsis else _arrays(part) for part in get_args(hint))
    if origin in (Union, UnionType):
        others = {part for part, was in zip(inner, get_args(hint)) if was is not NoneType}
        return Any if Any in others else Union[(*others, NoneType)] if NoneType in get_args(hint) else Union[(*others,)]
    if origin in (tuple, list) and any(part is not Any for part in inner):
        return origin[inner]
    return Any
