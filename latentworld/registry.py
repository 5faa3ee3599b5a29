"""Parts by name: those that come with latentworld, and those that other packages add by entry points.

A package adds a part in its own pyproject.toml, and touches nothing here (docs/extending.md)::

    [project.entry-points."latentworld.walks"]
    ring = "rings.walk:Ring"

    registry.names()        # what there is, by name; imports none of it
    registry.get("ring")    # the part, imported now. PluginError: there is none, or it cannot be used
    registry.usable()       # all that can be used, by name; imports all of it
    registry.examine()      # what cannot be used, and why; imports all of it

A part that cannot be found, imported or used, or whose name is taken, costs nobody anything but itself: it becomes one
line, `BrokenPart`, that names the package, the entry point and the reason.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from threading import RLock
from typing import TYPE_CHECKING, Generic, TypeVar

from latentworld.errors import PluginError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

PartType = TypeVar("PartType")
NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
GROUPS = "latentworld."  # what the names of all groups begin with
LONGEST = 300  # characters of a reason: an import's fault may hold pages


@dataclass(frozen=True)
class Part:
    """A part as it is announced: its name, where it lies (`module:attribute`), and the package that brings it."""

    name: str
    value: str
    source: str


@dataclass(frozen=True)
class BrokenPart(Part):
    """A part that cannot be used, and why. noun: what it should have been."""

    noun: str
    reason: str

    def __str__(self) -> str:
        return f"the {self.noun} {self.name!r} of {self.source} ({self.value}) cannot be used: {self.reason}"


@dataclass
class _Found:
    """What discovery found: usable entry points by name, and what it had to leave out."""

    entries: dict[str, EntryPoint] = field(default_factory=dict)
    broken: list[BrokenPart] = field(default_factory=list)


class Registry(Generic[PartType]):
    """The parts of one kind. Thread-safe; entry points are looked for at the first question, parts imported when asked
    for.

    group: of the entry points; noun: what one part is called, in messages; built_in: `module:attribute` by name, in the
    order in which they are listed; check: turns what was imported, with its name, into a part, or raises TypeError or
    ValueError with the reason; entry_points: finds the entry points of a group (importlib.metadata's, unless a test
    gives its own); reserved: further names that nobody may take.
    """

    def __init__(
        self,
        group: str,
        noun: str,
        built_in: Mapping[str, str],
        check: Callable[[str, object], PartType],
        entry_points: Callable[[str], Iterable[EntryPoint]] | None = None,
        reserved: Iterable[str] = (),
    ) -> None:
        self.group, self.noun = group, noun
        self._built_in, self._check, self._reserved = dict(built_in), check, frozenset(reserved)
        self._entry_points = entry_points or _installed
        self._lock = RLock()  # an import may ask the registry again
        self._made: dict[str, PartType] = {}
        self._broken: dict[str, BrokenPart] = {}
        self._found: _Found | None = None

    def names(self) -> tuple[str, ...]:
        """What there is, broken or not: built in, then added ones by the alphabet. Imports none of it."""
        return (*self._built_in, *sorted(self._discovered().entries))

    def added(self) -> list[Part]:
        """The parts that other packages bring, by name. Imports none of them."""
        entries = self._discovered().entries
        return [Part(name, entries[name].value, _source(entries[name])) for name in sorted(entries)]

    def get(self, name: str) -> PartType:
        """The part of that name, imported at the first call. Raises PluginError, one line, where there is none or it is
        broken."""
        with self._lock:
            if name not in self._made and name not in self._broken:
                self._load(name)
            if name in self._broken:
                raise PluginError(str(self._broken[name]))
            return self._made[name]

    def usable(self) -> dict[str, PartType]:
        """All parts that can be used, by name, in the order of `names`. Imports all of them."""
        made = {}
        for name in self.names():
            try:
                made[name] = self.get(name)
            except PluginError:
                continue  # `broken` says it
        return made

    def broken(self) -> list[BrokenPart]:
        """What is known so far to be unusable."""
        with self._lock:
            return [*self._discovered().broken, *self._broken.values()]

    def examine(self) -> list[BrokenPart]:
        """What is unusable. Imports all parts."""
        self.usable()
        return self.broken()

    def _discovered(self) -> _Found:
        with self._lock:
            if self._found is None:
                self._found = self._discover()
            return self._found

    def _discover(self) -> _Found:
        found = _Found()
        for entry in sorted(self._entry_points(self.group), key=lambda entry: (entry.name, _source(entry))):
            taken = "latentworld" if entry.name in self._built_in or entry.name in self._reserved else None
            if entry.name in found.entries:
                taken = _source(found.entries[entry.name])
            if not NAME.fullmatch(entry.name):
                reason = "its name must be small letters, digits, - and _, beginning with a letter, 40 at most"
            elif taken is not None:
                reason = f"{taken} has a {self.noun} of that name: one of the two needs another"
            else:
                found.entries[entry.name] = entry
                continue
            found.broken.append(self._unusable(entry, reason))
        return found

    def _load(self, name: str) -> None:
        """Put the part among those made or those broken."""
        if name in self._built_in:
            self._made[name] = self._check(name, _imported(self._built_in[name]))
            return
        entry = self._discovered().entries.get(name)
        if entry is None:
            raise PluginError(self._unknown(name))
        try:
            self._made[name] = self._check(name, entry.load())
        except (Exception, SystemExit) as error:  # what other people's code raises is anybody's guess
            words = " ".join(str(error).split())
            known = isinstance(error, (TypeError, ValueError)) and words
            reason = words if known else f"{type(error).__name__}: {words}" if words else type(error).__name__
            self._broken[name] = self._unusable(entry, reason)

    def _unusable(self, entry: EntryPoint, reason: str) -> BrokenPart:
        short = reason if len(reason) <= LONGEST else f"{reason[: LONGEST - 3]}..."
        return BrokenPart(entry.name, entry.value, _source(entry), self.noun, short)

    def _unknown(self, name: str) -> str:
        from latentworld.explain import nearest  # pydantic's, which a command line that lists names can do without

        out = [str(part) for part in self._discovered().broken if part.name == name]
        return out[0] if out else f"no {self.noun} {name!r:.80}: {nearest(name, self.names())}"


def blamed(error: BaseException) -> str | None:
    """One line on an error that came out of another package's part: which package, where, and what; None where it is
    ours. Entry points are looked through only now."""
    from importlib.metadata import entry_points

    found = entry_points()
    groups = [group for group in found.groups if group.startswith(GROUPS)]
    return traced(error, {entry.module: _source(entry) for group in groups for entry in found.select(group=group)})


def traced(error: BaseException, sources: Mapping[str, str]) -> str | None:
    """One line on an error that came out of one of these modules (or packages of modules, by their top names); None
    where it did not. sources: whose they are."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        module = frame.f_globals.get("__name__", "")
        source = sources.get(module) or sources.get(module.partition(".")[0])
        if source is not None:
            return f"{source} broke in {module}, line {line}: {reason(error)}"
    return None


def reason(error: BaseException) -> str:
    """What an error says, on one line with its type."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:LONGEST]


def _installed(group: str) -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points

    return entry_points(group=group)


def _imported(value: str) -> object:
    from importlib.metadata import EntryPoint

    return EntryPoint("built-in", value, "latentworld").load()


def _source(entry: EntryPoint) -> str:
    return "an unknown package" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"
