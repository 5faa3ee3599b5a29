"""Options that belong together, as frozen dataclasses: a command takes one value, the command line its options."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import TypeVar, get_type_hints

Returned = TypeVar("Returned")


def grouped(function: Callable[..., Returned]) -> Callable[..., Returned]:
    """The function as typer reads it: a parameter whose type is a dataclass becomes an option for each of its fields,
    with the field's default and `Annotated` type; called with those, it gives the function the dataclass.

    Every field needs a default. Raises TypeError for two options of one name.
    """
    hints = get_type_hints(function, include_extras=True)
    own = inspect.signature(function).parameters.values()
    groups = {each.name: hints[each.name] for each in own if dataclasses.is_dataclass(hints[each.name])}
    flat: list[inspect.Parameter] = []
    for each in own:
        if each.name in groups:
            flat += _options(groups[each.name])
        else:
            flat.append(each.replace(annotation=hints[each.name]))
    names = [each.name for each in flat]
    if twice := {name for name in names if names.count(name) > 1}:
        raise TypeError(f"{function.__name__} has two options named {', '.join(sorted(twice))}")

    @functools.wraps(function)
    def called(**given: object) -> Returned:
        made = {
            name: group(**{field.name: given.pop(field.name) for field in dataclasses.fields(group)})
            for name, group in groups.items()
        }
        return function(**given, **made)

    called.__signature__ = inspect.Signature(flat)  # type: ignore[attr-defined]
    called.__annotations__ = {each.name: each.annotation for each in flat}
    return called


def _options(group: type) -> list[inspect.Parameter]:
    hints, kind = get_type_hints(group, include_extras=True), inspect.Parameter.KEYWORD_ONLY
    return [
        inspect.Parameter(field.name, kind, default=field.default, annotation=hints[field.name])
        for field in dataclasses.fields(group)
    ]
