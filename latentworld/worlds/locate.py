"""Where a world is: the embedded one, a diffusers folder, a single .safetensors file, or a name on the hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from latentworld.errors import UnsafeWeights, WorldMissing

EMBEDDED = Path(__file__).parent / "embedded"
"""The folder of the world that comes along."""
PICKLED = {".ckpt", ".pt", ".pth", ".bin", ".pkl"}
HUB_NAME = re.compile(r"(?P<repo>[\w][\w.-]*/[\w][\w.-]*)(@(?P<revision>[\w][\w./-]*))?")


@dataclass(frozen=True)
class HubRef:
    """A repository on the hub; `revision` is a branch, a tag or a commit, None for what is cached or `main`."""

    repo: str
    revision: str | None = None

    def __str__(self) -> str:
        return self.repo if self.revision is None else f"{self.repo}@{self.revision}"


def locate(name: str | Path, noun: str = "world") -> Path | HubRef:
    """Folder, file or hub reference behind the name of a world, or of whatever else `noun` says; nothing is fetched.

    Raises WorldMissing when nothing can be meant, UnsafeWeights for a pickled file.
    """
    text = str(name)
    if text == "embedded":
        if not (EMBEDDED / "model_index.json").is_file():
            raise WorldMissing(
                f"the embedded world is not in {EMBEDDED}: install latentworld again, or cast it (foundry)"
            )
        return EMBEDDED
    path = Path(text).expanduser()
    if path.suffix.lower() in PICKLED and not path.is_dir():
        raise UnsafeWeights(f"{path} is a pickled file, which could run code: convert it to .safetensors first")
    if path.is_dir() or (path.is_file() and path.suffix.lower() == ".safetensors"):
        return path.resolve()
    if path.is_file():
        raise WorldMissing(f"{path} is no {noun}: give a diffusers folder, a .safetensors file or a hub name")
    match = HUB_NAME.fullmatch(text)
    if match and path.suffix.lower() != ".safetensors":
        return HubRef(match["repo"], match["revision"])
    raise WorldMissing(f"no {noun} {text!r}: say `embedded`, a diffusers folder, a .safetensors file or owner/name")
