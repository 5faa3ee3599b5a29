"""The core knows no show, and importing costs no model library. Which way imports run: test_house.py."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHOW = {"installation", "cv2", "imageio_ffmpeg", "typer", "rich", "socket", "pythonosc", "glfw", "moderngl"}


def imports(path: Path) -> set[str]:
    """Dotted names a file imports at run time, wherever the import stands; those for type checkers alone left out."""
    tree, found = ast.parse(path.read_text(encoding="utf-8")), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def core() -> list[Path]:
    return [path for path in sorted((ROOT / "latentworld").rglob("*.py")) if path.parent.name != "embedded"]


@pytest.mark.parametrize("path", core(), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_imports_no_window_socket_or_encoder(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports(path)} & SHOW


def test_the_loop_knows_protocols_only() -> None:
    allowed = {
        "installation.clock", "installation.control.controls", "installation.frames", "latentworld.decoding.decoder",
        "latentworld.lipschitz", "latentworld.plane", "latentworld.prompts", "latentworld.vision", "latentworld.walks",
    }  # fmt: skip
    names = imports(ROOT / "installation" / "loop.py")
    modules = {name for name in names if name.startswith(("installation", "latentworld"))}
    assert {
        name for name in modules if not any(name.startswith(f"{room}.") or name == room for room in allowed)
    } == set()


def test_the_loop_is_a_page() -> None:
    tree = ast.parse((ROOT / "installation" / "loop.py").read_text(encoding="utf-8"))
    run = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "run")
    assert run.end_lineno is not None
    assert run.end_lineno - run.lineno < 40


def test_only_the_builder_knows_concrete_classes() -> None:
    concrete = ("latentworld.decoding.faithful", "latentworld.decoding.scout", "latentworld.decoding.analytic")
    for path in (ROOT / "installation").rglob("*.py"):
        if path.stem not in ("show", "rig"):
            assert not imports(path) & set(concrete), path


def test_importing_loads_no_model_library() -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sorted((ROOT / "installation").rglob("*.py"))
        if path.stem not in ("__init__", "__main__")
    ]
    heavy = ["torch", "diffusers", "transformers", "cv2", "matplotlib", "openvino"]
    program = (
        "import sys, importlib, latentworld, latentworld.preset, latentworld.worlds, installation\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr[-2000:]


def test_programs_kept_as_text_import_what_there_is() -> None:
    """Programs that tests and benchmarks hand to another Python stand in strings, where no linter looks."""
    named = re.compile(r"^\s*(?:from|import) ((?:latentworld|installation)(?:\.\w+)*)", re.MULTILINE)
    files = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")]
    modules = {name for path in files for name in named.findall(path.read_text(encoding="utf-8"))}
    assert [name for name in sorted(modules) if importlib.util.find_spec(name) is None] == []
