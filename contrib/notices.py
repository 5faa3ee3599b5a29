"""THIRD-PARTY.md: what is installed beside latentworld, and under which licence, read off what is installed here.

python contrib/notices.py > THIRD-PARTY.md
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEAD = """# Third-party notices

The wheel holds nothing that others wrote: code, presets and the embedded world's weights are this project's, under its
MIT licence. What pip installs beside it comes under its own licences, whose texts lie in each package's `.dist-info`
folder. Below is what was installed where this page was made (`python contrib/notices.py > THIRD-PARTY.md`); other
versions may differ. `imageio-ffmpeg` brings a build of ffmpeg under the GPL (x264, x265), as a program of its own.

| package | version | licence | by |
|---|---|---|---|
"""
LICENCES = re.compile(r"License :: (?:OSI Approved :: )?(.+)")


def wanted() -> list[str]:
    """Names of the libraries that latentworld and its extras ask for, those for tests and docs left out."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [rows for name, rows in project["optional-dependencies"].items() if name not in ("dev", "docs")]
    rows = [*project["dependencies"], *(row for part in extras for row in part)]
    return [name for row in rows if (name := _name(row)) != "latentworld"]


def installed() -> dict[str, metadata.Distribution]:
    """Of those and of what they ask for, what is there, by name."""
    found: dict[str, metadata.Distribution] = {}
    waiting = wanted()
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        waiting += [_name(row) for row in found[name].requires or [] if "extra ==" not in row]
    return dict(sorted(found.items()))


def licence(part: metadata.Distribution) -> str:
    """In a few words, as its metadata has it."""
    said = part.metadata
    if expression := said.get("License-Expression"):
        return str(expression)
    named = [found[1] for row in said.get_all("Classifier") or [] if (found := LICENCES.fullmatch(row))]
    text = " ".join(str(said.get("License", "")).split())
    return ", ".join(named) or (text if 0 < len(text) <= 60 else "see its files")


def page() -> str:
    """The page as Markdown."""
    return HEAD + "".join(_rows())


def _rows() -> Iterator[str]:
    for name, part in installed().items():
        by = part.metadata.get("Author") or part.metadata.get("Author-email") or part.metadata.get("Maintainer") or ""
        by = re.sub(r"\s*<[^>]*>", "", str(by)).replace("|", "/").replace('"', "").strip()
        yield f"| {name} | {part.version} | {licence(part).replace('|', '/')} | {by[:60]} |\n"


def _name(requirement: str) -> str:
    """A package's name in the form in which all spellings of it are one (PEP 503)."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    return re.sub(r"[-_.]+", "-", found[0] if found else "").lower()


if __name__ == "__main__":
    sys.stdout.write(page())
