"""The kinds of walk there are: those that come along, one file each, and those that other packages add.

kinds()                        # their names, for presets and the control; imports no package but this one
spec_of("orbit")               # the model of one; PluginError for none or a broken one
build(spec, plane)             # a walk
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Annotated

from pydantic import SerializeAsAny
from pydantic.functional_validators import PlainValidator
from pydantic_core import PydanticKnownError

from latentworld.errors import GeometryError, PluginError, WalkRefused
from latentworld.plane import Plane
from latentworld.registry import Registry
from latentworld.walks.fixed import Fixed
from latentworld.walks.foreign import Maker, built
from latentworld.walks.free import Free
from latentworld.walks.spec import FixedSpec, FreeSpec, Spec

BUILT_IN = ("rift", "wander", "orbit", "waypoints", "lissajous", "swath", "spiral")
"""Each is a file of this folder with a class of that name, its first letter large. OSC numbers them in this order."""
DEFAULT = BUILT_IN[0]
"""What a preset without a kind walks."""


def checked(name: str, found: object) -> type[Spec]:
    """A spec that can stand in a preset and on the control, where it has no keys. Raises TypeError or ValueError."""
    if not (inspect.isclass(found) and issubclass(found, FixedSpec | FreeSpec)):
        raise TypeError(f"{found!r:.80} is no subclass of walks.FixedSpec or walks.FreeSpec")
    if inspect.isabstract(found):
        raise TypeError(f"{found.__name__} has no method build(plane)")
    kind = found.model_fields["kind"].default
    if kind != name:
        raise ValueError(f"its kind is {kind!r} and its entry point {name!r}: the two must be one")
    if not isinstance(vars(found).get("label"), str):
        raise TypeError(f"{found.__name__} has no label: give it one, label: ClassVar[str] = ...")
    required = [key for key, field in found.model_fields.items() if field.is_required()]
    if required:
        raise ValueError(f"its keys {', '.join(required)} have no default, which the walk of the control needs")
    return found


REGISTRY: Registry[type[Spec]] = Registry(
    "latentworld.walks",
    "kind of walk",
    {kind: f"latentworld.walks.{kind}:{kind.capitalize()}" for kind in BUILT_IN},
    checked,
)


def kinds() -> tuple[str, ...]:
    """The names of all kinds, those that come along first; other packages' are not imported."""
    return REGISTRY.names()


def spec_of(kind: str) -> type[Spec]:
    """The model of a kind. Raises PluginError, one line, where there is none of that name or it is broken."""
    return REGISTRY.get(kind)


def specs() -> dict[str, type[Spec]]:
    """The models of all kinds that can be used, by name."""
    return REGISTRY.usable()


def parsed(value: object) -> Spec:
    """A walk as a preset has it, a table with a `kind` (without one, the default's). Raises pydantic's ValidationError,
    or ValueError for a kind that is not there."""
    if isinstance(value, Spec):
        return value
    if not isinstance(value, Mapping):
        raise PydanticKnownError("dict_type")
    table: dict[str, object] = {"kind": DEFAULT, **value}
    try:
        return spec_of(str(table["kind"])).model_validate(table)
    except PluginError as error:
        raise ValueError(str(error)) from None


WalkSpec = Annotated[SerializeAsAny[Spec], PlainValidator(parsed)]
"""A walk of any kind, as a field of a model."""


def build(spec: WalkSpec, plane: Plane) -> Fixed | Free:
    """The walk of a spec on a plane, at its start. Raises WalkRefused, a GeometryError, as `Spec.build`, and where
    another package's breaks; so does such a walk later, wherever it is asked."""
    if spec.kind not in BUILT_IN:
        return built(spec, plane, _maker(spec.kind, type(spec).__module__))
    try:
        return spec.build(plane)
    except GeometryError as error:
        raise WalkRefused(str(error), spec.kind) from None


def plain(kind: str) -> Spec:
    """A kind's walk without further keys, as the control has it. Raises WalkRefused."""
    try:
        found = spec_of(kind)
    except PluginError as error:
        raise WalkRefused(str(error), kind) from None
    try:
        return found.plain()
    except (Exception, SystemExit) as error:  # of another package's validators
        raise _maker(kind, found.__module__).broke(error) from error


def _maker(kind: str, module: str) -> Maker:
    sources = [part.source for part in REGISTRY.added() if part.name == kind]
    return Maker(kind, sources[0] if sources else "an unknown package", module)
