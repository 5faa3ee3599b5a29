"""The outputs there are, by the word before the colon: those that come along, one file each, and other packages'.

output("ndi:latentworld", Settings(30.0, 0))     # an output, not opened yet
check(["ndi:latentworld", "camera"], open_doors=True)
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Iterable

from installation.stage.outputs.output import Output, Settings
from latentworld.errors import PluginError, ShowError
from latentworld.registry import Registry

BUILT_IN = ("video", "ndi", "camera", "spout", "syphon")
"""Each is a file of this folder with a class of that name, its first letter large."""


def checked(name: str, found: object) -> type[Output]:
    """A class of outputs. Raises TypeError."""
    if not (inspect.isclass(found) and issubclass(found, Output)):
        raise TypeError(f"{found!r:.80} is no subclass of outputs.output.Output")
    if inspect.isabstract(found):
        raise TypeError(f"{found.__name__} lacks {', '.join(sorted(found.__abstractmethods__))}")
    if not isinstance(vars(found).get("usage"), str):
        raise TypeError(f'{found.__name__} has no usage: give it one, as usage: ClassVar[str] = "{name}:NAME"')
    return found


REGISTRY: Registry[type[Output]] = Registry(
    "latentworld.outputs",
    "output",
    {kind: f"installation.stage.outputs.{kind}:{kind.capitalize()}" for kind in BUILT_IN},
    checked,
)


def output(target: str, settings: Settings) -> Output:
    """The output of `KIND` or `KIND:ARGUMENT`, not opened yet. Raises ShowError for a kind that is not there or is
    broken, and for an argument that it cannot use."""
    return _kind(target).named(target.partition(":")[2], settings)


def check(targets: Iterable[str], open_doors: bool, reserve: int = 0) -> None:
    """Refuse, before a show begins, what could never work: ShowError, one line, for a target that is no output, lacks
    its library, or is heard by the whole network while the doors are shut."""
    for target in targets:
        kind = _kind(target)
        output(target, Settings(30.0, reserve))
        if kind.networked and not open_doors:
            raise ShowError(
                f"{target:.80} is heard by the whole network: open the doors (--open, doors.open) or leave it out"
            )
        for library, remedy in kind.libraries.items():
            if not _is_there(library):
                raise ShowError(f"{target:.80} needs {library}, which is missing: {remedy}")


def _kind(target: str) -> type[Output]:
    name = target.partition(":")[0]
    if name not in REGISTRY.names():
        usages = ", ".join(found.usage for found in REGISTRY.usable().values())
        raise ShowError(f"no output {target!r:.80}: use {usages}")
    try:
        return REGISTRY.get(name)
    except PluginError as error:
        raise ShowError(str(error)) from None


def _is_there(library: str) -> bool:
    try:
        return importlib.util.find_spec(library) is not None
    except (ImportError, ValueError):
        return False
