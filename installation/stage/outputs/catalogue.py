"""The outputs there are, by the word before the colon: those of the package `kinds`, and other packages'.

output("ndi:latentworld", Settings(30.0, 0))     # an output, not opened yet
check(["ndi:latentworld", "camera"], open_doors=True)
"""

from __future__ import annotations

import importlib.util
import inspect
import pkgutil
from collections.abc import Iterable, Mapping

from installation.stage.outputs import kinds
from installation.stage.outputs.output import Output, Settings
from latentworld.errors import PluginError, ShowError
from latentworld.registry import Registry


def built_in() -> dict[str, str]:
    """`module:class` of the outputs that come along, by name: each a file of `kinds` with a class of the file's name,
    its first letter large. Imports none of them."""
    names = sorted(module.name for module in pkgutil.iter_modules(kinds.__path__))
    return {name: f"{kinds.__name__}.{name}:{name.capitalize()}" for name in names}


def checked(name: str, found: object) -> type[Output]:
    """A class of outputs. Raises TypeError."""
    if not (inspect.isclass(found) and issubclass(found, Output)):
        raise TypeError(f"{found!r:.80} is no subclass of outputs.output.Output")
    if inspect.isabstract(found):
        raise TypeError(f"{found.__name__} lacks {', '.join(sorted(found.__abstractmethods__))}")
    if not isinstance(vars(found).get("usage"), str):
        raise TypeError(f'{found.__name__} has no usage: give it one, as usage: ClassVar[str] = "{name}:NAME"')
    if not isinstance(found.libraries, Mapping):
        raise TypeError(f"{found.__name__}.libraries is no mapping of modules to commands that install them")
    return found


REGISTRY: Registry[type[Output]] = Registry("latentworld.outputs", "output", built_in(), checked)


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
