"""Frozen pydantic models with other values in them, checked as when they were read; and their keys, explained."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, Field

Model = TypeVar("Model", bound=BaseModel)


def changed(model: Model, **fields: object) -> Model:
    """The same model with other values.

    `model_copy(update=...)` checks nothing: it takes unknown names, wrong types and numbers out of range. Here all of
    the model is checked again. Raises pydantic.ValidationError.
    """
    return type(model).model_validate({**dict(model), **fields})


def keyed(default: object, about: str) -> Any:
    """A key of a preset: its default, `...` for none, and what it means, said here once. about: its unit, what it does,
    what one sees when it moves. The docs, `presets keys`, the schema and the deck's tooltips have it from here."""
    return Field(default, description=about)
