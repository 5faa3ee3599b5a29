"""The structure of the code in figures: rooms, arrows between them, and signs of values without types.

    python tests/house_figures.py

A *room* is a module or package directly below `latentworld` or `installation` (of `ports`, each port). An *arrow* is
an import at run time, wherever it stands; imports for type checkers alone do not count. Layers are listed bottom up: a
room may import its own row and those before it. `tests/test_house.py` holds the figures; they are signs, not laws.
"""

from __future__ import annotations

import ast
import re
import statistics
import sys
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import networkx

ROOT = Path(__file__).parent.parent
CORE: list[set[str]] = [
    {"errors", "arrays", "tables", "easing", "tokens"},
    {"disk", "explain", "registry", "frozen", "texts", "extras", "emphasis", "deferred", "transfer", "npz"},
    {"globe", "relaxed", "remembered"},
    {"plane", "lipschitz", "aims", "archive"},
    {"vertices", "whiteness", "prompts", "worlds", "decoding", "vision", "device"},
    {"walks", "pacing", "cluster", "drawing"},
    {"pilot", "atlas", "score"},
    {"sections"},
    {"preset"},
    {"reference"},
    {"commented", "schema"},
]
SHOW: list[set[str]] = [
    {"fit"},
    {"clock", "disk_worker", "frames", "lettering", "pictures", "network", "stopwatch", "terminal", "venue"},
    {"ipc"},
    {"control"},
    {"backstage", "loop"},
    {"studio", "rig", "health", "sound", "vocabulary"},
    {"takes"},
    {"score"},
    {"film"},
    {"gallery"},
    {"vertices", "render", "stage", "atlas", "doctor"},
    {"ports", "bridge", "batch"},
    {"show"},
    {"cli"},
]
LAYERS = {"latentworld": CORE, "installation": SHOW}
MESSAGES = {"message", "payload", "record", "tick", "ready", "answer", "told", "scene", "report", "line"}
OUTSIDE = {"foundry", "tests", "benchmarks", "standins", "conftest"}
LONGEST = 60  # lines of a function
TABLE = {"installation.control.parameters", "installation.control.controls"}  # where the parameters' rows stand


@dataclass(frozen=True)
class House:
    """The modules of both packages, parsed: `trees` by dotted name, `texts` likewise."""

    trees: Mapping[str, ast.Module]
    texts: Mapping[str, str]

    @cached_property
    def files(self) -> networkx.DiGraph:
        """Arrows between modules."""
        graph = networkx.DiGraph()
        graph.add_nodes_from(self.trees)
        for name, tree in self.trees.items():
            graph.add_edges_from((name, other) for other in _imported(tree, self.trees) if other != name)
        return graph

    @cached_property
    def rooms(self) -> networkx.DiGraph:
        """Arrows between rooms."""
        pairs = {(room(a), room(b)) for a, b in self.files.edges}
        return networkx.DiGraph([(a, b) for a, b in pairs if a != b])

    def strangers(self) -> list[str]:
        """Imports that no figure would count (relative ones), or of what is not in the wheel (foundry, tests)."""
        found = []
        for name, tree in self.trees.items():
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and node.level:
                    found.append(f"{name}, line {node.lineno}: a relative import")
                named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                named += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
                found += [f"{name} imports {other}" for other in named if other.split(".")[0] in OUTSIDE]
        return found

    def cycles(self) -> list[list[str]]:
        """Circles of modules and of rooms."""
        graphs = (self.files, self.rooms)
        return [
            sorted(part) for graph in graphs for part in networkx.strongly_connected_components(graph) if len(part) > 1
        ]

    def rising(self) -> list[tuple[str, str]]:
        """Arrows from a lower layer to a higher one, and from the core to the installation."""
        return [(a, b) for a, b in self.files.edges if _rises(a, b)]

    def homeless(self) -> set[str]:
        """Rooms that stand in no row."""
        rows = {f"{package}.{name}" for package, layers in LAYERS.items() for row in layers for name in row}
        found = {".".join(name.split(".")[:2]) for name in self.trees if "." in name}
        return found - rows - {"installation.__main__"}

    def untyped(self) -> list[str]:
        """Every `Any`, imports left out."""
        return [
            f"{name}:{node.lineno}"
            for name, tree in self.trees.items()
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and node.id == "Any"
        ]

    def probed(self) -> list[str]:
        """Every `getattr` and `hasattr`."""
        return [
            f"{name}:{node.lineno}"
            for name, tree in self.trees.items()
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("getattr", "hasattr")
        ]

    def raw(self) -> list[str]:
        """Messages and records read by key outside `ipc`: `message["kind"]`, `tick.get("rate")`."""
        return [
            f"{name}:{node.lineno}"
            for name, tree in self.trees.items()
            if name.startswith("installation.") and not name.startswith("installation.ipc")
            for node in ast.walk(tree)
            if _keyed(node)
        ]

    def literals(self) -> list[str]:
        """Names and addresses of parameters written out in the installation, scripts of the deck and all, outside the
        address table."""
        from installation.control.parameters import table

        names = {text for row in table().values() for text in (row.name, row.address)}
        modules = [
            f"{name}:{node.lineno} {node.value}"
            for name, tree in self.trees.items()
            if name.startswith("installation.") and name not in TABLE
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and node.value in names
        ]
        scripts = [
            f"{path.name} {text}"
            for path in sorted((ROOT / "installation" / "ports" / "deck" / "static").glob("*.js"))
            for text in re.findall(r"""['"]([\w./]+)['"]""", path.read_text(encoding="utf-8"))
            if text in names
        ]
        return modules + scripts

    def lengths(self) -> list[int]:
        """Lines of each module that holds more than a docstring."""
        return [text.count("\n") for name, text in self.texts.items() if len(self.trees[name].body) > 1]

    def long_functions(self) -> list[str]:
        """Functions of more than LONGEST lines."""
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        return [
            f"{name}:{node.lineno} {node.name} ({node.end_lineno - node.lineno + 1})"
            for name, tree in self.trees.items()
            for node in ast.walk(tree)
            if isinstance(node, kinds) and node.end_lineno and node.end_lineno - node.lineno >= LONGEST
        ]


def house(root: Path = ROOT) -> House:
    """Read both packages."""
    texts = {}
    for package in LAYERS:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            texts[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text(encoding="utf-8")
    return House({name: ast.parse(text) for name, text in texts.items()}, texts)


def room(name: str) -> str:
    """The room of a module: `installation.ports.osc` for its files, `latentworld.plane` for the file itself."""
    parts = name.split(".")
    return ".".join(parts[: 3 if parts[1:2] == ["ports"] else 2])


def _imported(tree: ast.Module, ours: Container[str]) -> set[str]:
    """Our modules that a file imports; `from package import module` is an arrow to the module alone."""
    found: set[str] = set()
    for node in _at_run_time(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in ours else node.module for name in inner}
    return {name for name in found if name in ours}


def _at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        yield child
        yield from _at_run_time(child)


def _level(name: str) -> tuple[str, int] | None:
    package, _, rest = name.partition(".")
    here = rest.split(".")[0]
    return next(((package, level) for level, row in enumerate(LAYERS[package]) if here in row), None)


def _rises(a: str, b: str) -> bool:
    if a.startswith("latentworld") and b.startswith("installation"):
        return True
    one, other = _level(a), _level(b)
    return one is not None and other is not None and one[0] == other[0] and other[1] > one[1]


def _keyed(node: ast.AST) -> bool:
    if isinstance(node, ast.Subscript):
        return _is_message(node.value) and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args:
        key = node.args[0]
        return _is_message(node.func.value) and isinstance(key, ast.Constant) and isinstance(key.value, str)
    return False


def _is_message(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in MESSAGES


def main() -> int:
    """Print the figures, and with --all where they come from."""
    found = house()
    listed = "--all" in sys.argv
    rows: list[tuple[str, list[str], str]] = [
        ("cycles of rooms and files", [" - ".join(part) for part in found.cycles()], "0"),
        ("arrows from a lower layer to a higher", [" -> ".join(pair) for pair in found.rising()], "0"),
        ("Any", found.untyped(), "150"),
        ("getattr, hasattr", found.probed(), "12"),
        ("raw message accesses outside ipc", found.raw(), "0"),
        ("parameter literals outside the table", found.literals(), "40"),
        (f"functions over {LONGEST} lines", found.long_functions(), "0"),
    ]
    for what, places, aim in rows:
        print(f"{what:42} {len(places):5}   aim {aim}")
        if listed:
            print("".join(f"    {place}\n" for place in places), end="")
    lengths = found.lengths()
    print(f"{'modules':42} {len(lengths):5}   median {statistics.median(lengths):g} lines, longest {max(lengths)}")
    print(f"{'rooms and arrows of the installation':42} {len(_of(found, 'installation'))}, {len(found.rooms.edges)}")
    return 0


def _of(found: House, package: str) -> set[str]:
    return {name for name in found.rooms if name.startswith(f"{package}.")}


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
