"""What other packages add, for `latentworld doctor`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from latentworld.registry import Part, Registry


def registries(commands: Registry[Any]) -> Sequence[Registry[Any]]:
    """Of every kind of part that there is."""
    from installation.stage.outputs import catalogue as outputs
    from latentworld.atlas import merits
    from latentworld.walks import catalogue as walks
    from latentworld.worlds import families

    return (walks.REGISTRY, families.REGISTRY, outputs.REGISTRY, merits.REGISTRY, commands)


def report(every: Sequence[Registry[Any]]) -> dict[str, list[str]]:
    """Parts of other packages that can be used, and a line for each that cannot. Imports all of them."""
    broken = [str(part) for registry in every for part in registry.examine()]
    found = [f"{registry.noun} {part.name} of {part.source}" for registry in every for part in usable(registry)]
    return {"plugins": found, "broken_plugins": broken}


def usable(registry: Registry[Any]) -> list[Part]:
    """Parts of other packages that can be used."""
    made = registry.usable()
    return [part for part in registry.added() if part.name in made]
