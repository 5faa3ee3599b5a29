"""Shapes in types: checked in tests, free outside them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from jaxtyping import AbstractArray, TypeCheckError

import latentworld
from latentworld import arrays
from latentworld.lipschitz import Rates
from latentworld.walks.breath import Breath

ALIASES = {name for name, kind in vars(arrays).items() if isinstance(kind, type) and issubclass(kind, AbstractArray)}
NAMED = re.compile(rf"(?<!zarr\.)\b({'|'.join(ALIASES | {'Array', 'Mask', 'Float64', 'Int64'})})\b")


def test_lengths_that_differ_are_noticed() -> None:
    with pytest.raises(TypeCheckError, match="distance"):
        Rates(np.zeros(2), np.zeros(3), np.zeros(2))


def test_a_number_type_that_differs_is_noticed() -> None:
    with pytest.raises(TypeCheckError, match="phi"):
        Breath()(np.zeros(2, np.float32))


def test_outside_tests_nothing_is_checked(unchecked: None) -> None:
    assert len(Rates(np.zeros(2), np.zeros(3), np.zeros(2))) == 2


def annotated() -> Iterator[tuple[str, str, dict[str, object]]]:
    """Where an alias is used in a signature, the text of the annotation, and the names of its module."""
    for found in pkgutil.walk_packages(latentworld.__path__, "latentworld."):
        module = importlib.import_module(found.name)
        classes = [
            value for value in vars(module).values() if inspect.isclass(value) and value.__module__ == found.name
        ]
        for owner in (module, *classes):
            functions = [f for f in vars(owner).values() if inspect.isfunction(f) and f.__module__ == found.name]
            for holder in (*functions, *([owner] if inspect.isclass(owner) else [])):
                for name, text in inspect.get_annotations(holder).items():
                    if isinstance(text, str) and NAMED.search(text) and "Tensor" not in text:
                        yield f"{found.name}.{holder.__qualname__}: {name}", text, vars(module)


def test_every_shape_can_be_read() -> None:
    """jaxtyping takes an annotation that it cannot read for Any and checks nothing."""
    unread, count = [], 0
    for where, text, names in annotated():
        count += 1
        try:
            eval(text, dict(names))
        except NameError as error:
            unread.append(f"{where} = {text}: {error}")
    assert count > 200
    assert not unread


def test_shapes_cost_no_library() -> None:
    program = (
        "import sys, latentworld.plane as p; loaded = ('torch', 'jax', 'beartype', 'jaxtyping', 'unittest.mock'); "
        "print([name for name in loaded if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
