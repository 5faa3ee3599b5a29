"""What a part needs and is not there: one line, with a command that brings it from where this copy came from."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from latentworld import extras
from latentworld.errors import AtlasError, ClusterError, ShowError

ROOT = Path(__file__).parent.parent
# libraries whose package has another name
PACKAGE = {
    "sklearn": "scikit-learn", "rtmidi": "python-rtmidi", "prometheus_client": "prometheus-client",
    "syphon": "syphon-python",
}  # fmt: skip


def project() -> dict[str, list[str]]:
    """The extras of pyproject.toml: names of packages."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    return {name: [re.match(r"[\w.-]+", row)[0] for row in rows] for name, rows in table.items()}  # type: ignore[index]


def test_the_table_of_libraries_is_that_of_the_project() -> None:
    extra = project()
    for library, name in extras.EXTRA.items():
        if library != "latentworld":
            assert PACKAGE.get(library, library) in extra[name], library
    known = {PACKAGE.get(library, library) for library in extras.EXTRA}
    missing = {part for name, parts in extra.items() if name not in ("dev", "docs", "all") for part in parts} - known
    assert missing <= {"latentworld"}, "an extra brings what `need` does not know"


def test_all_is_every_extra_but_those_with_a_way_of_their_own() -> None:
    rows = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    named = set(re.fullmatch(r"latentworld\[(.+)\]", rows["all"][0])[1].split(","))  # type: ignore[index]
    # fp8's library is for cards alone, and slows every start where there is none: diffusers imports it
    assert named == set(rows) - {"all", "dev", "docs", "fp8", *extras.ALONE}


def test_every_library_that_is_asked_for_is_known() -> None:
    for path in [*(ROOT / "installation").rglob("*.py"), *(ROOT / "latentworld").rglob("*.py")]:
        for name in re.findall(r'\bneed\("([\w.]+)"', path.read_text(encoding="utf-8")):
            assert name.split(".")[0] in {*extras.EXTRA, "matplotlib", "json"}, (path, name)


def test_in_a_checkout_the_command_names_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    *start, flag, target = shlex.split(extras.install("atlas"))
    assert (start, flag, target) == ([sys.executable, "-m", "pip", "install"], "-e", f"{ROOT}[atlas]")
    monkeypatch.chdir(ROOT)
    assert extras.install("show").endswith(' -e ".[show]"')
    assert extras.install().endswith(' -e "."')
    monkeypatch.chdir(ROOT.parent)  # where a bare name would be one of a package
    assert extras.install("midi").endswith(f' -e "./{ROOT.name}[midi]"')
    assert extras.install("upscale").endswith("--no-deps spandrel einops")


def installed(monkeypatch: pytest.MonkeyPatch, record: object, requires: list[str] | None = None) -> None:
    """As from a wheel, with such a record of where it was from."""
    text = None if record is None else json.dumps(record)
    monkeypatch.setattr(extras, "checkout", lambda: None)
    monkeypatch.setattr(
        metadata, "distribution", lambda name: SimpleNamespace(version="1", read_text=lambda file: text)
    )
    monkeypatch.setattr(metadata, "requires", lambda name: requires)


def test_an_installed_one_names_what_it_was_installed_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wheel = tmp_path / "a folder" / "latentworld-0.1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    wheel.touch()
    installed(monkeypatch, {"url": wheel.as_uri(), "archive_info": {}})
    assert shlex.split(extras.install("atlas"))[-1] == f"{wheel}[atlas]"
    installed(monkeypatch, {"url": "https://example.org/lw.git", "vcs_info": {"vcs": "git", "commit_id": "a"}})
    assert shlex.split(extras.install("atlas"))[-1] == "latentworld[atlas] @ git+https://example.org/lw.git"


@pytest.mark.parametrize("record", [None, {"url": "file:///nowhere/latentworld-0.1.0-py3-none-any.whl"}])
def test_an_installed_one_whose_source_is_gone_names_the_libraries(
    record: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = ['zarr>=3.1; extra == "atlas"', "latentworld[atlas]; extra == 'cluster'", 'ray>=2.50; extra == "cluster"']
    installed(monkeypatch, record, rows)
    assert shlex.split(extras.install("cluster"))[-2:] == ["zarr>=3.1", "ray>=2.50"]
    installed(monkeypatch, record)
    assert shlex.split(extras.install("cluster"))[-1] == "latentworld[cluster]"


def test_without_pip_it_is_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    assert extras.install("atlas").startswith("uv pip install --python ")


@pytest.mark.parametrize(("library", "error"), [("zarr", AtlasError), ("ray", ClusterError), ("glfw", ShowError)])
def test_what_is_missing_is_one_line(library: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(error, match=rf"^{library} is missing: .* -e .*\[{extras.EXTRA[library]}\]") as told:
        extras.need(library)
    assert "\n" not in str(told.value)


def test_a_library_of_the_system_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(name: str) -> None:
        raise OSError("libportaudio is not there")

    monkeypatch.setattr(extras.importlib, "import_module", refused)
    with pytest.raises(ShowError, match=r"sounddevice cannot be used \(libportaudio.*\[audio\].*latentworld doctor"):
        extras.need("sounddevice")


def test_pip_takes_the_command() -> None:
    """Nothing is fetched or built: pip alone reads what is asked for, and what it wants of the network it is denied."""
    command = [*shlex.split(extras.install("upscale")), "--dry-run", "--no-index", "--find-links", str(ROOT)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "already satisfied: spandrel" in done.stdout or "No matching distribution" in done.stderr, done.stderr
