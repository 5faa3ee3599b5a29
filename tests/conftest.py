"""Fixtures that several files share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from stores import surveyed

from installation import cli


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Arguments to exit code, stdout and stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["latentworld", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else int(bool(exit_.code))
        return code, *capfd.readouterr()

    return call


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small atlas that nothing happened to; not to be written."""
    return surveyed(tmp_path_factory.mktemp("once") / "atlas")


@pytest.fixture
def copied(tmp_path: Path, undisturbed: Path) -> Path:
    """A copy of it, to be hurt."""
    return Path(shutil.copytree(undisturbed, tmp_path / "atlas"))
