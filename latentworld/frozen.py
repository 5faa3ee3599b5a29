"""Frozen pydantic models with other values in them, checked as when they were read."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel

Model = TypeVar("Model", bound=BaseModel)


def changed(model: Model, **fields: object) -> Model:
    """The same model with other values.

    `model_copy(update=...)` checks nothing: it takes unknown names, wrong types and numbers out of range. Here all of
    the model is checked again. Raises pydantic.ValidationError.
    """
    return type(model).model_validate({**dict(model), **fields})
